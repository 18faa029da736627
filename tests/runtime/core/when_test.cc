#include "percore/runtime/core/when.h"

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "percore/runtime/core/sharded.h"
#include "percore/runtime/core/sleep.h"
#include "percore/runtime/core/spawn.h"
#include "percore/runtime/core/timeout.h"
#include "percore/tests/runtime/core/virtual_clock.h"

namespace percore {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

// One core on a virtual clock.
class WhenTest : public testing::Test {
 public:
  WhenTest() : runtime_(Options(&clock_)) {
    EXPECT_TRUE(runtime_.Start().ok());
  }
  static RuntimeOptions Options(Clock* clock) {
    RuntimeOptions options;
    options.cores = 1;
    options.clock = clock;
    return options;
  }
  template <typename T>
  AnswerOf<T> Run(Task<T> task) {
    return BlockOn(runtime_, 0, std::move(task));
  }

  // Counts frames, to see that they are gone.
  struct Alive {
    explicit Alive(WhenTest* t) : test(t) { ++test->alive_; }
    Alive(const Alive&) = delete;
    ~Alive() { --test->alive_; }
    WhenTest* test;
  };
  Task<int> After(std::chrono::nanoseconds delay, int value) {
    Alive alive(this);
    co_await Sleep(delay);
    co_return value;
  }
  Task<> VoidAfter(std::chrono::nanoseconds delay) {
    Alive alive(this);
    co_await Sleep(delay);
  }
  Task<int> ThrowAfter(std::chrono::nanoseconds delay, const char* what) {
    co_await Sleep(delay);
    throw std::runtime_error(what);
  }
  static Task<int> Now(int value) { co_return value; }

  int alive_ = 0;
  VirtualClock clock_;
  Runtime runtime_;
};

TEST_F(WhenTest, AllGivesEveryValueAndTakesTheLongestTime) {
  const auto all = [this]() -> Task<std::string> {
    const auto before = clock_.elapsed();
    auto [a, b, nothing, c] =
        co_await WhenAll(After(3s, 1), Now(2), VoidAfter(1s), After(2s, 3));
    static_assert(std::is_same_v<decltype(nothing), std::monostate>);
    EXPECT_EQ(clock_.elapsed() - before, 3s);
    co_return std::to_string(a) + std::to_string(b) + std::to_string(c);
  };
  EXPECT_EQ(*Run(all()), "123");
  EXPECT_EQ(alive_, 0);
}

TEST_F(WhenTest, AllOfAVectorKeepsTheOrder) {
  const auto all = [this]() -> Task<std::vector<int>> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 10; ++i) {
      tasks.push_back(After(std::chrono::seconds(10 - i), i));
    }
    co_return co_await WhenAll(std::move(tasks));
  };
  EXPECT_EQ(*Run(all()), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  const auto none = []() -> Task<std::size_t> {
    co_return (co_await WhenAll(std::vector<Task<int>>())).size();
  };
  EXPECT_EQ(*Run(none()), 0u);
}

