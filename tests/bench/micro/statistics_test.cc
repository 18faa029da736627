#include "percore/bench/micro/statistics.h"

#include <gtest/gtest.h>

namespace percore::bench {
namespace {

TEST(Quartiles, OfAnOddNumberAreSamples) {
  const Quartiles q = QuartilesOf({5, 1, 4, 2, 3});
  EXPECT_EQ(q.low, 2);
  EXPECT_EQ(q.median, 3);
  EXPECT_EQ(q.high, 4);
}

TEST(Quartiles, OfAnEvenNumberAreInterpolated) {
  const Quartiles q = QuartilesOf({4, 1, 3, 2});
  EXPECT_DOUBLE_EQ(q.low, 1.75);
  EXPECT_DOUBLE_EQ(q.median, 2.5);
  EXPECT_DOUBLE_EQ(q.high, 3.25);
}

TEST(Quartiles, OfOneAndOfNone) {
  EXPECT_EQ(QuartilesOf({7}).low, 7);
  EXPECT_EQ(QuartilesOf({7}).high, 7);
  EXPECT_EQ(QuartilesOf({}).median, 0);
}

// A disturbance that hits one side of one pair moves one ratio only.
TEST(PairwiseRatio, IsTakenPairByPair) {
  const std::vector<double> ratios = PairwiseRatio({2, 8, 90}, {1, 2, 3});
  ASSERT_EQ(ratios.size(), 3u);
  EXPECT_EQ(ratios[0], 2);
  EXPECT_EQ(ratios[1], 4);
  EXPECT_EQ(ratios[2], 30);
  EXPECT_EQ(QuartilesOf(ratios).median, 4);
}

}  // namespace
}  // namespace percore::bench
