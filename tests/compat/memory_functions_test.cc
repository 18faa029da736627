// Replaced memory functions: everything goes through them, and comes back.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "percore/tests/compat/child_process.h"
#include "percore/tests/compat/handles.h"

namespace percore::compat {
namespace {

// What the library has of ours, by address, with its size.
struct Heap {
  std::unordered_map<void*, size_t> blocks;
  int allocations = 0;
  int reallocations = 0;
  int zero_sized = 0;
  int foreign = 0;  // given back, but not from here
};
Heap* heap = nullptr;

void* Allocate(size_t size) {
  ++heap->allocations;
  if (size == 0) ++heap->zero_sized;
  void* block = malloc(size == 0 ? 1 : size);
  // Who wants zeros has to make them.
  memset(block, 0xA5, size);
  heap->blocks[block] = size;
  return block;
}
void Free(void* block) {
  if (block == nullptr) return;
  if (heap->blocks.erase(block) == 0) {
    ++heap->foreign;
    return;
  }
  free(block);
}
void* Reallocate(void* block, size_t size) {
  ++heap->reallocations;
  void* moved = Allocate(size);
  --heap->allocations;
  if (block != nullptr) {
    const auto found = heap->blocks.find(block);
    if (found == heap->blocks.end()) {
      ++heap->foreign;
      return nullptr;
    }
    memcpy(moved, block, std::min(size, found->second));
    Free(block);
  }
  return moved;
}

// Memory functions are set before anything allocates: a child for each test.
void WithOurHeap(const std::function<void()>& body) {
  ExpectClean(WaitForChild(StartChild([&] {
    heap = new Heap;  // leaked: the child ends
    event_set_mem_functions(Allocate, Reallocate, Free);
    body();
    EXPECT_EQ(0, heap->foreign);
  })));
}

void Nothing(evutil_socket_t, short, void*) {}

// Uses what allocates: many fds, timers, signals, once-events, a config.
void UseTheRuntime() {
  ConfigPtr config(event_config_new());
  event_config_avoid_method(config.get(), "kqueue");
  BasePtr base(event_base_new_with_config(config.get()));
  ASSERT_NE(nullptr, base);
  ASSERT_EQ(0, event_base_priority_init(base.get(), 5));
  const timeval hour = {3600, 0};
  const timeval two_hours = {7200, 0};
  ASSERT_NE(nullptr, event_base_init_common_timeout(base.get(), &hour));
  std::vector<EventPtr> events;
  std::vector<int> fds;
  for (int i = 0; i < 50; ++i) {
    int ends[2];
    ASSERT_EQ(0, pipe(ends));
    evutil_make_socket_nonblocking(ends[0]);
    fds.insert(fds.end(), {ends[0], ends[1]});
    events.emplace_back(
        event_new(base.get(), ends[0], EV_READ, Nothing, nullptr));
    ASSERT_EQ(0, event_add(events.back().get(), &two_hours));
    ASSERT_EQ(1, write(ends[1], "x", 1));
  }
  events.emplace_back(evsignal_new(base.get(), SIGUSR1, Nothing, nullptr));
  ASSERT_EQ(0, event_add(events.back().get(), nullptr));
  ASSERT_EQ(
      0, event_base_once(base.get(), -1, EV_TIMEOUT, Nothing, nullptr, &hour));
  event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  events.clear();
  for (const int fd : fds) close(fd);
}

// semantics 7.4
// api event_set_mem_functions, EVENT_SET_MEM_FUNCTIONS_IMPLEMENTED
TEST(MemoryFunctions, AllIsTakenFromThemAndGivenBack) {
#ifndef EVENT_SET_MEM_FUNCTIONS_IMPLEMENTED
#error "programs ask for this name"
#endif
  WithOurHeap([] {
    UseTheRuntime();
    EXPECT_GT(heap->allocations, 50);
    libevent_global_shutdown();
    EXPECT_EQ(0u, heap->blocks.size());
  });
}

// semantics 7.4
TEST(MemoryFunctions, SupportedMethodsAreGivenBackToo) {
  WithOurHeap([] {
    event_get_supported_methods();
    event_get_supported_methods();
    const size_t now = heap->blocks.size();
    for (int i = 0; i < 10; ++i) event_get_supported_methods();
    EXPECT_EQ(now, heap->blocks.size()) << "the old array goes";
  });
}

// semantics 7.4
TEST(MemoryFunctions, WithThreads) {
  WithOurHeap([] {
    ASSERT_EQ(0, evthread_use_pthreads());
    UseTheRuntime();
    libevent_global_shutdown();
    EXPECT_EQ(0u, heap->blocks.size());
  });
}

// Zeroed memory is zeroed by the library, not by the hook.
// semantics 7.4
TEST(MemoryFunctions, CallocZeroesWhatTheHookGave) {
  WithOurHeap([] {
    BasePtr base = NewBase();
    EXPECT_FALSE(event_base_got_exit(base.get()));
    EXPECT_FALSE(event_base_got_break(base.get()));
    EXPECT_EQ(1, event_base_get_npriorities(base.get()));
    EXPECT_EQ(
        0, event_base_get_num_events(base.get(), EVENT_BASE_COUNT_ADDED |
                                                     EVENT_BASE_COUNT_ACTIVE |
                                                     EVENT_BASE_COUNT_VIRTUAL));
    EXPECT_EQ(1, event_base_dispatch(base.get()));
  });
}

// semantics 7.4
TEST(MemoryFunctions, TheHookIsNeverAskedForNothing) {
  WithOurHeap([] {
    UseTheRuntime();
    EXPECT_EQ(0, heap->zero_sized);
  });
}

// The names given to avoid_method are copied through the hook.
// semantics 7.4
TEST(MemoryFunctions, StringsAreCopiedThroughThem) {
  WithOurHeap([] {
    ConfigPtr config(event_config_new());
    const size_t before = heap->blocks.size();
    std::string name = "epoll";
    ASSERT_EQ(0, event_config_avoid_method(config.get(), name.c_str()));
    EXPECT_GT(heap->blocks.size(), before);
    name = "xxxxx";
    BasePtr base(event_base_new_with_config(config.get()));
    EXPECT_STRNE("epoll", event_base_get_method(base.get()));
  });
}

// semantics 7.4
// api event_new, event_free
TEST(MemoryFunctions, AnEventIsOneBlock) {
  WithOurHeap([] {
    BasePtr base = NewBase();
    const size_t before = heap->blocks.size();
    event* ev = event_new(base.get(), -1, 0, Nothing, nullptr);
    EXPECT_EQ(before + 1, heap->blocks.size());
    EXPECT_EQ(1u, heap->blocks.count(ev));
    event_free(ev);
    EXPECT_EQ(before, heap->blocks.size());
  });
}

// semantics 7.4
TEST(MemoryFunctions, EmbeddedEventsAllocateNothing) {
  WithOurHeap([] {
    BasePtr base = NewBase();
    event ev;
    event_assign(&ev, base.get(), -1, 0, Nothing, nullptr);
    event_active(&ev, EV_READ, 1);
    event_base_dispatch(base.get());
    const int before = heap->allocations + heap->reallocations;
    for (int i = 0; i < 100; ++i) {
      event_assign(&ev, base.get(), -1, 0, Nothing, nullptr);
      event_active(&ev, EV_READ, 1);
      event_base_dispatch(base.get());
    }
    EXPECT_EQ(before, heap->allocations + heap->reallocations);
  });
}

// semantics 7.4
TEST(MemoryFunctions, NullMeansLibcs) {
  WithOurHeap([] {
    event_set_mem_functions(nullptr, nullptr, nullptr);
    BasePtr base = NewBase();
    ASSERT_NE(nullptr, base);
    EXPECT_EQ(0, heap->allocations);
    event_set_mem_functions(nullptr, nullptr, free);
    ConfigPtr config(event_config_new());
    EXPECT_NE(nullptr, config);
    EXPECT_EQ(0, heap->allocations);
  });
}

}  // namespace
}  // namespace percore::compat
