#include "percore/runtime/event/timer.h"

#include <memory>
#include <type_traits>
#include <vector>

#include "gtest/gtest.h"
#include "percore/tests/runtime/core/virtual_clock.h"

namespace percore {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""us;

static_assert(!std::is_copy_constructible_v<Timer>);
static_assert(!std::is_move_constructible_v<Timer>);

class TimerTest : public testing::Test {
 protected:
  TimerTest() {
    BaseConfig config;
    config.owned = true;
    config.clock = &clock_;
    base_ = EventBase::Create(&config);
  }
  ~TimerTest() override { base_->Free(true); }
  int Run() { return base_->Loop(0); }

  VirtualClock clock_;
  EventBase* base_;
};

TEST_F(TimerTest, CallsOnceAfterItsTime) {
  int calls = 0;
  Timer timer(base_, [&] { ++calls; });
  EXPECT_FALSE(timer.armed());
  ASSERT_EQ(timer.After(3s), 0);
  EXPECT_TRUE(timer.armed());
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(timer.armed());
  EXPECT_EQ(clock_.elapsed(), 3s);
}

TEST_F(TimerTest, IsNeverEarly) {
  Timer timer(base_, [] {});
  ASSERT_EQ(timer.After(1ns), 0);
  Run();
  EXPECT_EQ(clock_.elapsed(), 1us);
}

TEST_F(TimerTest, SettingItAgainReplacesWhatWasSet) {
  std::vector<std::chrono::nanoseconds> at;
  Timer timer(base_, [&] { at.push_back(clock_.elapsed()); });
  timer.After(1s);
  timer.After(5s);
  Run();
  timer.Every(1s);
  timer.After(2s);
  Run();
  EXPECT_EQ(at, (std::vector<std::chrono::nanoseconds>{5s, 7s}));
}

TEST_F(TimerTest, EveryGoesOnUntilCancelled) {
  std::vector<std::chrono::nanoseconds> at;
  Timer timer(base_, [&] {
    at.push_back(clock_.elapsed());
    if (at.size() == 4) timer.Cancel();
  });
  ASSERT_EQ(timer.Every(250ms), 0);
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(
      at, (std::vector<std::chrono::nanoseconds>{250ms, 500ms, 750ms, 1000ms}));
}

TEST_F(TimerTest, CallsMissedByABusyLoopAreLeftOut) {
  std::vector<std::chrono::nanoseconds> at;
  Timer timer(base_, [&] {
    at.push_back(clock_.elapsed());
    if (at.size() == 1) {
      // The callback takes three and a half periods.
      clock_.Advance(clock_.MonotonicNs() + 3'500'000'000);
    }
    if (at.size() == 3) timer.Cancel();
  });
  timer.Every(1s);
  Run();
  ASSERT_EQ(at.size(), 3u);
  EXPECT_EQ(at[0], 1s);
  // The one that was due meanwhile comes late, the next one in step again.
  EXPECT_EQ(at[1], 4500ms);
  EXPECT_EQ(at[2], 5s);
}

TEST_F(TimerTest, MayBeDestroyedByItsOwnCallback) {
  for (bool periodic : {false, true}) {
    auto token = std::make_shared<int>(7);
    int seen = 0;
    std::unique_ptr<Timer> timer;
    timer = std::make_unique<Timer>(base_, [&timer, &seen, token] {
      timer.reset();
      seen = *token;
    });
    periodic ? timer->Every(1s) : timer->After(1s);
    EXPECT_EQ(Run(), 1);
    EXPECT_EQ(seen, 7);
    EXPECT_EQ(token.use_count(), 1);
  }
}

TEST_F(TimerTest, TheDestructorCancels) {
  {
    Timer timer(base_, [] { FAIL(); });
    timer.Every(1s);
  }
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(clock_.elapsed(), 0s);
}

}  // namespace
}  // namespace percore
