// What a TLS bufferevent owns, and freeing it anywhere.

#include <event2/bufferevent_ssl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>

#include "percore/tests/compat/tls_stream.h"

namespace compat {
namespace {

// How many SSLs have been freed.
int freed_ssls = 0;

SSL* Counted(SSL* ssl) {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* mark, CRYPTO_EX_DATA*, int, long, void*) {
        if (mark != nullptr) ++freed_ssls;
      });
  SSL_set_ex_data(ssl, index, &freed_ssls);
  return ssl;
}

class TlsFreeTest : public TlsTest {
 protected:
  void SetUp() override {
    TlsTest::SetUp();
    freed_ssls = 0;
  }
  void ExpectFreedWhen(Stream* stream, const std::function<void()>& cause) {
    const auto free_it = [stream] { stream->Free(); };
    stream->OnRead(free_it).OnWrite(free_it).OnEvent(free_it);
    cause();
    ASSERT_TRUE(RunUntil([&] { return stream->bev() == nullptr; }));
    Settle();
  }
};
COMPAT_ON_EVERY_TLS_MODE(TlsFreeTest);

// semantics 13.10
TEST_P(TlsFreeTest, CloseOnFree) {
  Connect();
  Counted(client_ssl_);
  const int fd = Fd(*client_);
  ASSERT_TRUE(IsOpen(fd));
  client_->Free();
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: at once, for the loop is not running.
  EXPECT_EQ(freed_ssls, 1);
  EXPECT_FALSE(IsOpen(fd));
#endif
  Settle();
  EXPECT_EQ(freed_ssls, 1);
  EXPECT_FALSE(IsOpen(fd));
}

// semantics 13.10
TEST_P(TlsFreeTest, WithoutCloseOnFree) {
  SSL* ssl = Counted(SSL_new(client_ctx_.get()));
  bufferevent* bev = NewTls(pair_[0], ssl, BUFFEREVENT_SSL_CONNECTING, 0);
  ASSERT_NE(bev, nullptr);
  bufferevent* under = bufferevent_get_underlying(bev);
  Settle();
  bufferevent_free(bev);
  if (under != nullptr) bufferevent_free(under);
  Settle();
  EXPECT_EQ(freed_ssls, 0);
  EXPECT_TRUE(IsOpen(pair_[0]));
  SSL_free(ssl);
  EXPECT_EQ(freed_ssls, 1);
}

// semantics 13.10: a constructor that fails frees the SSL with CLOSE_ON_FREE.
TEST_P(TlsFreeTest, FailedConstructor) {
  for (int close : {0, int{BEV_OPT_CLOSE_ON_FREE}}) {
    SSL* ssl = Counted(SSL_new(client_ctx_.get()));
    freed_ssls = 0;
    if (Filter()) {
      EXPECT_EQ(bufferevent_openssl_filter_new(base(), nullptr, ssl,
                                               BUFFEREVENT_SSL_CONNECTING,
                                               options() | close),
                nullptr);
    } else {
      // The SSL has another descriptor already.
      SSL_set_fd(ssl, pair_[1]);
      EXPECT_EQ(bufferevent_openssl_socket_new(base(), pair_[0], ssl,
                                               BUFFEREVENT_SSL_CONNECTING,
                                               options() | close),
                nullptr);
    }
    EXPECT_EQ(freed_ssls, close != 0 ? 1 : 0);
    if (close == 0) SSL_free(ssl);
    EXPECT_TRUE(IsOpen(pair_[0]));
    EXPECT_TRUE(IsOpen(pair_[1]));
  }
}

// api bufferevent_openssl_socket_new: the descriptor of the SSL
TEST_P(TlsFreeTest, DescriptorOfTheSsl) {
  if (Filter()) return;
  client_ssl_ = SSL_new(client_ctx_.get());
  SSL_set_fd(client_ssl_, pair_[0]);
  client_ = std::make_unique<Stream>(
      NewTls(-1, client_ssl_, BUFFEREVENT_SSL_CONNECTING));
  EXPECT_EQ(bufferevent_getfd(*client_), pair_[0]);
  pair_.Release(0);
  StartServer(pair_.Release(1));
  EXPECT_TRUE(AwaitConnected());
}

