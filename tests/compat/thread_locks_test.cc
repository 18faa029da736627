// What the library does with lock callbacks of the program's own.

#include <event2/event.h>
#include <event2/thread.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "percore/tests/compat/child_process.h"
#include "percore/tests/compat/counted_locks.h"
#include "percore/tests/compat/thread_fixture.h"

namespace percore::compat {
namespace {

void Nothing(evutil_socket_t, short, void*) {}

// Callbacks can be installed once a process: every test has a child.
void InFreshProcess(const std::function<void()>& body) {
  ExpectClean(WaitForChild(StartChild(body)));
}

void AddAndDelete(event_base* base) {
  EventPtr ev(evtimer_new(base, Nothing, nullptr));
  const timeval hour = {3600, 0};
  EXPECT_EQ(0, event_add(ev.get(), &hour));
  EXPECT_EQ(0, event_del(ev.get()));
}

// semantics 8.1
TEST(ThreadLocks, NothingIsLockedWithoutCallbacks) {
  InFreshProcess([] {
    BasePtr before = NewBase();
    ASSERT_EQ(0, InstallCountedLocks());
    const int locked = counts.locked;
    AddAndDelete(before.get());
    EXPECT_EQ(1, event_base_dispatch(before.get()));
    EXPECT_EQ(locked, counts.locked) << "a base keeps the mode it was made in";
  });
}

// semantics 8.1, 8.2
// api evthread_set_lock_callbacks, evthread_set_id_callback
TEST(ThreadLocks, ABaseMadeLaterLocks) {
  InFreshProcess([] {
    ASSERT_EQ(0, InstallCountedLocks());
    BasePtr base = NewBase();
    EXPECT_GT(counts.allocated, 0);
    const int locked = counts.locked;
    AddAndDelete(base.get());
    EXPECT_GE(counts.locked, locked + 2);
    EXPECT_EQ(1, event_base_dispatch(base.get()));
    EXPECT_GT(counts.ids, 0);
    EXPECT_EQ(counts.locked, counts.unlocked);
    EXPECT_EQ(0, held);
  });
}

// semantics 8.9
// api EVENT_BASE_FLAG_NOLOCK
TEST(ThreadLocks, NolockBaseDoesNotLock) {
  InFreshProcess([] {
    ASSERT_EQ(0, InstallCountedLocks());
    ConfigPtr config(event_config_new());
    event_config_set_flag(config.get(), EVENT_BASE_FLAG_NOLOCK);
    BasePtr base(event_base_new_with_config(config.get()));
    const int locked = counts.locked;
    AddAndDelete(base.get());
    EXPECT_EQ(1, event_base_dispatch(base.get()));
    EXPECT_EQ(locked, counts.locked);
  });
}

// semantics 8.4
TEST(ThreadLocks, CallbacksRunWithoutTheLock) {
  InFreshProcess([] {
    ASSERT_EQ(0, InstallCountedLocks());
    BasePtr base = NewBase();
    int in_callback = -1;
    EventPtr ev(event_new(
        base.get(), -1, 0,
        [](evutil_socket_t, short, void* arg) {
          *static_cast<int*>(arg) = held;
        },
        &in_callback));
    event_active(ev.get(), EV_READ, 1);
    EXPECT_EQ(1, event_base_dispatch(base.get()));
    EXPECT_EQ(0, in_callback);
  });
}

// semantics 8.2
TEST(ThreadLocks, TheBaseLockIsPlain) {
  InFreshProcess([] {
    ASSERT_EQ(0, InstallCountedLocks());
    const int plain = counts.plain;
    BasePtr base = NewBase();
    EXPECT_GT(counts.plain, plain);
  });
}

// semantics 8.2
TEST(ThreadLocks, ForeachHoldsTheLock) {
  InFreshProcess([] {
    ASSERT_EQ(0, InstallCountedLocks());
    BasePtr base = NewBase();
    EventPtr ev(evtimer_new(base.get(), Nothing, nullptr));
    const timeval hour = {3600, 0};
    event_add(ev.get(), &hour);
    int held_inside = 0;
    event_base_foreach_event(
        base.get(),
        [](const event_base*, const event*, void* arg) {
          *static_cast<int*>(arg) = held;
          return 1;
        },
        &held_inside);
    EXPECT_EQ(1, held_inside);
    EXPECT_EQ(0, held);
  });
}

// semantics 8.1
// api libevent_global_shutdown
TEST(ThreadLocks, EveryLockIsGivenBack) {
  InFreshProcess([] {
    ASSERT_EQ(0, InstallCountedLocks());
    BasePtr base = NewBase();
    AddAndDelete(base.get());
    base.reset();
    libevent_global_shutdown();
    EXPECT_EQ(counts.allocated, counts.freed);
    EXPECT_EQ(counts.conditions, counts.conditions_freed);
    EXPECT_GT(counts.conditions, 0);
  });
}

// event_del in another thread sleeps on the program's condition.
// semantics 8.2, 3.4
// api evthread_set_condition_callbacks
TEST(ThreadLocks, DeleteWaitsOnTheConditionCallbacks) {
  InFreshProcess([] {
    ASSERT_EQ(0, InstallCountedLocks());
    BasePtr base = NewBase();
    struct Inside {
      Happening entered, go;
      std::atomic<bool> left{false};
    } inside;
    EventPtr ev(event_new(
        base.get(), -1, 0,
        [](evutil_socket_t, short, void* arg) {
          auto* in = static_cast<Inside*>(arg);
          in->entered.Tell();
          in->go.Await();
          in->left = true;
        },
        &inside));
    event_active(ev.get(), EV_READ, 1);
    std::thread loop([&] { event_base_dispatch(base.get()); });
    ASSERT_TRUE(inside.entered.Await());
    const int deleter = ThreadId();
    std::thread helper([&] {
      AwaitAsleep(deleter);
      inside.go.Tell();
    });
    EXPECT_EQ(0, event_del(ev.get()));
    EXPECT_TRUE(inside.left);
    EXPECT_GE(counts.waits, 1);
    EXPECT_GE(counts.signals, 1);
    helper.join();
    loop.join();
  });
}

// semantics 8.2, 1.14
TEST(ThreadLocks, OtherThreadsWakeTheLoop) {
  InFreshProcess([] {
    ASSERT_EQ(0, InstallCountedLocks());
    BasePtr base = NewBase();
    Happening ran;
    std::atomic<int> tid{0};
    EventPtr ev(event_new(
        base.get(), -1, 0,
        [](evutil_socket_t, short, void* arg) {
          static_cast<Happening*>(arg)->Tell();
        },
        &ran));
    Happening started;
    std::thread loop([&] {
      tid = ThreadId();
      started.Tell();
      event_base_loop(base.get(), EVLOOP_NO_EXIT_ON_EMPTY);
    });
    ASSERT_TRUE(started.Await());
    AwaitAsleep(tid);
    event_active(ev.get(), EV_READ, 1);
    EXPECT_TRUE(ran.Await());
    event_base_loopbreak(base.get());
    loop.join();
    EXPECT_EQ(counts.locked, counts.unlocked);
  });
}

}  // namespace
}  // namespace percore::compat
