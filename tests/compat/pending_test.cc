// What event_pending says in each state.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

constexpr short kAll = EV_TIMEOUT | EV_READ | EV_WRITE | EV_CLOSED | EV_SIGNAL;

class PendingTest : public LoopTest {
 protected:
  Journal journal_;
};

// api event_pending
TEST_F(PendingTest, OnlyWhatIsAskedFor) {
  SocketPair pair;
  Probe both(base(), &journal_, "b", pair[0], EV_READ | EV_WRITE);
  EXPECT_EQ(both.Pending(kAll), 0);
  both.Add(Ms(60000));
  EXPECT_EQ(both.Pending(kAll), EV_READ | EV_WRITE | EV_TIMEOUT);
  EXPECT_EQ(both.Pending(EV_READ), EV_READ);
  EXPECT_EQ(both.Pending(EV_WRITE), EV_WRITE);
  EXPECT_EQ(both.Pending(EV_TIMEOUT), EV_TIMEOUT);
  EXPECT_EQ(both.Pending(EV_SIGNAL), 0);
  EXPECT_EQ(both.Pending(0), 0);
  both.Del();
  EXPECT_EQ(both.Pending(kAll), 0);
}

TEST_F(PendingTest, Timer) {
  Probe timer(base(), &journal_, "t");
  timer.Add(Ms(60000));
  EXPECT_EQ(timer.Pending(kAll), EV_TIMEOUT);
}

// Persist and edge are not states.
TEST_F(PendingTest, PersistAndEdgeAreNotTold) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST | EV_ET);
  reader.Add();
  EXPECT_EQ(reader.Pending(kAll | EV_PERSIST | EV_ET), EV_READ);
}

TEST_F(PendingTest, Signal) {
  Probe sig(base(), &journal_, "s", SIGUSR2, EV_SIGNAL | EV_PERSIST);
  sig.Add();
  EXPECT_EQ(sig.Pending(kAll), EV_SIGNAL);
}

TEST_F(PendingTest, Closed) {
  SocketPair pair;
  Probe closed(base(), &journal_, "c", pair[0], EV_CLOSED);
  closed.Add();
  EXPECT_EQ(closed.Pending(kAll), EV_CLOSED);
}

// api event_pending: an active event tells its result flags.
TEST_F(PendingTest, ActiveTellsItsResult) {
  Probe user(base(), &journal_, "u");
  user.Activate(EV_WRITE | EV_TIMEOUT);
  EXPECT_EQ(user.Pending(kAll), EV_WRITE | EV_TIMEOUT);
  EXPECT_EQ(user.Pending(EV_WRITE), EV_WRITE);
  EXPECT_EQ(user.Pending(EV_READ), 0);
  event_base_dispatch(base());
  EXPECT_EQ(user.Pending(kAll), 0);
}

// semantics 1.10: inside the callback.
TEST_F(PendingTest, InsideTheCallback) {
  SocketPair pair;
  pair.Send(1);
  Probe once(base(), &journal_, "once", pair[0], EV_READ);
  Probe stay(base(), &journal_, "stay", pair[0], EV_READ | EV_PERSIST);
  once.OnCall([&] { EXPECT_EQ(once.Pending(kAll), 0); });
  stay.OnCall([&] { EXPECT_EQ(stay.Pending(kAll), EV_READ); });
  once.Add();
  stay.Add();
  Turn();
  EXPECT_EQ(journal_.size(), 2);
}

// semantics 1.11: queued behind a break: still active, so still pending.
TEST_F(PendingTest, QueuedBehindABreak) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.OnCall([&] { event_base_loopbreak(base()); });
  a.Activate(EV_READ);
  b.Activate(EV_READ);
  event_base_dispatch(base());
  EXPECT_EQ(b.Pending(kAll), EV_READ);
}

// api event_pending: no base: 0 and a warning.
TEST_F(PendingTest, WithoutABase) {
  event zero = {};
  LogCapture log;
  EXPECT_EQ(event_pending(&zero, kAll, nullptr), 0);
  EXPECT_EQ(log.Warnings(), 1);
}

// api event_add
// api event_del
// api event_remove_timer: no base: -1 and a warning.
TEST_F(PendingTest, OthersWithoutABase) {
  event zero = {};
  const timeval tv = Ms(1);
  LogCapture log;
  EXPECT_EQ(event_add(&zero, &tv), -1);
  EXPECT_EQ(event_del(&zero), -1);
  EXPECT_EQ(event_remove_timer(&zero), -1);
  event_active(&zero, EV_READ, 1);
  EXPECT_EQ(event_finalize(0, &zero, [](event*, void*) {}), -1);
  EXPECT_GE(log.Warnings(), 5);
}

}  // namespace
}  // namespace compat
