// Data, watermarks and timeouts of TLS bufferevents.

#include <event2/bufferevent_ssl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "percore/tests/compat/tls_stream.h"

namespace compat {
namespace {

class TlsDataTest : public TlsTest {
 protected:
  void SetUp() override {
    TlsTest::SetUp();
    if (IsSkipped()) return;
    Connect();
  }
};
COMPAT_ON_EVERY_TLS_MODE(TlsDataTest);

// semantics 13.5, 13.6
TEST_P(TlsDataTest, VolumeBothWays) {
  constexpr size_t kSize = 300000;
  std::string bytes(kSize, '\0');
  for (size_t i = 0; i < kSize; ++i) bytes[i] = static_cast<char>(i * 17 >> 3);
  std::string got[2];
  client_->OnRead([&] { got[0] += client_->Take(); });
  server_->OnRead([&] { got[1] += server_->Take(); });
  client_->Put(bytes);
  server_->Put(bytes);
  ASSERT_TRUE(RunUntil(
      [&] { return got[0].size() == kSize && got[1].size() == kSize; }));
  EXPECT_TRUE(got[0] == bytes);
  EXPECT_TRUE(got[1] == bytes);
  EXPECT_EQ(client_->events() + server_->events(), 0);
  EXPECT_EQ(client_->OutputSize(), 0u);
}

TEST_P(TlsDataTest, PingPong) {
  int left = 50;
  server_->OnRead([&] { server_->Put(server_->Take()); });
  client_->OnRead([&] {
    if (--left > 0) client_->Put(client_->Take());
  });
  client_->Put("x");
  EXPECT_TRUE(RunUntil([&] { return left == 0; }));
}

// semantics 13.12, 10.2
TEST_P(TlsDataTest, WriteCallbackWhenDrained) {
  client_->Put("one");
  EXPECT_EQ(client_->writes(), 0);
  ASSERT_TRUE(RunUntil([&] { return client_->writes() == 1; }));
  EXPECT_EQ(client_->OutputSize(), 0u);
  Settle();
  EXPECT_EQ(client_->writes(), 1);
}

// semantics 13.11
// ssl/bufferevent_wm
TEST_P(TlsDataTest, ReadHighMarkSuspends) {
  constexpr size_t kSize = 100000;
  bufferevent_setwatermark(*server_, EV_READ, 0, 100);
  bufferevent_setcb(*server_, nullptr, nullptr, nullptr, nullptr);
  client_->Put(std::string(kSize, 'w'));
  ASSERT_TRUE(RunUntil([&] { return server_->InputSize() >= 100; }));
  Settle();
  const size_t held = server_->InputSize();
#ifdef TESTING_DEBIAN_LIBEVENT
  // The record that reaches the mark is read to its end.
  EXPECT_LE(held, 100u + 16384u);
#else
  // better: the mark is not passed.
  EXPECT_EQ(held, 100u);
#endif
  Settle();
  EXPECT_EQ(server_->InputSize(), held);
  // Lifted, the rest comes.
  bufferevent_setwatermark(*server_, EV_READ, 0, 0);
  ASSERT_TRUE(RunUntil([&] { return server_->InputSize() == kSize; }));
}

#ifndef TESTING_DEBIAN_LIBEVENT
// better: drained in its callback, it goes on. (libevent, whose filters do
// not, may stop here for good.)
TEST_P(TlsDataTest, ReadHighMarkWithADrainingCallback) {
  bufferevent_setwatermark(*server_, EV_READ, 0, 100);
  std::string got;
  server_->OnRead([&] {
    EXPECT_LE(server_->InputSize(), 100u);
    got += server_->Take();
  });
  client_->Put(std::string(20000, 'w'));
  ASSERT_TRUE(RunUntil([&] { return got.size() == 20000; }));
}
#endif

TEST_P(TlsDataTest, ReadLowMark) {
  bufferevent_setwatermark(*server_, EV_READ, 4, 0);
  client_->Put("abc");
  ASSERT_TRUE(RunUntil([&] { return server_->InputSize() == 3; }));
  Settle();
  EXPECT_EQ(server_->reads(), 0);
  client_->Put("d");
  ASSERT_TRUE(RunUntil([&] { return server_->reads() > 0; }));
  EXPECT_EQ(server_->Take(), "abcd");
}

// Disabled directions hold their data.
TEST_P(TlsDataTest, Disabled) {
  client_->Disable(EV_WRITE);
  client_->Put("held");
  Settle();
  EXPECT_EQ(server_->InputSize(), 0u);
  EXPECT_EQ(client_->OutputSize(), 4u);
  client_->Enable(EV_WRITE);
  ASSERT_TRUE(RunUntil([&] { return server_->InputSize() == 4; }));
  server_->Disable(EV_READ);
  client_->Put("more");
  Settle();
  EXPECT_EQ(server_->InputSize(), 4u);
  server_->Enable(EV_READ);
  ASSERT_TRUE(RunUntil([&] { return server_->InputSize() == 8; }));
}

// semantics 10.15: TLS
TEST_P(TlsDataTest, FlushDoesNothing) {
  for (auto mode : {BEV_NORMAL, BEV_FLUSH, BEV_FINISHED}) {
    EXPECT_EQ(bufferevent_flush(*client_, EV_READ | EV_WRITE, mode), 0);
  }
  EXPECT_EQ(client_journal_, "");
}

// semantics 13.11, 10.7
// ssl/bufferevent_timeout
TEST_P(TlsDataTest, ReadTimeout) {
  const timeval soon = Ms(15);
  bufferevent_set_timeouts(*client_, &soon, nullptr);
  ASSERT_TRUE(RunUntil([&] { return client_->events() == 1; }));
  EXPECT_EQ(client_journal_, "c:TIMEOUT|R");
#ifdef TESTING_DEBIAN_LIBEVENT
  if (Filter()) {
    EXPECT_EQ(client_->Enabled(), EV_WRITE);
  }
#else
  // better: disabled before the callback, as 10.5 says of every stream.
  EXPECT_EQ(client_->Enabled(), EV_WRITE);
#endif
  bufferevent_set_timeouts(*client_, nullptr, nullptr);
  // Enabled again, data comes.
  client_->Enable(EV_READ);
  server_->Put("late");
  ASSERT_TRUE(RunUntil([&] { return client_->reads() > 0; }));
  EXPECT_EQ(client_->Take(), "late");
}

// semantics 13.8
// api bufferevent_ssl_renegotiate
TEST_P(TlsDataTest, Renegotiate) {
  if (Tls13()) {
    // There is none.
    bufferevent_ssl_renegotiate(*client_);
    Settle();
    EXPECT_FALSE(client_->Got(BEV_EVENT_ERROR) && client_->Got(BEV_EVENT_EOF));
    return;
  }
#ifdef TESTING_DEBIAN_LIBEVENT
  // better: of a filter too, where libevent stays silent.
  if (Filter()) return;
#endif
  SSL_set_options(server_ssl_, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  EXPECT_EQ(bufferevent_ssl_renegotiate(*client_), 0);
  ASSERT_TRUE(RunUntil([&] { return client_->events() == 1; }));
  EXPECT_EQ(client_journal_, "c:CONNECTED");
  client_->Put("renewed");
  ASSERT_TRUE(RunUntil([&] { return server_->InputSize() == 7; }));
  server_->Put("agreed");
  ASSERT_TRUE(RunUntil([&] { return client_->InputSize() == 6; }));
}

#ifdef TLS1_3_VERSION
// A key update in the middle is nothing to tell of.
TEST_P(TlsDataTest, KeyUpdate) {
  if (!Tls13()) return;
  EXPECT_EQ(SSL_key_update(client_ssl_, SSL_KEY_UPDATE_REQUESTED), 1);
  client_->Put("with new keys");
  ASSERT_TRUE(RunUntil([&] { return server_->InputSize() == 13; }));
  server_->Put("mine too");
  ASSERT_TRUE(RunUntil([&] { return client_->InputSize() == 8; }));
  EXPECT_EQ(client_->events() + server_->events(), 0);
}
#endif

}  // namespace
}  // namespace compat
