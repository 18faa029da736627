#include "percore/runtime/loop/loop_stats.h"

#include <event2/event.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "percore/runtime/loop/event_base.h"

namespace percore {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

EventBase* NewOwned(bool timing) {
  BaseConfig config;
  config.owned = true;
  EventBase* base = EventBase::Create(&config);
  base->SetTiming(timing);
  return base;
}

void Send(EventBase* to, int n) {
  for (int i = 0; i < n; ++i) {
    ASSERT_EQ(to->mailbox()->Send(Message([] {})), SendResult::kOk);
  }
}

TEST(Histogram, BucketsAreThePowersOfTwo) {
  Histogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0u);
  for (std::uint64_t value : {0, 1, 2, 3, 4}) histogram.Add(value);
  EXPECT_EQ(histogram.counts[0], 1u);
  EXPECT_EQ(histogram.counts[1], 1u);
  EXPECT_EQ(histogram.counts[2], 2u);
  EXPECT_EQ(histogram.counts[3], 1u);
  histogram.Add(~std::uint64_t{0});
  EXPECT_EQ(histogram.counts.back(), 1u);
  EXPECT_EQ(histogram.Total(), 6u);
  EXPECT_EQ(histogram.Quantile(0.5), 4u);
}

TEST(LoopStats, MailFromOutsideIsTimedOneByOne) {
  EventBase* base = NewOwned(/*timing=*/true);
  Send(base, 40);
  // Real time: the delay that is to be seen.
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  base->Loop(EVLOOP_NONBLOCK);
  const LoopStats stats = base->Stats();
  EXPECT_EQ(stats.messages_run, 40u);
  EXPECT_EQ(stats.mail_depth.Total(), 1u);
  EXPECT_EQ(stats.mail_depth.Quantile(1), 64u);  // 40 is in [32, 64)
  EXPECT_EQ(stats.mail_delay_ns.Total(), 40u);
  // Every one of them waited at least so long.
  EXPECT_GE(stats.mail_delay_ns.Quantile(0.001), 4 * kMs);
  base->Free(true);
}

TEST(LoopStats, OneMessageOfABatchIsTimed) {
  EventBase* from = NewOwned(/*timing=*/false);
  EventBase* to = NewOwned(/*timing=*/true);
  from->mailbox()->Send(Message([to] { Send(to, 40); }));
  from->Loop(EVLOOP_NONBLOCK);  // three batches: 16, 16 and 8
  to->Loop(EVLOOP_NONBLOCK);
  EXPECT_EQ(from->Stats().message_batches, 3u);
  EXPECT_EQ(to->Stats().messages_run, 40u);
  EXPECT_EQ(to->Stats().mail_delay_ns.Total(), 3u);
  from->Free(true);
  to->Free(true);
}

// What waits in the sender's outbox waits: the delay begins at the post.
TEST(LoopStats, TheDelayBeginsInTheOutbox) {
  EventBase* from = NewOwned(/*timing=*/false);
  EventBase* to = NewOwned(/*timing=*/true);
  from->mailbox()->Send(Message([to] {
    Send(to, 1);
    // Real time: the callback after the post is what is to be seen.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }));
  from->Loop(EVLOOP_NONBLOCK);
  to->Loop(EVLOOP_NONBLOCK);
  EXPECT_EQ(to->Stats().mail_delay_ns.Total(), 1u);
  EXPECT_GE(to->Stats().mail_delay_ns.Quantile(1), 4 * kMs);
  from->Free(true);
  to->Free(true);
}

TEST(LoopStats, NothingIsTimedUnlessAskedFor) {
  EventBase* base = NewOwned(/*timing=*/false);
  Send(base, 3);
  base->Loop(EVLOOP_NONBLOCK);
  // Sent while it was off, run while it is on: no delay is made up.
  Send(base, 3);
  base->SetTiming(true);
  base->Loop(EVLOOP_NONBLOCK);
  const LoopStats stats = base->Stats();
  EXPECT_EQ(stats.messages_run, 6u);
  EXPECT_EQ(stats.mail_depth.Total(), 1u);
  EXPECT_EQ(stats.mail_delay_ns.Total(), 0u);
  base->Free(true);
}

}  // namespace
}  // namespace percore
