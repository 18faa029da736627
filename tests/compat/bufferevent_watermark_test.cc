// Watermarks of socket bufferevents.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

// bufferevent/watermarks
class BuffereventWatermarkTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    if (IsSkipped()) return;
    bev_ = std::make_unique<Stream>(NewSocket(pair_[0]), &journal_);
  }
  void TearDown() override { bev_.reset(); }

  SocketPair pair_;
  std::unique_ptr<Stream> bev_;
};
COMPAT_ON_EVERY_STREAM_MODE(BuffereventWatermarkTest);

// semantics 10.2: the read callback waits for the low mark.
// api bufferevent_setwatermark
TEST_P(BuffereventWatermarkTest, ReadLow) {
  bufferevent_setwatermark(*bev_, EV_READ, 4, 0);
  bev_->Enable(EV_READ);
  pair_.Send(1, "abc");
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 3; }));
  Settle();
  EXPECT_EQ(journal_, "");
  pair_.Send(1, "d");
  ASSERT_TRUE(RunUntil([&] { return bev_->reads() == 1; }));
  EXPECT_EQ(bev_->InputSize(), 4u);
  // Each arrival above the mark is another call, read or not.
  pair_.Send(1, "e");
  ASSERT_TRUE(RunUntil([&] { return bev_->reads() == 2; }));
  EXPECT_EQ(bev_->Take(), "abcde");
  pair_.Send(1, "f");
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 1; }));
  Settle();
  EXPECT_EQ(journal_, "s:read s:read");
}

// A low mark lowered below what is there is not told of by itself.
TEST_P(BuffereventWatermarkTest, LoweringTheLowMarkCallsNothing) {
  bufferevent_setwatermark(*bev_, EV_READ, 100, 0);
  bev_->Enable(EV_READ);
  pair_.Send(1, "abc");
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 3; }));
  bufferevent_setwatermark(*bev_, EV_READ, 1, 0);
  Settle();
  EXPECT_EQ(journal_, "");
}

// semantics 10.3: the input never grows over the high mark.
TEST_P(BuffereventWatermarkTest, ReadHighStopsAndDrainingResumes) {
  bufferevent_setwatermark(*bev_, EV_READ, 0, 10);
  bev_->Enable(EV_READ);
  pair_.Send(1, "0123456789ABCDEFGHIJ");
  std::string got;
  bev_->OnRead([&] {
    EXPECT_LE(bev_->InputSize(), 10u);
    got += bev_->Take(3);
  });
  ASSERT_TRUE(RunUntil([&] { return got.size() + bev_->InputSize() == 20; }));
  Settle();
  EXPECT_EQ(got + bev_->Take(), "0123456789ABCDEFGHIJ");
  EXPECT_TRUE(bev_->Enabled() & EV_READ);
}

// semantics 10.3
TEST_P(BuffereventWatermarkTest, FullInputReadsNothing) {
  bufferevent_setwatermark(*bev_, EV_READ, 0, 10);
  bufferevent_setcb(*bev_, nullptr, nullptr, nullptr, nullptr);
  bev_->Enable(EV_READ);
  pair_.Send(1, std::string(100, 'x'));
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 10; }));
  Settle();
  EXPECT_EQ(bev_->InputSize(), 10u);
  EXPECT_EQ(pair_.Drain(0), 90);
  // Reading again as soon as it is below, by whoever drains.
  pair_.Send(1, "y");
  Settle();
  EXPECT_EQ(bev_->InputSize(), 10u);
  evbuffer_drain(bev_->input(), 1);
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 10; }));
  EXPECT_EQ(bev_->Take(), "xxxxxxxxxy");
}

// semantics 10.3: an input left at the high mark is told of again.
TEST_P(BuffereventWatermarkTest, FullInputIsToldOfAgain) {
  bufferevent_setwatermark(*bev_, EV_READ, 0, 5);
  bev_->Enable(EV_READ);
  pair_.Send(1, "12345");
  ASSERT_TRUE(RunUntil([&] { return bev_->reads() >= 4; }));
  EXPECT_EQ(bev_->InputSize(), 5u);
  bev_->Take(1);
  Settle();
  const int now = bev_->reads();
  Settle();
  EXPECT_EQ(bev_->reads(), now);
}

// semantics 10.3: not from within: that callback would never end.
TEST_P(BuffereventWatermarkTest, ToldAgainFromTheLoop) {
  bufferevent_setwatermark(*bev_, EV_READ, 0, 5);
  bev_->Enable(EV_READ);
  int depth = 0, deepest = 0;
  bev_->OnRead([&] {
    ++depth;
    deepest = std::max(deepest, depth);
    if (bev_->reads() == 3) bev_->Take();
    --depth;
  });
  pair_.Send(1, "12345");
  ASSERT_TRUE(RunUntil([&] { return bev_->reads() == 3; }));
  EXPECT_EQ(deepest, 1);
}

