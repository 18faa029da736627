// Kernel TLS. Whether this machine's kernel has it is not known, so setsockopt
// is this program's own: it takes the keys and says yes, or no. What a kernel
// would encrypt then goes out as it is, which shows that the stream hands it
// plain text, and that records of other types go their own way.
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "percore/net/tls/tls_stream.h"
#include "percore/tests/net/tls/tls_peers.h"

namespace {

constexpr int kSolTls = 282;
constexpr int kTlsTx = 1;

struct Kernel {
  bool has_it = false;
  int attached = 0;
  int sends = 0;
  int receives = 0;
  std::string control;  // bytes of records with a type of their own
} kernel;

}  // namespace

extern "C" {

int setsockopt(int fd, int level, int name, const void* value,
               socklen_t size) noexcept {
  if (level == SOL_TCP && name == TCP_ULP) {
    if (!kernel.has_it) {
      errno = ENOENT;
      return -1;
    }
    ++kernel.attached;
    return 0;
  }
  if (level == kSolTls) {
    if (!kernel.has_it) {
      errno = ENOPROTOOPT;
      return -1;
    }
    // Sending only: what arrives here no kernel decrypts.
    if (name != kTlsTx) {
      ++kernel.receives;
      errno = EINVAL;
      return -1;
    }
    ++kernel.sends;
    return 0;
  }
  return static_cast<int>(
      syscall(SYS_setsockopt, fd, level, name, value, size));
}

// Records with a type come by this, with the type beside them.
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  const cmsghdr* extra = CMSG_FIRSTHDR(message);
  if (extra != nullptr && extra->cmsg_level == kSolTls) {
    ssize_t size = 0;
    for (size_t i = 0; i < message->msg_iovlen; ++i) {
      kernel.control.append(
          static_cast<const char*>(message->msg_iov[i].iov_base),
          message->msg_iov[i].iov_len);
      size += static_cast<ssize_t>(message->msg_iov[i].iov_len);
    }
    return size;
  }
  return syscall(SYS_sendmsg, fd, message, flags);
}

}  // extern "C"

namespace percore {
namespace {

class TlsKernelTest : public testing_tls::TlsPeersTest {
 protected:
  TlsKernelTest() {
    kernel = Kernel();
    SSL_CTX_set_options(client_ctx_.get(), SSL_OP_ENABLE_KTLS);
    // A cipher that every OpenSSL can hand over.
    SSL_CTX_set_ciphersuites(client_ctx_.get(), "TLS_AES_128_GCM_SHA256");
  }
  // Until our side is done; the tickets are read.
  void Handshake() {
    StartClient();
    for (int i = 0; i < 20 && !stream_->Got(BEV_EVENT_CONNECTED); ++i) {
      peer_->Step();
      Turn();
    }
    ASSERT_TRUE(stream_->Got(BEV_EVENT_CONNECTED));
    stream_->Enable(EV_READ);
    Turns();
    peer_->Step();
    ASSERT_TRUE(SSL_is_init_finished(peer_->ssl()));
  }
};

TEST_F(TlsKernelTest, PlainTextGoesToTheKernel) {
  kernel.has_it = true;
  Handshake();
  if (kernel.sends == 0) GTEST_SKIP() << "SKIP: OpenSSL has no kernel TLS";
  EXPECT_GE(kernel.attached, 1);
  EXPECT_TRUE(BIO_get_ktls_send(SSL_get_wbio(ssl_)));
  EXPECT_FALSE(BIO_get_ktls_recv(SSL_get_rbio(ssl_)));
  stream_->Put("clear ");
  stream_->Put("text");
  Turns();
  EXPECT_EQ(peer_->Arrived(), "clear text");
  // What arrives is still decrypted here.
  peer_->Write("secret");
  peer_->Send(peer_->Made());
  Turns();
  EXPECT_EQ(stream_->Take(), "secret");
  // The alert: a record of its own type, after all data.
  stream_->Put("end");
  bufferevent_flush(*stream_, EV_WRITE, BEV_FINISHED);
  TlsStream::From(*stream_)->Shutdown();
  Turns();
  EXPECT_EQ(peer_->Arrived(), "end");
  EXPECT_EQ(kernel.control, std::string("\1\0", 2));  // warning, close_notify
}

TEST_F(TlsKernelTest, WithoutTheKernelAllIsAsEver) {
  Handshake();
  EXPECT_EQ(kernel.sends, 0);
  EXPECT_FALSE(BIO_get_ktls_send(SSL_get_wbio(ssl_)));
  stream_->Put("encrypted");
  Turns();
  peer_->Step();
  EXPECT_EQ(peer_->got(), "encrypted");
}

TEST_F(TlsKernelTest, NotUnlessAskedFor) {
  kernel.has_it = true;
  SSL_CTX_clear_options(client_ctx_.get(), SSL_OP_ENABLE_KTLS);
  Handshake();
  EXPECT_EQ(kernel.attached, 0);
}

}  // namespace
}  // namespace percore
