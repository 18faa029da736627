// Activation by hand.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class EventActiveTest : public LoopTest {
 protected:
  Journal journal_;
};

// semantics 3.2: an event that was never added runs once.
// semantics 1.9: with the flags it was given.
// api event_active
TEST_F(EventActiveTest, NotPendingRunsOnce) {
  Probe user(base(), &journal_, "u");
  user.Activate(EV_READ | EV_WRITE);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "u:RW");
  EXPECT_EQ(user.last_fd(), -1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(user.calls(), 1);
}

// semantics 1.9: repeated activations before the call are OR-ed into one.
TEST_F(EventActiveTest, FlagsAreOred) {
  Probe user(base(), &journal_, "u");
  user.Activate(EV_READ);
  user.Activate(EV_WRITE);
  user.Activate(EV_TIMEOUT);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 1);
  event_base_dispatch(base());
  EXPECT_EQ(journal_.text(), "u:TRW");
}

// semantics 1.9: an int, of which the callback sees a short.
TEST_F(EventActiveTest, FlagsAreTruncated) {
  Probe user(base(), &journal_, "u");
  user.Activate(0x10000 | EV_READ);
  event_base_dispatch(base());
  EXPECT_EQ(user.last_what(), EV_READ);
  user.Activate(0x7f00);
  event_base_dispatch(base());
  EXPECT_EQ(user.last_what(), 0x7f00);
}

// semantics 1.9: the place in the queue is that of the first activation.
TEST_F(EventActiveTest, SecondActivationKeepsThePlace) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.Activate(EV_READ);
  b.Activate();
  a.Activate(EV_WRITE);
  event_base_dispatch(base());
  EXPECT_EQ(journal_.text(), "a:RW b:-");
}

// semantics 3.2: active again from its own callback: the tail of this queue.
TEST_F(EventActiveTest, ItselfAgainInThisPass) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.OnCall([&] {
    if (a.calls() == 1) a.Activate(EV_WRITE);
  });
  a.Activate(EV_READ);
  b.Activate();
  EXPECT_EQ(Turn(), 0);
  EXPECT_EQ(journal_.text(), "a:R b:- a:W");
}

// semantics 3.3: ncalls of an event that is not a signal says nothing.
TEST_F(EventActiveTest, NcallsIsForSignalsOnly) {
  Probe user(base(), &journal_, "u");
  user.Activate(EV_READ, 7);
  event_base_dispatch(base());
  EXPECT_EQ(user.calls(), 1);
  user.Activate(EV_READ, 0);
  event_base_dispatch(base());
  EXPECT_EQ(user.calls(), 2);
}

// semantics 3.3: a signal event is called that many times in a row.
TEST_F(EventActiveTest, NcallsOfASignal) {
  Probe sig(base(), &journal_, "s", SIGUSR2, EV_SIGNAL | EV_PERSIST);
  Probe user(base(), &journal_, "u");
  sig.Add();
  sig.Activate(EV_SIGNAL, 3);
  user.Activate();
  Turn();
  EXPECT_EQ(journal_.text(), "s:S s:S s:S u:-");
  EXPECT_EQ(sig.last_fd(), SIGUSR2);
}

// semantics 3.3: the event may be deleted by its callback.
TEST_F(EventActiveTest, DelEndsTheCallsOfASignal) {
  Probe sig(base(), &journal_, "s", SIGUSR2, EV_SIGNAL | EV_PERSIST);
  sig.OnCall([&] {
    if (sig.calls() == 2) sig.Del();
  });
  sig.Add();
  sig.Activate(EV_SIGNAL, 5);
  Turn();
  EXPECT_EQ(sig.calls(), 2);
}

// semantics 3.2: a pending event stays pending (persistent), or is removed
// by the call (not persistent).
TEST_F(EventActiveTest, PendingEvents) {
  SocketPair pair;
  Probe stay(base(), &journal_, "stay", pair[0], EV_READ | EV_PERSIST);
  Probe once(base(), &journal_, "once", pair[0], EV_READ);
  Probe timer(base(), &journal_, "timer");
  stay.Add();
  once.Add();
  timer.Add(Ms(60000));
  stay.Activate(EV_READ);
  once.Activate(EV_READ);
  timer.Activate(EV_TIMEOUT);
  Turn();
  EXPECT_EQ(journal_.text(), "stay:R once:R timer:T");
  EXPECT_EQ(stay.Pending(EV_READ), EV_READ);
  EXPECT_EQ(once.Pending(EV_READ), 0);
  EXPECT_EQ(timer.Pending(EV_TIMEOUT), 0);
}

