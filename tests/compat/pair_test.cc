// Two bufferevents connected in memory.

#include <event2/bufferevent.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

// bufferevent/bufferevent_pair, pair_flush
class PairTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    if (IsSkipped()) return;
    bufferevent* ends[2];
    ASSERT_EQ(bufferevent_pair_new(base(), options(), ends), 0);
    a_ = std::make_unique<Stream>(ends[0], &journal_, "a");
    b_ = std::make_unique<Stream>(ends[1], &journal_, "b");
  }
  void TearDown() override {
    a_.reset();
    b_.reset();
  }
  std::string Calls() {
    Settle();
    return std::exchange(journal_, "");
  }

  std::unique_ptr<Stream> a_, b_;
};
COMPAT_ON_EVERY_STREAM_MODE(PairTest);

// api bufferevent_pair_new, bufferevent_pair_get_partner
TEST_P(PairTest, New) {
  EXPECT_EQ(a_->Enabled(), EV_WRITE);
  EXPECT_EQ(b_->Enabled(), EV_WRITE);
  EXPECT_EQ(bufferevent_pair_get_partner(*a_), b_->bev());
  EXPECT_EQ(bufferevent_pair_get_partner(*b_), a_->bev());
  EXPECT_EQ(bufferevent_getfd(*a_), -1);
  EXPECT_EQ(bufferevent_get_base(*a_), base());
  EXPECT_EQ(bufferevent_get_underlying(*a_), nullptr);
  Stream other(NewSocket());
  EXPECT_EQ(bufferevent_pair_get_partner(other), nullptr);
}

// semantics 12.4: data moves at once, the callbacks are deferred always.
TEST_P(PairTest, DataMovesAtOnceCallbacksLater) {
  b_->Enable(EV_READ);
  a_->Put("hello");
  EXPECT_EQ(b_->InputSize(), 5u);
  EXPECT_EQ(a_->OutputSize(), 0u);
  EXPECT_EQ(journal_, "");
  const std::string calls = Calls();
  EXPECT_TRUE(calls == "a:write b:read" || calls == "b:read a:write") << calls;
  EXPECT_EQ(b_->Take(), "hello");
}

// semantics 12.4: both sides must want it.
TEST_P(PairTest, ReaderNotEnabled) {
  a_->Put("held");
  EXPECT_EQ(Calls(), "");
  EXPECT_EQ(a_->OutputSize(), 4u);
  b_->Enable(EV_READ);
  EXPECT_EQ(b_->InputSize(), 4u);
  EXPECT_NE(Calls(), "");
}

TEST_P(PairTest, WriterNotEnabled) {
  b_->Enable(EV_READ);
  a_->Disable(EV_WRITE);
  a_->Put("held");
  EXPECT_EQ(Calls(), "");
  EXPECT_EQ(b_->InputSize(), 0u);
  a_->Enable(EV_WRITE);
  EXPECT_EQ(b_->InputSize(), 4u);
  EXPECT_NE(Calls(), "");
}

// semantics 12.4: the reader's high mark
TEST_P(PairTest, HighMarkHoldsTheRest) {
  bufferevent_setwatermark(*b_, EV_READ, 0, 10);
  b_->Enable(EV_READ);
  bufferevent_setcb(*b_, nullptr, nullptr, nullptr, nullptr);
  a_->Put("0123456789ABCDE");
  EXPECT_EQ(b_->InputSize(), 10u);
  EXPECT_EQ(a_->OutputSize(), 5u);
  Settle();
  EXPECT_EQ(b_->InputSize(), 10u);
  EXPECT_EQ(b_->Take(4), "0123");
  Settle();
  EXPECT_EQ(b_->InputSize(), 10u);
  EXPECT_EQ(a_->OutputSize(), 1u);
  EXPECT_EQ(b_->Take(), "456789ABCD");
  Settle();
  EXPECT_EQ(b_->Take(), "E");
}

