#include "percore/runtime/timer/timer_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace percore {
namespace {

struct Timer : event {
  Timer() : event{} { TimerQueue::Init(this); }
};

void Set(TimerQueue* queue, Timer* timer, std::int64_t deadline) {
  if (TimerQueue::Queued(timer)) {
    queue->Move(timer, deadline);
  } else {
    queue->Add(timer, deadline);
  }
}

// Calls PopDue until it finds nothing.
std::vector<event*> TakeDue(TimerQueue* queue, std::int64_t now) {
  std::vector<event*> taken;
  while (event* ev = queue->PopDue(now)) taken.push_back(ev);
  return taken;
}

constexpr std::int64_t kTick = 4096;  // as timer_queue.h says, nanoseconds

TEST(TimerQueueTest, EmptyHasNoDeadline) {
  TimerQueue queue;
  EXPECT_EQ(queue.Earliest(), TimerQueue::kNever);
  EXPECT_EQ(queue.PopDue(INT64_MAX), nullptr);
  EXPECT_EQ(queue.size(), 0u);
}

TEST(TimerQueueTest, EarliestFirstAndOnlyWhenDue) {
  TimerQueue queue;
  Timer a, b, c;
  Set(&queue, &a, 30);
  Set(&queue, &b, 10);
  Set(&queue, &c, 20);
  EXPECT_EQ(queue.Earliest(), 10);
  EXPECT_EQ(queue.PopDue(9), nullptr);
  EXPECT_EQ(queue.PopDue(20), &b);
  EXPECT_FALSE(TimerQueue::Queued(&b));
  EXPECT_EQ(queue.PopDue(20), &c);
  EXPECT_EQ(queue.PopDue(20), nullptr);
  EXPECT_TRUE(TimerQueue::Queued(&a));
  EXPECT_EQ(TimerQueue::Deadline(&a), 30);
  EXPECT_EQ(queue.Earliest(), 30);
  EXPECT_EQ(queue.PopDue(30), &a);
}

TEST(TimerQueueTest, EqualDeadlinesInTheOrderOfSetting) {
  TimerQueue queue;
  std::vector<Timer> timers(1000);
  for (Timer& timer : timers) Set(&queue, &timer, 5);
  for (Timer& timer : timers) ASSERT_EQ(queue.PopDue(5), &timer);
}

TEST(TimerQueueTest, SettingAgainGoesBehindItsEquals) {
  TimerQueue queue;
  Timer a, b, c;
  Set(&queue, &a, 5);
  Set(&queue, &b, 5);
  Set(&queue, &c, 5);
  Set(&queue, &a, 5);  // the same deadline, set last
  EXPECT_EQ(queue.PopDue(5), &b);
  EXPECT_EQ(queue.PopDue(5), &c);
  EXPECT_EQ(queue.PopDue(5), &a);
}

TEST(TimerQueueTest, PushedLaterAndPulledEarlier) {
  TimerQueue queue;
  Timer a, b;
  Set(&queue, &a, 10);
  Set(&queue, &b, 20);
  Set(&queue, &a, 30);
  // A bound: a was pushed later, and its entry still says 10.
  EXPECT_EQ(queue.Earliest(), 10);
  EXPECT_EQ(queue.PopDue(19), nullptr);
  EXPECT_EQ(queue.Earliest(), 20);
  Set(&queue, &a, 15);
  EXPECT_EQ(queue.Earliest(), 15);
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.PopDue(100), &a);
  EXPECT_EQ(queue.PopDue(100), &b);
  EXPECT_EQ(queue.PopDue(100), nullptr);
  EXPECT_EQ(queue.size(), 0u);
}

TEST(TimerQueueTest, RemovedIsGone) {
  TimerQueue queue;
  std::vector<Timer> timers(100);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    Set(&queue, &timers[i], static_cast<std::int64_t>(i));
  }
  for (std::size_t i = 0; i < timers.size(); i += 2) queue.Remove(&timers[i]);
  EXPECT_EQ(queue.size(), 50u);
  for (std::size_t i = 1; i < timers.size(); i += 2) {
    ASSERT_EQ(queue.PopDue(INT64_MAX), &timers[i]);
  }
  EXPECT_EQ(queue.PopDue(INT64_MAX), nullptr);
}

