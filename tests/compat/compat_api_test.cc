// The old interface with a "current" base (event2/event_compat.h).

#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

void Count(evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); }

class CompatApiTest : public testing::Test {
 protected:
  void SetUp() override {
    base_ = event_init();
    ASSERT_NE(base_, nullptr);
  }
  void TearDown() override {
    if (base_ != nullptr) event_base_free(base_);
  }
  event_base* base_ = nullptr;
  int calls_ = 0;
};

// semantics 25.1
// api event_init
// api event_set
TEST_F(CompatApiTest, SetTakesTheCurrentBase) {
  event ev;
  event_set(&ev, -1, EV_PERSIST, Count, &calls_);
  EXPECT_EQ(event_get_base(&ev), base_);
  EXPECT_EQ(event_get_events(&ev), EV_PERSIST);
  EXPECT_EQ(event_get_callback(&ev), Count);
}

// semantics 25.1: the last event_init counts; event_base_new does not.
TEST_F(CompatApiTest, LastInitIsCurrent) {
  event_base* second = event_init();
  BasePtr other(event_base_new());
  event ev;
  event_set(&ev, -1, 0, Count, &calls_);
  EXPECT_EQ(event_get_base(&ev), second);
  event_base_free(second);
}

// semantics 25.1: event_assign with no base takes it too.
// api event_assign
TEST_F(CompatApiTest, AssignWithoutABase) {
  event ev;
  EXPECT_EQ(event_assign(&ev, nullptr, -1, 0, Count, &calls_), 0);
  EXPECT_EQ(event_get_base(&ev), base_);
  event* heap = event_new(nullptr, -1, 0, Count, &calls_);
  EXPECT_EQ(event_get_base(heap), base_);
  event_free(heap);
}

// api event_dispatch
// api event_get_method
TEST_F(CompatApiTest, Dispatch) {
  EXPECT_STREQ(event_get_method(), event_base_get_method(base_));
  event ev;
  evtimer_set(&ev, Count, &calls_);
  const timeval tv = Ms(1);
  event_add(&ev, &tv);
  EXPECT_EQ(event_dispatch(), 1);
  EXPECT_EQ(calls_, 1);
}

// api event_loop
TEST_F(CompatApiTest, Loop) {
  event ev;
  event_set(&ev, -1, EV_PERSIST, Count, &calls_);
  const timeval tv = Ms(1);
  event_add(&ev, &tv);
  EXPECT_EQ(event_loop(EVLOOP_ONCE), 0);
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(event_loop(EVLOOP_ONCE), 0);
  EXPECT_EQ(calls_, 2);
  event_del(&ev);
}

// api event_loopexit
// api event_loopbreak
TEST_F(CompatApiTest, ExitAndBreak) {
  event ev;
  event_set(&ev, -1, EV_PERSIST, Count, &calls_);
  const timeval far = Ms(60000);
  event_add(&ev, &far);
  EXPECT_EQ(event_loopexit(nullptr), 0);
  EXPECT_EQ(event_dispatch(), 0);
  EXPECT_TRUE(event_base_got_exit(base_));
  const timeval soon = Ms(1);
  EXPECT_EQ(event_loopexit(&soon), 0);
  EXPECT_EQ(event_dispatch(), 0);

  event breaker;
  event_set(
      &breaker, -1, 0,
      [](evutil_socket_t, short, void*) { EXPECT_EQ(event_loopbreak(), 0); },
      nullptr);
  event_active(&breaker, EV_READ, 1);
  EXPECT_EQ(event_dispatch(), 0);
  EXPECT_TRUE(event_base_got_break(base_));
  event_del(&ev);
}

// api event_once
TEST_F(CompatApiTest, Once) {
  SocketPair pair;
  EXPECT_EQ(event_once(pair[0], EV_WRITE, Count, &calls_, nullptr), 0);
  const timeval tv = Ms(1);
  EXPECT_EQ(event_once(-1, EV_TIMEOUT, Count, &calls_, &tv), 0);
  EXPECT_EQ(event_dispatch(), 1);
  EXPECT_EQ(calls_, 2);
}

// api event_priority_init
// api event_base_get_npriorities: NULL is the current base.
TEST_F(CompatApiTest, PriorityInit) {
  EXPECT_EQ(event_priority_init(5), 0);
  EXPECT_EQ(event_base_get_npriorities(base_), 5);
  EXPECT_EQ(event_base_get_npriorities(nullptr), 5);
  EXPECT_EQ(event_priority_init(0), -1);
  event ev;
  event_set(&ev, -1, 0, Count, &calls_);
  EXPECT_EQ(event_get_priority(&ev), 2);
}

