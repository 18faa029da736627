// What a signal's callback may do: stop the loop, delete, free, re-add.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>

#include "percore/tests/compat/handles.h"

namespace percore::compat {
namespace {

// A signal event of its own with a body the test writes.
struct Watcher {
  Watcher(event_base* base, int sig, std::function<void(Watcher&)> f)
      : body(std::move(f)), ev(evsignal_new(base, sig, Run, this)) {
    event_add(ev, nullptr);
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher() {
    if (ev != nullptr) event_free(ev);
  }
  static void Run(evutil_socket_t, short, void* arg) {
    auto* self = static_cast<Watcher*>(arg);
    ++self->calls;
    self->body(*self);
  }
  std::function<void(Watcher&)> body;
  event* ev;
  int calls = 0;
};

void RaiseTimes(int sig, int times) {
  for (int i = 0; i < times; ++i) raise(sig);
}

int Turn(const BasePtr& base) {
  return event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

// semantics 4.2, 1.11
TEST(SignalControl, BreakBetweenCallsDropsTheRest) {
  BasePtr base = NewBase();
  Watcher w(base.get(), SIGUSR1, [&](Watcher& self) {
    if (self.calls == 2) event_base_loopbreak(base.get());
  });
  RaiseTimes(SIGUSR1, 5);
  EXPECT_EQ(0, event_base_dispatch(base.get()));
  EXPECT_TRUE(event_base_got_break(base.get()));
  EXPECT_EQ(2, w.calls);
  Turn(base);
  EXPECT_EQ(2, w.calls);
}

// semantics 3.3
TEST(SignalControl, DeleteInTheCallbackStopsTheRemainingCalls) {
  BasePtr base = NewBase();
  Watcher w(base.get(), SIGUSR1, [](Watcher& self) {
    if (self.calls == 3) event_del(self.ev);
  });
  RaiseTimes(SIGUSR1, 6);
  EXPECT_EQ(1, event_base_dispatch(base.get()));
  EXPECT_EQ(3, w.calls);
}

// semantics 4.2
TEST(SignalControl, FreeInTheCallback) {
  BasePtr base = NewBase();
  Watcher w(base.get(), SIGUSR1, [](Watcher& self) {
    event_free(self.ev);
    self.ev = nullptr;
  });
  RaiseTimes(SIGUSR1, 4);
  EXPECT_EQ(1, event_base_dispatch(base.get()));
  EXPECT_EQ(1, w.calls);
}

// semantics 4.2
TEST(SignalControl, FreeAnotherWatcherOfTheSameSignalInTheCallback) {
  BasePtr base = NewBase();
  int ran = 0;
  Watcher* a = nullptr;
  Watcher* b = nullptr;
  auto free_the_other = [&](Watcher& self) {
    ++ran;
    Watcher* other = &self == a ? b : a;
    if (other->ev != nullptr) event_free(other->ev);
    other->ev = nullptr;
    event_del(self.ev);
  };
  Watcher first(base.get(), SIGUSR1, free_the_other);
  Watcher second(base.get(), SIGUSR1, free_the_other);
  a = &first;
  b = &second;
  raise(SIGUSR1);
  EXPECT_EQ(1, event_base_dispatch(base.get()));
  EXPECT_EQ(1, ran);
}

// semantics 4.2
TEST(SignalControl, DeleteAndAddAgainInTheCallback) {
  BasePtr base = NewBase();
  Watcher w(base.get(), SIGUSR1, [](Watcher& self) {
    event_del(self.ev);
    event_add(self.ev, nullptr);
  });
  raise(SIGUSR1);
  Turn(base);
  raise(SIGUSR1);
  Turn(base);
  EXPECT_EQ(2, w.calls);
}

// semantics 4.2
TEST(SignalControl, RaiseInTheCallback) {
  BasePtr base = NewBase();
  Watcher w(base.get(), SIGUSR1, [&](Watcher& self) {
    if (self.calls < 4) {
      raise(SIGUSR1);
    } else {
      event_base_loopexit(base.get(), nullptr);
    }
  });
  raise(SIGUSR1);
  EXPECT_EQ(0, event_base_dispatch(base.get()));
  EXPECT_EQ(4, w.calls);
}

// semantics 4.2
TEST(SignalControl, ASignalBreaksALoopThatWaits) {
  BasePtr base = NewBase();
  Watcher w(base.get(), SIGALRM,
            [&](Watcher&) { event_base_loopbreak(base.get()); });
  ualarm(20000, 0);  // the kernel's timer is what must end the wait
  EXPECT_EQ(0, event_base_dispatch(base.get()));
  EXPECT_EQ(1, w.calls);
}

// A handler of the program's own, without SA_RESTART, only ends the wait.
// semantics 5.2
TEST(SignalControl, InterruptedWaitIsNoError) {
  static int handled;
  handled = 0;
  struct sigaction mine {
  }, before{};
  mine.sa_handler = [](int) { ++handled; };
  sigaction(SIGALRM, &mine, &before);
  BasePtr base = NewBase();
  int fired = 0;
  EventPtr timer(evtimer_new(
      base.get(),
      [](evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); },
      &fired));
  const timeval tv = Milliseconds(60);
  event_add(timer.get(), &tv);
  ualarm(10000, 0);  // in the middle of the wait for the timer
  EXPECT_EQ(1, event_base_dispatch(base.get()));
  EXPECT_EQ(1, handled);
  EXPECT_EQ(1, fired);
  sigaction(SIGALRM, &before, nullptr);
}

// semantics 4.2
TEST(SignalControl, SignalAndFdOfOnePassBothRun) {
  BasePtr base = NewBase();
  int ends[2];
  ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  evutil_make_socket_nonblocking(ends[0]);
  ASSERT_EQ(1, write(ends[1], "x", 1));
  int reads = 0;
  EventPtr reader(event_new(
      base.get(), ends[0], EV_READ,
      [](evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); },
      &reads));
  event_add(reader.get(), nullptr);
  Watcher w(base.get(), SIGUSR1, [](Watcher& self) { event_del(self.ev); });
  raise(SIGUSR1);
  EXPECT_EQ(1, event_base_dispatch(base.get()));
  EXPECT_EQ(1, reads);
  EXPECT_EQ(1, w.calls);
  close(ends[0]);
  close(ends[1]);
}

// semantics 3.12
TEST(SignalControl, DeletedBeforeItRanIsNotRun) {
  BasePtr base = NewBase();
  event_base_priority_init(base.get(), 2);
  Watcher w(base.get(), SIGUSR1, [](Watcher&) {});
  EventPtr killer(event_new(
      base.get(), -1, 0,
      [](evutil_socket_t, short, void* arg) {
        event_del(static_cast<Watcher*>(arg)->ev);
      },
      &w));
  event_priority_set(killer.get(), 0);
  event_priority_set(w.ev, 1);
  event_active(w.ev, EV_SIGNAL, 3);
  event_active(killer.get(), EV_TIMEOUT, 1);
  EXPECT_EQ(1, event_base_dispatch(base.get()));
  EXPECT_EQ(0, w.calls);
}

}  // namespace
}  // namespace percore::compat
