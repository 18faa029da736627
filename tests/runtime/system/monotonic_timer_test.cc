#include "percore/runtime/system/monotonic_timer.h"

#include <cerrno>
#include <ctime>

#include "gtest/gtest.h"

namespace percore {
namespace {

timeval wall{};
bool wall_fails = false;

int FakeWallClock(timeval* tv) {
  if (wall_fails) {
    errno = EFAULT;
    return -1;
  }
  *tv = wall;
  return 0;
}

double Seconds(const timeval& tv) {
  return static_cast<double>(tv.tv_sec) + static_cast<double>(tv.tv_usec) / 1e6;
}

class FallbackTest : public testing::Test {
 protected:
  FallbackTest() : timer_(&FakeWallClock) {
    wall_fails = false;
    timer_.Configure(MonotonicTimer::Kind::kFallback);
  }
  double ReadAt(std::time_t seconds) {
    wall = {seconds, 500000};
    timeval tv;
    EXPECT_EQ(timer_.Read(&tv), 0);
    return Seconds(tv);
  }

  MonotonicTimer timer_;
};

TEST_F(FallbackTest, StandsStillWhereTheClockIsSetBackAndGoesOnFromThere) {
  EXPECT_EQ(ReadAt(1000), 1000.5);
  EXPECT_EQ(ReadAt(1001), 1001.5);
  EXPECT_EQ(ReadAt(400), 1001.5) << "set back by 601 s";
  EXPECT_EQ(ReadAt(401), 1002.5) << "a second later";
  EXPECT_EQ(ReadAt(100), 1002.5) << "set back again";
  EXPECT_EQ(ReadAt(110), 1012.5);
}

TEST_F(FallbackTest, JumpsForward) {
  EXPECT_EQ(ReadAt(1000), 1000.5);
  EXPECT_EQ(ReadAt(9000), 9000.5);
}

TEST_F(FallbackTest, AFailingClockChangesNothing) {
  EXPECT_EQ(ReadAt(1000), 1000.5);
  wall_fails = true;
  timeval tv{7, 7};
  EXPECT_EQ(timer_.Read(&tv), -1);
  EXPECT_EQ(tv.tv_sec, 7);
  wall_fails = false;
  EXPECT_EQ(ReadAt(900), 1000.5);
}

TEST_F(FallbackTest, ConfiguringStartsAnew) {
  EXPECT_EQ(ReadAt(1000), 1000.5);
  timer_.Configure(MonotonicTimer::Kind::kFallback);
  EXPECT_EQ(ReadAt(10), 10.5);
}

TEST(MonotonicTimer, KindsReadTheClocksTheyName) {
  MonotonicTimer timer;
  timer.Configure(MonotonicTimer::Kind::kPrecise);
  EXPECT_EQ(timer.kind(), MonotonicTimer::Kind::kPrecise);
  timespec before;
  timespec after;
  timeval tv;
  clock_gettime(CLOCK_MONOTONIC, &before);
  ASSERT_EQ(timer.Read(&tv), 0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  EXPECT_GE(tv.tv_sec * 1000000 + tv.tv_usec,
            before.tv_sec * 1000000 + before.tv_nsec / 1000);
  EXPECT_LE(tv.tv_sec * 1000000 + tv.tv_usec,
            after.tv_sec * 1000000 + after.tv_nsec / 1000);

  timer.Configure(MonotonicTimer::Kind::kCoarse);
  EXPECT_EQ(timer.kind(), MonotonicTimer::Kind::kCoarse);
  clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
  ASSERT_EQ(timer.Read(&tv), 0);
  clock_gettime(CLOCK_MONOTONIC_COARSE, &after);
  EXPECT_GE(tv.tv_sec * 1000000 + tv.tv_usec,
            before.tv_sec * 1000000 + before.tv_nsec / 1000);
  EXPECT_LE(tv.tv_sec * 1000000 + tv.tv_usec,
            after.tv_sec * 1000000 + after.tv_nsec / 1000);
}

}  // namespace
}  // namespace percore
