// Runtime, Sharded, coroutines and mail on simulated cores.
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "percore/runtime/backend/sim/world.h"
#include "percore/runtime/core/runtime.h"
#include "percore/runtime/core/send.h"
#include "percore/runtime/core/sharded.h"
#include "percore/runtime/core/sleep.h"
#include "percore/runtime/core/spawn.h"
#include "percore/runtime/core/switch_to.h"
#include "percore/runtime/core/timeout.h"
#include "percore/runtime/core/when.h"
#include "percore/runtime/system/clock.h"

namespace percore::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

RuntimeOptions Cores(World* world, int n) {
  RuntimeOptions options;
  options.cores = n;
  options.executor = world;
  return options;
}

// Whoever calls is on its core, however the cores take turns.
class Counter {
 public:
  explicit Counter(Shard shard) : shard_(shard) {}

  int Add(int n) {
    EXPECT_EQ(shard_.runtime->CurrentCore(), shard_.core);
    EXPECT_EQ(RuntimeCore::Current(), shard_.runtime);
    for (int core = 0; core < shard_.cores(); ++core) {
      EXPECT_EQ(shard_.runtime->base(core)->OnOwner(), core == shard_.core);
    }
    return value_ += n;
  }

  // Answers after a while, and leaves a trace of having done so.
  Task<int> Slowly(std::int64_t ns, std::shared_ptr<int> finished) {
    co_await Sleep(nanoseconds(ns));
    EXPECT_EQ(shard_.runtime->CurrentCore(), shard_.core);
    ++*finished;
    co_return Add(0);
  }

 private:
  Shard shard_;
  int value_ = 0;
};

TEST(SimCoresTest, CallsBetweenShardsUnderManySeeds) {
  std::set<std::uint64_t> traces;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed});
    Runtime runtime(Cores(&world, 3));
    EXPECT_EQ(runtime.CurrentCore(), -1);
    Sharded<Counter> counters(runtime);
    ASSERT_TRUE(runtime.Start().ok());
    EXPECT_STREQ(runtime.base(0)->backend()->name(), "sim");
    std::vector<JoinHandle<int>> tasks;
    for (int from = 0; from < 3; ++from) {
      tasks.push_back(Spawn(
          runtime, from, [](Sharded<Counter>* all, int start) -> Task<int> {
            int sum = 0;
            for (int i = 0; i < 20; ++i) {
              const auto answer =
                  co_await all->On((start + i) % 3, &Counter::Add, 1);
              EXPECT_TRUE(answer.ok());
              ++sum;
            }
            co_return sum;
          }(&counters, from)));
    }
    for (auto& task : tasks) EXPECT_EQ(*task.BlockingJoin(), 20);
    const auto total =
        BlockOn(runtime, 1,
                counters.MapReduce(
                    0, [](Counter& counter) { return counter.Add(0); },
                    [](int a, int b) { return a + b; }));
    EXPECT_EQ(*total, 60);
    EXPECT_EQ(runtime.CurrentCore(), -1);
    EXPECT_TRUE(runtime.Drain(kSecond));
    traces.insert(world.trace());
  }
  EXPECT_EQ(traces.size(), 100u);
}

// First in, first out for each sender; between senders anything goes, and some
// seeds show it.
TEST(SimCoresTest, MailKeepsASendersOrderAndNoOther) {
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed});
    Runtime runtime(Cores(&world, 3));
    std::string order;
    for (int from = 1; from < 3; ++from) {
      runtime.Post(from, [&runtime, &order, from] {
        for (int i = 0; i < 4; ++i) {
          runtime.Post(0, [&order, from, i] {
            order += static_cast<char>((from == 1 ? 'a' : 'A') + i);
          });
        }
      });
    }
    ASSERT_TRUE(runtime.Start().ok());
    EXPECT_TRUE(world.RunUntil(kSecond, [&] { return order.size() == 8; }));
    std::string lower;
    std::string upper;
    for (const char c : order) (c >= 'a' ? lower : upper) += c;
    EXPECT_EQ(lower, "abcd");
    EXPECT_EQ(upper, "ABCD");
    orders.insert(order);
  }
  EXPECT_GE(orders.size(), 5u);
  EXPECT_TRUE(orders.contains("abcdABCD"));
  EXPECT_TRUE(orders.contains("ABCDabcd"));
}

