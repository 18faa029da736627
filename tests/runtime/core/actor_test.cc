#include "percore/runtime/core/actor.h"

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "percore/runtime/core/sleep.h"
#include "percore/runtime/core/spawn.h"

namespace percore {
namespace {

RuntimeOptions Cores(int n) {
  RuntimeOptions options;
  options.cores = n;
  return options;
}

std::atomic<int> live{0};

class Account {
 public:
  explicit Account(int balance, std::string owner = "")
      : balance_(balance), owner_(std::move(owner)) {
    ++live;
    core_ = RuntimeCore::Current()->CurrentCore();
  }
  ~Account() {
    EXPECT_EQ(RuntimeCore::Current()->CurrentCore(), core_);
    --live;
  }
  int Add(int n) {
    EXPECT_EQ(RuntimeCore::Current()->CurrentCore(), core_);
    return balance_ += n;
  }
  int balance() { return Add(0); }
  int Break() { throw std::runtime_error("overdrawn"); }
  Task<int> AddSlowly(int n) {
    co_await Yield();
    co_return Add(n);
  }
  Task<int> BreakSlowly() {
    co_await Yield();
    throw std::runtime_error("slowly overdrawn");
  }
  Task<int> Never() {
    co_await Sleep(std::chrono::hours(1));
    co_return 0;
  }