// semantics 10.2: of pairs too
TEST_P(PairTest, LowMarks) {
  bufferevent_setwatermark(*b_, EV_READ, 4, 0);
  b_->Enable(EV_READ);
  a_->Put("abc");
  EXPECT_EQ(Calls(), "a:write");
  a_->Put("d");
  Calls();
  EXPECT_EQ(b_->reads(), 1);
  EXPECT_EQ(b_->Take(), "abcd");
  // The writer is told when what is left is not over its mark.
  bufferevent_setwatermark(*b_, EV_READ, 0, 4);
  bufferevent_setwatermark(*a_, EV_WRITE, 2, 0);
  b_->OnRead([&] { b_->Take(); });
  const int writes = a_->writes();
  a_->Put("123456789");
  Settle();
  EXPECT_GT(a_->writes(), writes);
}

TEST_P(PairTest, BothWays) {
  a_->Enable(EV_READ);
  b_->Enable(EV_READ);
  a_->Put("to b");
  b_->Put("to a");
  Settle();
  EXPECT_EQ(a_->Take(), "to a");
  EXPECT_EQ(b_->Take(), "to b");
}

TEST_P(PairTest, PingPong) {
  int left = 1000;
  a_->OnRead([&] { a_->Put(a_->Take()); });
  b_->OnRead([&] {
    if (--left > 0) b_->Put(b_->Take());
  });
  a_->Enable(EV_READ);
  b_->Enable(EV_READ);
  b_->Put("ping");
  EXPECT_TRUE(RunUntil([&] { return left == 0; }));
}

// semantics 12.4, 10.12
TEST_P(PairTest, TheEndsThatArentYoursAreFrozen) {
  EXPECT_EQ(evbuffer_add(b_->input(), "x", 1), -1);
  a_->Put("x");
  EXPECT_EQ(evbuffer_drain(a_->output(), 1), -1);
  b_->Enable(EV_READ);
  EXPECT_EQ(evbuffer_add(b_->input(), "x", 1), -1);
  EXPECT_EQ(b_->Take(), "x");
}

// semantics 12.4: flush NORMAL does nothing.
TEST_P(PairTest, FlushNormal) {
  a_->Put("held");
  bufferevent_flush(*a_, EV_WRITE, BEV_NORMAL);
  EXPECT_EQ(Calls(), "");
  EXPECT_EQ(a_->OutputSize(), 4u);
}

// semantics 12.4: FLUSH moves ignoring watermarks.
TEST_P(PairTest, FlushIgnoresTheHighMark) {
  bufferevent_setwatermark(*b_, EV_READ, 0, 2);
  bufferevent_setcb(*b_, nullptr, nullptr, nullptr, nullptr);
  b_->Enable(EV_READ);
  a_->Put("abcdef");
  EXPECT_EQ(b_->InputSize(), 2u);
  EXPECT_EQ(bufferevent_flush(*a_, EV_WRITE, BEV_FLUSH), 0);
  EXPECT_EQ(b_->InputSize(), 6u);
  EXPECT_EQ(a_->OutputSize(), 0u);
}

TEST_P(PairTest, FlushOfTheReadingSidePulls) {
  bufferevent_setwatermark(*b_, EV_READ, 0, 2);
  bufferevent_setcb(*b_, nullptr, nullptr, nullptr, nullptr);
  b_->Enable(EV_READ);
  a_->Put("abcdef");
  EXPECT_EQ(bufferevent_flush(*b_, EV_READ, BEV_FLUSH), 0);
  EXPECT_EQ(b_->InputSize(), 6u);
}

// semantics 12.4: FINISHED also tells the partner of the end.
TEST_P(PairTest, FlushFinishedWriting) {
  b_->Enable(EV_READ);
  EXPECT_EQ(bufferevent_flush(*a_, EV_WRITE, BEV_FINISHED), 0);
  EXPECT_EQ(journal_, "");
  Settle();
  EXPECT_EQ(b_->events(), 1);
  EXPECT_EQ(b_->last_event(), BEV_EVENT_EOF | BEV_EVENT_READING);
  EXPECT_EQ(a_->events(), 0);
}

