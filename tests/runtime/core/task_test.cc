#include "percore/runtime/core/task.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "percore/runtime/core/driver.h"

namespace percore {
namespace {

// Runs a task to its first wait, without any loop.
template <typename T>
Driver Drive(Task<T> task, std::optional<T>* out, std::exception_ptr* error) {
  try {
    out->emplace(co_await task);
  } catch (...) {
    *error = std::current_exception();
  }
}

template <typename T>
T RunNow(Task<T> task) {
  CoreScope scope;
  std::optional<T> out;
  std::exception_ptr error;
  Drive(std::move(task), &out, &error).Start(&scope);
  if (error != nullptr) std::rethrow_exception(error);
  return std::move(*out);
}

// Something to wait for, that tells when its waiter went away.
class Gate {
 public:
  struct Awaiter {
    Gate* gate;
    explicit Awaiter(Gate* g) : gate(g) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (gate->waiter == nullptr) return;
      gate->waiter = nullptr;
      ++gate->withdrawn;
    }
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      gate->waiter = handle;
    }
    void await_resume() const {}
  };
  Awaiter operator co_await() { return Awaiter(this); }
  void Open() { std::exchange(waiter, nullptr).resume(); }

  std::coroutine_handle<> waiter;
  int withdrawn = 0;
};

Task<int> Value(int n) { co_return n; }
Task<std::unique_ptr<int>> MoveOnly() { co_return std::make_unique<int>(7); }
Task<int> Throws() {
  throw std::runtime_error("thrown");
  co_return 0;
}
Task<> Nothing() { co_return; }

TEST(Task, GivesValuesOfAnyKind) {
  EXPECT_EQ(RunNow(Value(3)), 3);
  EXPECT_EQ(*RunNow(MoveOnly()), 7);
  const auto voids = []() -> Task<int> {
    co_await Nothing();
    co_return 1;
  };
  EXPECT_EQ(RunNow(voids()), 1);
}

TEST(Task, IsLazy) {
  bool ran = false;
  const auto set = [](bool* flag) -> Task<int> {
    *flag = true;
    co_return 1;
  };
  {
    Task<int> never = set(&ran);
    EXPECT_TRUE(never.valid());
    EXPECT_FALSE(ran);
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(RunNow(set(&ran)), 1);
  EXPECT_TRUE(ran);
}

TEST(Task, AnExceptionReachesTheAwaiter) {
  EXPECT_THROW(RunNow(Throws()), std::runtime_error);
  const auto catches = []() -> Task<std::string> {
    std::string what;
    try {
      co_await Throws();
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    co_return what;
  };
  EXPECT_EQ(RunNow(catches()), "thrown");
}

// Without tail calls (debug, sanitizers) a nested resume for each would need
// some 100 bytes of stack a turn: a million of them are far more than 8 MiB.
TEST(Task, ALoopOfTasksThatDoNotWaitKeepsTheStackFlat) {
  constexpr int kTasks = 1000000;
  const auto count = [](int n) -> Task<long> {
    long sum = 0;
    for (int i = 0; i < n; ++i) sum += co_await Value(1);
    co_return sum;
  };
  EXPECT_EQ(RunNow(count(kTasks)), kTasks);
}

Task<int> Depth(int n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await Depth(n - 1);
}

TEST(Task, TasksNest) { EXPECT_EQ(RunNow(Depth(1000)), 1000); }

Task<int> WaitDeep(Gate* gate, int n) {
  if (n == 0) {
    co_await *gate;
    co_return 0;
  }
  co_return 1 + co_await WaitDeep(gate, n - 1);
}

TEST(Task, AWaitFarBelowComesBackThroughEveryFrame) {
  Gate gate;
  CoreScope scope;
  std::optional<int> out;
  std::exception_ptr error;
  Drive(WaitDeep(&gate, 500), &out, &error).Start(&scope);
  EXPECT_FALSE(out.has_value());
  EXPECT_FALSE(scope.empty());
  gate.Open();
  EXPECT_EQ(out, 500);
  EXPECT_TRUE(scope.empty());
}

struct Tracked {
  explicit Tracked(int* count) : count_(count) { ++*count_; }
  ~Tracked() { --*count_; }
  Tracked(const Tracked&) = delete;
  int* count_;
};

Task<int> HoldWhileWaiting(Gate* gate, int* alive, int depth) {
  Tracked tracked(alive);
  if (depth == 0) {
    co_await *gate;
  } else {
    co_await HoldWhileWaiting(gate, alive, depth - 1);
  }
  co_return 1;
}

TEST(Task, DestroyingASuspendedTaskTakesEverythingUnderItAlong) {
  Gate gate;
  int alive = 0;
  CoreScope scope;
  std::optional<int> out;
  std::exception_ptr error;
  Drive(HoldWhileWaiting(&gate, &alive, 5), &out, &error).Start(&scope);
  EXPECT_EQ(alive, 6);
  scope.EndAll();
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(gate.withdrawn, 1);
  EXPECT_FALSE(out.has_value());
}

TEST(Task, MovingATaskMovesItsCoroutine) {
  int alive = 0;
  Gate gate;
  Task<int> a = HoldWhileWaiting(&gate, &alive, 0);
  Task<int> b = std::move(a);
  EXPECT_FALSE(a.valid());
  EXPECT_TRUE(b.valid());
  a = std::move(b);
  EXPECT_TRUE(a.valid());
  a.Reset();
  EXPECT_FALSE(a.valid());
}

// A root's end waits for what is lent.
TEST(TaskContext, EndsWhenTheLastLoanIsBack) {
  struct Root : ScopedRoot {
    int ended = 0;
    Root()
        : ScopedRoot([](TaskContext* c) { ++static_cast<Root*>(c)->ended; }) {}
  } root;
  CoreScope scope;
  ASSERT_TRUE(scope.Add(&root));
  root.Lend();
  root.Lend();
  scope.EndAll();
  EXPECT_EQ(root.ended, 0);
  EXPECT_FALSE(root.Return());
  EXPECT_EQ(root.ended, 0);
  EXPECT_FALSE(root.Return());
  EXPECT_EQ(root.ended, 1);
}

TEST(CoreScope, AClosedScopeTakesNoRoot) {
  struct Root : ScopedRoot {
    Root() : ScopedRoot([](TaskContext*) {}) {}
  } root;
  CoreScope scope;
  scope.Close();
  EXPECT_FALSE(scope.Add(&root));
  scope.Open();
  EXPECT_TRUE(scope.Add(&root));
}

}  // namespace
}  // namespace percore
