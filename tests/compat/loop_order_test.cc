// The order inside one turn of the loop.

#include <event2/event.h>
#include <gtest/gtest.h>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class LoopOrderTest : public BackendTest {
 protected:
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND_AND_FLAG(LoopOrderTest);

// semantics 1.1: what is active waits for the poll, whose results queue behind
// it; timers come last.
// semantics 1.8: I/O activations are queued before timers of the same turn.
TEST_P(LoopOrderTest, ActiveThenReadyThenExpired) {
  SocketPair pair;
  Probe timer(base(), &journal_, "timer");
  Probe reader(base(), &journal_, "reader", pair[0], EV_READ);
  Probe user(base(), &journal_, "user");
  ASSERT_EQ(timer.Add(Us(0)), 0);
  ASSERT_EQ(reader.Add(), 0);
  pair.Send(1);
  user.Activate(EV_WRITE);
  // A coarse clock must tick before a zero timeout counts as past.
  SleepMs(12);
  EXPECT_EQ(Turn(), 0);
  EXPECT_EQ(journal_.text(), "user:W reader:R timer:T");
}

// semantics 1.1: activations made while callbacks run are part of the same
// pass, at the tail of the queue.
TEST_P(LoopOrderTest, ActivationInACallbackRunsInTheSamePass) {
  Probe b(base(), &journal_, "b");
  Probe a(base(), &journal_, "a");
  a.OnCall([&] { b.Activate(); });
  Probe c(base(), &journal_, "c");
  a.Activate();
  c.Activate();
  EXPECT_EQ(Turn(), 0);
  EXPECT_EQ(journal_.names(), "a c b");
}

// semantics 1.7: several events on one fd, the most recently added first.
TEST_P(LoopOrderTest, EventsOfOneFdNewestFirst) {
  SocketPair pair;
  Probe a(base(), &journal_, "a", pair[0], EV_READ | EV_PERSIST);
  Probe b(base(), &journal_, "b", pair[0], EV_READ | EV_PERSIST);
  Probe c(base(), &journal_, "c", pair[0], EV_READ | EV_PERSIST);
  a.Add();
  b.Add();
  c.Add();
  pair.Send(1);
  Turn();
  EXPECT_EQ(journal_.names(), "c b a");

  // Added again: now it is the newest.
  journal_.Clear();
  a.Del();
  a.Add();
  Turn();
  EXPECT_EQ(journal_.names(), "a c b");
}

// semantics 1.7: the order of different fds is the backend's report; epoll's
// is the order in which they became ready.
TEST_P(LoopOrderTest, EpollReportsInOrderOfReadiness) {
  if (!IsEpoll()) GTEST_SKIP() << "only epoll has a defined order";
  SocketPair p1, p2, p3;
  Probe a(base(), &journal_, "a", p1[0], EV_READ);
  Probe b(base(), &journal_, "b", p2[0], EV_READ);
  Probe c(base(), &journal_, "c", p3[0], EV_READ);
  a.Add();
  b.Add();
  c.Add();
  Turn();  // So that the changelist has handed all three to the kernel.
  p2.Send(1);
  p3.Send(1);
  p1.Send(1);
  Turn();
  EXPECT_EQ(journal_.names(), "b c a");
}

// semantics 1.7: timers that expire in one pass run by expiry, whatever the
// order of their adds.
TEST_P(LoopOrderTest, TimersByExpiry) {
  Probe t3(base(), &journal_, "t3");
  Probe t1(base(), &journal_, "t1");
  Probe t4(base(), &journal_, "t4");
  Probe t2(base(), &journal_, "t2");
  t3.Add(Ms(3));
  t1.Add(Ms(1));
  t4.Add(Ms(4));
  t2.Add(Ms(2));
  // All four must be past in one pass: real time has to go by.
  SleepMs(15);
  EXPECT_EQ(Turn(), 0);
  EXPECT_EQ(journal_.names(), "t1 t2 t3 t4");
}

// semantics 1.8
TEST_P(LoopOrderTest, ReadyAndExpiredInOneTurn) {
  SocketPair pair;
  Probe both(base(), &journal_, "both", pair[0], EV_READ);
  both.Add(Ms(1));
  pair.Send(1);
  SleepMs(12);  // Until the timeout is past on a coarse clock too.
  Turn();
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: as 2.2, the readiness is not lost when the timeout fires with it.
  EXPECT_EQ(journal_.text(), "both:TR");
#else
  EXPECT_EQ(journal_.text(), "both:T");
#endif
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
}

