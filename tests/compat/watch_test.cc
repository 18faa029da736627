// Prepare and check watchers (libevent 2.2).

#include <gtest/gtest.h>

#ifdef TESTING_DEBIAN_LIBEVENT
TEST(WatchTest, NotInLibevent21) { GTEST_SKIP() << "libevent 2.1 has none"; }
#else

#include <event2/event.h>
#include <event2/watch.h>

#include <list>
#include <string>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class WatchTest : public BackendTest {
 protected:
  evwatch* Prepare(const char* name) {
    names_.push_back({this, name});
    return evwatch_prepare_new(
        base(),
        [](evwatch*, const evwatch_prepare_cb_info* info, void* arg) {
          Named* named = static_cast<Named*>(arg);
          named->test->journal_.Write(named->name, 0);
          named->test->wait_ = timeval{-1, 0};
          named->test->has_wait_ =
              evwatch_prepare_get_timeout(info, &named->test->wait_);
        },
        &names_.back());
  }
  evwatch* Check(const char* name) {
    names_.push_back({this, name});
    return evwatch_check_new(
        base(),
        [](evwatch*, const evwatch_check_cb_info*, void* arg) {
          Named* named = static_cast<Named*>(arg);
          named->test->journal_.Write(named->name, 0);
        },
        &names_.back());
  }
  struct Named {
    WatchTest* test;
    std::string name;
  };
  std::list<Named> names_;
  int has_wait_ = -1;
  timeval wait_ = {};
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND(WatchTest);

// watch/callback_ordering
// semantics 1.1
// api evwatch_prepare_new
// api evwatch_check_new
TEST_P(WatchTest, Order) {
  SocketPair pair;
  ASSERT_NE(Check("c1"), nullptr);
  ASSERT_NE(Prepare("p1"), nullptr);
  ASSERT_NE(Prepare("p2"), nullptr);
  ASSERT_NE(Check("c2"), nullptr);
  Probe reader(base(), &journal_, "r", pair[0], EV_READ);
  Probe timer(base(), &journal_, "t");
  reader.Add();
  timer.Add(Us(0));
  pair.Send(1);
  SleepMs(12);  // Until the timeout is past on a coarse clock too.
  Turn();
  EXPECT_EQ(journal_.names(), "p1 p2 c1 c2 r t");
}

// api evwatch_base
TEST_P(WatchTest, Base) {
  EXPECT_EQ(evwatch_base(Prepare("p")), base());
  EXPECT_EQ(evwatch_base(Check("c")), base());
}

// Watchers do not keep the loop, and do not count.
TEST_P(WatchTest, DoNotKeepTheLoop) {
  Prepare("p");
  Check("c");
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
}

// api evwatch_free
TEST_P(WatchTest, Free) {
  evwatch* gone = Prepare("gone");
  Prepare("stays");
  evwatch_free(gone);
  Probe user(base(), &journal_, "u");
  user.Activate();
  Turn();
  EXPECT_EQ(journal_.names(), "stays u");
}

// watch/timeout_unavailable
// api evwatch_prepare_get_timeout
TEST_P(WatchTest, WaitOfThePoll) {
  SocketPair pair;
  Prepare("p");
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add();
  pair.Send(1);
  // Nothing to wait for but the fd: for ever.
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(has_wait_, 0);
  // A timer: until it expires.
  Probe timer(base(), &journal_, "t");
  timer.Add(Ms(60000));
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(has_wait_, 1);
  EXPECT_GT(wait_.tv_sec, 50);
  EXPECT_LE(ToUs(wait_), 60000000);
  // Something is active: no wait.
  Probe user(base(), &journal_, "u");
  user.Activate();
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(has_wait_, 1);
  EXPECT_EQ(ToUs(wait_), 0);
  // NONBLOCK: no wait.
  Turn();
  EXPECT_EQ(has_wait_, 1);
  EXPECT_EQ(ToUs(wait_), 0);
}

}  // namespace
}  // namespace compat
#endif  // TESTING_DEBIAN_LIBEVENT
