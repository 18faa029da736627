// Each call of the C door with its n-th allocation failing, for every n: no
// crash, an error or a success, nothing changed by an error, nothing leaked.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

// The allocator that the library is given. Not for several threads.
struct Memory {
  static inline long live = 0;        // Blocks that are not freed.
  static inline long countdown = -1;  // The allocation that fails; -1: none.
  static inline bool failed = false;

  static bool Fails() {
    if (countdown < 0) return false;
    if (countdown-- > 0) return false;
    failed = true;
    return true;
  }
  static void* Malloc(size_t size) {
    if (Fails()) return nullptr;
    ++live;
    return malloc(size);
  }
  static void* Realloc(void* old, size_t size) {
    if (Fails()) return nullptr;
    if (old == nullptr) ++live;
    return realloc(old, size);
  }
  static void Free(void* block) {
    if (block != nullptr) --live;
    free(block);
  }
};

void Nothing(evutil_socket_t, short, void*) {}

class OomTest : public testing::TestWithParam<Setup> {
 protected:
  static void SetUpTestSuite() {
    event_set_mem_functions(Memory::Malloc, Memory::Realloc, Memory::Free);
    // What the process keeps for good is made now.
    NewBase(Backends().front());
  }
  static void TearDownTestSuite() {
    event_set_mem_functions(nullptr, nullptr, nullptr);
  }

  // What an observer can tell of a base.
  struct State {
    int added, active, priorities;
    bool operator==(const State&) const = default;
  };
  static State Look(event_base* base) {
    return {event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED),
            event_base_get_num_events(base, EVENT_BASE_COUNT_ACTIVE),
            event_base_get_npriorities(base)};
  }

  // Runs `act` on a new base with the first, second, ... allocation failing,
  // until none fails. `act` says whether it succeeded; `undo` ends what it
  // did. Returns how many allocations were made to fail.
  int EachAllocation(std::function<bool(event_base*)> act,
                     std::function<void()> undo = nullptr) {
    for (int n = 0;; ++n) {
      const long before = Memory::live;
      BasePtr base = NewBase(GetParam());
      if (!base) {
        EXPECT_EQ(GetParam().method, "io_uring");
        return 0;
      }
      const long with_base = Memory::live;
      const State state = Look(base.get());
      Memory::failed = false;
      Memory::countdown = n;
      const bool ok = act(base.get());
      Memory::countdown = -1;
      if (!ok) {
        EXPECT_TRUE(Memory::failed) << "an error without a cause";
        EXPECT_TRUE(Look(base.get()) == state) << "allocation " << n;
      }
      const bool all_made = !Memory::failed;
      if (all_made) {
        EXPECT_TRUE(ok);
      }
      if (undo) undo();
      // The base goes on.
      EXPECT_NE(event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK), -1);
      base.reset();
      EXPECT_EQ(Memory::live, before)
          << "leak after allocation " << n << " (base: " << with_base - before
          << ")";
      if (all_made || HasFailure()) return n;
    }
  }
};
COMPAT_ON_EVERY_BACKEND(OomTest);

// api event_new
TEST_P(OomTest, EventNew) {
  event* ev = nullptr;
  EXPECT_GE(EachAllocation(
                [&](event_base* base) {
                  ev = event_new(base, -1, EV_READ, Nothing, nullptr);
                  return ev != nullptr;
                },
                [&] {
                  if (ev != nullptr) event_free(ev);
                }),
            1);
}

// api event_assign: allocates nothing.
// api event_active
TEST_P(OomTest, AssignAndActive) {
  event ev;
  EXPECT_EQ(EachAllocation(
                [&](event_base* base) {
                  event_assign(&ev, base, -1, 0, Nothing, nullptr);
                  event_active(&ev, EV_READ, 1);
                  return event_base_get_num_events(
                             base, EVENT_BASE_COUNT_ACTIVE) == 1;
                },
                [&] { event_del(&ev); }),
            0);
}

// api event_add
TEST_P(OomTest, AddOfAnFd) {
  SocketPair pair;
  event ev;
  EachAllocation(
      [&](event_base* base) {
        event_assign(&ev, base, pair[0], EV_READ | EV_PERSIST, Nothing,
                     nullptr);
        const bool ok = event_add(&ev, nullptr) == 0;
        EXPECT_EQ(event_pending(&ev, EV_READ, nullptr), ok ? EV_READ : 0);
        return ok;
      },
      [&] { event_del(&ev); });
}

