#include "percore/runtime/timer/timer_queue.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

struct Timer : event {
  Timer() : event{} { TimerQueue::Init(this); }
};

void Set(TimerQueue* queue, Timer* timer, std::int64_t deadline) {
  ASSERT_TRUE(queue->Reserve());
  queue->Set(timer, deadline);
}

int allocations = 0;
bool allow = true;
void* CountingMalloc(std::size_t size) {
  ++allocations;
  return allow ? std::malloc(size) : nullptr;
}
void* CountingRealloc(void* p, std::size_t size) {
  ++allocations;
  return allow ? std::realloc(p, size) : nullptr;
}

struct CountedMemory {
  CountedMemory() {
    allocations = 0;
    allow = true;
    State().malloc_fn = &CountingMalloc;
    State().realloc_fn = &CountingRealloc;
    State().free_fn = &std::free;
  }
  ~CountedMemory() {
    State().malloc_fn = nullptr;
    State().realloc_fn = nullptr;
    State().free_fn = nullptr;
  }
};

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

// An idle timeout that each read pushes on: the event is written, the heap is
// not. Shown by what the queue knows of the event: its place and the key that
// the heap has stay.
TEST(TimerQueueTest, TouchChangesNothingInTheHeap) {
  CountedMemory memory;
  TimerQueue queue;
  std::vector<Timer> timers(10000);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    Set(&queue, &timers[i], 1000 + static_cast<std::int64_t>(i));
  }
  allocations = 0;
  for (int round = 0; round < 20; ++round) {
    for (Timer& timer : timers) {
      const auto before = timer.ev_timeout_pos.ev_percore_;
      Set(&queue, &timer, TimerQueue::Deadline(&timer) + 5000);
      const auto after = timer.ev_timeout_pos.ev_percore_;
      ASSERT_EQ(after.slot_, before.slot_);
      ASSERT_EQ(after.armed_, before.armed_);
    }
  }
  EXPECT_EQ(allocations, 0);
  EXPECT_EQ(queue.size(), timers.size());
  // The heap's order is mended as old keys come due.
  EXPECT_EQ(queue.Earliest(), 1000);
  EXPECT_EQ(queue.PopDue(1000 + 9999), nullptr);
  EXPECT_EQ(queue.Earliest(), 1000 + 20 * 5000);
  for (Timer& timer : timers) ASSERT_EQ(queue.PopDue(INT64_MAX), &timer);
}

// What is added and removed for ever must not make the queue grow.
TEST(TimerQueueTest, HolesAreReused) {
  CountedMemory memory;
  TimerQueue queue;
  std::vector<Timer> timers(100);
  std::mt19937_64 random(1);
  const auto churn = [&](int n) {
    for (int i = 0; i < n; ++i) {
      Timer& timer = timers[random() % timers.size()];
      if (TimerQueue::Queued(&timer) && random() % 2 == 0) {
        queue.Remove(&timer);
      } else {
        Set(&queue, &timer, static_cast<std::int64_t>(random() % 1000));
      }
    }
  };
  churn(10000);
  allocations = 0;
  churn(200000);
  EXPECT_LE(allocations, 2);
}

TEST(TimerQueueTest, NoMemoryIsAnAnswerAndChangesNothing) {
  CountedMemory memory;
  TimerQueue queue;
  std::vector<Timer> timers(100);
  allow = false;
  EXPECT_FALSE(queue.Reserve());
  allow = true;
  std::size_t queued = 0;
  for (Timer& timer : timers) {
    // Every allocation fails once before it succeeds.
    allow = false;
    if (!queue.Reserve()) {
      EXPECT_EQ(queue.size(), queued);
      allow = true;
      ASSERT_TRUE(queue.Reserve());
    }
    queue.Set(&timer, static_cast<std::int64_t>(1000 - queued));
    ++queued;
  }
  EXPECT_EQ(queue.size(), queued);
  // Touching, removing and taking need none.
  allow = false;
  queue.Remove(&timers[50]);
  for (std::size_t i = timers.size(); i-- > 0;) {
    if (i == 50) continue;
    ASSERT_EQ(queue.PopDue(INT64_MAX), &timers[i]);
  }
  EXPECT_EQ(queue.PopDue(INT64_MAX), nullptr);
  allow = true;
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

// A million random operations against a plain ordered map of (deadline, order
// of setting).
TEST(TimerQueueTest, AgainstAModel) {
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
  std::int64_t now = 0;
  const auto forget = [&](std::size_t i) {
    model.erase(where[i]);
    where[i] = model.end();
  };
  for (int step = 0; step < 1000000; ++step) {
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
        set(now + static_cast<std::int64_t>(random() % 64));
        break;
      case 2:
        set(now + static_cast<std::int64_t>(random() % 100000));
        break;
      case 3:
      case 4:  // touch
        if (queued) {
          set(TimerQueue::Deadline(timer) +
              static_cast<std::int64_t>(random() % 100));
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
        now += static_cast<std::int64_t>(random() % 20);
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
