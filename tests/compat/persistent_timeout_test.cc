// Timeouts of persistent events.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>

#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class PersistentTimeoutTest : public BackendTest {
 protected:
  // The expiry that the base holds, in its own clock.
  static int64_t Due(const Probe& probe) { return ExpiryUs(*probe.ev()); }
  int64_t BaseNow() {
    timeval tv = {};
    event_gettime_monotonic(base(), &tv);
    return ToUs(tv);
  }
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND_AND_FLAG(PersistentTimeoutTest);

// semantics 2.4: fired by the timeout: the next expiry is one interval after
// the last expiry, not after now.
TEST_P(PersistentTimeoutTest, TicksDoNotDrift) {
  Probe ticker(base(), &journal_, "t", -1, EV_PERSIST);
  const timeval interval = Ms(20);
  ticker.Add(interval);
  std::vector<int64_t> due = {Due(ticker)};
  ticker.OnCall([&] {
    EXPECT_EQ(ticker.last_what(), EV_TIMEOUT);
    EXPECT_EQ(ticker.Pending(EV_TIMEOUT), EV_TIMEOUT);
    due.push_back(Due(ticker));
    if (ticker.calls() == 4) ticker.Del();
  });
  EXPECT_EQ(event_base_dispatch(base()), 1);
  ASSERT_EQ(due.size(), 5u);
  // On a machine that stops for more than an interval a tick is skipped; one
  // exact distance shows the rule, and none may be shorter.
  int exact = 0;
  for (size_t i = 1; i < due.size(); ++i) {
    EXPECT_GE(due[i] - due[i - 1], 20000);
    exact += due[i] - due[i - 1] == 20000;
  }
  EXPECT_GE(exact, 1);
}

// semantics 2.4: late by more than an interval: the missed ticks are skipped.
TEST_P(PersistentTimeoutTest, MissedTicksAreSkipped) {
  Probe ticker(base(), &journal_, "t", -1, EV_PERSIST);
  ticker.Add(Ms(5));
  // Real time that passes without the loop, as a stopped process.
  SleepMs(60);
  const int64_t before = BaseNow();
  Turn();
  EXPECT_EQ(ticker.calls(), 1);
  EXPECT_GE(Due(ticker), before + 5000);
  const int64_t first = Due(ticker);
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(ticker.calls(), 2);
  EXPECT_GE(Due(ticker), first + 5000);
}

// semantics 2.4: fired by I/O: one interval after now.
TEST_P(PersistentTimeoutTest, IoRestartsTheInterval) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add(Ms(10000));
  const int64_t first = Due(reader);
  SleepMs(30);  // So that "now" differs from the time of the add.
  pair.Send(1);
  const int64_t before = BaseNow();
  Turn();
  EXPECT_EQ(journal_.text(), "r:R");
  EXPECT_GE(Due(reader), before + 10000000);
  EXPECT_GE(Due(reader), first + 20000);
}

// semantics 2.4: fired by hand: as by I/O.
TEST_P(PersistentTimeoutTest, ActiveRestartsTheInterval) {
  Probe user(base(), &journal_, "u", -1, EV_PERSIST);
  user.Add(Ms(10000));
  const int64_t first = Due(user);
  SleepMs(30);  // So that "now" differs from the time of the add.
  user.Activate(EV_READ);
  Turn();
  EXPECT_EQ(journal_.text(), "u:R");
  EXPECT_GE(Due(user), first + 20000);
}

// semantics 2.4: added again without a time: timeout and interval stay.
TEST_P(PersistentTimeoutTest, AddWithoutTimeKeepsBoth) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add(Ms(3));
  const int64_t due = Due(reader);
  EXPECT_EQ(reader.Add(), 0);
  EXPECT_EQ(Due(reader), due);
  EXPECT_EQ(reader.Pending(EV_TIMEOUT), EV_TIMEOUT);
  event_base_loop(base(), EVLOOP_ONCE);
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(journal_.text(), "r:T r:T");
}

// semantics 2.4: added again with another time: the new interval.
TEST_P(PersistentTimeoutTest, AddWithAnotherTimeChangesTheInterval) {
  Probe ticker(base(), &journal_, "t", -1, EV_PERSIST);
  ticker.Add(Ms(60000));
  ticker.Add(Ms(2));
  event_base_loop(base(), EVLOOP_ONCE);
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(ticker.calls(), 2);
}

// semantics 2.4
// api event_remove_timer: ends the ticking, from inside as well.
TEST_P(PersistentTimeoutTest, RemoveTimerEndsTheTicks) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.OnCall([&] {
    if (reader.last_what() == EV_TIMEOUT) event_remove_timer(reader.ev());
  });
  reader.Add(Ms(2));
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(reader.Pending(EV_READ | EV_TIMEOUT), EV_READ);
  pair.Send(1);
  Turn();
  EXPECT_EQ(journal_.text(), "r:T r:R");
  EXPECT_EQ(reader.Pending(EV_READ | EV_TIMEOUT), EV_READ);
}

// semantics 2.4: event_del ends the timeout but keeps the interval (quirk):
// added without a time, the event has a timeout again from its first call on.
TEST_P(PersistentTimeoutTest, DelKeepsTheInterval) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add(Ms(60000));
  reader.Del();
  reader.Add();
  EXPECT_EQ(reader.Pending(EV_READ | EV_TIMEOUT), EV_READ);
  pair.Send(1);
  Turn();
  EXPECT_EQ(reader.Pending(EV_READ | EV_TIMEOUT), EV_READ | EV_TIMEOUT);
}

// semantics 2.4: the callback sets a time of its own.
TEST_P(PersistentTimeoutTest, CallbackReschedules) {
  Probe ticker(base(), &journal_, "t", -1, EV_PERSIST);
  ticker.OnCall([&] {
    if (ticker.calls() == 1) ticker.Add(Ms(60000));
  });
  ticker.Add(Ms(1));
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(ticker.calls(), 1);
  timeval due = {};
  event_pending(ticker.ev(), EV_TIMEOUT, &due);
  EXPECT_GT(ToUs(due), WallUs() + 50000000);
}

// main/persistent_active_timeout: active and expired in one turn: one call.
TEST_P(PersistentTimeoutTest, ActiveAndExpired) {
  Probe user(base(), &journal_, "u", -1, EV_PERSIST);
  user.Add(Ms(1));
  SleepMs(12);  // Until it is past on a coarse clock.
  user.Activate(EV_READ);
  Turn();
  EXPECT_EQ(user.calls(), 1);
  EXPECT_EQ(user.last_what() & EV_TIMEOUT, EV_TIMEOUT);
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: as 2.2, the first reason is not lost (semantics 1.8).
  EXPECT_EQ(user.last_what(), EV_READ | EV_TIMEOUT);
#endif
  EXPECT_EQ(user.Pending(EV_TIMEOUT), EV_TIMEOUT);
}

}  // namespace
}  // namespace compat