// semantics 3.4: deleted before the loop saw it.
TEST_F(EventActiveTest, DeletedBeforeTheLoop) {
  Probe user(base(), &journal_, "u");
  user.Activate();
  EXPECT_EQ(user.Del(), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(user.calls(), 0);
}

// api event_base_active_by_fd
TEST_F(EventActiveTest, ByFd) {
  SocketPair pair, other;
  Probe read(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  Probe write(base(), &journal_, "w", pair[0], EV_WRITE | EV_PERSIST);
  Probe both(base(), &journal_, "rw", pair[0], EV_READ | EV_WRITE | EV_PERSIST);
  Probe strange(base(), &journal_, "strange", other[0], EV_READ | EV_PERSIST);
  pair.Fill(0);  // So that nothing is ready by itself.
  read.Add();
  write.Add();
  both.Add();
  strange.Add();
  event_base_active_by_fd(base(), pair[0], EV_READ);
  Turn();
  EXPECT_EQ(journal_.text(), "rw:R r:R");
  journal_.Clear();
  event_base_active_by_fd(base(), pair[0], EV_WRITE);
  Turn();
  EXPECT_EQ(journal_.text(), "rw:W w:W");
  journal_.Clear();
  event_base_active_by_fd(base(), pair[0], EV_READ | EV_WRITE);
  Turn();
  EXPECT_EQ(both.last_what(), EV_READ | EV_WRITE);
  EXPECT_EQ(journal_.size(), 3);
}

// api event_base_active_by_fd: EV_TIMEOUT picks those that have a timeout.
TEST_F(EventActiveTest, ByFdTimeout) {
  SocketPair pair;
  Probe with(base(), &journal_, "with", pair[0], EV_READ | EV_PERSIST);
  Probe without(base(), &journal_, "without", pair[0], EV_READ | EV_PERSIST);
  with.Add(Ms(60000));
  without.Add();
  event_base_active_by_fd(base(), pair[0], EV_TIMEOUT);
  Turn();
  EXPECT_EQ(journal_.text(), "with:T");
  journal_.Clear();
  event_base_active_by_fd(base(), pair[0], EV_TIMEOUT | EV_READ);
  Turn();
  EXPECT_EQ(with.last_what() & EV_TIMEOUT, EV_TIMEOUT);
}

// api event_base_active_by_fd: an fd that nobody watches.
TEST_F(EventActiveTest, ByFdUnknown) {
  SocketPair pair;
  event_base_active_by_fd(base(), -1, EV_READ);
  event_base_active_by_fd(base(), pair[0], EV_READ);
  event_base_active_by_fd(base(), 100000, EV_READ);
  event_base_active_by_fd(base(), 100000, EV_TIMEOUT);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 0);
}

// api event_base_active_by_signal
TEST_F(EventActiveTest, BySignal) {
  Probe a(base(), &journal_, "a", SIGUSR2, EV_SIGNAL | EV_PERSIST);
  Probe b(base(), &journal_, "b", SIGUSR2, EV_SIGNAL | EV_PERSIST);
  Probe other(base(), &journal_, "other", SIGUSR1, EV_SIGNAL | EV_PERSIST);
  a.Add();
  b.Add();
  other.Add();
  event_base_active_by_signal(base(), SIGUSR2);
  Turn();
  EXPECT_EQ(a.calls(), 1);
  EXPECT_EQ(b.calls(), 1);
  EXPECT_EQ(a.last_what(), EV_SIGNAL);
  EXPECT_EQ(other.calls(), 0);
}

// api event_base_active_by_signal: out of range, or without a watcher.
TEST_F(EventActiveTest, BySignalUnknown) {
  event_base_active_by_signal(base(), -1);
  event_base_active_by_signal(base(), 100000);
  event_base_active_by_signal(base(), SIGUSR2);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 0);
}

// api evuser_new
// api evuser_trigger
// api evuser_pending
// api evuser_initialized
// api evuser_del
TEST_F(EventActiveTest, UserEventMacros) {
  int calls = 0;
  event* user = evuser_new(
      base(),
      [](evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); },
      &calls);
  ASSERT_NE(user, nullptr);
  EXPECT_TRUE(evuser_initialized(user));
  EXPECT_EQ(evuser_pending(user, nullptr), 0);
  evuser_trigger(user);
  EXPECT_EQ(evuser_pending(user, nullptr), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(calls, 1);
  evuser_trigger(user);
  EXPECT_EQ(evuser_del(user), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(calls, 1);
  event_free(user);
}

// api event_base_get_running_event
TEST_F(EventActiveTest, RunningEvent) {
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: 2.1 dereferences a null pointer when nothing runs.
  EXPECT_EQ(event_base_get_running_event(base()), nullptr);
#endif
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.OnCall([&] { EXPECT_EQ(event_base_get_running_event(base()), a.ev()); });
  b.OnCall([&] { EXPECT_EQ(event_base_get_running_event(base()), b.ev()); });
  a.Activate();
  b.Activate();
  event_base_dispatch(base());
  EXPECT_EQ(journal_.names(), "a b");
#ifndef TESTING_DEBIAN_LIBEVENT
  EXPECT_EQ(event_base_get_running_event(base()), nullptr);
#endif
}

}  // namespace
}  // namespace compat