// ssl/bufferevent_socketpair_freed
TEST_P(TlsFreeTest, DuringTheHandshake) {
  Start();
  Counted(client_ssl_);
  const int fd = Fd(*client_);
  event_base_loop(base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  client_->Free();
  Settle();
  EXPECT_EQ(freed_ssls, 1);
  EXPECT_FALSE(IsOpen(fd));
  EXPECT_FALSE(client_->Got(BEV_EVENT_EOF));
  ASSERT_TRUE(RunUntil([&] { return server_->events() > 0; }));
}

TEST_P(TlsFreeTest, BeforeTheFirstTurn) {
  Start();
  Counted(client_ssl_);
  client_->Free();
  Settle();
  EXPECT_EQ(freed_ssls, 1);
  EXPECT_EQ(client_journal_, "");
}

TEST_P(TlsFreeTest, InTheConnectedCallback) {
  Start();
  Counted(client_ssl_);
  ExpectFreedWhen(client_.get(), [] {});
  EXPECT_EQ(client_journal_, "c:CONNECTED");
  EXPECT_EQ(freed_ssls, 1);
}

TEST_P(TlsFreeTest, InTheReadCallback) {
  Connect();
  Counted(client_ssl_);
  ExpectFreedWhen(client_.get(), [&] { server_->Put("data"); });
  EXPECT_EQ(client_journal_, "c:read");
  EXPECT_EQ(freed_ssls, 1);
}

TEST_P(TlsFreeTest, InTheWriteCallback) {
  Connect();
  Counted(client_ssl_);
  ExpectFreedWhen(client_.get(), [&] { client_->Put("data"); });
  EXPECT_EQ(client_journal_, "c:write");
  EXPECT_EQ(freed_ssls, 1);
}

TEST_P(TlsFreeTest, InTheErrorCallback) {
  Connect();
  Counted(client_ssl_);
  ExpectFreedWhen(client_.get(), [&] { server_->Free(); });
  EXPECT_EQ(client_->events(), 1);
  EXPECT_EQ(freed_ssls, 1);
}

// semantics 13.7
// ssl/bufferevent_fd
TEST_P(TlsFreeTest, SetfdStartsAgain) {
  if (Filter()) return;
  Connect();
  SocketPair other;
  const int old = Fd(*client_);
  EXPECT_EQ(bufferevent_setfd(*client_, other[0]), 0);
  EXPECT_EQ(bufferevent_getfd(*client_), other[0]);
  EXPECT_TRUE(IsOpen(old));
  close(old);
  other.Release(0);
  server_.reset();
  StartServer(other.Release(1));
  client_journal_.clear();
  server_journal_.clear();
  ASSERT_TRUE(RunUntil([&] { return client_->events() == 1; }));
  EXPECT_EQ(client_journal_, "c:CONNECTED");
  server_->Enable(EV_READ);
  client_->Put("on the new one");
  ASSERT_TRUE(RunUntil([&] { return server_->InputSize() == 14; }));
}

// semantics 13.1: the handshake starts when there is a descriptor.
TEST_P(TlsFreeTest, SetfdLater) {
  if (Filter()) return;
  StartClient(-1);
  EXPECT_EQ(bufferevent_getfd(*client_), -1);
  Settle();
  EXPECT_EQ(client_journal_, "");
  StartServer(pair_.Release(1));
  EXPECT_EQ(bufferevent_setfd(*client_, pair_.Release(0)), 0);
  ASSERT_TRUE(AwaitConnected());
  EXPECT_EQ(client_journal_, "c:CONNECTED");
}

}  // namespace
}  // namespace compat
