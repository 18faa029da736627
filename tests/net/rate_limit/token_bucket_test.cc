#include "percore/net/rate_limit/token_bucket.h"

#include <climits>
#include <cstdint>
#include <random>

#include "gtest/gtest.h"

namespace percore {
namespace {

constexpr std::int64_t kSecond = 1000000000;

// --- Configurations ---------------------------------------------------------

bool Makes(std::size_t rate, std::size_t burst, timeval tick) {
  ev_token_bucket_cfg config;
  return MakeTokenBucketConfig(rate, burst, rate, burst, &tick, &config);
}

TEST(TokenBucketConfigTest, RefusesWhatCannotBeCounted) {
  EXPECT_TRUE(Makes(1, 1, {1, 0}));
  EXPECT_TRUE(Makes(1, 1, {0, 1000}));
  EXPECT_TRUE(Makes(EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX, {1, 0}));
  EXPECT_FALSE(Makes(0, 1, {1, 0}));
  EXPECT_FALSE(Makes(2, 1, {1, 0}));
  EXPECT_FALSE(Makes(1, std::size_t{EV_RATE_LIMIT_MAX} + 1, {1, 0}));
  EXPECT_FALSE(Makes(1, 1, {0, 0}));
  EXPECT_FALSE(Makes(1, 1, {0, 999}));
  EXPECT_FALSE(Makes(1, 1, {-1, 0}));
  EXPECT_FALSE(Makes(1, 1, {1, -1}));
  EXPECT_FALSE(Makes(1, 1, {LONG_MAX, 0}));
}

// --- Levels by ticks --------------------------------------------------------

__extension__ using Wide = __int128;

// Whatever the clock and the numbers: never more than burst + rate * ticks,
// and no arithmetic overflow (which the sanitizers see).
TEST(TokenBucketLevelTest, NeverAboveTheRate) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    const unsigned bits = 1 + random() % 63;
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    ev_token_bucket_cfg config = {};
    const std::size_t burst =
        1 + (random() & mask) % std::size_t{EV_RATE_LIMIT_MAX};
    const std::size_t rate = 1 + random() % burst;
    const timeval tick = {1, 0};
    ASSERT_TRUE(
        MakeTokenBucketConfig(rate, burst, rate, burst, &tick, &config));
    std::int64_t now = static_cast<std::int64_t>(random() % 1000);
    const std::int64_t begin = now;
    TokenBucketLevel level = {};
    level.Init(config, now, /*fresh=*/true);
    Wide taken = 0;
    for (int step = 0; step < 100; ++step) {
      if (random() % 3 != 0) {
        now += static_cast<std::int64_t>(random() %
                                         (random() % 10 == 0 ? 2000000000 : 5));
      }
      level.Update(config, now);
      ASSERT_LE(level.read, static_cast<ev_ssize_t>(burst));
      // A stream moves what the level allows, or a little more at once.
      if (level.read > 0) {
        const ev_ssize_t n =
            1 + static_cast<ev_ssize_t>(random() %
                                        static_cast<std::uint64_t>(level.read));
        TokenBucketLevel::Take(&level.read, n);
        taken += n;
      }
      ASSERT_LE(taken, Wide{burst} + Wide{rate} * (now - begin))
          << "round " << round << ", step " << step;
    }
  }
}

TEST(TokenBucketLevelTest, AClockThatGoesBackGivesNothing) {
  ev_token_bucket_cfg config = {};
  const timeval tick = {1, 0};
  ASSERT_TRUE(MakeTokenBucketConfig(10, 100, 10, 100, &tick, &config));
  TokenBucketLevel level = {};
  level.Init(config, 1000, true);
  TokenBucketLevel::Take(&level.read, 10);
  EXPECT_EQ(level.read, 0);
  for (const std::int64_t now : {std::int64_t{500}, std::int64_t{0}, INT64_MAX,
                                 std::int64_t{3}, INT64_MAX - 1}) {
    level.Update(config, now);
    EXPECT_EQ(level.read, 0);
  }
  level.Update(config, INT64_MAX);
  EXPECT_EQ(level.read, 10);
}

