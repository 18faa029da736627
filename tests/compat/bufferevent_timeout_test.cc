// Inactivity timeouts of socket bufferevents. The waits are real: tens of
// milliseconds, because the library reads the real clock.

#include <event2/bufferevent.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

// A timeout counts from the turn's cached time, on a clock of 4 ms.
constexpr int kEarlyMs = 8;

// bufferevent/timeout
class BuffereventTimeoutTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    if (IsSkipped()) return;
    bev_ = std::make_unique<Stream>(NewSocket(pair_[0]), &journal_);
    start_ = NowUs();
  }
  void TearDown() override { bev_.reset(); }

  // -1: none.
  int Set(int read_ms, int write_ms) {
    const timeval read = Ms(read_ms), write = Ms(write_ms);
    return bufferevent_set_timeouts(*bev_, read_ms < 0 ? nullptr : &read,
                                    write_ms < 0 ? nullptr : &write);
  }
  int64_t ElapsedMs() const { return (NowUs() - start_) / 1000; }

  SocketPair pair_;
  std::unique_ptr<Stream> bev_;
  int64_t start_ = 0;
};
COMPAT_ON_FEW_STREAM_MODES(BuffereventTimeoutTest);

// semantics 10.7, 10.5
// api bufferevent_set_timeouts
// api BEV_EVENT_TIMEOUT, BEV_EVENT_READING
TEST_P(BuffereventTimeoutTest, ReadTimesOutAndIsDisabled) {
  EXPECT_EQ(Set(20, -1), 0);
  bev_->Enable(EV_READ);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_GE(ElapsedMs(), 20 - kEarlyMs);
  EXPECT_EQ(journal_, "s:TIMEOUT|R");
  EXPECT_EQ(bev_->Enabled(), EV_WRITE);
  RunFor(base(), 40);
  EXPECT_EQ(bev_->events(), 1);
  // What comes while disabled is read when it is enabled again.
  pair_.Send(1, "late");
  Settle();
  EXPECT_EQ(bev_->reads(), 0);
  bev_->Enable(EV_READ);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 2; }));
  EXPECT_EQ(journal_, "s:TIMEOUT|R s:read s:TIMEOUT|R");
}

// semantics 10.5: the direction is disabled before the callback.
TEST_P(BuffereventTimeoutTest, DisabledWhenTheCallbackRuns) {
  Set(10, -1);
  bev_->OnEvent([&] {
    EXPECT_EQ(bev_->Enabled(), EV_WRITE);
    if (bev_->events() == 1) bev_->Enable(EV_READ);
  });
  bev_->Enable(EV_READ);
  // Enabled in the callback: the timeout runs again.
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 2; }));
  EXPECT_GE(ElapsedMs(), 20 - kEarlyMs);
}

// semantics 10.7: only while read is enabled.
TEST_P(BuffereventTimeoutTest, NoReadTimeoutWhileDisabled) {
  Set(10, -1);
  RunFor(base(), 30);
  EXPECT_EQ(journal_, "");
  bev_->Enable(EV_READ);
  bev_->Disable(EV_READ);
  RunFor(base(), 30);
  EXPECT_EQ(journal_, "");
}

// semantics 10.7: it is inactivity that is measured.
TEST_P(BuffereventTimeoutTest, ArrivalsPutItOff) {
  Set(60, -1);
  bev_->Enable(EV_READ);
  Probe feeder(base(), nullptr, "f", -1, EV_PERSIST);
  feeder.OnCall([&] {
    pair_.Send(1);
    if (feeder.calls() == 6) feeder.Del();
  });
  feeder.Add(Ms(20));
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_GE(ElapsedMs(), 6 * 20 + 60 - kEarlyMs);
  EXPECT_EQ(bev_->InputSize(), 6u);
  EXPECT_EQ(bev_->last_event(), BEV_EVENT_TIMEOUT | BEV_EVENT_READING);
}

// semantics 10.7: not while the high watermark suspends reading.
TEST_P(BuffereventTimeoutTest, NoReadTimeoutAtTheHighMark) {
  bufferevent_setwatermark(*bev_, EV_READ, 0, 2);
  pair_.Send(1, "xyz");
  // At the mark each read callback causes the next one: count events only.
  bufferevent_data_cb none = nullptr;
  bufferevent_event_cb event_cb;
  void* arg;
  bufferevent_getcb(*bev_, nullptr, nullptr, &event_cb, &arg);
  bufferevent_setcb(*bev_, none, none, event_cb, arg);
  Set(20, -1);
  bev_->Enable(EV_READ);
  RunFor(base(), 50);
  EXPECT_EQ(bev_->events(), 0);
  EXPECT_EQ(bev_->InputSize(), 2u);
  bev_->Take();
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_EQ(bev_->Take(), "z");
}

