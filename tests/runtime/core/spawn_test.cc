#include "percore/runtime/core/spawn.h"

#include <atomic>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "percore/runtime/core/sharded.h"
#include "percore/runtime/core/sleep.h"
#include "percore/runtime/core/switch_to.h"
#include "percore/tests/runtime/core/virtual_clock.h"

namespace percore {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""us;

RuntimeOptions Cores(int n, Clock* clock = nullptr) {
  RuntimeOptions options;
  options.cores = n;
  options.clock = clock;
  return options;
}

Task<int> CurrentCore() { co_return RuntimeCore::Current()->CurrentCore(); }
Task<int> Throws() {
  co_await Yield();
  throw std::runtime_error("boom");
}
Task<> Forever(std::latch* started, std::atomic<int>* ended) {
  struct Ending {
    std::atomic<int>* count;
    int core;
    ~Ending() {
      EXPECT_EQ(RuntimeCore::Current()->CurrentCore(), core);
      ++*count;
    }
  } ending{ended, RuntimeCore::Current()->CurrentCore()};
  started->count_down();
  for (;;) co_await Sleep(1h);
}

TEST(Spawn, RunsOnTheCoreThatWasNamed) {
  Runtime runtime(Cores(4));
  ASSERT_TRUE(runtime.Start().ok());
  for (int core = 0; core < 4; ++core) {
    EXPECT_EQ(*BlockOn(runtime, core, CurrentCore()), core);
  }
}

TEST(Spawn, BlockOnThrowsWhatTheTaskThrows) {
  Runtime runtime(Cores(2));
  ASSERT_TRUE(runtime.Start().ok());
  EXPECT_THROW((void)BlockOn(runtime, 1, Throws()), std::runtime_error);
}

TEST(Spawn, BlockOnARuntimeThatDoesNotRunAnswers) {
  Runtime runtime(Cores(1));
  EXPECT_EQ(BlockOn(runtime, 0, CurrentCore()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Spawn, JoinFromAnotherCoreResumesThere) {
  Runtime runtime(Cores(2));
  ASSERT_TRUE(runtime.Start().ok());
  const auto join = [](Runtime* r) -> Task<int> {
    for (int i = 0; i < 200; ++i) {
      auto handle = Spawn(*r, i % 2, CurrentCore());
      if (i % 3 == 0) co_await Yield();  // sometimes it has ended already
      EXPECT_EQ(*co_await handle.Join(), i % 2);
      EXPECT_EQ(r->CurrentCore(), 0);
    }
    std::string caught;
    try {
      auto handle = Spawn(*r, 1, Throws());
      (void)co_await handle.Join();
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT_EQ(caught, "boom");
    co_return 1;
  };
  EXPECT_EQ(*BlockOn(runtime, 0, join(&runtime)), 1);
}

TEST(Spawn, CancelDestroysTheSuspendedTaskOnItsCore) {
  Runtime runtime(Cores(2));
  ASSERT_TRUE(runtime.Start().ok());
  for (int i = 0; i < 50; ++i) {
    std::latch started(1);
    std::atomic<int> ended{0};
    auto handle = Spawn(runtime, 1, Forever(&started, &ended));
    if (i % 2 == 0) started.wait();
    handle.Cancel();
    EXPECT_EQ(handle.BlockingJoin().code(), absl::StatusCode::kCancelled);
    EXPECT_LE(ended, 1);
    if (i % 2 == 0) {
      EXPECT_EQ(ended, 1);
    }
  }
}

TEST(Spawn, ATaskMayCancelItself) {
  Runtime runtime(Cores(1));
  ASSERT_TRUE(runtime.Start().ok());
  JoinHandle<void> handle;
  std::latch made(1);
  const auto self = [&]() -> Task<> {
    made.wait();
    handle.Cancel();  // takes effect from the loop, not under our feet
    handle.Cancel();
    co_await Sleep(1h);
  };
  handle = Spawn(runtime, 0, self());
  made.count_down();
  EXPECT_EQ(handle.BlockingJoin().code(), absl::StatusCode::kCancelled);
}

TEST(Spawn, CancellingAJoinDetachesFromTheTask) {
  Runtime runtime(Cores(2));
  ASSERT_TRUE(runtime.Start().ok());
  std::latch started(1);
  std::atomic<int> ended{0};
  auto target = Spawn(runtime, 1, Forever(&started, &ended));
  std::latch joining(1);
  const auto joiner = [&]() -> Task<> {
    joining.count_down();
    (void)co_await target.Join();
  };
  auto waiting = Spawn(runtime, 0, joiner());
  started.wait();
  joining.wait();
  waiting.Cancel();
  EXPECT_EQ(waiting.BlockingJoin().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(ended, 0);
  target.Cancel();
}

TEST(Spawn, ADrainEndsWhatStillRuns) {
  std::atomic<int> ended{0};
  std::latch started(3);
  std::vector<JoinHandle<void>> handles;
  Runtime runtime(Cores(3));
  ASSERT_TRUE(runtime.Start().ok());
  for (int core = 0; core < 3; ++core) {
    handles.push_back(Spawn(runtime, core, Forever(&started, &ended)));
  }
  started.wait();
  EXPECT_TRUE(runtime.Drain(5'000'000'000));
  EXPECT_EQ(ended, 3);
  for (auto& handle : handles) {
    EXPECT_EQ(handle.BlockingJoin().code(), absl::StatusCode::kCancelled);
  }
}

TEST(Spawn, WhatWasNeverStartedAnswersWhenTheRuntimeEnds) {
  JoinHandle<int> handle;
  {
    Runtime runtime(Cores(1));
    handle = Spawn(runtime, 0, CurrentCore());
  }
  EXPECT_EQ(handle.BlockingJoin().status().code(),
            absl::StatusCode::kUnavailable);
}

// --- Sleep
// --------------------------------------------------------------------

TEST(Sleep, TakesTheTimeItSaysOnAVirtualClock) {
  VirtualClock clock;
  Runtime runtime(Cores(1, &clock));
  ASSERT_TRUE(runtime.Start().ok());
  const auto sleep = [&]() -> Task<std::chrono::nanoseconds> {
    const auto before = clock.elapsed();
    co_await Sleep(24h);
    co_await Sleep(1ns);  // rounded up to a microsecond
    co_await Sleep(0ms);
    co_await Sleep(-5ms);
    co_return clock.elapsed() - before;
  };
  EXPECT_EQ(*BlockOn(runtime, 0, sleep()), 24h + 1us);
}

TEST(Sleep, SleepersWakeInTheOrderOfTheirTimes) {
  VirtualClock clock;
  Runtime runtime(Cores(1, &clock));
  ASSERT_TRUE(runtime.Start().ok());
  std::vector<int> order;
  const auto sleep = [&](int n) -> Task<> {
    co_await Sleep(std::chrono::minutes(n));
    order.push_back(n);
  };
  const auto all = [&]() -> Task<int> {
    std::vector<JoinHandle<void>> handles;
    for (int n : {3, 1, 2}) handles.push_back(Spawn(runtime, 0, sleep(n)));
    for (auto& handle : handles) (void)co_await handle.Join();
    co_return 1;
  };
  EXPECT_TRUE(BlockOn(runtime, 0, all()).ok());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Yield, LetsOthersRunFirst) {
  Runtime runtime(Cores(1));
  ASSERT_TRUE(runtime.Start().ok());
  std::vector<int> order;
  const auto turns = [&](int id) -> Task<> {
    for (int i = 0; i < 3; ++i) {
      order.push_back(id);
      co_await Yield();
    }
  };
  const auto both = [&]() -> Task<int> {
    auto a = Spawn(runtime, 0, turns(1));
    auto b = Spawn(runtime, 0, turns(2));
    (void)co_await a.Join();
    (void)co_await b.Join();
    co_return 1;
  };
  EXPECT_TRUE(BlockOn(runtime, 0, both()).ok());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 1, 2, 1, 2}));
}

// --- SwitchTo
// -----------------------------------------------------------------

Task<int> Inner(int core) {
  co_await SwitchTo(core);
  co_return RuntimeCore::Current()->CurrentCore();
}

// Many hops: the task must not run over there while its start is still on the
// stack here.
TEST(SwitchTo, TheWholeTaskGoesOnOverThere) {
  Runtime runtime(Cores(4));
  ASSERT_TRUE(runtime.Start().ok());
  const auto tour = [](Runtime* r) -> Task<int> {
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(co_await Inner(i % 4), i % 4);
      EXPECT_EQ(r->CurrentCore(), i % 4);
      if (i % 5 == 0) co_await Sleep(1us);  // on the loop that we are on now
      EXPECT_EQ(r->CurrentCore(), i % 4);
    }
    co_return r->CurrentCore();
  };
  EXPECT_EQ(*BlockOn(runtime, 1, tour(&runtime)), 3);
}

TEST(SwitchTo, CancelFindsATaskThatMoves) {
  Runtime runtime(Cores(2));
  ASSERT_TRUE(runtime.Start().ok());
  for (int i = 0; i < 100; ++i) {
    std::atomic<int> hops{0};
    const auto hop = [&]() -> Task<> {
      for (;;) {
        co_await SwitchTo(hops++ % 2);
        co_await Yield();
      }
    };
    auto handle = Spawn(runtime, i % 2, hop());
    while (hops < i % 10) std::this_thread::yield();
    handle.Cancel();
    EXPECT_EQ(handle.BlockingJoin().code(), absl::StatusCode::kCancelled);
  }
}

// --- Borrow
// -------------------------------------------------------------------

struct Slow {
  // Works on the caller's memory until it is told to end.
  Task<int> Use(std::string& text, std::atomic<int>* go) {
    text += " seen";
    while (*go == 0) co_await Yield();
    text += " used";
    co_return 1;
  }
};

TEST(Borrow, ACancelledLenderLivesUntilTheAnswer) {
  Runtime runtime(Cores(2));
  Sharded<Slow> slow(runtime);
  ASSERT_TRUE(runtime.Start().ok());
  std::atomic<int> go{0};
  std::latch lent(1);
  std::string last;
  const auto lend = [&](std::string* out) -> Task<> {
    struct Last {
      std::string text = "mine";
      std::string* out;
      ~Last() { *out = text; }
    } mine;
    mine.out = out;
    auto call = slow.On(
        1,
        [&go](Slow& s, std::string& text) -> Task<int> {
          return s.Use(text, &go);
        },
        Borrow(mine.text));
    lent.count_down();
    (void)co_await call;
    ADD_FAILURE() << "cancelled while it waited";
  };
  auto handle = Spawn(runtime, 0, lend(&last));
  lent.wait();
  // After a round through core 0 it waits, and the cancellation is there.
  EXPECT_TRUE(BlockOn(runtime, 0, CurrentCore()).ok());
  handle.Cancel();
  EXPECT_TRUE(BlockOn(runtime, 0, CurrentCore()).ok());
  EXPECT_TRUE(last.empty());
  go = 1;
  EXPECT_EQ(handle.BlockingJoin().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(last, "mine seen used");
}

}  // namespace
}  // namespace percore
