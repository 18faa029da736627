// What another thread does reaches a loop that sleeps.

#include <event2/event.h>
#include <event2/thread.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class WakeupTest : public BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    if (!kForeignWakeups) GTEST_SKIP() << "needs a shared base";
    limit_ = std::make_unique<Probe>(base(), nullptr, "limit");
    limit_->OnCall([this] {
      ADD_FAILURE() << "nothing woke the loop";
      event_base_loopbreak(base());
    });
    limit_->Add(Ms(20000));
  }
  void TearDown() override { limit_.reset(); }

  // Runs the loop here and `act` in another thread once the loop sleeps.
  int LoopWhile(std::function<void()> act, int flags = 0) {
    // A break before the entry is lost. With ONCE the note of the entry would
    // itself end the loop, and is not needed: what is activated stays.
    std::atomic<bool> inside{flags != 0};
    Probe entered(base(), nullptr, "entered");
    entered.OnCall([&] { inside = true; });
    if (flags == 0) entered.Activate();
    std::thread other([&] {
      while (!inside) std::this_thread::yield();
      // The loop should be asleep by then; nothing tells when it is.
      SleepMs(20);
      act();
    });
    const int rc = event_base_loop(base(), flags);
    other.join();
    return rc;
  }
  std::unique_ptr<Probe> limit_;
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND(WakeupTest);

// semantics 1.14
TEST_P(WakeupTest, Activation) {
  Probe user(base(), &journal_, "u");
  EXPECT_EQ(LoopWhile([&] { user.Activate(EV_WRITE); }, EVLOOP_ONCE), 0);
  EXPECT_EQ(journal_.text(), "u:W");
}

// semantics 1.14
TEST_P(WakeupTest, Break) {
  EXPECT_EQ(LoopWhile([&] { event_base_loopbreak(base()); }), 0);
  EXPECT_TRUE(event_base_got_break(base()));
}

// semantics 1.14
TEST_P(WakeupTest, Exit) {
  EXPECT_EQ(LoopWhile([&] { event_base_loopexit(base(), nullptr); }), 0);
  EXPECT_TRUE(event_base_got_exit(base()));
}

TEST_P(WakeupTest, ExitAfterATime) {
  const timeval tv = Ms(5);
  EXPECT_EQ(LoopWhile([&] { event_base_loopexit(base(), &tv); }), 0);
  EXPECT_TRUE(event_base_got_exit(base()));
}

// semantics 1.14: continue wakes too; the loop goes on.
TEST_P(WakeupTest, ContinueGoesOn) {
  EXPECT_EQ(LoopWhile([&] {
              event_base_loopcontinue(base());
              event_base_loopbreak(base());
            }),
            0);
  EXPECT_TRUE(event_base_got_break(base()));
}

TEST_P(WakeupTest, Once) {
  SocketPair pair;
  EXPECT_EQ(LoopWhile(
                [&] {
                  event_base_once(
                      base(), pair[0], EV_WRITE,
                      [](evutil_socket_t, short what, void* arg) {
                        static_cast<Journal*>(arg)->Write("once", what);
                      },
                      &journal_, nullptr);
                },
                EVLOOP_ONCE),
            0);
  EXPECT_EQ(journal_.text(), "once:W");
}

TEST_P(WakeupTest, OnceTimer) {
  EXPECT_EQ(LoopWhile(
                [&] {
                  event_base_once(
                      base(), -1, EV_TIMEOUT,
                      [](evutil_socket_t, short what, void* arg) {
                        static_cast<Journal*>(arg)->Write("once", what);
                      },
                      &journal_, nullptr);
                },
                EVLOOP_ONCE),
            0);
  EXPECT_EQ(journal_.text(), "once:T");
}

#ifdef COMPAT_SHARED_MODE
// semantics 1.14: new interest in an fd.
// semantics 5.6: for poll and select as well.
// semantics 8.3
TEST_P(WakeupTest, AddOfAnFd) {
  SocketPair pair;
  Probe writer(base(), &journal_, "w", pair[0], EV_WRITE);
  EXPECT_EQ(LoopWhile([&] { writer.Add(); }, EVLOOP_ONCE), 0);
  EXPECT_EQ(journal_.text(), "w:W");
}

// semantics 1.14: an earlier first timeout.
TEST_P(WakeupTest, AddOfAnEarlierTimeout) {
  Probe timer(base(), &journal_, "t");
  EXPECT_EQ(LoopWhile([&] { timer.Add(Ms(1)); }, EVLOOP_ONCE), 0);
  EXPECT_EQ(journal_.text(), "t:T");
}

// semantics 1.14: the last event leaves: the loop ends.
// main/del_notify
TEST_P(WakeupTest, DelOfTheLastEvent) {
  SocketPair pair;
  limit_->Del();
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add();
  EXPECT_EQ(LoopWhile([&] { reader.Del(); }), 1);
}

// main/del_timeout_notify
#ifndef TESTING_DEBIAN_LIBEVENT
// better: 2.1 sleeps until the deleted timeout would have been due.
TEST_P(WakeupTest, DelOfTheLastTimeout) {
  limit_->Del();
  Probe timer(base(), &journal_, "t");
  timer.Add(Ms(20000));
  EXPECT_EQ(LoopWhile([&] { timer.Del(); }), 1);
  EXPECT_EQ(timer.calls(), 0);
}
#endif

// semantics 8.3: reading the state from another thread while the loop sleeps.
TEST_P(WakeupTest, QueriesFromAnotherThread) {
  Probe user(base(), &journal_, "u");
  EXPECT_EQ(LoopWhile(
                [&] {
                  EXPECT_EQ(limit_->Pending(EV_TIMEOUT), EV_TIMEOUT);
                  EXPECT_EQ(
                      event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED),
                      1);
                  user.Activate();
                },
                EVLOOP_ONCE),
            0);
}
#endif  // COMPAT_SHARED_MODE

// api evthread_make_base_notifiable
TEST_P(WakeupTest, MakeNotifiableAgain) {
  EXPECT_EQ(evthread_make_base_notifiable(base()), 0);
  EXPECT_EQ(evthread_make_base_notifiable(base()), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 1);
}

// api evthread_make_base_notifiable
TEST(MakeNotifiableTest, NullBase) {
  EXPECT_EQ(evthread_make_base_notifiable(nullptr), -1);
}

// Many wake-ups from several threads: none is lost.
TEST_P(WakeupTest, NoneIsLost) {
  constexpr int kThreads = 3;
  constexpr int kEach = 300;
  struct Slot {
    std::unique_ptr<Probe> probe;
    std::atomic<int> seen{0};
  };
  std::vector<Slot> slots(kThreads);
  int done = 0;
  for (Slot& slot : slots) {
    slot.probe = std::make_unique<Probe>(base(), nullptr, "s");
    slot.probe->OnCall([&] {
      if (++slot.seen == kEach && ++done == kThreads) {
        event_base_loopbreak(base());
      }
    });
  }
  std::vector<std::thread> threads;
  for (Slot& slot : slots) {
    threads.emplace_back([&slot] {
      for (int i = 0; i < kEach; ++i) {
        slot.probe->Activate();
        // The next only after this one was seen, so that each is counted.
        while (slot.seen <= i) std::this_thread::yield();
      }
    });
  }
  event_base_dispatch(base());
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(done, kThreads);
}

}  // namespace
}  // namespace compat