TEST(SimCoresTest, TimeIsExactAndCostsNothing) {
  std::int64_t real = 0;
  {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);  // no World's
    real = now.tv_sec * kSecond + now.tv_nsec;
  }
  World world({.seed = 3});
  Runtime runtime(Cores(&world, 2));
  ASSERT_TRUE(runtime.Start().ok());
  const auto day = std::chrono::hours(24);
  const auto sleeper = [](std::chrono::nanoseconds time) -> Task<void> {
    co_await Sleep(time);
  };
  const std::int64_t before = world.MonotonicNs();
  EXPECT_TRUE(BlockOn(runtime, 1, sleeper(day)).ok());
  EXPECT_EQ(world.MonotonicNs() - before, nanoseconds(day).count());
  // Each core's timers fire in the order of their times.
  std::vector<int> order;
  std::vector<JoinHandle<void>> tasks;
  for (int i = 0; i < 10; ++i) {
    tasks.push_back(
        Spawn(runtime, i % 2, [](int n, std::vector<int>* out) -> Task<void> {
          co_await Sleep(milliseconds(100 - 10 * n));
          out->push_back(n);
        }(i, &order)));
  }
  for (auto& task : tasks) EXPECT_TRUE(task.BlockingJoin().ok());
  EXPECT_EQ(order, (std::vector<int>{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}));
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  EXPECT_LT(now.tv_sec * kSecond + now.tv_nsec - real, 5 * kSecond);
}

// The deadline of a call to another core is kept to the nanosecond, whoever
// wins; the callee finishes all the same.
TEST(SimCoresTest, DeadlineOfACallToAnotherCore) {
  int late = 0;
  int in_time = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed});
    Runtime runtime(Cores(&world, 3));
    Sharded<Counter> counters(runtime);
    ASSERT_TRUE(runtime.Start().ok());
    auto finished = std::make_shared<int>(0);
    const auto work = static_cast<std::int64_t>(world.random().Below(10)) * kMs;
    const auto limit =
        static_cast<std::int64_t>(world.random().Below(10)) * kMs;
    const std::int64_t before = world.MonotonicNs();
    const auto answer = BlockOn(
        runtime, 0,
        [](Sharded<Counter>* all, std::int64_t work_ns, std::int64_t limit_ns,
           std::shared_ptr<int> done) -> Task<absl::StatusOr<int>> {
          co_return co_await WithTimeout(
              nanoseconds(limit_ns),
              [](Sharded<Counter>* shards, std::int64_t ns,
                 std::shared_ptr<int> trace) -> Task<absl::StatusOr<int>> {
                co_return co_await shards->On(2, &Counter::Slowly, ns, trace);
              }(all, work_ns, done));
        }(&counters, work, limit, finished));
    const std::int64_t took = world.MonotonicNs() - before;
    if (answer.ok()) {
      ++in_time;
      EXPECT_LE(work, limit);
      EXPECT_EQ(took, work);
    } else {
      ++late;
      EXPECT_TRUE(absl::IsDeadlineExceeded(answer.status())) << answer.status();
      EXPECT_GE(work, limit);
      EXPECT_EQ(took, limit);
    }
    world.RunFor(kSecond);
    EXPECT_EQ(*finished, 1);
    EXPECT_TRUE(runtime.Drain(kSecond));
    EXPECT_EQ(finished.use_count(), 1);
  }
  EXPECT_GT(late, 20);
  EXPECT_GT(in_time, 20);
}

// Cancelled at any step, a call between cores leaves nothing behind.
TEST(SimCoresTest, CancellationOfACallToAnotherCore) {
  int cancelled = 0;
  int answered = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed});
    Runtime runtime(Cores(&world, 3));
    Sharded<Counter> counters(runtime);
    ASSERT_TRUE(runtime.Start().ok());
    auto finished = std::make_shared<int>(0);
    auto alive = std::make_shared<int>(0);
    auto handle = Spawn(runtime, 0,
                        [](Sharded<Counter>* all, std::shared_ptr<int> done,
                           std::shared_ptr<int>) -> Task<int> {
                          co_await SwitchTo(1);
                          for (int i = 0; i < 3; ++i) {
                            const auto answer = co_await all->On(
                                2, &Counter::Slowly, kMs, done);
                            EXPECT_TRUE(answer.ok());
                          }
                          co_return 7;
                        }(&counters, finished, alive));
    world.After(static_cast<std::int64_t>(world.random().Below(5)) * kMs,
                [&handle] { handle.Cancel(); });
    const auto answer = handle.BlockingJoin();
    if (answer.ok()) {
      ++answered;
      EXPECT_EQ(*answer, 7);
      EXPECT_EQ(*finished, 3);
    } else {
      ++cancelled;
      EXPECT_TRUE(absl::IsCancelled(answer.status())) << answer.status();
    }
    world.RunFor(kSecond);
    EXPECT_EQ(alive.use_count(), 1);
    EXPECT_TRUE(runtime.Drain(kSecond));
    EXPECT_EQ(finished.use_count(), 1);
  }
  EXPECT_GT(cancelled, 20);
  EXPECT_GT(answered, 5);
}