// semantics 10.7: a write timeout needs output.
// api BEV_EVENT_WRITING
TEST_P(BuffereventTimeoutTest, WriteOnlyWhileThereIsOutput) {
  Set(-1, 20);
  RunFor(base(), 40);
  EXPECT_EQ(journal_, "");
  bev_->Put("goes out at once");
  RunFor(base(), 40);
  EXPECT_EQ(journal_, "s:write");
  journal_.clear();

  pair_.Fill(0);
  start_ = NowUs();
  bev_->Put("stuck");
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_GE(ElapsedMs(), 20 - kEarlyMs);
  EXPECT_EQ(journal_, "s:TIMEOUT|W");
  EXPECT_EQ(bev_->Enabled(), 0);
  EXPECT_EQ(bev_->OutputSize(), 5u);
}

// semantics 10.7: enabled again, the output goes on.
TEST_P(BuffereventTimeoutTest, WriteResumesWhenEnabledAgain) {
  Set(-1, 15);
  pair_.Fill(0);
  bev_->Put("stuck");
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  pair_.Drain(1);
  RunFor(base(), 30);
  EXPECT_EQ(bev_->OutputSize(), 5u);
  bev_->Enable(EV_WRITE);
  ASSERT_TRUE(RunUntil([&] { return bev_->writes() == 1; }));
  EXPECT_EQ(pair_.Drain(1), 5);
  EXPECT_EQ(bev_->events(), 1);
}

// Progress restarts the write timeout.
TEST_P(BuffereventTimeoutTest, WriteProgressPutsItOff) {
  Set(-1, 80);
  bev_->Put(std::string(1000000, 'w'));
  int got = 0;
  Probe reader(base(), nullptr, "r", -1, EV_PERSIST);
  reader.OnCall([&] {
    got += pair_.Drain(1);
    if (reader.calls() == 5) reader.Del();
  });
  reader.Add(Ms(25));
  ASSERT_TRUE(
      RunUntil([&] { return bev_->events() == 1 || bev_->writes() == 1; }));
  if (bev_->events() == 1) {
    EXPECT_GE(ElapsedMs(), 5 * 25 + 80 - kEarlyMs);
  }
}

// semantics 10.7: both, each with its own flag.
TEST_P(BuffereventTimeoutTest, BothDirections) {
  Set(15, 40);
  pair_.Fill(0);
  bev_->Put("stuck");
  bev_->Enable(EV_READ);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 2; }));
  EXPECT_EQ(journal_, "s:TIMEOUT|R s:TIMEOUT|W");
  EXPECT_EQ(bev_->Enabled(), 0);
}

TEST_P(BuffereventTimeoutTest, NullClears) {
  Set(15, 15);
  pair_.Fill(0);
  bev_->Put("stuck");
  bev_->Enable(EV_READ);
  EXPECT_EQ(bufferevent_set_timeouts(*bev_, nullptr, nullptr), 0);
  RunFor(base(), 40);
  EXPECT_EQ(journal_, "");
  EXPECT_EQ(bev_->Enabled(), EV_READ | EV_WRITE);
}

// Set while already enabled, it starts now.
TEST_P(BuffereventTimeoutTest, SetAfterEnable) {
  bev_->Enable(EV_READ);
  Settle();
  Set(20, -1);
  start_ = NowUs();
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_GE(ElapsedMs(), 20 - kEarlyMs);
  EXPECT_EQ(journal_, "s:TIMEOUT|R");
}

TEST_P(BuffereventTimeoutTest, ShorterAndLongerReplaceTheOld) {
  bev_->Enable(EV_READ);
  Set(3000, -1);
  Set(20, -1);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_LT(ElapsedMs(), 2000);
  Set(10, -1);
  bev_->Enable(EV_READ);
  Set(60, -1);
  start_ = NowUs();
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 2; }));
  EXPECT_GE(ElapsedMs(), 60 - kEarlyMs);
}

// A zero timeval is no timeout.
TEST_P(BuffereventTimeoutTest, ZeroIsNone) {
  Set(0, 0);
  bev_->Enable(EV_READ);
  bev_->Put("x");
  Settle();
  EXPECT_EQ(journal_, "s:write");
}

}  // namespace
}  // namespace compat
