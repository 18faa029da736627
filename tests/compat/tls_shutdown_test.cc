// The end of a TLS stream: with close_notify, and without.

#include <event2/bufferevent_ssl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "percore/tests/compat/tls_stream.h"

namespace compat {
namespace {

// ssl/dirty_shutdown
class TlsShutdownTest : public TlsTest {
 protected:
  // The peer's descriptor is closed without a word of TLS.
  void CutClient() {
    // What TLS 1.3 sent after the handshake must be read, or the close is a
    // reset.
    Settle();
    client_->Free();
  }
};
COMPAT_ON_EVERY_TLS_MODE(TlsShutdownTest);

// semantics 13.3
TEST_P(TlsShutdownTest, CloseNotifyIsEof) {
  Connect();
  SSL_shutdown(client_ssl_);
  if (Filter()) {
    // The alert is in the output of the bufferevent below.
    Settle();
  }
  ASSERT_TRUE(RunUntil([&] { return server_->events() == 1; }));
  EXPECT_EQ(server_journal_, "s:EOF|R");
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: disabled before the callback, as 10.5 says of every stream.
  EXPECT_EQ(server_->Enabled() & EV_READ, 0);
#endif
  EXPECT_EQ(SSL_get_shutdown(server_ssl_) & SSL_RECEIVED_SHUTDOWN,
            SSL_RECEIVED_SHUTDOWN);
}

TEST_P(TlsShutdownTest, DataThenCloseNotify) {
  Connect();
  client_->Put("last words");
  ASSERT_TRUE(RunUntil([&] { return client_->writes() == 1; }));
  SSL_shutdown(client_ssl_);
  ASSERT_TRUE(RunUntil([&] { return server_->events() == 1; }));
  EXPECT_EQ(server_->last_event(), BEV_EVENT_EOF | BEV_EVENT_READING);
  EXPECT_EQ(server_->Take(), "last words");
#ifdef TESTING_DEBIAN_LIBEVENT
  // A filter may tell of the end first.
  if (Filter()) return;
#endif
  EXPECT_EQ(server_journal_, "s:read s:EOF|R");
}

// semantics 13.4: free sends no close_notify; 13.3: which is an error.
// api bufferevent_openssl_get_allow_dirty_shutdown
TEST_P(TlsShutdownTest, DirtyIsAnError) {
  Connect();
  EXPECT_EQ(bufferevent_openssl_get_allow_dirty_shutdown(*server_), 0);
  CutClient();
  ASSERT_TRUE(RunUntil([&] { return server_->events() == 1; }));
  EXPECT_TRUE(server_->Got(BEV_EVENT_ERROR));
  EXPECT_FALSE(server_->Got(BEV_EVENT_EOF));
  if (Filter()) {
    EXPECT_EQ(server_journal_, "s:ERROR");
  } else {
    EXPECT_EQ(server_journal_, "s:ERROR|R");
  }
}

// semantics 13.3
// api bufferevent_openssl_set_allow_dirty_shutdown
TEST_P(TlsShutdownTest, DirtyIsEofWhenAllowed) {
  Connect();
  bufferevent_openssl_set_allow_dirty_shutdown(*server_, 1);
  EXPECT_EQ(bufferevent_openssl_get_allow_dirty_shutdown(*server_), 1);
  CutClient();
  ASSERT_TRUE(RunUntil([&] { return server_->events() == 1; }));
  if (Filter()) {
    EXPECT_EQ(server_journal_, "s:EOF");
  } else {
#ifdef TESTING_DEBIAN_LIBEVENT
    // 2.1.12 does not know how OpenSSL 3 reports it.
    EXPECT_EQ(server_journal_, "s:ERROR|R");
#else
    // better: the flag does what it says.
    EXPECT_EQ(server_journal_, "s:EOF|R");
#endif
  }
  bufferevent_openssl_set_allow_dirty_shutdown(*server_, 0);
  EXPECT_EQ(bufferevent_openssl_get_allow_dirty_shutdown(*server_), 0);
}

// The same as flags.
#ifndef TESTING_DEBIAN_LIBEVENT  // came with 2.2
// api bufferevent_ssl_set_flags, BUFFEREVENT_SSL_DIRTY_SHUTDOWN,
// BUFFEREVENT_SSL_BATCH_WRITE, bufferevent_ssl_clear_flags
TEST_P(TlsShutdownTest, Flags) {
  Connect();
  EXPECT_EQ(bufferevent_ssl_get_flags(*server_), 0u);
  EXPECT_EQ(bufferevent_ssl_set_flags(*server_, BUFFEREVENT_SSL_DIRTY_SHUTDOWN),
            0u);
  EXPECT_EQ(bufferevent_openssl_get_allow_dirty_shutdown(*server_), 1);
  EXPECT_EQ(bufferevent_ssl_set_flags(*server_, BUFFEREVENT_SSL_BATCH_WRITE),
            ev_uint64_t{BUFFEREVENT_SSL_DIRTY_SHUTDOWN});
  EXPECT_EQ(
      bufferevent_ssl_clear_flags(*server_, BUFFEREVENT_SSL_DIRTY_SHUTDOWN),
      ev_uint64_t{BUFFEREVENT_SSL_DIRTY_SHUTDOWN |
                  BUFFEREVENT_SSL_BATCH_WRITE});
  EXPECT_EQ(bufferevent_openssl_get_allow_dirty_shutdown(*server_), 0);
  EXPECT_EQ(bufferevent_ssl_set_flags(*server_, 1 << 20), EV_UINT64_MAX);
}
#endif

// Data that came before a dirty end is not lost.
TEST_P(TlsShutdownTest, DataBeforeADirtyEnd) {
  Connect();
  bufferevent_openssl_set_allow_dirty_shutdown(*server_, 1);
  client_->Put("cut off");
  ASSERT_TRUE(RunUntil([&] { return client_->OutputSize() == 0; }));
  CutClient();
  ASSERT_TRUE(RunUntil([&] { return server_->events() == 1; }));
  EXPECT_EQ(server_->Take(), "cut off");
}

// Both ends are orderly.
TEST_P(TlsShutdownTest, BothWays) {
  Connect();
  SSL_shutdown(client_ssl_);
  ASSERT_TRUE(RunUntil([&] { return server_->events() == 1; }));
  SSL_shutdown(server_ssl_);
  ASSERT_TRUE(RunUntil([&] { return client_->events() == 1; }));
  EXPECT_EQ(client_journal_, "c:EOF|R");
}

}  // namespace
}  // namespace compat