TEST_P(PairTest, FlushFinishedReading) {
  EXPECT_EQ(bufferevent_flush(*a_, EV_READ, BEV_FINISHED), 0);
  Settle();
  EXPECT_EQ(b_->events(), 1);
  EXPECT_EQ(b_->last_event(), BEV_EVENT_EOF | BEV_EVENT_WRITING);
  EXPECT_EQ(a_->events(), 0);
}

TEST_P(PairTest, FlushFinishedAfterData) {
  b_->Enable(EV_READ);
  a_->Put("last");
  EXPECT_EQ(bufferevent_flush(*a_, EV_WRITE, BEV_FINISHED), 0);
  Settle();
  EXPECT_EQ(b_->Take(), "last");
  EXPECT_EQ(b_->last_event(), BEV_EVENT_EOF | BEV_EVENT_READING);
  EXPECT_LT(journal_.find("b:read"), journal_.find("b:EOF"));
}

// semantics 12.4: a side freed: no event, and no partner any more.
TEST_P(PairTest, PartnerFreed) {
  b_->Enable(EV_READ);
  a_->Free();
  EXPECT_EQ(bufferevent_pair_get_partner(*b_), nullptr);
  EXPECT_EQ(bufferevent_flush(*b_, EV_WRITE, BEV_FLUSH), -1);
  EXPECT_EQ(b_->Put("to nobody"), 0);
  EXPECT_EQ(Calls(), "");
  EXPECT_EQ(b_->OutputSize(), 9u);
  EXPECT_EQ(b_->Enable(EV_READ), 0);
  EXPECT_EQ(bufferevent_pair_get_partner(*b_), nullptr);
}

// What had moved before is there still.
TEST_P(PairTest, DataOutlivesItsWriter) {
  b_->Enable(EV_READ);
  a_->Put("testament");
  a_->Free();
  EXPECT_EQ(Calls(), "b:read");
  EXPECT_EQ(b_->Take(), "testament");
}

TEST_P(PairTest, FreeBothInACallback) {
  b_->OnRead([&] {
    a_->Free();
    b_->Free();
  });
  b_->Enable(EV_READ);
  a_->Put("x");
  EXPECT_TRUE(RunUntil([&] { return b_->bev() == nullptr; }));
  Settle();
}

TEST_P(PairTest, Trigger) {
  bufferevent_trigger(*a_, EV_READ | EV_WRITE, 0);
  EXPECT_EQ(journal_, "");
  EXPECT_EQ(Calls(), "a:read a:write");
}

class PairTimeoutTest : public PairTest {};
COMPAT_ON_FEW_STREAM_MODES(PairTimeoutTest);

// semantics 10.7: pairs
TEST_P(PairTimeoutTest, Read) {
  const timeval soon = Ms(20);
  bufferevent_set_timeouts(*b_, &soon, nullptr);
  // 30 ms of real time in which nothing may happen, then 20 until it does.
  RunFor(base(), 30);
  EXPECT_EQ(journal_, "");
  b_->Enable(EV_READ);
  ASSERT_TRUE(RunUntil([&] { return b_->events() == 1; }));
  EXPECT_EQ(journal_, "b:TIMEOUT|R");
  EXPECT_EQ(b_->Enabled(), EV_WRITE);
}

TEST_P(PairTimeoutTest, Write) {
  const timeval soon = Ms(20);
  bufferevent_set_timeouts(*a_, nullptr, &soon);
  // 30 ms of real time without output, in which nothing may happen.
  RunFor(base(), 30);
  EXPECT_EQ(journal_, "");
  a_->Put("held");
  // libevent looks at the output when a timeout is set, not when data comes.
  bufferevent_set_timeouts(*a_, nullptr, &soon);
  ASSERT_TRUE(RunUntil([&] { return a_->events() == 1; }));
  EXPECT_EQ(journal_, "a:TIMEOUT|W");
  EXPECT_EQ(a_->Enabled(), 0);
}

}  // namespace
}  // namespace compat