// api evtimer_set
// api timeout_set
// api timeout_add
// api timeout_del
// api timeout_pending
// api timeout_initialized
TEST_F(CompatApiTest, TimeoutMacros) {
  event ev = {};
  EXPECT_FALSE(timeout_initialized(&ev));
  timeout_set(&ev, Count, &calls_);
  EXPECT_TRUE(timeout_initialized(&ev));
  EXPECT_EQ(event_get_fd(&ev), -1);
  const timeval tv = Ms(1);
  EXPECT_EQ(timeout_add(&ev, &tv), 0);
  EXPECT_EQ(timeout_pending(&ev, nullptr), EV_TIMEOUT);
  EXPECT_EQ(timeout_del(&ev), 0);
  EXPECT_EQ(timeout_pending(&ev, nullptr), 0);
  event timer;
  evtimer_set(&timer, Count, &calls_);
  EXPECT_EQ(event_get_events(&timer), 0);
  EXPECT_EQ(event_get_base(&timer), base_);
}

// api evsignal_set
// api signal_set
// api signal_add
// api signal_del
// api signal_pending
// api signal_initialized
// api EVENT_FD
// api EVENT_SIGNAL
TEST_F(CompatApiTest, SignalMacros) {
  event ev = {};
  EXPECT_FALSE(signal_initialized(&ev));
  signal_set(&ev, SIGUSR2, Count, &calls_);
  EXPECT_TRUE(signal_initialized(&ev));
  EXPECT_EQ(event_get_events(&ev), EV_SIGNAL | EV_PERSIST);
  EXPECT_EQ(EVENT_SIGNAL(&ev), SIGUSR2);
  EXPECT_EQ(EVENT_FD(&ev), SIGUSR2);
  EXPECT_EQ(signal_add(&ev, nullptr), 0);
  EXPECT_EQ(signal_pending(&ev, nullptr), EV_SIGNAL);
  raise(SIGUSR2);
  EXPECT_EQ(event_loop(EVLOOP_ONCE), 0);
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(signal_del(&ev), 0);
  EXPECT_EQ(signal_pending(&ev, nullptr), 0);
  event other;
  evsignal_set(&other, SIGUSR1, Count, &calls_);
  EXPECT_EQ(EVENT_SIGNAL(&other), SIGUSR1);
}

// api event_base_gettimeofday_cached
// api event_base_update_cache_time: NULL is the current base.
TEST_F(CompatApiTest, TimeOfTheCurrentBase) {
  timeval tv = {};
  EXPECT_EQ(event_base_gettimeofday_cached(nullptr, &tv), 0);
  EXPECT_NEAR(static_cast<double>(ToUs(tv)), static_cast<double>(WallUs()),
              1e6);
  EXPECT_EQ(event_base_update_cache_time(nullptr), 0);
}

// semantics 25.2
// api event_base_free: NULL frees the current base.
// semantics 25.1: and it is current no more.
TEST_F(CompatApiTest, FreeOfTheCurrentBase) {
  event_base_free(nullptr);
  base_ = nullptr;
  LogCapture log;
  event_base_free(nullptr);
  EXPECT_EQ(log.Warnings(), 1);
}

// semantics 25.1: freed by its own pointer: current no more.
TEST_F(CompatApiTest, FreedBaseIsNotCurrent) {
  event_base_free(base_);
  base_ = nullptr;
  EXPECT_EQ(event_base_update_cache_time(nullptr), -1);
  timeval tv = {};
  EXPECT_EQ(event_base_gettimeofday_cached(nullptr, &tv), 0);
  EXPECT_NEAR(static_cast<double>(ToUs(tv)), static_cast<double>(WallUs()),
              1e6);
  event ev;
  event_set(&ev, -1, 0, Count, &calls_);
  EXPECT_EQ(event_get_base(&ev), nullptr);
}

// semantics 25.1: event_base_set moves an event that event_set bound.
TEST_F(CompatApiTest, SetThenBaseSet) {
  BasePtr other(event_base_new());
  event ev;
  event_set(&ev, -1, 0, Count, &calls_);
  EXPECT_EQ(event_base_set(other.get(), &ev), 0);
  event_active(&ev, EV_READ, 1);
  EXPECT_EQ(event_dispatch(), 1);
  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(event_base_dispatch(other.get()), 1);
  EXPECT_EQ(calls_, 1);
}

#if GTEST_HAS_DEATH_TEST
// api event_set: flags that cannot go together end the program.
TEST(CompatApiDeathTest, SetWithBadFlags) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        event ev;
        event_init();
        event_set(&ev, SIGUSR1, EV_SIGNAL | EV_READ, Count, nullptr);
      },
      "");
}
#endif

}  // namespace
}  // namespace compat
