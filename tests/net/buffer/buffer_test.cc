// Buffer against a plain string: random operations, a fixed seed.
//
//   buffer_test --gtest_also_run_disabled_tests   millions of steps
#include "percore/net/buffer/buffer.h"

#include <cstddef>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "percore/tests/net/buffer/buffer_steps.h"

namespace percore {
namespace {

void RunSteps(unsigned seed, int steps) {
  std::mt19937 random(seed);
  BufferSteps model([&](std::size_t n) { return random() % n; });
  for (int i = 0; i < steps; ++i) {
    const char* wrong = model.Step();
    ASSERT_EQ(wrong, nullptr) << wrong << ", seed " << seed << ", step " << i;
    if (i % 64 == 0) {
      wrong = model.CompareAll();
      ASSERT_EQ(wrong, nullptr) << wrong << ", seed " << seed << ", step " << i;
    }
  }
}

TEST(BufferTest, AgreesWithAString) {
  for (unsigned seed = 1; seed <= 40; ++seed) RunSteps(seed, 5000);
}

TEST(BufferTest, DISABLED_AgreesWithAStringForMillionsOfSteps) {
  for (unsigned seed = 1000; seed < 1040; ++seed) RunSteps(seed, 100000);
}

TEST(BufferTest, TheSizeOfTotalsIsBounded) {
  Buffer b;
  static const char byte = 'x';
  // Regions of that size are never touched, only counted.
  EXPECT_TRUE(b.AddReference(&byte, 0, EV_SSIZE_MAX - 1, nullptr, nullptr));
  EXPECT_FALSE(b.AddReference(&byte, 0, 10, nullptr, nullptr));
  EXPECT_FALSE(b.Add("0123456789"));
  EXPECT_FALSE(b.Prepend("0123456789", 10));
  EXPECT_FALSE(b.Expand(EV_SSIZE_MAX));
  EXPECT_EQ(b.size(), static_cast<std::size_t>(EV_SSIZE_MAX - 1));
}

}  // namespace
}  // namespace percore
