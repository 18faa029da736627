// <percore/percore.h> when memory fails, the replaceable functions' as well as
// what C++ takes by itself: NULL, ENOMEM, and nothing is kept.
#include <event2/event.h>
#include <gtest/gtest.h>
#include <percore/percore.h>

#include <cerrno>
#include <cstdlib>
#include <new>

namespace {

// The allocation of this thread that fails, counted from 1 downwards; those
// after it do not. 0: none.
struct Failing {
  int at = 0;
  bool failed = false;
  bool Now() {
    if (at == 0 || --at != 0) return false;
    return failed = true;
  }
};
thread_local Failing replaceable;
thread_local Failing built_in;
thread_local long live = 0;  // blocks of both kinds

void* Allocate(size_t size) {
  if (replaceable.Now()) return nullptr;
  ++live;
  return malloc(size);
}
void* Reallocate(void* block, size_t size) {
  if (replaceable.Now()) return nullptr;
  if (block == nullptr) ++live;
  return realloc(block, size);
}
void Free(void* block) {
  if (block != nullptr) --live;
  free(block);
}

void Quiet(int, const char*) {}

}  // namespace

void* operator new(std::size_t size) {
  if (built_in.Now()) throw std::bad_alloc();
  void* p = malloc(size == 0 ? 1 : size);
  if (p == nullptr) throw std::bad_alloc();
  ++live;
  return p;
}
void operator delete(void* p) noexcept { Free(p); }
void operator delete(void* p, std::size_t) noexcept { Free(p); }

namespace {

class PercoreMemory : public testing::Test {
 protected:
  void SetUp() override { event_set_log_callback(Quiet); }
  void TearDown() override { event_set_log_callback(nullptr); }

  // A runtime with the n-th allocation of one kind failing, until none does.
  static void NewWithEachFailing(Failing* kind, int* failures) {
    percore_runtime_options options = {};
    options.size = sizeof(options);
    options.cores = 2;
    options.method = "epoll";
    options.name = "a name that is longer than a string holds by itself";
    *failures = 0;
    // What is made once for the process.
    percore_runtime_free(percore_runtime_new(&options));
    for (int n = 1; n < 10000; ++n) {
      const long before = live;
      *kind = {n};
      errno = 0;
      percore_runtime* runtime = percore_runtime_new(&options);
      const int error = errno;
      const bool failed = kind->failed;
      *kind = {};
      if (failed && runtime == nullptr) {
        ASSERT_EQ(error, ENOMEM) << n;
        ++*failures;
      } else {
        ASSERT_NE(runtime, nullptr) << n;
      }
      percore_runtime_free(runtime);
      ASSERT_EQ(live, before) << n;
      if (!failed) return;
    }
    FAIL() << "it never gets through";
  }
};

TEST_F(PercoreMemory, NewWithEachReplaceableAllocationFailing) {
  event_set_mem_functions(Allocate, Reallocate, Free);
  int failures;
  NewWithEachFailing(&replaceable, &failures);
  EXPECT_GE(failures, 4);
}

TEST_F(PercoreMemory, NewWithEachBuiltInAllocationFailing) {
  int failures;
  NewWithEachFailing(&built_in, &failures);
  EXPECT_GE(failures, 1);
}

TEST_F(PercoreMemory, StartWithEachBuiltInAllocationFailing) {
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 100) << "it never gets through";
    percore_runtime_options options = {};
    options.size = sizeof(options);
    options.cores = 2;
    percore_runtime* runtime = percore_runtime_new(&options);
    ASSERT_NE(runtime, nullptr);
    built_in = {n};
    const int result = percore_runtime_start(runtime);
    const int error = errno;
    const bool failed = built_in.failed;
    built_in = {};
    if (result != 0) {
      EXPECT_TRUE(failed) << n;
      EXPECT_EQ(error, ENOMEM) << n;
    }
    percore_runtime_free(runtime);
    if (!failed) break;
  }
}

}  // namespace
