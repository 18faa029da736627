// Installing locks: what is taken, what is refused, when.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <gtest/gtest.h>

#include <string>

#include "percore/tests/compat/child_process.h"
#include "percore/tests/compat/counted_locks.h"
#include "percore/tests/compat/thread_fixture.h"

// Exported by the library and used by its parts; no header declares them.
extern "C" {
evthread_lock_callbacks* evthread_get_lock_callbacks(void);
evthread_condition_callbacks* evthread_get_condition_callbacks(void);
}

namespace percore::compat {
namespace {

// Callbacks can be installed once a process: every test has a child.
void InFreshProcess(const std::function<void()>& body) {
  ExpectClean(WaitForChild(StartChild(body)));
}

// api EVTHREAD_WRITE, EVTHREAD_READ, EVTHREAD_TRY, EVTHREAD_LOCK_API_VERSION
// api EVTHREAD_LOCKTYPE_RECURSIVE, EVTHREAD_LOCKTYPE_READWRITE
// api EVTHREAD_CONDITION_API_VERSION, EVTHREAD_USE_PTHREADS_IMPLEMENTED
TEST(ThreadSetup, Constants) {
  EXPECT_EQ(0x04, EVTHREAD_WRITE);
  EXPECT_EQ(0x08, EVTHREAD_READ);
  EXPECT_EQ(0x10, EVTHREAD_TRY);
  EXPECT_EQ(1, EVTHREAD_LOCK_API_VERSION);
  EXPECT_EQ(1, EVTHREAD_LOCKTYPE_RECURSIVE);
  EXPECT_EQ(2, EVTHREAD_LOCKTYPE_READWRITE);
  EXPECT_EQ(1, EVTHREAD_CONDITION_API_VERSION);
  EXPECT_EQ(1, EVTHREAD_USE_PTHREADS_IMPLEMENTED);
}

// semantics 8.1
// api evthread_use_pthreads
TEST(ThreadSetup, UsePthreadsIsIdempotent) {
  InFreshProcess([] {
    EXPECT_EQ(0, evthread_use_pthreads());
    EXPECT_EQ(0, evthread_use_pthreads());
    BasePtr base = NewBase();
    EXPECT_EQ(0, evthread_use_pthreads()) << "the same set, after a base";
  });
}

// semantics 8.1
TEST(ThreadSetup, AnotherSetIsRefused) {
  InFreshProcess([] {
    ASSERT_EQ(0, evthread_set_lock_callbacks(&kCountedLocks));
    EXPECT_EQ(0, evthread_set_lock_callbacks(&kCountedLocks));
    evthread_lock_callbacks copy = kCountedLocks;
    EXPECT_EQ(0, evthread_set_lock_callbacks(&copy)) << "the same functions";
    copy.unlock = [](unsigned, void*) { return 0; };
    EXPECT_EQ(-1, evthread_set_lock_callbacks(&copy));
    evthread_use_pthreads();
    EXPECT_EQ(Lock, evthread_get_lock_callbacks()->lock) << "the first stays";
  });
}

// semantics 8.1
// api struct evthread_lock_callbacks
TEST(ThreadSetup, LockCallbacksMustBeComplete) {
  for (int missing = 0; missing < 4; ++missing) {
    InFreshProcess([missing] {
      evthread_lock_callbacks some = kCountedLocks;
      if (missing == 0) some.alloc = nullptr;
      if (missing == 1) some.free = nullptr;
      if (missing == 2) some.lock = nullptr;
      if (missing == 3) some.unlock = nullptr;
      EXPECT_EQ(-1, evthread_set_lock_callbacks(&some));
      EXPECT_EQ(0, evthread_set_lock_callbacks(&kCountedLocks));
    });
  }
}

// semantics 8.1
TEST(ThreadSetup, LockCallbacksAreCopied) {
  InFreshProcess([] {
    evthread_lock_callbacks given = kCountedLocks;
    ASSERT_EQ(0, evthread_set_lock_callbacks(&given));
    given = evthread_lock_callbacks{};
    evthread_set_id_callback(Id);
    BasePtr base = NewBase();
    EXPECT_GT(counts.allocated, 0);
  });
}

// api struct evthread_condition_callbacks
TEST(ThreadSetup, ConditionCallbacks) {
  InFreshProcess([] {
    EXPECT_EQ(0, evthread_set_condition_callbacks(&kCountedConditions));
    EXPECT_EQ(0, evthread_set_condition_callbacks(&kCountedConditions));
    evthread_condition_callbacks other = kCountedConditions;
    other.signal_condition = [](void*, int) { return 0; };
    EXPECT_EQ(-1, evthread_set_condition_callbacks(&other));
  });
}

TEST(ThreadSetup, IncompleteConditionCallbacksAreNotStored) {
  InFreshProcess([] {
    evthread_condition_callbacks some = kCountedConditions;
    some.wait_condition = nullptr;
    EXPECT_EQ(0, evthread_set_condition_callbacks(&some));
    EXPECT_EQ(nullptr, evthread_get_condition_callbacks()->alloc_condition);
    EXPECT_EQ(0, evthread_set_condition_callbacks(&kCountedConditions))
        << "nothing is in the way of the complete ones";
    EXPECT_EQ(AllocCondition,
              evthread_get_condition_callbacks()->alloc_condition);
  });
}

// semantics 8.1
TEST(ThreadSetup, NullClearsWithAWarning) {
  const ChildResult result = RunInChild([] {
    ASSERT_EQ(0, InstallCountedLocks());
    EXPECT_EQ(0, evthread_set_lock_callbacks(nullptr));
    EXPECT_EQ(0, evthread_set_condition_callbacks(nullptr));
    EXPECT_EQ(nullptr, evthread_get_lock_callbacks()->lock);
    EXPECT_EQ(nullptr, evthread_get_condition_callbacks()->wait_condition);
#ifndef TESTING_DEBIAN_LIBEVENT
    // better: the original calls the cleared pointers for its global locks.
    const int allocated = counts.allocated;
    BasePtr base = NewBase();
    EXPECT_EQ(allocated, counts.allocated);
#endif
  });
  EXPECT_EQ(0, result.exit_code) << result.signal;
  EXPECT_NE(std::string::npos, result.stderr_text.find("[warn] "));
}

// api evthread_get_lock_callbacks, evthread_get_condition_callbacks
TEST(ThreadSetup, InstalledCallbacksCanBeRead) {
  InFreshProcess([] {
    EXPECT_EQ(nullptr, evthread_get_lock_callbacks()->lock);
    EXPECT_EQ(nullptr, evthread_get_condition_callbacks()->wait_condition);
    ASSERT_EQ(0, InstallCountedLocks());
    EXPECT_EQ(Lock, evthread_get_lock_callbacks()->lock);
    EXPECT_EQ(WaitCondition,
              evthread_get_condition_callbacks()->wait_condition);
  });
}

// The condition of the installed pthread callbacks answers as documented.
// semantics 8.2
TEST(ThreadSetup, PthreadLocksAndConditionsAnswer) {
  InFreshProcess([] {
    ASSERT_EQ(0, evthread_use_pthreads());
    const evthread_lock_callbacks* locks = evthread_get_lock_callbacks();
    const evthread_condition_callbacks* conditions =
        evthread_get_condition_callbacks();
    void* lock = locks->alloc(EVTHREAD_LOCKTYPE_RECURSIVE);
    void* plain = locks->alloc(0);
    ASSERT_NE(nullptr, lock);
    EXPECT_EQ(0, locks->lock(EVTHREAD_WRITE, lock));
    EXPECT_EQ(0, locks->lock(EVTHREAD_WRITE | EVTHREAD_TRY, lock));
    EXPECT_EQ(0, locks->unlock(EVTHREAD_WRITE, lock));
    std::thread([&] {
      EXPECT_NE(0, locks->lock(EVTHREAD_TRY, lock)) << "held by another";
    }).join();
    void* condition = conditions->alloc_condition(0);
    const timeval soon = Milliseconds(5);
    EXPECT_EQ(1, conditions->wait_condition(condition, lock, &soon));
    EXPECT_EQ(0, locks->unlock(EVTHREAD_WRITE, lock));

    Happening waiting;
    std::atomic<int> tid{0};
    std::thread waiter([&] {
      tid = ThreadId();
      locks->lock(0, plain);
      waiting.Tell();
      EXPECT_EQ(0, conditions->wait_condition(condition, plain, nullptr));
      locks->unlock(0, plain);
    });
    EXPECT_TRUE(waiting.Await());
    AwaitAsleep(tid);
    locks->lock(0, plain);
    EXPECT_EQ(0, conditions->signal_condition(condition, 1));
    locks->unlock(0, plain);
    waiter.join();
    conditions->free_condition(condition);
    locks->free(lock, EVTHREAD_LOCKTYPE_RECURSIVE);
    locks->free(plain, 0);
  });
}

// semantics 1.14
// api evthread_make_base_notifiable
TEST(ThreadSetup, MakeBaseNotifiable) {
  InFreshProcess([] {
    EXPECT_EQ(-1, evthread_make_base_notifiable(nullptr));
    BasePtr base = NewBase();
    EXPECT_EQ(0, evthread_make_base_notifiable(base.get()));
    EXPECT_EQ(0, evthread_make_base_notifiable(base.get())) << "idempotent";
    EXPECT_EQ(1, event_base_dispatch(base.get())) << "keeps nothing alive";
    EXPECT_EQ(0, event_base_get_num_events(base.get(), EVENT_BASE_COUNT_ADDED));
  });
}

// semantics 8.8
// api evthread_enable_lock_debugging, evthread_enable_lock_debuging
TEST(ThreadSetup, LockDebuggingWrapsTheProgramsLocks) {
  for (const bool old_name : {false, true}) {
    InFreshProcess([old_name] {
      ASSERT_EQ(0, InstallCountedLocks());
      if (old_name) {
        evthread_enable_lock_debuging();
      } else {
        evthread_enable_lock_debugging();
        evthread_enable_lock_debugging();
      }
      const int allocated = counts.allocated;
      BasePtr base = NewBase();
      EXPECT_GT(counts.allocated, allocated);
      const int locked = counts.locked;
      EventPtr ev(evtimer_new(
          base.get(), [](evutil_socket_t, short, void*) {}, nullptr));
      const timeval soon = Milliseconds(1);
      event_add(ev.get(), &soon);
      EXPECT_EQ(1, event_base_dispatch(base.get()));
      EXPECT_GT(counts.locked, locked);
      EXPECT_EQ(counts.locked, counts.unlocked);
    });
  }
}

// semantics 8.8
TEST(ThreadSetup, LockDebuggingFindsAPlainLockTakenTwice) {
  const ChildResult result = RunInChild([] {
    ASSERT_EQ(0, evthread_use_pthreads());
    evthread_enable_lock_debugging();
    BasePtr base = NewBase();
    EventPtr ev(evtimer_new(
        base.get(), [](evutil_socket_t, short, void*) {}, nullptr));
    const timeval hour = {3600, 0};
    event_add(ev.get(), &hour);
    event_base_foreach_event(
        base.get(),
        [](const event_base* b, const event*, void*) {
          return event_base_get_num_events(const_cast<event_base*>(b),
                                           EVENT_BASE_COUNT_ADDED);
        },
        nullptr);
  });
  EXPECT_EQ(SIGABRT, result.signal) << result.stderr_text;
  EXPECT_NE(std::string::npos, result.stderr_text.find("[err] "));
}

// semantics 8.8
TEST(ThreadSetup, LockDebuggingBeforeTheLocksAreInstalled) {
  InFreshProcess([] {
    evthread_enable_lock_debugging();
    ASSERT_EQ(0, evthread_use_pthreads());
    BasePtr base = NewBase();
    ASSERT_NE(nullptr, base);
    EXPECT_EQ(1, event_base_dispatch(base.get()));
  });
}

}  // namespace
}  // namespace percore::compat
