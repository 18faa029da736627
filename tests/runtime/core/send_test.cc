#include "percore/runtime/core/send.h"

#include <atomic>
#include <latch>

#include "gtest/gtest.h"
#include "percore/runtime/core/spawn.h"

namespace percore {
namespace {

RuntimeOptions Bounded(int cores, std::uint64_t bound) {
  RuntimeOptions options;
  options.cores = cores;
  options.mailbox_bound = bound;
  return options;
}

TEST(TrySend, AnswersOkFullAndClosed) {
  Runtime runtime(Bounded(2, 3));
  ASSERT_TRUE(runtime.Start().ok());
  std::latch held(1);
  std::latch release(1);
  ASSERT_EQ(TrySend(runtime, 1,
                    [&] {
                      held.count_down();
                      release.wait();
                    }),
            SendResult::kOk);
  held.wait();
  std::atomic<int> ran{0};
  int accepted = 0;
  while (TrySend(runtime, 1, [&] { ++ran; }) == SendResult::kOk) ++accepted;
  EXPECT_EQ(accepted, 3);
  EXPECT_EQ(TrySend(runtime, 1, [&] { ++ran; }), SendResult::kFull);
  release.count_down();
  while (ran < accepted) std::this_thread::yield();
  EXPECT_TRUE(runtime.Drain(5'000'000'000));
  EXPECT_EQ(ran, accepted);
}

TEST(Send, WaitsForRoomAndLosesNothing) {
  Runtime runtime(Bounded(2, 2));
  ASSERT_TRUE(runtime.Start().ok());
  static constexpr int kMessages = 2000;
  static std::atomic<int> ran;
  ran = 0;
  const auto flood = [](Runtime* r, int to) -> Task<int> {
    for (int i = 0; i < kMessages; ++i) {
      absl::Status sent = co_await Send(*r, to, [] { ++ran; });
      if (!sent.ok()) co_return i;
    }
    co_return kMessages;
  };
  auto other = Spawn(runtime, 1, flood(&runtime, 1));  // to itself
  EXPECT_EQ(*BlockOn(runtime, 0, flood(&runtime, 1)), kMessages);
  EXPECT_EQ(*other.BlockingJoin(), kMessages);
  while (ran < 2 * kMessages) std::this_thread::yield();
}

// While it waits for a loop that is held up it takes no turn of its own.
TEST(Send, DoesNotSpinWhileItWaits) {
  Runtime runtime(Bounded(2, 1));
  ASSERT_TRUE(runtime.Start().ok());
  std::latch held(1);
  std::latch release(1);
  ASSERT_EQ(TrySend(runtime, 1,
                    [&] {
                      held.count_down();
                      release.wait();
                    }),
            SendResult::kOk);
  held.wait();
  ASSERT_EQ(TrySend(runtime, 1, [] {}), SendResult::kOk);
  ASSERT_EQ(TrySend(runtime, 1, [] {}), SendResult::kFull);
  std::latch sending(1);
  const auto send = [&]() -> Task<absl::Status> {
    sending.count_down();
    co_return co_await Send(runtime, 1, [] {});
  };
  auto handle = Spawn(runtime, 0, send());
  sending.wait();
  const auto turns = [&]() -> Task<std::uint64_t> {
    co_return runtime.base(0)->Stats().turns;
  };
  const std::uint64_t before = *BlockOn(runtime, 0, turns());
  // Real time: for a spinning sender to show itself.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::uint64_t after = *BlockOn(runtime, 0, turns());
  EXPECT_LE(after - before, 6u);
  release.count_down();
  EXPECT_TRUE(handle.BlockingJoin().ok());
}

TEST(Send, ACancelledSenderLeavesNothingBehind) {
  Runtime runtime(Bounded(2, 1));
  ASSERT_TRUE(runtime.Start().ok());
  std::latch held(1);
  std::latch release(1);
  ASSERT_EQ(TrySend(runtime, 1,
                    [&] {
                      held.count_down();
                      release.wait();
                    }),
            SendResult::kOk);
  held.wait();
  ASSERT_EQ(TrySend(runtime, 1, [] {}), SendResult::kOk);
  static std::atomic<int> ran;
  ran = 0;
  std::latch sending(1);
  const auto send = [&]() -> Task<absl::Status> {
    sending.count_down();
    co_return co_await Send(runtime, 1, [] { ++ran; });
  };
  auto handle = Spawn(runtime, 0, send());
  sending.wait();
  handle.Cancel();
  EXPECT_EQ(handle.BlockingJoin().code(), absl::StatusCode::kCancelled);
  release.count_down();
  EXPECT_TRUE(runtime.Drain(5'000'000'000));
  EXPECT_EQ(ran, 0);
}

}  // namespace
}  // namespace percore