 private:
  int balance_;
  std::string owner_;
  int core_;
};

class ActorTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { live = 0; }
};
INSTANTIATE_TEST_SUITE_P(Cores, ActorTest, testing::Values(2, 4));

Task<int> Use(Runtime* runtime, int core) {
  auto account =
      ActorRef<Account>::Spawn(*runtime, core, {}, 10, std::string("me"));
  EXPECT_TRUE(account);
  EXPECT_EQ(account.core(), core);
  EXPECT_EQ(*co_await account.Ask(&Account::balance), 10);
  EXPECT_EQ(account.generation(), 1u);
  EXPECT_EQ(account.Tell([](Account& a) { a.Add(5); }), SendResult::kOk);
  EXPECT_EQ(*co_await account.Ask(&Account::AddSlowly, 1), 16);
  const ActorRef<Account> copy = account;
  EXPECT_EQ(copy, account);
  auto doubled =
      co_await copy.Ask([](Account& a, int by) { return a.balance() * by; }, 2);
  account.Stop();
  auto dead = co_await account.Ask(&Account::Never);
  EXPECT_EQ(dead.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(dead.status().message().find("it was stopped"), std::string::npos);
  EXPECT_FALSE(account.alive());
  co_return *doubled;
}

TEST_P(ActorTest, TellAskAndStopOnEveryCore) {
  Runtime runtime(Cores(GetParam()));
  ASSERT_TRUE(runtime.Start().ok());
  for (int core = 0; core < GetParam(); ++core) {
    EXPECT_EQ(*BlockOn(runtime, 0, Use(&runtime, core)), 32);
  }
  EXPECT_EQ(live, 0);
}

TEST_P(ActorTest, AFailureWithoutRestartsIsDeath) {
  Runtime runtime(Cores(GetParam()));
  ASSERT_TRUE(runtime.Start().ok());
  const auto task = [](Runtime* r, int core) -> Task<int> {
    auto account = ActorRef<Account>::Spawn(*r, core, {}, 1);
    auto waiting = Spawn(*r, 0, [](ActorRef<Account> a) -> Task<int> {
      auto answer = co_await a.Ask(&Account::Never);
      EXPECT_EQ(answer.status().code(), absl::StatusCode::kAborted);
      co_return 1;
    }(account));
    // Under way when the actor dies:
    while (account.generation() == 0) co_await Yield();
    co_await Sleep(std::chrono::milliseconds(2));  // real: it is asked by now
    auto failed = co_await account.Ask(&Account::Break);
    EXPECT_EQ(failed.status().code(), absl::StatusCode::kAborted);
    EXPECT_NE(failed.status().message().find("overdrawn"), std::string::npos);
    (void)co_await waiting.Join();
    auto later = co_await account.Ask(&Account::balance);
    EXPECT_EQ(later.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_NE(later.status().message().find("overdrawn"), std::string::npos);
    EXPECT_FALSE(account.alive());
    EXPECT_EQ(account.generation(), 1u);
    co_return 1;
  };
  EXPECT_TRUE(BlockOn(runtime, 0, task(&runtime, 0)).ok());
  EXPECT_TRUE(BlockOn(runtime, 0, task(&runtime, GetParam() - 1)).ok());
  EXPECT_EQ(live, 0);
}

TEST_P(ActorTest, ARestartedActorIsNewAndSaysSo) {
  Runtime runtime(Cores(GetParam()));
  ASSERT_TRUE(runtime.Start().ok());
  const auto task = [](Runtime* r, int core) -> Task<int> {
    auto account =
        ActorRef<Account>::Spawn(*r, core, RestartPolicy{.restarts = 2}, 1);
    EXPECT_EQ(*co_await account.Ask(&Account::Add, 9), 10);
    EXPECT_EQ((co_await account.Ask(&Account::BreakSlowly)).status().code(),
              absl::StatusCode::kAborted);
    co_await Yield();
    EXPECT_EQ(*co_await account.Ask(&Account::balance), 1);
    EXPECT_EQ(account.generation(), 2u);
    EXPECT_EQ(account.Tell([](Account& a) { a.Break(); }), SendResult::kOk);
    for (;;) {
      auto balance = co_await account.Ask(&Account::balance);
      if (account.generation() == 3 && balance.ok()) break;
      co_await Yield();
    }
    (void)co_await account.Ask(&Account::Break);
    while (account.alive()) co_await Yield();
    EXPECT_EQ(account.generation(), 3u);
    co_return 1;
  };
  EXPECT_TRUE(BlockOn(runtime, 0, task(&runtime, 0)).ok());
  EXPECT_TRUE(BlockOn(runtime, 0, task(&runtime, GetParam() - 1)).ok());
  EXPECT_EQ(live, 0);
}

TEST(Actor, AConstructorThatThrowsIsAFailure) {
  static std::atomic<int> attempts;
  attempts = 0;
  struct Picky {
    Picky() {
      if (++attempts < 3) throw std::runtime_error("not yet");
    }
    int Answer() { return 42; }
  };
  Runtime runtime(Cores(2));
  ASSERT_TRUE(runtime.Start().ok());
  auto dies = ActorRef<Picky>::Spawn(runtime, 1, {.restarts = 1});
  while (dies.alive()) std::this_thread::yield();
  EXPECT_EQ(attempts, 2);
  auto lives = ActorRef<Picky>::Spawn(runtime, 1, {.restarts = 1});
  while (lives.generation() == 0) std::this_thread::yield();
  const auto ask = [](ActorRef<Picky> a) -> Task<int> {
    co_return *co_await a.Ask(&Picky::Answer);
  };
  EXPECT_EQ(*BlockOn(runtime, 0, ask(lives)), 42);
}

TEST(Actor, ADrainDestroysActorsOnTheirCores) {
  live = 0;
  std::vector<ActorRef<Account>> accounts;
  Runtime runtime(Cores(2));
  ASSERT_TRUE(runtime.Start().ok());
  for (int i = 0; i < 20; ++i) {
    accounts.push_back(ActorRef<Account>::Spawn(runtime, i % 2, {}, i));
  }
  while (live < 20) std::this_thread::yield();
  EXPECT_TRUE(runtime.Drain(5'000'000'000));
  EXPECT_EQ(live, 0);
  for (const auto& account : accounts) EXPECT_FALSE(account.alive());
}

TEST(Actor, ManyTellFromEverywhere) {
  live = 0;
  Runtime runtime(Cores(4));
  ASSERT_TRUE(runtime.Start().ok());
  auto account = ActorRef<Account>::Spawn(runtime, 2, {}, 0);
  constexpr int kEach = 500;
  const auto tell = [](ActorRef<Account> a) -> Task<> {
    for (int i = 0; i < kEach; ++i) {
      EXPECT_EQ(a.Tell([](Account& x) { x.Add(1); }), SendResult::kOk);
      if (i % 50 == 0) co_await Yield();
    }
  };
  std::vector<JoinHandle<void>> handles;
  for (int core = 0; core < 4; ++core) {
    handles.push_back(Spawn(runtime, core, tell(account)));
  }
  std::thread outside([&] {
    for (int i = 0; i < kEach; ++i) {
      EXPECT_EQ(account.Tell([](Account& x) { x.Add(1); }), SendResult::kOk);
    }
  });
  for (auto& handle : handles) EXPECT_TRUE(handle.BlockingJoin().ok());
  outside.join();
  const auto sum = [](ActorRef<Account> a) -> Task<int> {
    for (;;) {
      const int n = *co_await a.Ask(&Account::balance);
      if (n == 5 * kEach) co_return n;
      co_await Yield();
    }
  };
  EXPECT_EQ(*BlockOn(runtime, 0, sum(account)), 5 * kEach);
}

}  // namespace
}  // namespace percore
