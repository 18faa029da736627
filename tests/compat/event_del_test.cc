// Deletion, and what it waits for.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class EventDelTest : public BackendTest {
 protected:
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND(EventDelTest);

// semantics 3.4
// api event_del
TEST_P(EventDelTest, RemovesEverything) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add(Ms(1));
  reader.Activate(EV_READ);
  // One for the fd, one for the timeout, one for the activation.
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 3);
  EXPECT_EQ(reader.Del(), 0);
  EXPECT_EQ(event_base_get_num_events(
                base(), EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE),
            0);
  pair.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(reader.calls(), 0);
}

// api event_del: nothing to do is no error.
// api event_del_block
// api event_del_noblock
TEST_P(EventDelTest, NeverAdded) {
  Probe user(base(), &journal_, "u");
  EXPECT_EQ(user.Del(), 0);
  EXPECT_EQ(user.Del(), 0);
  EXPECT_EQ(event_del_noblock(user.ev()), 0);
  EXPECT_EQ(event_del_block(user.ev()), 0);
}

// api event_del_block
// api event_del_noblock
TEST_P(EventDelTest, BlockAndNoblockDelete) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.Add(Ms(1));
  b.Add(Ms(1));
  EXPECT_EQ(event_del_noblock(a.ev()), 0);
  EXPECT_EQ(event_del_block(b.ev()), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.size(), 0);
}

// semantics 3.4: in its own callback, by each of the functions.
TEST_P(EventDelTest, InItsOwnCallback) {
  for (auto del : {&event_del, &event_del_block, &event_del_noblock}) {
    SocketPair pair;
    Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
    reader.OnCall([&] { EXPECT_EQ(del(reader.ev()), 0); });
    reader.Add(Ms(60000));
    pair.Send(1);
    EXPECT_EQ(event_base_dispatch(base()), 1);
    EXPECT_EQ(reader.calls(), 1);
  }
}

// semantics 3.4: deleted and added again in one callback.
TEST_P(EventDelTest, DelThenAddInACallback) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.OnCall([&] {
    reader.Del();
    if (reader.calls() < 3) reader.Add();
  });
  reader.Add();
  pair.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(reader.calls(), 3);
}

// semantics 3.4: one event of an fd goes, the others stay.
TEST_P(EventDelTest, OtherEventsOfTheFdStay) {
  SocketPair pair;
  Probe a(base(), &journal_, "a", pair[0], EV_READ | EV_PERSIST);
  Probe b(base(), &journal_, "b", pair[0], EV_READ | EV_PERSIST);
  Probe w(base(), &journal_, "w", pair[0], EV_WRITE | EV_PERSIST);
  a.Add();
  b.Add();
  w.Add();
  pair.Send(1);
  Turn();
  EXPECT_EQ(journal_.size(), 3);
  b.Del();
  Turn();
  EXPECT_EQ(a.calls(), 2);
  EXPECT_EQ(b.calls(), 1);
  EXPECT_EQ(w.calls(), 2);
  w.Del();
  Turn();
  EXPECT_EQ(a.calls(), 3);
  EXPECT_EQ(w.calls(), 2);
  a.Del();
  EXPECT_EQ(event_base_dispatch(base()), 1);
}

#ifdef COMPAT_SHARED_MODE
// What a second thread does while the callback runs.
class ForeignDelTest : public EventDelTest {
 protected:
  // Runs `act` in another thread while the callback of an event with `flags`
  // runs; returns whether the callback had returned when `act` did.
  template <typename Act>
  bool ReturnedAfterTheCallback(short flags, Act act, evutil_socket_t fd = -1) {
    std::atomic<bool> inside{false};
    std::atomic<bool> done{false};
    std::atomic<bool> acted{false};
    Probe slow(base(), &journal_, "slow", fd, flags);
    slow.OnCall([&] {
      inside = true;
      // Long enough for the other thread to come back if it does not wait;
      // whether it waits can only be seen by giving it the time.
      for (int i = 0; i < 100 && !acted; ++i) SleepMs(1);
      done = true;
    });
    if (flags & EV_SIGNAL) slow.Add();
    slow.Activate(flags & EV_SIGNAL ? EV_SIGNAL : EV_READ);
    bool result = false;
    std::thread other([&] {
      while (!inside) std::this_thread::yield();
      act(slow.ev());
      result = done;
      acted = true;
    });
    event_base_loop(base(), EVLOOP_ONCE);
    other.join();
    slow.Del();
    return result;
  }
};
COMPAT_ON_EVERY_BACKEND(ForeignDelTest);

// semantics 3.4
// api event_del
TEST_P(ForeignDelTest, DelWaits) {
  EXPECT_TRUE(ReturnedAfterTheCallback(0, event_del));
}

// semantics 3.4
// api EV_FINALIZE
TEST_P(ForeignDelTest, DelOfFinalizeEventDoesNotWait) {
  EXPECT_FALSE(ReturnedAfterTheCallback(EV_FINALIZE, event_del));
}

// api event_del_noblock
TEST_P(ForeignDelTest, NoblockDoesNotWait) {
  EXPECT_FALSE(ReturnedAfterTheCallback(0, event_del_noblock));
}

// api event_del_block
TEST_P(ForeignDelTest, BlockWaitsEvenForFinalizeEvents) {
  EXPECT_TRUE(ReturnedAfterTheCallback(EV_FINALIZE, event_del_block));
}

// semantics 3.4: add and active of a signal event wait too.
TEST_P(ForeignDelTest, AddAndActiveOfASignalWait) {
  EXPECT_TRUE(ReturnedAfterTheCallback(
      EV_SIGNAL | EV_PERSIST, [](event* ev) { event_add(ev, nullptr); },
      SIGUSR2));
#ifdef TESTING_DEBIAN_LIBEVENT
  EXPECT_TRUE(ReturnedAfterTheCallback(
      EV_SIGNAL | EV_PERSIST, [](event* ev) { event_active(ev, EV_SIGNAL, 1); },
      SIGUSR2));
#endif  // better: event_active goes through the mailbox and never waits.
}

// semantics 3.4: of other events they do not.
TEST_P(ForeignDelTest, AddAndActiveOfOthersDoNotWait) {
  EXPECT_FALSE(ReturnedAfterTheCallback(0, [](event* ev) {
    const timeval far = Ms(60000);
    event_add(ev, &far);
  }));
  EXPECT_FALSE(ReturnedAfterTheCallback(
      0, [](event* ev) { event_active(ev, EV_READ, 1); }));
}

// semantics 3.4: after the return nothing is queued: the event may be freed.
TEST_P(ForeignDelTest, FreedWhileTheLoopRuns) {
  SocketPair pair;
  Probe keep(base(), nullptr, "keep", -1, EV_PERSIST);
  keep.Add(Ms(5));
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) {
      std::atomic<int> calls{0};
      event* ev = event_new(
          base(), pair[0], EV_WRITE | EV_PERSIST,
          [](evutil_socket_t, short, void* arg) {
            ++*static_cast<std::atomic<int>*>(arg);
          },
          &calls);
      event_add(ev, nullptr);
      event_active(ev, EV_WRITE, 1);
      event_free(ev);
      const int seen = calls;
      std::this_thread::yield();
      EXPECT_EQ(calls, seen);
    }
    event_base_loopbreak(base());
  });
  EXPECT_EQ(event_base_dispatch(base()), 0);
  other.join();
}
#endif  // COMPAT_SHARED_MODE

}  // namespace
}  // namespace compat
