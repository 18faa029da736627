// Deliberate faults, one a test: each must be reported by the sanitizer that is
// on. Not part of //...; tools/ci/sanitizers_bite runs it and wants it to fail.
#include <gtest/gtest.h>

#include <climits>
#include <thread>

namespace {

TEST(SanitizersBite, Thread) {
  int count = 0;
  int* shared = &count;
  auto raise = [shared] {
    for (int i = 0; i < 1000; i++) {
      volatile int* seen = shared;
      *seen = *seen + 1;
    }
  };
  std::thread first(raise);
  std::thread second(raise);
  first.join();
  second.join();
  EXPECT_LE(count, 2000);
}

TEST(SanitizersBite, Address) {
  int* volatile values = new int[4]();
  int* freed = values;
  delete[] freed;
  EXPECT_GE(values[1] + 1, INT_MIN);
}

TEST(SanitizersBite, Leak) {
  volatile int* lost = new int(1);
  *lost = 2;
}

TEST(SanitizersBite, Undefined) {
  volatile int big = INT_MAX;
  big = big + 1;
  (void)big;
}

}  // namespace