// semantics 1.8: the same with a persistent event, which stays.
TEST_P(LoopOrderTest, PersistentReadyAndExpiredInOneTurn) {
  SocketPair pair;
  Probe both(base(), &journal_, "both", pair[0], EV_READ | EV_PERSIST);
  both.Add(Ms(1));
  pair.Send(1);
  SleepMs(12);  // Until the timeout is past on a coarse clock too.
  Turn();
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: as 2.2.
  EXPECT_EQ(journal_.text(), "both:TR");
#else
  EXPECT_EQ(journal_.text(), "both:T");
#endif
  EXPECT_EQ(both.Pending(EV_READ | EV_TIMEOUT), EV_READ | EV_TIMEOUT);
}

// semantics 1.9: the argument is what was watched and reported.
TEST_P(LoopOrderTest, FlagsAreWatchedAndReported) {
  SocketPair pair;
  Probe read(base(), &journal_, "r", pair[0], EV_READ);
  Probe write(base(), &journal_, "w", pair[0], EV_WRITE);
  Probe both(base(), &journal_, "rw", pair[0], EV_READ | EV_WRITE);
  read.Add();
  write.Add();
  both.Add();
  pair.Send(1);
  Turn();
  // poll and select may tell of read and write one after the other.
  EXPECT_EQ(read.last_what(), EV_READ);
  EXPECT_EQ(write.last_what(), EV_WRITE);
  EXPECT_EQ(both.last_what(), EV_READ | EV_WRITE);
  EXPECT_EQ(journal_.size(), 3);
  EXPECT_EQ(read.last_fd(), pair[0]);
}

// semantics 1.9: a timer's fd is -1 and its flag EV_TIMEOUT.
TEST_P(LoopOrderTest, TimerArguments) {
  Probe timer(base(), &journal_, "t");
  timer.Add(Us(1));
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(timer.last_fd(), -1);
  EXPECT_EQ(timer.last_what(), EV_TIMEOUT);
}

// semantics 1.10: a non-persistent event is out before its callback, with its
// timeout, so the callback may add it again.
TEST_P(LoopOrderTest, NonPersistentIsRemovedBeforeItsCallback) {
  SocketPair pair;
  Probe once(base(), &journal_, "once", pair[0], EV_READ);
  once.OnCall([&] {
    EXPECT_EQ(once.Pending(EV_READ | EV_TIMEOUT), 0);
    EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
    if (once.calls() == 1) {
      EXPECT_EQ(once.Add(), 0);
    }
  });
  once.Add(Ms(10000));
  pair.Send(1);
  EXPECT_EQ(Turn(), 0);
  EXPECT_EQ(once.Pending(EV_READ | EV_TIMEOUT), EV_READ);
  EXPECT_EQ(Turn(), 0);
  EXPECT_EQ(once.calls(), 2);
  EXPECT_EQ(Turn(), 1);
}

// semantics 1.10: a persistent one stays inserted, and its timeout runs again
// before the callback.
TEST_P(LoopOrderTest, PersistentStaysInserted) {
  SocketPair pair;
  Probe stay(base(), &journal_, "stay", pair[0], EV_READ | EV_PERSIST);
  stay.OnCall([&] {
    EXPECT_EQ(stay.Pending(EV_READ | EV_TIMEOUT), EV_READ | EV_TIMEOUT);
  });
  stay.Add(Ms(10000));
  pair.Send(1);
  Turn();
  Turn();
  EXPECT_EQ(stay.calls(), 2);
  EXPECT_EQ(stay.Pending(EV_READ | EV_TIMEOUT), EV_READ | EV_TIMEOUT);
}

// semantics 3.12: made active, then deleted by an earlier callback: not run.
TEST_P(LoopOrderTest, DeletedWhileActiveDoesNotRun) {
  SocketPair pair;
  Probe victim(base(), &journal_, "victim", pair[0], EV_READ | EV_PERSIST);
  Probe killer(base(), &journal_, "killer", pair[0], EV_READ | EV_PERSIST);
  killer.OnCall([&] { victim.Del(); });
  victim.Add();
  killer.Add();  // The newest: runs first.
  pair.Send(1);
  Turn();
  EXPECT_EQ(journal_.names(), "killer");
}

// semantics 3.12: freed by another event's callback of the same pass.
TEST_P(LoopOrderTest, FreedWhileActiveDoesNotRun) {
  SocketPair pair;
  Probe victim(base(), &journal_, "victim", pair[0], EV_READ | EV_PERSIST);
  Probe timer(base(), &journal_, "timer");
  Probe killer(base(), &journal_, "killer", pair[0], EV_READ | EV_PERSIST);
  killer.OnCall([&] {
    victim.Free();
    timer.Free();
  });
  victim.Add();
  killer.Add();
  timer.Add(Us(0));
  pair.Send(1);
  SleepMs(12);  // So that the timer is active in the same pass.
  Turn();
  EXPECT_EQ(journal_.names(), "killer");
}

}  // namespace
}  // namespace compat
