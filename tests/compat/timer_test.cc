// Timers: expiry, clocks, adding and removing.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

// How much earlier than asked a timer may fire: a coarse clock lags behind by
// up to a tick.
#ifndef TESTING_DEBIAN_LIBEVENT
// better: a timer never fires early.
constexpr int64_t kEarlyUs = 0;
#else
constexpr int64_t kEarlyUs = 10000;
#endif

class TimerTest : public BackendTest {
 protected:
  // Runs one timer of `delay` and returns after how long it fired.
  int64_t Measure(const timeval& delay) {
    Probe timer(base(), &journal_, "t");
    const int64_t start = NowUs();
    EXPECT_EQ(timer.Add(delay), 0);
    EXPECT_EQ(event_base_dispatch(base()), 1);
    EXPECT_EQ(timer.calls(), 1);
    return NowUs() - start;
  }
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND_AND_FLAG(TimerTest);

// semantics 2.1: real time, since it is the clock that is tested.
TEST_P(TimerTest, FiresAfterItsTime) {
  for (int ms : {1, 5, 20}) {
    const int64_t took = Measure(Ms(ms));
    EXPECT_GE(took, ms * 1000 - kEarlyUs) << ms;
    EXPECT_LT(took, ms * 1000 + 1000000) << ms;
  }
}

// semantics 2.1: with PRECISE_TIMER never early; the clock is not coarse.
// api EVENT_BASE_FLAG_PRECISE_TIMER
TEST_P(TimerTest, PreciseIsNeverEarly) {
  if ((GetParam().flags & EVENT_BASE_FLAG_PRECISE_TIMER) == 0) {
    GTEST_SKIP() << "only with PRECISE_TIMER";
  }
  for (int us : {100, 700, 1500, 3333, 10001}) {
    EXPECT_GE(Measure(Us(us)), us) << us;
  }
}

// semantics 2.5
// api evtimer_new
// api evtimer_add
TEST_P(TimerTest, ZeroFiresInTheNextTurn) {
  Probe timer(base(), &journal_, "t");
  timer.Add(Us(0));
  EXPECT_EQ(event_base_loop(base(), EVLOOP_ONCE), 0);
  EXPECT_EQ(journal_.text(), "t:T");
}

// semantics 2.5: from a callback: the next turn, not this one.
TEST_P(TimerTest, ZeroFromACallbackWaitsForTheNextTurn) {
  Probe timer(base(), &journal_, "t");
  Probe user(base(), &journal_, "u");
  Probe last(base(), &journal_, "last");
  user.OnCall([&] {
    timer.Add(Us(0));
    last.Activate();
  });
  user.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "u last t");
}

// semantics 2.5: a negative time is past.
TEST_P(TimerTest, NegativeIsPast) {
  Probe timer(base(), &journal_, "t");
  timeval tv;
  tv.tv_sec = -1;
  tv.tv_usec = 0;
  EXPECT_EQ(timer.Add(tv), 0);
  EXPECT_EQ(event_base_loop(base(), EVLOOP_ONCE), 0);
  EXPECT_EQ(timer.calls(), 1);
}

// semantics 2.5: microseconds beyond a second are taken as they are.
TEST_P(TimerTest, UnnormalisedMicroseconds) {
  Probe timer(base(), &journal_, "t");
  timeval tv;
  tv.tv_sec = -1;
  tv.tv_usec = 1005000;  // 5 ms in all.
  EXPECT_EQ(timer.Add(tv), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(timer.calls(), 1);
}

// semantics 1.7: expiry decides, with many timers added and deleted.
TEST_P(TimerTest, ManyTimersInOrder) {
  constexpr int kTimers = 500;
  std::mt19937 random(7);
  struct Timer {
    int64_t due = 0;
    int64_t* previous = nullptr;
    int fired = 0;
    event* ev = nullptr;
  };
  std::vector<Timer> timers(kTimers);
  int64_t previous = -1;
  std::vector<int> order(kTimers);
  for (int i = 0; i < kTimers; ++i) {
    Timer& t = timers[i];
    t.previous = &previous;
    t.ev = evtimer_new(
        base(),
        [](evutil_socket_t, short what, void* arg) {
          Timer* self = static_cast<Timer*>(arg);
          EXPECT_EQ(what, EV_TIMEOUT);
          EXPECT_GE(self->due, *self->previous);
          *self->previous = self->due;
          ++self->fired;
        },
        &t);
    order[i] = i;
  }
  std::shuffle(order.begin(), order.end(), random);
  for (int i : order) {
    const timeval tv = Us(1000 + i * 100);
    event_add(timers[i].ev, &tv);
    // The order is exact by what the base itself took for the expiry.
    timeval due;
    EXPECT_EQ(event_pending(timers[i].ev, EV_TIMEOUT, &due), EV_TIMEOUT);
    timers[i].due = ExpiryUs(*timers[i].ev);
  }
  for (int i = 0; i < kTimers; i += 3) event_del(timers[i].ev);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  for (int i = 0; i < kTimers; ++i) {
    EXPECT_EQ(timers[i].fired, i % 3 == 0 ? 0 : 1) << i;
    event_free(timers[i].ev);
  }
}

// semantics 2.6: the timeout of an fd event that is not persistent: it fires,
// and the fd is no longer watched.
TEST_P(TimerTest, TimeoutOfAnFdEventRemovesBoth) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ);
  reader.Add(Ms(2));
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "r:T");
  EXPECT_EQ(reader.Pending(EV_READ | EV_TIMEOUT), 0);
  EXPECT_EQ(reader.last_fd(), pair[0]);
  pair.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(reader.calls(), 1);
}