// api event_add: a high descriptor, for which tables grow.
TEST_P(OomTest, AddOfAHighFd) {
  SocketPair pair;
#ifdef TESTING_DEBIAN_LIBEVENT
  const int high = fcntl(pair[0], F_DUPFD_CLOEXEC, 900);
#else
  const int high = fcntl(pair[0], F_DUPFD_CLOEXEC, 3000);
#endif
  ASSERT_GE(high, 900);
  event ev;
  EachAllocation(
      [&](event_base* base) {
        event_assign(&ev, base, high, EV_READ | EV_PERSIST, Nothing, nullptr);
        const bool ok = event_add(&ev, nullptr) == 0;
        EXPECT_EQ(event_pending(&ev, EV_READ, nullptr), ok ? EV_READ : 0);
        return ok;
      },
      [&] { event_del(&ev); });
  close(high);
}

// api event_add
TEST_P(OomTest, AddWithATimeout) {
  SocketPair pair;
  event ev;
  const timeval tv = Ms(60000);
  EachAllocation(
      [&](event_base* base) {
        event_assign(&ev, base, pair[0], EV_READ, Nothing, nullptr);
        const bool ok = event_add(&ev, &tv) == 0;
        EXPECT_EQ(event_pending(&ev, EV_READ | EV_TIMEOUT, nullptr),
                  ok ? EV_READ | EV_TIMEOUT : 0);
        return ok;
      },
      [&] { event_del(&ev); });
}

TEST_P(OomTest, AddOfTimers) {
  event timers[100];
  int added = 0;
  EachAllocation(
      [&](event_base* base) {
        const timeval tv = Ms(60000);
        added = 0;
        for (event& t : timers) {
          event_assign(&t, base, -1, 0, Nothing, nullptr);
        }
        for (event& t : timers) {
          if (event_add(&t, &tv) != 0) break;
          ++added;
        }
        EXPECT_EQ(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED),
                  added);
        if (added < 100) {
          // Those before the failure stay; they are not part of the check.
          for (int i = 0; i < added; ++i) event_del(&timers[i]);
        }
        return added == 100;
      },
      [&] {
        for (event& t : timers) event_del(&t);
      });
}

// api event_add
TEST_P(OomTest, AddOfASignal) {
  event ev;
#ifndef TESTING_DEBIAN_LIBEVENT
  // The process's registry of signals is made once and stays.
  event_base* first = event_base_new();
  event_assign(&ev, first, SIGUSR2, EV_SIGNAL | EV_PERSIST, Nothing, nullptr);
  EXPECT_EQ(event_add(&ev, nullptr), 0);
  EXPECT_EQ(event_del(&ev), 0);
  event_base_free(first);
#endif
  EachAllocation(
      [&](event_base* base) {
        event_assign(&ev, base, SIGUSR2, EV_SIGNAL | EV_PERSIST, Nothing,
                     nullptr);
        return event_add(&ev, nullptr) == 0;
      },
      [&] { event_del(&ev); });
}

// api event_base_once
TEST_P(OomTest, Once) {
#if defined(TESTING_DEBIAN_LIBEVENT) && defined(COMPAT_SHARED_MODE)
  // better: libevent returns its error with the base still locked.
  GTEST_SKIP() << "libevent hangs afterwards";
#endif
  SocketPair pair;
  const timeval tv = Ms(60000);
  EXPECT_GE(EachAllocation([&](event_base* base) {
              return event_base_once(base, pair[0], EV_READ, Nothing, nullptr,
                                     &tv) == 0;
            }),
            1);
  EXPECT_GE(EachAllocation([&](event_base* base) {
              return event_base_once(base, -1, EV_TIMEOUT, Nothing, nullptr,
                                     &tv) == 0;
            }),
            1);
}

// api event_base_loopexit
TEST_P(OomTest, Loopexit) {
#if defined(TESTING_DEBIAN_LIBEVENT) && defined(COMPAT_SHARED_MODE)
  // better: as above, it is the same function.
  GTEST_SKIP() << "libevent hangs afterwards";
#endif
  const timeval tv = Ms(60000);
  EachAllocation(
      [&](event_base* base) { return event_base_loopexit(base, &tv) == 0; });
  EachAllocation([&](event_base* base) {
    return event_base_loopexit(base, nullptr) == 0;
  });
}

// api event_base_priority_init
TEST_P(OomTest, PriorityInit) {
#ifdef TESTING_DEBIAN_LIBEVENT
  // better: libevent has freed the old queues when it finds no new ones.
  GTEST_SKIP() << "libevent is left without queues";
#endif
  EachAllocation([&](event_base* base) {
    return event_base_priority_init(base, 20) == 0;
  });
}

