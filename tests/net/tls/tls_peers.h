// A TLS stream of ours on one end of a socket pair, and OpenSSL by hand, over
// memory, on the other: every byte between them goes through the test.
#ifndef PERCORE_TESTS_NET_TLS_TLS_PEERS_H_
#define PERCORE_TESTS_NET_TLS_TLS_PEERS_H_

#include <event2/bufferevent_ssl.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"
#include "percore/tests/compat/tls_certificate.h"

namespace percore::testing_tls {

// The other end.
class BarePeer {
 public:
  BarePeer(SSL_CTX* ctx, int fd, bool is_server) : fd_(fd) {
    ssl_ = SSL_new(ctx);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl_), -1);
    if (is_server) {
      SSL_set_accept_state(ssl_);
    } else {
      SSL_set_connect_state(ssl_);
    }
  }
  ~BarePeer() { SSL_free(ssl_); }
  BarePeer(const BarePeer&) = delete;
  BarePeer& operator=(const BarePeer&) = delete;

  SSL* ssl() const { return ssl_; }

  // What has arrived on the socket since.
  std::string Arrived() {
    std::string bytes;
    char block[65536];
    ssize_t n;
    while ((n = read(fd_, block, sizeof(block))) > 0) {
      bytes.append(block, static_cast<size_t>(n));
    }
    return bytes;
  }
  void Feed(const std::string& bytes) {
    if (bytes.empty()) return;
    BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
  }
  // The records that OpenSSL has made.
  std::string Made() {
    BIO* out = SSL_get_wbio(ssl_);
    std::string bytes(BIO_ctrl_pending(out), '\0');
    if (!bytes.empty()) {
      BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
    }
    return bytes;
  }
  void Send(const std::string& bytes) {
    ASSERT_EQ(write(fd_, bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  // One step of everything; plain text goes to got().
  void Step() {
    Feed(Arrived());
    if (!SSL_is_init_finished(ssl_)) SSL_do_handshake(ssl_);
    char block[16384];
    int n;
    while (SSL_is_init_finished(ssl_) &&
           (n = SSL_read(ssl_, block, sizeof(block))) > 0) {
      got_.append(block, static_cast<size_t>(n));
    }
    const std::string made = Made();
    if (!made.empty()) Send(made);
    ERR_clear_error();
  }
  void Write(const std::string& text) {
    ASSERT_EQ(SSL_write(ssl_, text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
  }
  bool Ended() const {
    return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  std::string& got() { return got_; }

 private:
  SSL* ssl_;
  int fd_;
  std::string got_;
};

// The types of the records in `bytes`: "23 23 21".
inline std::string RecordTypes(const std::string& bytes) {
  std::string types;
  for (size_t at = 0; at + 5 <= bytes.size();) {
    const auto byte = [&](size_t i) {
      return static_cast<unsigned char>(bytes[at + i]);
    };
    if (!types.empty()) types += ' ';
    types += std::to_string(byte(0));
    at += 5u + byte(3) * 256u + byte(4);
  }
  return types;
}

class TlsPeersTest : public testing::Test {
 protected:
  TlsPeersTest() : base_(event_base_new()) {
    signal(SIGPIPE, SIG_IGN);
    client_ctx_ = compat::NewClientContext(version_);
    server_ctx_ = compat::NewServerContext();
  }
  ~TlsPeersTest() override {
    stream_.reset();
    Turn();
    ERR_clear_error();
  }
  void UseVersion(int version) {
    client_ctx_ = compat::NewClientContext(version);
  }

  event_base* base() const { return base_.get(); }
  void Turn() { event_base_loop(base(), EVLOOP_ONCE | EVLOOP_NONBLOCK); }
  void Turns(int n = 8) {
    for (int i = 0; i < n; ++i) Turn();
  }

  // Our client, and a server by hand.
  void StartClient(int options = BEV_OPT_CLOSE_ON_FREE) {
    SSL* ssl = SSL_new(client_ctx_.get());
    ssl_ = ssl;
    stream_ = std::make_unique<compat::Stream>(
        bufferevent_openssl_socket_new(base(), pair_[0], ssl,
                                       BUFFEREVENT_SSL_CONNECTING, options),
        &journal_, "s");
    if (options & BEV_OPT_CLOSE_ON_FREE) pair_.Release(0);
    peer_ = std::make_unique<BarePeer>(server_ctx_.get(), pair_[1], true);
  }
  // Our server, and a client by hand.
  void StartServer(int options = BEV_OPT_CLOSE_ON_FREE) {
    SSL* ssl = SSL_new(server_ctx_.get());
    ssl_ = ssl;
    stream_ = std::make_unique<compat::Stream>(
        bufferevent_openssl_socket_new(base(), pair_[0], ssl,
                                       BUFFEREVENT_SSL_ACCEPTING, options),
        &journal_, "s");
    if (options & BEV_OPT_CLOSE_ON_FREE) pair_.Release(0);
    peer_ = std::make_unique<BarePeer>(client_ctx_.get(), pair_[1], false);
  }
  void FinishHandshake() {
    for (int i = 0; i < 20 && !stream_->Got(BEV_EVENT_CONNECTED); ++i) {
      peer_->Step();
      Turn();
    }
    ASSERT_EQ(journal_, "s:CONNECTED");
    stream_->Enable(EV_READ);
    for (int i = 0; i < 4; ++i) {
      Turn();
      peer_->Step();
    }
    ASSERT_TRUE(SSL_is_init_finished(peer_->ssl()));
    journal_.clear();
    stream_->ClearCounts();
  }
  void ConnectClient(int options = BEV_OPT_CLOSE_ON_FREE) {
    StartClient(options);
    FinishHandshake();
  }

  int version_ = 0;
  compat::BasePtr base_;
  compat::SslCtxPtr client_ctx_, server_ctx_;
  compat::SocketPair pair_;
  compat::StreamJournal journal_;
  SSL* ssl_ = nullptr;
  std::unique_ptr<compat::Stream> stream_;
  std::unique_ptr<BarePeer> peer_;
};

}  // namespace percore::testing_tls

#endif  // PERCORE_TESTS_NET_TLS_TLS_PEERS_H_
