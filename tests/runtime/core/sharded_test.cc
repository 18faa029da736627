#include "percore/runtime/core/sharded.h"

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

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;

RuntimeOptions Cores(int n) {
  RuntimeOptions options;
  options.cores = n;
  return options;
}

// Knows its core, and notices if it is used on another or after its death.
class Counter {
 public:
  explicit Counter(Shard shard, int start = 0)
      : shard_(shard), value_(std::make_unique<int>(start)) {}
  ~Counter() {
    if (shard_.runtime->CurrentCore() >= 0) CheckCore();
  }

  int Add(int n) {
    CheckCore();
    return *value_ += n;
  }
  int Get() { return Add(0); }
  int core() {
    CheckCore();
    return shard_.core;
  }
  void Touch() { Add(1); }
  int Throw() { throw std::runtime_error("from the shard"); }
  std::string Echo(std::string text) { return text; }
  absl::Status Refuse() { return absl::NotFoundError("no such thing"); }
  absl::StatusOr<int> Maybe(bool yes) {
    if (yes) return 1;
    return absl::NotFoundError("no");
  }
  std::unique_ptr<int> Swap(std::unique_ptr<int> other) {
    CheckCore();
    value_.swap(other);
    return other;
  }
  Task<std::string> Slowly(const std::string& text) {
    for (int i = 0; i < 3; ++i) {
      co_await Yield();
      CheckCore();
    }
    Touch();
    co_return text + "!";
  }
  Task<> ThrowSlowly() {
    co_await Yield();
    throw std::runtime_error("later");
  }
  Task<> Never() {
    for (;;) co_await Sleep(std::chrono::hours(1));
  }
  void Fill(std::string& out) { out = "filled"; }

 private:
  void CheckCore() { EXPECT_EQ(shard_.runtime->CurrentCore(), shard_.core); }

  Shard shard_;
  std::unique_ptr<int> value_;
};

class ShardedTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Cores, ShardedTest, testing::Values(2, 4));