// semantics 2.6: readiness comes first: the timeout is gone.
TEST_P(TimerTest, ReadinessRemovesTheTimeout) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ);
  reader.Add(Ms(30000));
  pair.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "r:R");
}

// api event_remove_timer
TEST_P(TimerTest, RemoveTimer) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add(Ms(1));
  EXPECT_EQ(event_remove_timer(reader.ev()), 0);
  EXPECT_EQ(reader.Pending(EV_READ | EV_TIMEOUT), EV_READ);
  // Not there: no error.
  EXPECT_EQ(event_remove_timer(reader.ev()), 0);
  Probe later(base(), &journal_, "later");
  later.Add(Ms(15));
  EXPECT_EQ(event_base_loop(base(), EVLOOP_ONCE), 0);
  EXPECT_EQ(journal_.text(), "later:T");
  pair.Send(1);
  Turn();
  EXPECT_EQ(reader.last_what(), EV_READ);
  // semantics 2.4: the interval is forgotten too.
  EXPECT_EQ(reader.Pending(EV_READ | EV_TIMEOUT), EV_READ);
}

// api event_remove_timer: a pure timer is no longer pending.
TEST_P(TimerTest, RemoveTimerOfATimer) {
  Probe timer(base(), &journal_, "t");
  timer.Add(Ms(1));
  EXPECT_EQ(event_remove_timer(timer.ev()), 0);
  EXPECT_EQ(timer.Pending(EV_TIMEOUT), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(timer.calls(), 0);
}

// semantics 2.7: event_pending tells the wall-clock time of the expiry.
// api event_pending
TEST_P(TimerTest, PendingTellsWallClock) {
  Probe timer(base(), &journal_, "t");
  const int64_t before = WallUs();
  timer.Add(Ms(60000));
  const int64_t after = WallUs();
  timeval due = {};
  EXPECT_EQ(event_pending(timer.ev(), EV_TIMEOUT, &due), EV_TIMEOUT);
  // A coarse clock lags by up to a tick.
  EXPECT_GE(ToUs(due), before + 60000000 - 20000);
  EXPECT_LE(ToUs(due), after + 60000000 + 20000);
  // Not asked for: not told.
  timeval untouched = {1, 2};
  EXPECT_EQ(event_pending(timer.ev(), EV_READ, &untouched), 0);
  EXPECT_EQ(untouched.tv_sec, 1);
}

// semantics 3.1: added again with a time: the new one counts.
TEST_P(TimerTest, AddAgainReschedules) {
  Probe moved(base(), &journal_, "moved");
  Probe fixed(base(), &journal_, "fixed");
  moved.Add(Ms(1));
  fixed.Add(Ms(10));
  moved.Add(Ms(30));
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 2);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "fixed moved");
  journal_.Clear();
  moved.Add(Ms(60000));
  fixed.Add(Ms(10));
  moved.Add(Ms(1));
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "moved fixed");
}

// api event_gettime_monotonic
TEST_P(TimerTest, GettimeMonotonic) {
  timeval a = {}, b = {};
  EXPECT_EQ(event_gettime_monotonic(base(), &a), 0);
  SleepMs(12);  // Longer than a tick of a coarse clock.
  EXPECT_EQ(event_gettime_monotonic(base(), &b), 0);
  EXPECT_GT(ToUs(b), ToUs(a));
  EXPECT_EQ(event_gettime_monotonic(nullptr, &a), -1);
  EXPECT_EQ(event_gettime_monotonic(base(), nullptr), -1);
}

// api event_gettime_monotonic: not cached inside a callback.
TEST_P(TimerTest, GettimeMonotonicIsNotCached) {
  Probe user(base(), &journal_, "u");
  user.OnCall([&] {
    timeval a = {}, b = {};
    event_gettime_monotonic(base(), &a);
    SleepMs(12);  // Longer than a tick of a coarse clock.
    event_gettime_monotonic(base(), &b);
    EXPECT_GT(ToUs(b), ToUs(a));
  });
  user.Activate();
  event_base_dispatch(base());
}

// api evtimer_new
// api evtimer_assign
// api evtimer_add
// api evtimer_del
// api evtimer_pending
// api evtimer_initialized
TEST_P(TimerTest, Macros) {
  int calls = 0;
  const event_callback_fn count = [](evutil_socket_t fd, short, void* arg) {
    EXPECT_EQ(fd, -1);
    ++*static_cast<int*>(arg);
  };
  event* heap = evtimer_new(base(), count, &calls);
  event stack = {};
  EXPECT_FALSE(evtimer_initialized(&stack));
  EXPECT_EQ(evtimer_assign(&stack, base(), count, &calls), 0);
  EXPECT_TRUE(evtimer_initialized(&stack));
  EXPECT_EQ(event_get_events(&stack), 0);
  const timeval tv = Ms(1);
  EXPECT_EQ(evtimer_add(heap, &tv), 0);
  EXPECT_EQ(evtimer_add(&stack, &tv), 0);
  EXPECT_EQ(evtimer_pending(heap, nullptr), EV_TIMEOUT);
  EXPECT_EQ(evtimer_del(heap), 0);
  EXPECT_EQ(evtimer_pending(heap, nullptr), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(calls, 1);
  event_free(heap);
}

}  // namespace
}  // namespace compat