// An idle timeout that each read pushes on: its deadline is written, the lists
// are not.
TEST(TimerQueueTest, TouchLeavesTheListsAlone) {
  TimerQueue queue;
  std::vector<Timer> timers(10000);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    Set(&queue, &timers[i], 1000 + static_cast<std::int64_t>(i));
  }
  for (int round = 0; round < 20; ++round) {
    for (Timer& timer : timers) {
      const timeval before = timer.ev_timeout;
      Set(&queue, &timer, TimerQueue::Deadline(&timer) + 5000);
      ASSERT_EQ(timer.ev_timeout.tv_sec, before.tv_sec);
      ASSERT_EQ(timer.ev_timeout.tv_usec, before.tv_usec);
    }
  }
  EXPECT_EQ(queue.size(), timers.size());
  // They move on when their old slots come up.
  EXPECT_EQ(queue.Earliest(), 1000);
  EXPECT_EQ(queue.PopDue(1000 + 9999), nullptr);
  EXPECT_GT(queue.Earliest(), 1000 + 9999);
  EXPECT_LE(queue.Earliest(), 1000 + 20 * 5000);
  for (Timer& timer : timers) ASSERT_EQ(queue.PopDue(INT64_MAX), &timer);
}

// A loop with a few timers never wakes for nothing.
TEST(TimerQueueTest, OfAFewTheEarliestIsKnownExactly) {
  TimerQueue queue;
  Timer a, b, c;
  Set(&queue, &a, 5'000'000'123);
  Set(&queue, &b, 60'000'000'456);
  Set(&queue, &c, 60'000'000'789);
  EXPECT_EQ(queue.Earliest(), 5'000'000'123);
  queue.Remove(&a);
  EXPECT_EQ(queue.Earliest(), 60'000'000'456);
  EXPECT_EQ(queue.PopDue(60'000'000'455), nullptr);
  EXPECT_EQ(queue.Earliest(), 60'000'000'456);
  EXPECT_EQ(queue.PopDue(60'000'000'456), &b);
  EXPECT_EQ(queue.PopDue(60'000'000'456), nullptr);
  EXPECT_EQ(queue.Earliest(), 60'000'000'789);
  queue.Remove(&c);
  EXPECT_EQ(queue.Earliest(), TimerQueue::kNever);
}

// Whoever sleeps until Earliest() again and again is there in time, and not
// much more often than there are levels.
TEST(TimerQueueTest, FollowingEarliestIsExactAndQuick) {
  TimerQueue queue;
  std::vector<Timer> timers(1000);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    Set(&queue, &timers[i], 3'600'000'000'000 + static_cast<std::int64_t>(i));
  }
  std::int64_t now = 0;
  int wakes = 0;
  while (queue.size() == timers.size()) {
    ASSERT_GT(queue.Earliest(), now);
    now = queue.Earliest();
    ASSERT_LE(now, 3'600'000'000'000);
    queue.PopDue(now);
    ASSERT_LE(++wakes, 10);
  }
  EXPECT_EQ(now, 3'600'000'000'000);
}

TEST(TimerQueueTest, WithinATickOnlyWhatIsDue) {
  TimerQueue queue;
  std::vector<Timer> timers(kTick);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    Set(&queue, &timers[timers.size() - 1 - i],
        10 * kTick + static_cast<std::int64_t>(timers.size() - 1 - i));
  }
  for (std::size_t i = 0; i < timers.size(); ++i) {
    const std::int64_t now = 10 * kTick + static_cast<std::int64_t>(i);
    ASSERT_EQ(queue.Earliest(), now);
    ASSERT_EQ(TakeDue(&queue, now), std::vector<event*>{&timers[i]});
  }
}

// A deadline that is past, even before the start of time, is due at once and
// before what was set for later.
TEST(TimerQueueTest, PastDeadlines) {
  TimerQueue queue;
  Timer a, b, c, d;
  EXPECT_EQ(queue.PopDue(1'000'000), nullptr);
  Set(&queue, &a, 1'000'000);
  Set(&queue, &b, 500);
  Set(&queue, &c, -7);
  Set(&queue, &d, std::numeric_limits<std::int64_t>::min());
  EXPECT_LE(queue.Earliest(), 500);
  EXPECT_EQ(TakeDue(&queue, 1'000'000), (std::vector<event*>{&d, &c, &b, &a}));
}

TEST(TimerQueueTest, TheEndOfTime) {
  TimerQueue queue;
  Timer a, b;
  Set(&queue, &a, INT64_MAX);
  Set(&queue, &b, INT64_MAX - 1);
  EXPECT_EQ(TakeDue(&queue, INT64_MAX - 2), std::vector<event*>{});
  EXPECT_EQ(TakeDue(&queue, INT64_MAX), (std::vector<event*>{&b, &a}));
}

// Removing or pushing on what was found due with others but not yet taken.
TEST(TimerQueueTest, ChangedBetweenTwoTakings) {
  TimerQueue queue;
  std::vector<Timer> timers(5);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    Set(&queue, &timers[i], 100 + static_cast<std::int64_t>(i));
  }
  ASSERT_EQ(queue.PopDue(200), &timers[0]);
  EXPECT_LE(queue.Earliest(), 101);
  queue.Remove(&timers[1]);
  Set(&queue, &timers[2], 70000);
  Set(&queue, &timers[4], 50);
  EXPECT_EQ(queue.size(), 3u);
  const std::vector<event*> rest = TakeDue(&queue, 200);
  EXPECT_EQ(rest.size(), 2u);
  EXPECT_EQ(TakeDue(&queue, 69999), std::vector<event*>{});
  EXPECT_EQ(TakeDue(&queue, 70000), std::vector<event*>{&timers[2]});
}

// Far more in one tick, in no order, than are sorted at once.
TEST(TimerQueueTest, ManyInOneTick) {
  TimerQueue queue;
  std::vector<Timer> timers(20000);
  std::mt19937_64 random(3);
  std::vector<std::pair<std::int64_t, event*>> expected;
  for (Timer& timer : timers) {
    const auto deadline =
        77 * kTick + static_cast<std::int64_t>(random() % kTick);
    Set(&queue, &timer, deadline);
    expected.emplace_back(deadline, &timer);
  }
  std::stable_sort(
      expected.begin(), expected.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [deadline, timer] : expected) {
    ASSERT_EQ(queue.PopDue(78 * kTick), timer);
  }
  EXPECT_EQ(queue.PopDue(78 * kTick), nullptr);
}

TEST(TimerQueueTest, ForEachSeesTheQueuedOnesAndCanStop) {
  TimerQueue queue;
  std::vector<Timer> timers(10);
  for (Timer& timer : timers) Set(&queue, &timer, 7);
  queue.Remove(&timers[3]);
  int seen = 0;
  EXPECT_EQ(queue.ForEach([&](event* ev) {
    EXPECT_NE(ev, &timers[3]);
    ++seen;
    return 0;
  }),
            0);
  EXPECT_EQ(seen, 9);
  EXPECT_EQ(queue.ForEach([](event*) { return 42; }), 42);
}

// Random operations against a plain ordered map of (deadline, order of
// setting), with distances that grow with the parameter: up to a tick, up to
// milliseconds, up to an hour.
class TimerQueueModelTest : public testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Distances, TimerQueueModelTest,
                         testing::Values(1, 64, 5000, 36'000'000),
                         testing::PrintToStringParamName());

TEST_P(TimerQueueModelTest, SameOrder) {
  using Key = std::pair<std::int64_t, std::uint64_t>;
  const std::uint64_t seed = 20240229;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  TimerQueue queue;
  std::vector<Timer> timers(3000);
  std::multimap<Key, Timer*> model;
  std::vector<std::multimap<Key, Timer*>::iterator> where(timers.size(),
                                                          model.end());
  std::uint64_t order = 0;
  const std::int64_t unit = GetParam();
  std::int64_t now = unit * 1'000'003;
  queue.PopDue(now);
  const auto forget = [&](std::size_t i) {
    model.erase(where[i]);
    where[i] = model.end();
  };
  for (int step = 0; step < 300000; ++step) {
    const std::size_t i = random() % timers.size();
    Timer* timer = &timers[i];
    const bool queued = where[i] != model.end();
    ASSERT_EQ(TimerQueue::Queued(timer), queued);
    const auto set = [&](std::int64_t deadline) {
      if (queued) forget(i);
      Set(&queue, timer, deadline);
      where[i] = model.emplace(Key{deadline, order++}, timer);
    };
    switch (random() % 8) {
      case 0:
      case 1:  // few distinct deadlines, so that many are equal
        set(now + static_cast<std::int64_t>(random() % 64) * unit);
        break;
      case 2:
        set(now + static_cast<std::int64_t>(random() % 100000) * unit);
        break;
      case 3:
      case 4:  // touch
        if (queued) {
          set(TimerQueue::Deadline(timer) +
              static_cast<std::int64_t>(random() % 100) * unit);
        }
        break;
      case 5:
        if (queued) {
          queue.Remove(timer);
          forget(i);
        }
        break;
      case 6:
        // Never too late; early at most by what was pushed later.
        ASSERT_LE(queue.Earliest(), model.empty() ? TimerQueue::kNever
                                                  : model.begin()->first.first);
        ASSERT_EQ(queue.Earliest() == TimerQueue::kNever, model.empty());
        break;
      default: {
        now += static_cast<std::int64_t>(random() % 20) * unit +
               static_cast<std::int64_t>(random() % 2);
        while (!model.empty() && model.begin()->first.first <= now) {
          Timer* expected = model.begin()->second;
          ASSERT_EQ(queue.PopDue(now), expected) << "step " << step;
          forget(static_cast<std::size_t>(expected - timers.data()));
        }
        ASSERT_EQ(queue.PopDue(now), nullptr);
        break;
      }
    }
    ASSERT_EQ(queue.size(), model.size());
  }
  while (!model.empty()) {
    Timer* expected = model.begin()->second;
    ASSERT_EQ(queue.PopDue(INT64_MAX), expected);
    forget(static_cast<std::size_t>(expected - timers.data()));
  }
  EXPECT_EQ(queue.PopDue(INT64_MAX), nullptr);
}

}  // namespace
}  // namespace percore