Task<int> Everything(Sharded<Counter>& shards) {
  const int n = shards.cores();
  for (int core = 0; core < n; ++core) {
    EXPECT_EQ(*co_await shards.On(core, &Counter::core), core);
    EXPECT_EQ(*co_await shards.On(core, &Counter::Add, core + 1), core + 1);
    EXPECT_TRUE((co_await shards.On(core, &Counter::Touch)).ok());
    EXPECT_EQ(*co_await shards.On(core, [](Counter& c) { return c.Get(); }),
              core + 2);
    auto refused = co_await shards.On(core, &Counter::Refuse);
    EXPECT_EQ(refused.code(), absl::StatusCode::kNotFound);
    auto maybe = co_await shards.On(core, &Counter::Maybe, false);
    EXPECT_EQ(maybe.status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(*co_await shards.On(core, &Counter::Maybe, true), 1);
    std::string text(1000, 'x');
    auto slow = co_await shards.On(core, &Counter::Slowly, text);
    EXPECT_EQ(*slow, text + "!");
    auto moved =
        co_await shards.On(core, &Counter::Swap, std::make_unique<int>(100));
    EXPECT_EQ(**moved, core + 3);
    std::string lent = "empty";
    auto filled = co_await shards.On(core, &Counter::Fill, Borrow(lent));
    EXPECT_TRUE(filled.ok());
    EXPECT_EQ(lent, "filled");
    std::string caught;
    try {
      (void)co_await shards.On(core, &Counter::Throw);
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT_EQ(caught, "from the shard");
    try {
      (void)co_await shards.On(core, &Counter::ThrowSlowly);
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT_EQ(caught, "later");
  }
  const std::string key = "some key";
  EXPECT_EQ(*co_await shards.On(key, &Counter::core), shards.CoreOf(key));
  EXPECT_EQ(*co_await shards.OnKey(42, &Counter::core), shards.CoreOf(42));
  EXPECT_TRUE((co_await shards.OnAll(&Counter::Touch)).ok());
  auto cores = co_await shards.OnAll(&Counter::core);
  EXPECT_TRUE(cores.ok());
  for (int core = 0; core < n; ++core) {
    EXPECT_EQ((*cores)[static_cast<std::size_t>(core)], core);
  }
  auto none = co_await shards.OnAll(&Counter::Refuse);
  EXPECT_EQ(none.code(), absl::StatusCode::kNotFound);
  auto sum = co_await shards.MapReduce(0, &Counter::Get,
                                       [](int a, int b) { return a + b; });
  co_return *sum;
}

TEST_P(ShardedTest, CallsOfEveryKindFromEveryCoreConstructedBeforeStart) {
  Runtime runtime(Cores(GetParam()));
  Sharded<Counter> shards(runtime);
  ASSERT_TRUE(runtime.Start().ok());
  EXPECT_EQ(*BlockOn(runtime, 0, Everything(shards)), 101 * GetParam());
}

TEST_P(ShardedTest, ConstructedWhileTheRuntimeRunsOnItsOwnCores) {
  Runtime runtime(Cores(GetParam()));
  ASSERT_TRUE(runtime.Start().ok());
  Sharded<Counter> shards(runtime, 0);
  EXPECT_EQ(*BlockOn(runtime, GetParam() - 1, Everything(shards)),
            101 * GetParam());
}

TEST(Sharded, LocalIsTheCallersOwn) {
  Runtime runtime(Cores(2));
  Sharded<Counter> shards(runtime);
  ASSERT_TRUE(runtime.Start().ok());
  const auto local = [](Sharded<Counter>* s) -> Task<int> {
    co_return s->Local().core();
  };
  EXPECT_EQ(*BlockOn(runtime, 0, local(&shards)), 0);
  EXPECT_EQ(*BlockOn(runtime, 1, local(&shards)), 1);
}

#ifndef NDEBUG
TEST(ShardedDeathTest, LocalOffACoreIsNamedInOneSentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Runtime runtime(Cores(1));
  Sharded<Counter> shards(runtime);
  EXPECT_DEATH(shards.Local(),
               "Sharded::Local on object 0x[0-9a-f]+ of runtime \"percore\" "
               "belongs to the thread of a core but came from thread [0-9]+, "
               "which is no core of it");
}
#endif

TEST(Sharded, AConstructorsExceptionReachesWhoeverMakesIt) {
  struct Picky {
    explicit Picky(Shard shard) {
      if (shard.core == 1) throw std::runtime_error("not here");
    }
  };
  Runtime runtime(Cores(2));
  EXPECT_THROW(Sharded<Picky>{runtime}, std::runtime_error);
  ASSERT_TRUE(runtime.Start().ok());
  EXPECT_THROW(Sharded<Picky>{runtime}, std::runtime_error);
}

TEST(Sharded, TellsOfOneSenderArriveInOrder) {
  struct Log {
    std::vector<int> seen;
  };
  Runtime runtime(Cores(2));
  Sharded<Log> logs(runtime);
  ASSERT_TRUE(runtime.Start().ok());
  constexpr int kTells = 5000;
  for (int i = 0; i < kTells; ++i) {
    ASSERT_EQ(logs.Tell(1, [i](Log& log) { log.seen.push_back(i); }),
              SendResult::kOk);
  }
  const auto check = [](Sharded<Log>* s) -> Task<int> {
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(s->Tell(1, [i](Log& log) { log.seen.push_back(kTells + i); }),
                SendResult::kOk);
    }
    // A call is mail of the same sender: it comes behind them.
    auto seen = co_await s->On(1, [](Log& log) { return log.seen; });
    int last = -1;
    for (int value : *seen) {
      if (value < kTells) continue;
      EXPECT_GT(value, last);
      last = value;
    }
    co_return last;
  };
  EXPECT_EQ(*BlockOn(runtime, 0, check(&logs)), kTells + 99);
}

TEST(Sharded, ADetachedCallFinishesAndItsAnswerIsDropped) {
  Runtime runtime(Cores(2));
  Sharded<Counter> shards(runtime);
  ASSERT_TRUE(runtime.Start().ok());
  const auto drop = [](Sharded<Counter>* s) -> Task<int> {
    {
      auto call = s->On(1, &Counter::Add, 5);
      call.Start();
      auto slow = s->On(1, &Counter::Slowly, std::string("gone"));
      slow.Start();
    }
    // Both have run when the value says so; the frames are long gone.
    for (;;) {
      const int value = *co_await s->On(1, &Counter::Get);
      if (value == 6) co_return value;
      co_await Yield();
    }
  };
  EXPECT_EQ(*BlockOn(runtime, 0, drop(&shards)), 6);
}

TEST(Sharded, AFullMailboxIsAnAnswer) {
  RuntimeOptions options = Cores(2);
  options.mailbox_bound = 4;
  Runtime runtime(options);
  Sharded<Counter> shards(runtime);
  ASSERT_TRUE(runtime.Start().ok());
  std::latch held(1);
  std::latch release(1);
  ASSERT_EQ(shards.Tell(1,
                        [&](Counter&) {
                          held.count_down();
                          release.wait();
                        }),
            SendResult::kOk);
  held.wait();
  int accepted = 0;
  SendResult last = SendResult::kOk;
  while (last == SendResult::kOk && accepted < 100) {
    last = shards.Tell(1, [](Counter& c) { c.Touch(); });
    if (last == SendResult::kOk) ++accepted;
  }
  EXPECT_EQ(last, SendResult::kFull);
  const auto call = [](Sharded<Counter>* s) -> Task<absl::StatusCode> {
    auto answer = co_await s->On(1, &Counter::Get);
    co_return answer.status().code();
  };
  EXPECT_EQ(*BlockOn(runtime, 0, call(&shards)),
            absl::StatusCode::kResourceExhausted);
  release.count_down();
  // Stopping takes no room: a bounded mailbox does not keep it from working.
  EXPECT_TRUE(runtime.Drain(5'000'000'000));
}

// --- The two phases of a stop
// -------------------------------------------------

// Poisons its memory when it dies, so that a late call is seen (and ASan sees
// it in the heap).
class Mortal {
 public:
  explicit Mortal(Shard shard) : shard_(shard), alive_(new int(kAlive)) {}
  ~Mortal() { delete alive_; }

  int Work() {
    EXPECT_EQ(*alive_, kAlive);
    EXPECT_EQ(shard_.runtime->CurrentCore(), shard_.core);
    return ++worked;
  }
  Task<int> WorkSlowly() {
    Work();
    co_await Yield();
    co_await Sleep(50us);  // real time: to be under way when the stop comes
    co_return Work();
  }

  int worked = 0;

 private:
  static constexpr int kAlive = 0x600d;
  Shard shard_;
  int* alive_;
};

TEST_P(ShardedTest, CallsInFlightWhileDrainingNeverReachADeadObject) {
  for (int round = 0; round < 20; ++round) {
    Runtime runtime(Cores(GetParam()));
    Sharded<Mortal> shards(runtime);
    ASSERT_TRUE(runtime.Start().ok());
    std::atomic<int> answered{0};
    std::atomic<int> refused{0};
    std::atomic<int> other{0};
    const auto hammer = [&](int seed) -> Task<> {
      for (unsigned i = static_cast<unsigned>(seed);; ++i) {
        const int core = static_cast<int>(i * 7 % 31) % shards.cores();
        absl::StatusOr<int> answer;
        if (i % 3 == 0) {
          answer = co_await shards.On(core, &Mortal::WorkSlowly);
        } else {
          (void)shards.Tell(core, [](Mortal& m) { m.Work(); });
          answer = co_await shards.On(core, &Mortal::Work);
        }
        if (answer.ok()) {
          ++answered;
        } else if (absl::IsUnavailable(answer.status())) {
          ++refused;
          co_await Yield();
        } else {
          ++other;
        }
        // Local calls alone would never let the loop go on.
        if (i % 8 == 0) co_await Yield();
      }
    };
    std::vector<JoinHandle<void>> handles;
    for (int core = 0; core < GetParam(); ++core) {
      for (int i = 0; i < 4; ++i) {
        handles.push_back(Spawn(runtime, core, hammer(core * 10 + i)));
      }
    }
    std::atomic<bool> stop{false};
    std::thread outside([&] {
      while (!stop) {
        if (shards.Tell(0, [](Mortal& m) { m.Work(); }) ==
            SendResult::kClosed) {
          break;
        }
        // Real time: without a bound a thread outside could fill core 0's
        // mailbox faster than it is emptied.
        std::this_thread::sleep_for(100us);
      }
    });
    while (answered < 200) std::this_thread::yield();
    EXPECT_TRUE(runtime.Drain(10'000'000'000));
    stop = true;
    outside.join();
    EXPECT_EQ(other, 0);
    for (auto& handle : handles) {
      EXPECT_EQ(handle.BlockingJoin().code(), absl::StatusCode::kCancelled);
    }
  }
}

// What was sent before the stop has been done when it is over.
TEST_P(ShardedTest, TellsUnderWayArriveBeforeTheObjectsDie) {
  static std::atomic<int> done;
  struct Sink {
    void Take() { ++done; }
  };
  for (int round = 0; round < 20; ++round) {
    done = 0;
    Runtime runtime(Cores(GetParam()));
    Sharded<Sink> sinks(runtime);
    ASSERT_TRUE(runtime.Start().ok());
    std::atomic<int> sent{0};
    const auto tell = [&](int) -> Task<> {
      for (;;) {
        for (int core = 0; core < sinks.cores(); ++core) {
          if (sinks.Tell(core, [](Sink& s) { s.Take(); }) == SendResult::kOk) {
            ++sent;
          }
        }
        co_await Yield();
      }
    };
    std::vector<JoinHandle<void>> handles;
    for (int core = 0; core < GetParam(); ++core) {
      handles.push_back(Spawn(runtime, core, tell(core)));
    }
    while (sent < 500) std::this_thread::yield();
    EXPECT_TRUE(runtime.Drain(10'000'000'000));
    EXPECT_EQ(done, sent);
  }
}

// T is asked to quiesce and given its time.
class Busy {
 public:
  explicit Busy(std::atomic<int>* quiesced) : quiesced_(quiesced) {}
  void Quiesce(std::function<void()> done) {
    done_ = std::move(done);
    timer_.Start(
        std::chrono::milliseconds(1),
        [](void* self) {
          auto* busy = static_cast<Busy*>(self);
          ++*busy->quiesced_;
          busy->done_();
        },
        this);
  }

 private:
  std::atomic<int>* quiesced_;
  std::function<void()> done_;
  CoreTimeout timer_;
};
static_assert(Quiesces<Busy>);
static_assert(!Quiesces<Counter>);

TEST(Sharded, TheObjectsOwnQuiesceIsWaitedFor) {
  std::atomic<int> quiesced{0};
  Runtime runtime(Cores(2));
  Sharded<Busy> shards(runtime, &quiesced);
  ASSERT_TRUE(runtime.Start().ok());
  EXPECT_TRUE(runtime.Drain(5'000'000'000));
  EXPECT_EQ(quiesced, 2);
}

TEST(Sharded, ACallThatNeverEndsIsAbortedAtTheDeadline) {
  Runtime runtime(Cores(2));
  Sharded<Counter> shards(runtime);
  ASSERT_TRUE(runtime.Start().ok());
  std::latch under_way(1);
  const auto ask = [&]() -> Task<> {
    auto call = shards.On(1, &Counter::Never);
    call.Start();
    under_way.count_down();
    (void)co_await call;
  };
  auto handle = Spawn(runtime, 0, ask());
  under_way.wait();
  EXPECT_FALSE(runtime.Drain(20'000'000));  // 20 ms, of real time
  EXPECT_EQ(handle.BlockingJoin().code(), absl::StatusCode::kCancelled);
}

TEST(Sharded, OneAloneCanStopWhileTheRuntimeGoesOn) {
  Runtime runtime(Cores(2));
  ASSERT_TRUE(runtime.Start().ok());
  auto first = std::make_unique<Sharded<Counter>>(runtime);
  Sharded<Counter> second(runtime);
  EXPECT_EQ(*BlockOn(runtime, 0, Everything(*first)), 202);
  first.reset();
  EXPECT_EQ(*BlockOn(runtime, 0, Everything(second)), 202);
}

TEST(Sharded, AfterTheDrainCallsAreRefused) {
  Runtime runtime(Cores(2));
  Sharded<Counter> shards(runtime);
  ASSERT_TRUE(runtime.Start().ok());
  ASSERT_TRUE(runtime.Drain(5'000'000'000));
  EXPECT_EQ(shards.Tell(1, [](Counter&) { FAIL(); }), SendResult::kClosed);
}

}  // namespace
}  // namespace percore