// api event_base_init_common_timeout
TEST_P(OomTest, CommonTimeout) {
  event ev;
  EachAllocation(
      [&](event_base* base) {
        const timeval tv = Ms(60000);
        event_assign(&ev, base, -1, 0, Nothing, nullptr);
        const timeval* common = event_base_init_common_timeout(base, &tv);
        if (common == nullptr) return false;
        return event_add(&ev, common) == 0;
      },
      [&] { event_del(&ev); });
}

// api event_finalize
// api event_free_finalize
TEST_P(OomTest, Finalize) {
  event ev;
  EachAllocation([&](event_base* base) {
    event_assign(&ev, base, -1, EV_FINALIZE, Nothing, nullptr);
    return event_finalize(0, &ev, [](event*, void*) {}) == 0;
  });
  event* heap = nullptr;
  EachAllocation([&](event_base* base) {
    heap = event_new(base, -1, EV_FINALIZE, Nothing, nullptr);
    if (heap == nullptr) return false;
    return event_free_finalize(0, heap, [](event*, void*) {}) == 0;
  });
}

// api event_config_new
// api event_config_avoid_method
TEST_P(OomTest, Config) {
  for (int n = 0;; ++n) {
    const long before = Memory::live;
    Memory::failed = false;
    Memory::countdown = n;
    event_config* cfg = event_config_new();
    int avoided = -1;
    if (cfg != nullptr) avoided = event_config_avoid_method(cfg, "select");
    Memory::countdown = -1;
    EXPECT_EQ(cfg == nullptr || avoided != 0, Memory::failed) << n;
    if (cfg != nullptr) event_config_free(cfg);
    EXPECT_EQ(Memory::live, before) << n;
    if (!Memory::failed || HasFailure()) {
      EXPECT_GE(n, 2);
      break;
    }
  }
}

// api event_base_new_with_config
TEST_P(OomTest, BaseNew) {
#ifdef TESTING_DEBIAN_LIBEVENT
  GTEST_SKIP() << "libevent dies of some of these failures";
#endif
  ConfigPtr cfg = NewConfig(GetParam());
  for (int n = 0; n < 1000; ++n) {
    const long before = Memory::live;
    Memory::failed = false;
    Memory::countdown = n;
    BasePtr base = NewBase(GetParam(), cfg.get());
    Memory::countdown = -1;
    if (!Memory::failed) {
      if (GetParam().method != "io_uring") {
        EXPECT_NE(base, nullptr);
      }
      EXPECT_GE(n, 1);
      break;
    }
    if (base) {
      EXPECT_EQ(event_base_dispatch(base.get()), 1);
    }
    base.reset();
    EXPECT_EQ(Memory::live, before) << n;
    ASSERT_FALSE(HasFailure());
  }
}

// A turn of the loop in which the backend's own tables would grow: it may do
// with what it has, and nothing is lost.
TEST_P(OomTest, TurnWithManyReadyFds) {
  for (int n = 0;; ++n) {
    BasePtr base = NewBase(GetParam());
    if (!base) GTEST_SKIP() << "SKIP: needs io_uring in the kernel";
    std::vector<std::unique_ptr<SocketPair>> pairs;
    std::vector<std::unique_ptr<Probe>> probes;
    for (int i = 0; i < 100; ++i) {
      pairs.push_back(std::make_unique<SocketPair>());
      probes.push_back(std::make_unique<Probe>(base.get(), nullptr, "r",
                                               (*pairs[i])[0], EV_READ));
      ASSERT_EQ(probes[i]->Add(), 0);
      pairs[i]->Send(1);
    }
    Memory::failed = false;
    Memory::countdown = n;
    // A turn may fail, the next has memory again.
    event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    Memory::countdown = -1;
    const bool all_made = !Memory::failed;
    EXPECT_EQ(event_base_dispatch(base.get()), 1);
    for (auto& probe : probes) EXPECT_EQ(probe->calls(), 1) << n;
    if (all_made || HasFailure()) break;
  }
}

// api evthread_make_base_notifiable
TEST_P(OomTest, MakeNotifiable) {
  EachAllocation([&](event_base* base) {
    return evthread_make_base_notifiable(base) == 0;
  });
}

// api event_get_supported_methods
TEST(OomQueryTest, SupportedMethods) {
  event_set_mem_functions(Memory::Malloc, Memory::Realloc, Memory::Free);
  event_get_supported_methods();
  Memory::countdown = 0;
  const char** methods = event_get_supported_methods();
  Memory::countdown = -1;
  EXPECT_EQ(methods, nullptr);
  EXPECT_NE(event_get_supported_methods(), nullptr);
  event_set_mem_functions(nullptr, nullptr, nullptr);
}

}  // namespace
}  // namespace compat
