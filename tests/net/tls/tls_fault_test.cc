// A system that takes and gives less than it could, and interrupts: this
// program has its own read and write calls.
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>

#include "percore/net/tls/tls_stream.h"
#include "percore/tests/net/tls/tls_peers.h"

namespace {

// What the calls below do to descriptors in `victims`.
struct Faults {
  bool on = false;
  std::uint32_t seed = 1;
  size_t most = std::numeric_limits<size_t>::max();
  int fail_writes_with = 0;
  int fail_reads_with = 0;
  int calls = 0;
  int victim = -1;

  // Every third call is interrupted or finds nothing.
  bool Refuses() {
    seed = seed * 1664525u + 1013904223u;
    ++calls;
    switch ((seed >> 16) % 6) {
      case 0:
        errno = EINTR;
        return true;
      case 1:
        errno = EAGAIN;
        return true;
      default:
        return false;
    }
  }
  size_t Some(size_t n) const { return n < most ? n : most; }
} faults;

bool Applies(int fd) { return faults.on && fd == faults.victim; }

}  // namespace

extern "C" {

ssize_t read(int fd, void* to, size_t n) {
  if (Applies(fd)) {
    if (faults.fail_reads_with != 0) {
      errno = faults.fail_reads_with;
      return -1;
    }
    if (faults.Refuses()) return -1;
    n = faults.Some(n);
  }
  return syscall(SYS_read, fd, to, n);
}

ssize_t readv(int fd, const iovec* v, int count) {
  if (Applies(fd)) return read(fd, v[0].iov_base, v[0].iov_len);
  return syscall(SYS_readv, fd, v, count);
}

ssize_t write(int fd, const void* from, size_t n) {
  if (Applies(fd)) {
    if (faults.fail_writes_with != 0) {
      errno = faults.fail_writes_with;
      return -1;
    }
    if (faults.Refuses()) return -1;
    n = faults.Some(n);
  }
  return syscall(SYS_write, fd, from, n);
}

ssize_t writev(int fd, const iovec* v, int count) {
  if (Applies(fd)) return write(fd, v[0].iov_base, v[0].iov_len);
  return syscall(SYS_writev, fd, v, count);
}

}  // extern "C"

namespace percore {
namespace {

class TlsFaultTest : public testing_tls::TlsPeersTest {
 protected:
  ~TlsFaultTest() override { faults = Faults(); }
  void Begin() {
    faults = Faults();
    faults.victim = pair_[0];
    faults.on = true;
  }
};

// Handshake and both directions in small pieces.
TEST_F(TlsFaultTest, ShortCountsAndInterruptions) {
  for (const size_t most : {1, 7, 100, 5000}) {
    SCOPED_TRACE(most);
    pair_.Close(1);
    stream_.reset();
    Turns();
    compat::SocketPair fresh;
    const int fds[2] = {fresh.Release(0), fresh.Release(1)};
    faults = Faults();
    faults.victim = fds[0];
    faults.on = true;
    faults.most = most;
    ssl_ = SSL_new(client_ctx_.get());
    journal_.clear();
    stream_ = std::make_unique<compat::Stream>(
        bufferevent_openssl_socket_new(base(), fds[0], ssl_,
                                       BUFFEREVENT_SSL_CONNECTING,
                                       BEV_OPT_CLOSE_ON_FREE),
        &journal_, "s");
    peer_ = std::make_unique<testing_tls::BarePeer>(server_ctx_.get(), fds[1],
                                                    true);
    stream_->Enable(EV_READ);
    const std::string text(most * 40, 't');
    stream_->Put(text);
    std::string got;
    stream_->OnRead([&] { got += stream_->Take(); });
    bool answered = false;
    for (int i = 0; i < 60000 && got.size() < text.size(); ++i) {
      peer_->Step();
      if (!answered && peer_->got().size() == text.size()) {
        answered = true;
        peer_->Write(text);
      }
      Turn();
    }
    EXPECT_TRUE(peer_->got() == text);
    EXPECT_TRUE(got == text);
    EXPECT_FALSE(stream_->Got(BEV_EVENT_ERROR)) << journal_;
    EXPECT_GT(faults.calls, 20);
    stream_.reset();
    close(fds[1]);
  }
}

TEST_F(TlsFaultTest, AWriteErrorIsTold) {
  ConnectClient();
  faults.victim = bufferevent_getfd(*stream_);
  faults.on = true;
  faults.fail_writes_with = EPIPE;
  stream_->Put("lost");
  Turns();
  EXPECT_EQ(journal_, "s:ERROR|W");
  EXPECT_EQ(stream_->last_error(), EPIPE);
}

TEST_F(TlsFaultTest, AReadErrorIsToldAfterTheData) {
  ConnectClient();
  peer_->Write("before");
  peer_->Send(peer_->Made());
  Turns();
  faults.victim = bufferevent_getfd(*stream_);
  faults.on = true;
  faults.fail_reads_with = ECONNRESET;
  peer_->Send("x");
  Turns();
  EXPECT_EQ(stream_->Take(), "before");
  EXPECT_EQ(journal_, "s:read s:ERROR|R");
  EXPECT_EQ(stream_->last_error(), ECONNRESET);
  // With allow_dirty too: a reset is no end.
  EXPECT_EQ(bufferevent_get_openssl_error(*stream_), 0u);
}

TEST_F(TlsFaultTest, AResetInTheHandshake) {
  StartClient();
  Turn();
  faults.victim = bufferevent_getfd(*stream_);
  faults.on = true;
  faults.fail_reads_with = ECONNRESET;
  peer_->Send("x");
  Turns();
  EXPECT_EQ(journal_, "s:ERROR|R");
  EXPECT_EQ(stream_->last_error(), ECONNRESET);
}

}  // namespace
}  // namespace percore
