// bufferevent_socket_connect_hostname without a resolver of the library's: the
// lookup is the C library's, done within the call.

#include <dlfcn.h>
#include <event2/bufferevent.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <memory>
#include <string>

#include "percore/tests/compat/listening.h"
#include "percore/tests/compat/stream.h"

// The C library's lookup, but for two names of ours: "several.test" has the
// addresses 127.0.0.2, ::1 and 127.0.0.1 in this order, "none.test" has none.
extern "C" __attribute__((visibility("default"))) int getaddrinfo(
    const char* name, const char* service, const addrinfo* hints,
    addrinfo** list) {
  static const auto real =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string asked = name == nullptr ? "" : name;
  if (asked == "none.test") return EAI_NONAME;
  if (asked != "several.test") return real(name, service, hints, list);
  addrinfo** end = list;
  for (const char* address : {"127.0.0.2", "::1", "127.0.0.1"}) {
    if (const int error = real(address, service, hints, end)) return error;
    while (*end != nullptr) end = &(*end)->ai_next;
  }
  return 0;
}

namespace compat {
namespace {

class BuffereventHostnameTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    if (IsSkipped()) return;
    bev_ = std::make_unique<Stream>(NewSocket(-1, BEV_OPT_CLOSE_ON_FREE),
                                    &journal_);
  }
  void TearDown() override { bev_.reset(); }

  int Connect(int family, const char* name, int port) {
    return bufferevent_socket_connect_hostname(*bev_, nullptr, family, name,
                                               port);
  }
  std::unique_ptr<Stream> bev_;
};
COMPAT_ON_FEW_STREAM_MODES(BuffereventHostnameTest);

// api bufferevent_socket_connect_hostname, bufferevent_socket_get_dns_error
TEST_P(BuffereventHostnameTest, NumericV4) {
  Listening listening;
  const int port = listening.address().port();
  EXPECT_EQ(bufferevent_socket_get_dns_error(*bev_), 0);
  EXPECT_EQ(Connect(AF_UNSPEC, "127.0.0.1", port), 0);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_EQ(journal_, "s:CONNECTED");
  EXPECT_EQ(bufferevent_socket_get_dns_error(*bev_), 0);
}

TEST_P(BuffereventHostnameTest, NumericV6) {
  Listening listening(Loopback(AF_INET6));
  const int port = listening.address().port();
  EXPECT_EQ(Connect(AF_INET6, "::1", port), 0);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_EQ(journal_, "s:CONNECTED");
}

TEST_P(BuffereventHostnameTest, Localhost) {
  Listening listening;
  const int port = listening.address().port();
  bev_->Put("sent after the lookup");
  EXPECT_EQ(Connect(AF_INET, "localhost", port), 0);
  ASSERT_TRUE(RunUntil([&] { return bev_->writes() == 1; }));
  EXPECT_EQ(journal_, "s:CONNECTED s:write");
  EXPECT_EQ(bev_->Enabled(), EV_WRITE);
}

// semantics 10.11: of several addresses
TEST_P(BuffereventHostnameTest, LastOfSeveralAddresses) {
  Listening listening;
  EXPECT_EQ(Connect(AF_UNSPEC, "several.test", listening.address().port()), 0);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  Settle();
#ifdef TESTING_DEBIAN_LIBEVENT
  // Only the first address is tried.
  EXPECT_EQ(journal_, "s:ERROR");
#else
  // better: every address in turn.
  EXPECT_EQ(journal_, "s:CONNECTED");
#endif
}

// Every address refuses: one error.
TEST_P(BuffereventHostnameTest, Refused) {
  Deaf deaf;
  EXPECT_EQ(Connect(AF_UNSPEC, "several.test", deaf.address().port()), 0);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  Settle();
  EXPECT_EQ(journal_, "s:ERROR");
  EXPECT_EQ(bev_->last_error(), ECONNREFUSED);
  EXPECT_EQ(bufferevent_socket_get_dns_error(*bev_), 0);
}

// semantics 10.11: a name that has no address
TEST_P(BuffereventHostnameTest, LookupError) {
  bev_->Enable(EV_READ);
  EXPECT_EQ(Connect(AF_UNSPEC, "none.test", 80), 0);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  Settle();
  EXPECT_EQ(journal_, "s:ERROR");
  EXPECT_EQ(bufferevent_socket_get_dns_error(*bev_), EVUTIL_EAI_NONAME);
  EXPECT_NE(evutil_gai_strerror(bufferevent_socket_get_dns_error(*bev_)),
            nullptr);
  EXPECT_EQ(bufferevent_getfd(*bev_), -1);

  // A lookup that succeeds clears it.
  Listening listening;
  EXPECT_EQ(Connect(AF_INET, "127.0.0.1", listening.address().port()), 0);
  EXPECT_EQ(bufferevent_socket_get_dns_error(*bev_), 0);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 2; }));
  EXPECT_EQ(journal_, "s:ERROR s:CONNECTED");
}

// An address of another family than the one asked for.
TEST_P(BuffereventHostnameTest, WrongFamily) {
  EXPECT_EQ(Connect(AF_INET, "::1", 80), 0);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_EQ(journal_, "s:ERROR");
  EXPECT_NE(bufferevent_socket_get_dns_error(*bev_), 0);
}

// api bufferevent_socket_connect_hostname: refused arguments
TEST_P(BuffereventHostnameTest, BadArguments) {
  EXPECT_EQ(Connect(AF_UNIX, "localhost", 80), -1);
  EXPECT_EQ(Connect(-7, "localhost", 80), -1);
  EXPECT_EQ(Connect(AF_INET, "127.0.0.1", 0), -1);
  EXPECT_EQ(Connect(AF_INET, "127.0.0.1", -1), -1);
  EXPECT_EQ(Connect(AF_INET, "127.0.0.1", 65536), -1);
  Settle();
  EXPECT_EQ(journal_, "");
  EXPECT_EQ(bufferevent_getfd(*bev_), -1);
}

TEST_P(BuffereventHostnameTest, FreeInTheErrorCallback) {
  bev_->OnEvent([&] { bev_->Free(); });
  EXPECT_EQ(Connect(AF_INET, "::1", 80), 0);
  ASSERT_TRUE(RunUntil([&] { return journal_ == "s:ERROR"; }));
  Settle();
}

}  // namespace
}  // namespace compat
