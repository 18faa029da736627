// evutil allocates through the replaced functions, and lives with a failure.
// Its own program: the functions are set before anything is allocated.

#include <event2/event.h>
#include <event2/util.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace {

int allocated = 0;
bool fails = false;

void* Malloc(size_t size) {
  if (fails) return nullptr;
  ++allocated;
  return std::malloc(size);
}
void* Realloc(void* p, size_t size) { return std::realloc(p, size); }
void Free(void* p) {
  if (p != nullptr) --allocated;
  std::free(p);
}

// semantics 7.4
// api evutil_monotonic_timer_new, evutil_monotonic_timer_free
TEST(UtilMemory, TimersComeFromTheReplacedFunctions) {
  event_set_mem_functions(&Malloc, &Realloc, &Free);
  evutil_monotonic_timer* timer = evutil_monotonic_timer_new();
  ASSERT_NE(timer, nullptr);
  EXPECT_EQ(allocated, 1);
  evutil_monotonic_timer_free(timer);
  EXPECT_EQ(allocated, 0);
  fails = true;
  EXPECT_EQ(evutil_monotonic_timer_new(), nullptr);
  fails = false;
}

}  // namespace