TEST(TokenBucketLevelTest, TakingStopsAtTheEndsOfNumbers) {
  ev_ssize_t level = EV_SSIZE_MIN + 5;
  TokenBucketLevel::Take(&level, 1000);
  EXPECT_LT(level, 0);
  TokenBucketLevel::Take(&level, EV_SSIZE_MIN);
  TokenBucketLevel::Take(&level, EV_SSIZE_MIN);
  EXPECT_GT(level, 0);
  ev_token_bucket_cfg config = {};
  const timeval tick = {1, 0};
  ASSERT_TRUE(MakeTokenBucketConfig(1, EV_RATE_LIMIT_MAX, 1, EV_RATE_LIMIT_MAX,
                                    &tick, &config));
  TokenBucketLevel low = {};
  low.Init(config, 0, true);
  low.read = EV_SSIZE_MIN;
  low.Update(config, INT_MAX);
  EXPECT_LT(low.read, 0);
}

// --- The continuous one -----------------------------------------------------

TEST(TokenBucketTest, NeverAboveTheRateAndNeverBelowItForLong) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 3000; ++round) {
    const auto number = [&](unsigned most_bits) {
      return static_cast<std::int64_t>(
          1 + random() % (std::uint64_t{1} << (1 + random() % most_bits)));
    };
    const std::int64_t rate = number(40);
    const std::int64_t period = number(36);
    const std::int64_t burst = number(40);
    std::int64_t now = number(50);
    const std::int64_t begin = now;
    TokenBucket bucket(rate, period, burst, now);
    Wide taken = 0;
    for (int step = 0; step < 60; ++step) {
      now += static_cast<std::int64_t>(random() % number(33));
      const std::int64_t n = number(40);
      if (bucket.TryTake(n, now)) taken += n;
      const Wide earned = Wide{rate} * (now - begin) / period;
      ASSERT_LE(taken, burst + earned) << "round " << round;
      ASSERT_LE(bucket.Level(now), burst);
      // What it says of the future is so: not earlier, and then surely.
      const std::int64_t wait = bucket.TimeUntil(burst, now);
      if (wait < (std::int64_t{1} << 60)) {
        if (wait > 0) {
          TokenBucket early = bucket;
          ASSERT_LT(early.Level(now + wait - 1), burst) << "round " << round;
        }
        TokenBucket late = bucket;
        ASSERT_GE(late.Level(now + wait), burst) << "round " << round;
      }
    }
  }
}

// What was not a whole token used to be counted again by every look.
TEST(TokenBucketTest, ManyLooksAtOneInstantGiveNothing) {
  TokenBucket bucket(1500000000, kSecond, 1000000, 0);
  ASSERT_TRUE(bucket.TryTake(1000000, 0));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(bucket.Level(1), 1);
  EXPECT_EQ(bucket.Level(2), 3);
}

TEST(TokenBucketTest, NothingOfNothing) {
  for (const std::int64_t rate : {std::int64_t{0}, std::int64_t{-5}}) {
    TokenBucket bucket(rate, kSecond, 10, 0);
    EXPECT_TRUE(bucket.TryTake(10, 0));
    EXPECT_FALSE(bucket.TryTake(1, INT64_MAX));
    EXPECT_EQ(bucket.TimeUntil(1, 0), INT64_MAX);
  }
  TokenBucket no_period(5, 0, 10, 0);
  EXPECT_TRUE(no_period.TryTake(10, 0));
  EXPECT_FALSE(no_period.TryTake(1, kSecond));
  TokenBucket debt(10, kSecond, 10, 0);
  debt.Take(110, 0);
  EXPECT_EQ(debt.TimeUntil(1, 0), 101 * kSecond / 10);
  EXPECT_EQ(debt.TimeUntil(11, 0), INT64_MAX);  // above the burst
}

}  // namespace
}  // namespace percore