// A high mark put below what is already there.
TEST_P(BuffereventWatermarkTest, HighMarkBelowTheInput) {
  bev_->Enable(EV_READ);
  pair_.Send(1, "0123456789");
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 10; }));
  bufferevent_setwatermark(*bev_, EV_READ, 0, 5);
  pair_.Send(1, "AB");
  Settle();
  EXPECT_EQ(bev_->InputSize(), 10u);
  // Removed, reading goes on at once.
  bufferevent_setwatermark(*bev_, EV_READ, 0, 0);
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 12; }));
}

TEST_P(BuffereventWatermarkTest, RaisingTheHighMarkResumes) {
  bufferevent_setwatermark(*bev_, EV_READ, 0, 4);
  bufferevent_setcb(*bev_, nullptr, nullptr, nullptr, nullptr);
  bev_->Enable(EV_READ);
  pair_.Send(1, "0123456789");
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 4; }));
  bufferevent_setwatermark(*bev_, EV_READ, 0, 7);
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 7; }));
  Settle();
  EXPECT_EQ(bev_->InputSize(), 7u);
}

// A full input that is enabled meanwhile stays suspended.
TEST_P(BuffereventWatermarkTest, EnablingDoesNotLiftTheMark) {
  bufferevent_setwatermark(*bev_, EV_READ, 0, 4);
  bufferevent_setcb(*bev_, nullptr, nullptr, nullptr, nullptr);
  bev_->Enable(EV_READ);
  pair_.Send(1, "0123456789");
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 4; }));
  bev_->Disable(EV_READ);
  bev_->Enable(EV_READ);
  Settle();
  EXPECT_EQ(bev_->InputSize(), 4u);
  bev_->Disable(EV_READ);
  bev_->Take();
  Settle();
  EXPECT_EQ(bev_->InputSize(), 0u);
  bev_->Enable(EV_READ);
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 4; }));
}

// semantics 10.2: the write callback comes at the low mark.
TEST_P(BuffereventWatermarkTest, WriteLowZeroIsDrained) {
  const int filled = pair_.Fill(0);
  bev_->Put(std::string(1000, 'w'));
  Settle();
  EXPECT_EQ(journal_, "");
  int got = pair_.Drain(1);
  ASSERT_TRUE(RunUntil([&] {
    got += pair_.Drain(1);
    return bev_->writes() == 1;
  }));
  got += pair_.Drain(1);
  EXPECT_EQ(bev_->OutputSize(), 0u);
  EXPECT_EQ(got, filled + 1000);
  EXPECT_EQ(journal_, "s:write");
}

// semantics 10.2
TEST_P(BuffereventWatermarkTest, WriteLow) {
  bufferevent_setwatermark(*bev_, EV_WRITE, 400000, 0);
  size_t first_size = 0;
  bev_->OnWrite([&] {
    if (bev_->writes() == 1) first_size = bev_->OutputSize();
    EXPECT_LE(bev_->OutputSize(), 400000u);
  });
  bev_->Put(std::string(2000000, 'w'));
  Settle();
  EXPECT_EQ(bev_->writes(), 0);
  int got = 0;
  ASSERT_TRUE(RunUntil([&] {
    got += pair_.Drain(1);
    return bev_->writes() > 0;
  }));
  EXPECT_GT(first_size, 0u);
  ASSERT_TRUE(RunUntil([&] {
    got += pair_.Drain(1);
    return got == 2000000;
  }));
  Settle();
  // Once for each progress below the mark, the last time drained.
  EXPECT_GT(bev_->writes(), 1);
  EXPECT_EQ(bev_->OutputSize(), 0u);
}

// A write high mark stops nothing on a socket.
TEST_P(BuffereventWatermarkTest, WriteHighIsForOthers) {
  bufferevent_setwatermark(*bev_, EV_WRITE, 0, 5);
  EXPECT_EQ(bev_->Put("more than five"), 0);
  EXPECT_EQ(bev_->OutputSize(), 14u);
  ASSERT_TRUE(RunUntil([&] { return bev_->writes() == 1; }));
  EXPECT_EQ(pair_.Drain(1), 14);
}

// The marks of several streams that echo to one another keep memory bounded.
TEST_P(BuffereventWatermarkTest, SlowReaderBoundsTheSender) {
  constexpr size_t kMark = 20000;
  Stream sink(NewSocket(pair_[1]));
  bufferevent_setwatermark(sink, EV_READ, 0, kMark);
  bufferevent_setwatermark(*bev_, EV_WRITE, kMark, 0);
  size_t sent = 0, taken = 0;
  const std::string block(kMark, 'b');
  const auto feed = [&] {
    while (sent < 1000000 && bev_->OutputSize() <= kMark) {
      bev_->Put(block);
      sent += block.size();
    }
    EXPECT_LE(bev_->OutputSize(), 2 * kMark);
  };
  bev_->OnWrite(feed);
  sink.OnRead([&] {
    EXPECT_LE(sink.InputSize(), kMark);
    taken += sink.Take().size();
  });
  sink.Enable(EV_READ);
  feed();
  ASSERT_TRUE(RunUntil([&] { return taken == 1000000; }));
}

}  // namespace
}  // namespace compat