TEST(SimCoresTest, FullMailboxMakesTheSenderWait) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed});
    RuntimeOptions options = Cores(&world, 2);
    options.mailbox_bound = 4;
    Runtime runtime(options);
    ASSERT_TRUE(runtime.Start().ok());
    int arrived = 0;
    const absl::Status sent =
        BlockOn(runtime, 0, [](Runtime* all, int* count) -> Task<absl::Status> {
          for (int i = 0; i < 100; ++i) {
            absl::Status status = co_await Send(*all, 1, [i, count] {
              EXPECT_EQ(*count, i);
              ++*count;
            });
            if (!status.ok()) co_return status;
          }
          co_return absl::OkStatus();
        }(&runtime, &arrived));
    EXPECT_TRUE(sent.ok()) << sent;
    EXPECT_TRUE(runtime.Drain(kSecond));
    EXPECT_EQ(arrived, 100);
  }
}

class NeverQuiet : public Service {
 public:
  void Quiesce(int, std::function<void()>) override {}
  void Destroy(int) override { ++destroyed; }
  int destroyed = 0;
};

TEST(SimCoresTest, DrainGivesUpAtItsDeadline) {
  World world({.seed = 9});
  Runtime runtime(Cores(&world, 3));
  NeverQuiet service;
  runtime.core()->Register(&service);
  ASSERT_TRUE(runtime.Start().ok());
  const std::int64_t before = world.MonotonicNs();
  EXPECT_FALSE(runtime.Drain(5 * kSecond));
  EXPECT_EQ(world.MonotonicNs() - before, 5 * kSecond);
  EXPECT_EQ(service.destroyed, 3);
}

TEST(SimCoresTest, RunEndsWhenACoreAsks) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world({.seed = seed});
    RuntimeOptions options = Cores(&world, 2);
    options.handle_signals = false;
    Runtime runtime(options);
    bool asked = false;
    world.After(3 * kSecond, [&] {
      runtime.Post(1, [&] {
        asked = true;
        runtime.RequestStop();
      });
    });
    EXPECT_EQ(runtime.Run(), 0);
    EXPECT_TRUE(asked);
    EXPECT_GE(world.MonotonicNs(), 4 * kSecond);
  }
}

TEST(SimCoresTest, TwoRuntimesShareAWorld) {
  World world({.seed = 4});
  Runtime one(Cores(&world, 2));
  Runtime two(Cores(&world, 2));
  ASSERT_TRUE(one.Start().ok());
  ASSERT_TRUE(two.Start().ok());
  int seen = -1;
  one.Post(1, [&] {
    EXPECT_EQ(one.CurrentCore(), 1);
    EXPECT_EQ(two.CurrentCore(), -1);
    two.Post(0, [&] {
      EXPECT_EQ(one.CurrentCore(), -1);
      EXPECT_EQ(two.CurrentCore(), 0);
      seen = 0;
    });
  });
  EXPECT_TRUE(world.RunUntil(kSecond, [&] { return seen == 0; }));
}

// An exception that a core is handling when it gives its turn away is its own.
TEST(SimCoresTest, ExceptionsStayOnTheirCore) {
  World world({.seed = 5});
  Runtime runtime(Cores(&world, 2));
  ASSERT_TRUE(runtime.Start().ok());
  const auto thrower = [](int n) -> Task<int> {
    for (int i = 0; i < 10; ++i) {
      try {
        co_await Yield();
        throw n;
      } catch (int caught) {
        EXPECT_EQ(caught, n);
        World::Current()->Block(World::Current()->MonotonicNs() + kMs,
                                [] { return false; });
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        EXPECT_NE(std::current_exception(), nullptr);
        try {
          throw;
        } catch (int again) {
          EXPECT_EQ(again, n);
        }
      }
    }
    co_return n;
  };
  auto one = Spawn(runtime, 0, thrower(1));
  auto two = Spawn(runtime, 1, thrower(2));
  EXPECT_EQ(*one.BlockingJoin(), 1);
  EXPECT_EQ(*two.BlockingJoin(), 2);
}

}  // namespace
}  // namespace percore::sim
