// Making a listener with its n-th allocation failing, for every n.

#include <event2/thread.h>

#include "percore/net/listener/listener.h"
#include "percore/tests/net/listener/listener_fixture.h"

namespace percore {
namespace {

struct Memory {
  static inline long live = 0;
  static inline long countdown = -1;  // the allocation that fails; -1: none

  static bool Fails() { return countdown >= 0 && countdown-- == 0; }
  static void* Malloc(std::size_t size) {
    if (Fails()) return nullptr;
    ++live;
    return malloc(size);
  }
  static void* Realloc(void* old, std::size_t size) {
    if (Fails()) return nullptr;
    if (old == nullptr) ++live;
    return realloc(old, size);
  }
  static void Free(void* p) {
    if (p != nullptr) --live;
    free(p);
  }
};

// A lock that is an allocation of the library's.
void* NewLock(unsigned) { return Memory::Malloc(1); }
void FreeLock(void* lock, unsigned) { Memory::Free(lock); }
int NoLock(unsigned, void*) { return 0; }

class ListenerMemoryTest : public ListenerFixture {
 protected:
  static void SetUpTestSuite() {
    event_set_mem_functions(Memory::Malloc, Memory::Realloc, Memory::Free);
    const evthread_lock_callbacks callbacks = {EVTHREAD_LOCK_API_VERSION,
                                               EVTHREAD_LOCKTYPE_RECURSIVE,
                                               NewLock,
                                               FreeLock,
                                               NoLock,
                                               NoLock};
    ASSERT_EQ(evthread_set_lock_callbacks(&callbacks), 0);
  }
};
PERCORE_ON_EVERY_BACKEND(ListenerMemoryTest);

TEST_P(ListenerMemoryTest, NewBindFailsWithEveryAllocation) {
  int failures = 0;
  for (int n = 0; n < 50; ++n) {
    const Fd probe(dup(0));
    const long live = Memory::live;
    const int added = CountAdded();
    Memory::countdown = n;
    ListenerPtr listener = Bind(LEV_OPT_THREADSAFE | LEV_OPT_CLOSE_ON_FREE);
    const bool failed = Memory::countdown < 0;
    Memory::countdown = -1;
    if (!failed) {
      EXPECT_NE(listener, nullptr);
      // The listener and its lock at least, and what the base grew by.
      EXPECT_GE(failures, 2);
      return;
    }
    if (listener != nullptr) continue;  // the base did without
    ++failures;
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_LE(Memory::live, live + 2);  // tables of the base may have grown
    EXPECT_EQ(CountAdded(), added);
    const Fd again(dup(0));
    EXPECT_EQ(again.get(), probe.get() + 1);  // no socket stays open
  }
  FAIL() << "allocates without end";
}

TEST_P(ListenerMemoryTest, NothingIsLeftBehind) {
  {
    // The base's tables grow to what they need.
    const ListenerPtr warm = Bind(LEV_OPT_THREADSAFE | LEV_OPT_CLOSE_ON_FREE);
    Turn();
  }
  const long live = Memory::live;
  {
    const ListenerPtr listener =
        Bind(LEV_OPT_THREADSAFE | LEV_OPT_CLOSE_ON_FREE);
    EXPECT_EQ(Memory::live, live + 2);
    const Fd client = Connect(listener);
    Turn();
    EXPECT_EQ(taker_.count(), 1);
  }
  EXPECT_EQ(Memory::live, live);
}

}  // namespace
}  // namespace percore