TEST_F(WhenTest, AllWaitsForEveryoneAndThrowsTheFirstInOrder) {
  const auto all = [this]() -> Task<std::string> {
    const auto before = clock_.elapsed();
    std::string caught;
    try {
      (void)co_await WhenAll(ThrowAfter(2s, "first"), ThrowAfter(1s, "second"),
                             After(5s, 1));
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT_EQ(clock_.elapsed() - before, 5s);
    co_return caught;
  };
  EXPECT_EQ(*Run(all()), "first");
}

TEST_F(WhenTest, AnyGivesTheFirstAndDestroysTheOthers) {
  const auto any = [this]() -> Task<int> {
    const auto before = clock_.elapsed();
    auto first =
        co_await WhenAny(After(1h, 1), VoidAfter(2s), ThrowAfter(3s, "late"));
    EXPECT_EQ(first.index(), 1u);
    EXPECT_EQ(alive_, 0);
    EXPECT_EQ(clock_.elapsed() - before, 2s);
    // One that ends at once: those behind it are not started.
    auto at_once = co_await WhenAny(Now(7), After(1s, 8));
    EXPECT_EQ(at_once.index(), 0u);
    EXPECT_EQ(std::get<0>(at_once), 7);
    std::vector<Task<int>> tasks;
    tasks.push_back(After(3s, 30));
    tasks.push_back(After(1s, 10));
    auto [index, value] = co_await WhenAny(std::move(tasks));
    EXPECT_EQ(index, 1u);
    co_return value;
  };
  EXPECT_EQ(*Run(any()), 10);
  EXPECT_EQ(alive_, 0);
}

TEST_F(WhenTest, AnyThrowsWhatTheFirstThrew) {
  const auto any = [this]() -> Task<std::string> {
    std::string caught;
    try {
      (void)co_await WhenAny(After(2s, 1), ThrowAfter(1s, "early"));
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    co_return caught;
  };
  EXPECT_EQ(*Run(any()), "early");
  EXPECT_EQ(alive_, 0);
}

TEST_F(WhenTest, TimeoutEndsWhatTakesTooLong) {
  const auto task = [this]() -> Task<int> {
    const auto before = clock_.elapsed();
    auto late = co_await WithTimeout(5s, After(1h, 1));
    EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(alive_, 0);
    EXPECT_EQ(clock_.elapsed() - before, 5s);
    auto in_time = co_await WithTimeout(5s, After(1s, 2));
    EXPECT_EQ(clock_.elapsed() - before, 6s);
    auto nothing = co_await WithTimeout(5s, VoidAfter(1s));
    EXPECT_TRUE(nothing.ok());
    auto at_once = co_await WithTimeout(0s, Now(3));
    EXPECT_EQ(*at_once, 3);
    bool thrown = false;
    try {
      (void)co_await WithTimeout(5s, ThrowAfter(1s, "x"));
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
    co_return *in_time;
  };
  EXPECT_EQ(*Run(task()), 2);
}

TEST_F(WhenTest, TimeoutsNest) {
  const auto inner = [this]() -> Task<int> {
    auto answer = co_await WithTimeout(10s, After(1h, 1));
    co_return answer.ok() ? 1 : 0;
  };
  const auto task = [&]() -> Task<int> {
    auto outer_first = co_await WithTimeout(5s, inner());
    EXPECT_FALSE(outer_first.ok());
    auto inner_first = co_await WithTimeout(20s, inner());
    EXPECT_TRUE(inner_first.ok());
    co_return *inner_first;
  };
  EXPECT_EQ(*Run(task()), 0);
  EXPECT_EQ(alive_, 0);
}

TEST_F(WhenTest, CancellingTheOneAboveCancelsAll) {
  std::latch started(1);
  const auto task = [&]() -> Task<> {
    started.count_down();
    (void)co_await WhenAll(
        [](WhenTest* t) -> Task<int> {
          Alive alive(t);
          co_await Sleep(1000h * 1000);
          co_return 1;
        }(this),
        [](WhenTest* t) -> Task<> {
          Alive alive(t);
          (void)co_await WithTimeout(1000h * 1000, t->After(1000h * 2000, 1));
        }(this));
  };
  auto handle = Spawn(runtime_, 0, task());
  started.wait();
  handle.Cancel();
  (void)handle.BlockingJoin();
  EXPECT_EQ(alive_, 0);
}

// A loser that has lent its memory to another core is waited for.
TEST(WhenBorrow, ATimeoutWaitsForWhatWasLent) {
  struct Slow {
    Task<> Use(std::string& text, std::shared_ptr<std::atomic<bool>> go) {
      while (!*go) co_await Yield();
      text += "used";
    }
  };
  RuntimeOptions options;
  options.cores = 2;
  Runtime runtime(options);
  Sharded<Slow> slow(runtime);
  ASSERT_TRUE(runtime.Start().ok());
  auto go = std::make_shared<std::atomic<bool>>(false);
  std::string seen;
  const auto lender = [&]() -> Task<int> {
    struct Last {
      std::string text;
      std::string* out;
      ~Last() { *out = text; }
    } mine;
    mine.out = &seen;
    (void)co_await slow.On(1, &Slow::Use, Borrow(mine.text), go);
    ADD_FAILURE() << "resumed after its time";
    co_return 1;
  };
  const auto task = [&]() -> Task<int> {
    const auto opener = [&]() -> Task<> {
      co_await Sleep(std::chrono::milliseconds(20));  // after the timeout
      EXPECT_EQ(seen, "");
      *go = true;
    };
    auto handle = Spawn(runtime, 0, opener());
    // Real time: two loops cannot share a virtual clock.
    auto answer = co_await WithTimeout(std::chrono::milliseconds(2), lender());
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(seen, "used");
    (void)co_await handle.Join();
    co_return 1;
  };
  EXPECT_TRUE(BlockOn(runtime, 0, task()).ok());
}

}  // namespace
}  // namespace percore
