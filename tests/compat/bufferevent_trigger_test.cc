// bufferevent_trigger and bufferevent_trigger_event.

#include <event2/bufferevent.h>
#include <gtest/gtest.h>

#include <memory>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

// bufferevent/trigger
class BuffereventTriggerTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    if (IsSkipped()) return;
    bev_ = std::make_unique<Stream>(NewSocket(pair_[0]), &journal_);
  }
  void TearDown() override { bev_.reset(); }

  // What the journal says right after the call, then after the loop.
  void ExpectCalls(const std::string& calls, bool deferred) {
    EXPECT_EQ(journal_, deferred ? "" : calls);
    Settle();
    EXPECT_EQ(journal_, calls);
    journal_.clear();
  }

  SocketPair pair_;
  std::unique_ptr<Stream> bev_;
};
COMPAT_ON_EVERY_STREAM_MODE(BuffereventTriggerTest);

// semantics 10.13: with empty buffers the default marks are satisfied.
// api bufferevent_trigger
TEST_P(BuffereventTriggerTest, DefaultMarks) {
  bufferevent_trigger(*bev_, EV_READ, 0);
  ExpectCalls("s:read", Deferred());
  bufferevent_trigger(*bev_, EV_WRITE, 0);
  ExpectCalls("s:write", Deferred());
  bufferevent_trigger(*bev_, EV_READ | EV_WRITE, 0);
  ExpectCalls("s:read s:write", Deferred());
  bufferevent_trigger(*bev_, 0, 0);
  ExpectCalls("", false);
}

// semantics 10.13
// api BEV_TRIG_IGNORE_WATERMARKS
TEST_P(BuffereventTriggerTest, ReadMarkDecides) {
  bufferevent_setwatermark(*bev_, EV_READ, 3, 0);
  bufferevent_trigger(*bev_, EV_READ, 0);
  ExpectCalls("", false);
  bufferevent_trigger(*bev_, EV_READ, BEV_TRIG_IGNORE_WATERMARKS);
  ExpectCalls("s:read", Deferred());
  bev_->Enable(EV_READ);
  pair_.Send(1, "123");
  ASSERT_TRUE(RunUntil([&] { return bev_->reads() == 2; }));
  journal_.clear();
  bufferevent_trigger(*bev_, EV_READ, 0);
  ExpectCalls("s:read", Deferred());
}

// semantics 10.13
TEST_P(BuffereventTriggerTest, WriteMarkDecides) {
  bev_->Disable(EV_WRITE);
  bev_->Put("four");
  bufferevent_trigger(*bev_, EV_WRITE, 0);
  ExpectCalls("", false);
  bufferevent_trigger(*bev_, EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS);
  ExpectCalls("s:write", Deferred());
  bufferevent_setwatermark(*bev_, EV_WRITE, 4, 0);
  bufferevent_trigger(*bev_, EV_WRITE, 0);
  ExpectCalls("s:write", Deferred());
}

// Of the two, only the one that satisfies its mark.
TEST_P(BuffereventTriggerTest, EachMarkForItself) {
  bufferevent_setwatermark(*bev_, EV_READ, 1, 0);
  bufferevent_trigger(*bev_, EV_READ | EV_WRITE, 0);
  ExpectCalls("s:write", Deferred());
}

// api BEV_TRIG_DEFER_CALLBACKS, enum bufferevent_trigger_options
TEST_P(BuffereventTriggerTest, DeferredByOption) {
  bufferevent_trigger(*bev_, EV_READ | EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
  ExpectCalls("s:read s:write", true);
  bufferevent_setwatermark(*bev_, EV_READ, 1, 0);
  bufferevent_trigger(*bev_, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
  ExpectCalls("", false);
  bufferevent_trigger(*bev_, EV_READ,
                      BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
  ExpectCalls("s:read", true);
}

// The directions need not be enabled.
TEST_P(BuffereventTriggerTest, DisabledDirections) {
  bev_->Disable(EV_READ | EV_WRITE);
  bufferevent_trigger(*bev_, EV_READ | EV_WRITE, 0);
  ExpectCalls("s:read s:write", Deferred());
}

// api bufferevent_trigger_event
TEST_P(BuffereventTriggerTest, Events) {
  for (short what :
       {BEV_EVENT_CONNECTED, BEV_EVENT_EOF | BEV_EVENT_READING,
        BEV_EVENT_ERROR | BEV_EVENT_WRITING,
        BEV_EVENT_TIMEOUT | BEV_EVENT_READING | BEV_EVENT_WRITING}) {
    bufferevent_trigger_event(*bev_, what, 0);
    ExpectCalls("s:" + EventName(what), Deferred());
    bufferevent_trigger_event(*bev_, what, BEV_TRIG_DEFER_CALLBACKS);
    ExpectCalls("s:" + EventName(what), true);
  }
  // It is a call, no more: the stream works on.
  EXPECT_EQ(bev_->Enabled(), EV_WRITE);
}

// semantics 10.4: errno of the moment is what the callback finds.
TEST_P(BuffereventTriggerTest, EventKeepsErrno) {
  errno = EXDEV;
  bufferevent_trigger_event(*bev_, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
  errno = 0;
  Settle();
  EXPECT_EQ(bev_->events(), 1);
  EXPECT_EQ(bev_->last_error(), EXDEV);
}

TEST_P(BuffereventTriggerTest, NoCallbackSet) {
  bufferevent_setcb(*bev_, nullptr, nullptr, nullptr, nullptr);
  bufferevent_trigger(*bev_, EV_READ | EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS);
  bufferevent_trigger_event(*bev_, BEV_EVENT_EOF, 0);
  ExpectCalls("", false);
}

// From its own callback: nested when direct, later when deferred.
TEST_P(BuffereventTriggerTest, FromItsOwnCallback) {
  bool inside = false, nested = false;
  bev_->OnRead([&] {
    nested |= inside;
    inside = true;
    if (bev_->reads() == 1) bufferevent_trigger(*bev_, EV_READ, 0);
    inside = false;
  });
  bufferevent_trigger(*bev_, EV_READ, 0);
  Settle();
  EXPECT_EQ(bev_->reads(), 2);
  EXPECT_EQ(nested, !Deferred());
}

// A trigger deferred and the stream freed: no call.
TEST_P(BuffereventTriggerTest, FreedBeforeTheCall) {
  bufferevent_trigger(*bev_, EV_READ | EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger_event(*bev_, BEV_EVENT_EOF, BEV_TRIG_DEFER_CALLBACKS);
  bev_->Free();
  Settle();
  EXPECT_EQ(journal_, "");
}

// The trigger's data is the stream's, fd or not.
TEST_P(BuffereventTriggerTest, WithoutAnFd) {
  Stream bev(NewSocket(-1), &journal_, "n");
  bufferevent_trigger(bev, EV_READ, 0);
  ExpectCalls("n:read", Deferred());
}

}  // namespace
}  // namespace compat
