// When and in which order a bufferevent's callbacks run, and what the event
// callback says.

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <string>

#include "percore/tests/compat/listening.h"
#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

class BuffereventCallbackTest : public StreamTest {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    StreamTest::SetUp();
    if (IsSkipped()) return;
    bev_ = std::make_unique<Stream>(NewSocket(pair_[0]), &journal_);
  }
  void TearDown() override { bev_.reset(); }

  SocketPair pair_;
  std::unique_ptr<Stream> bev_;
};
COMPAT_ON_EVERY_STREAM_MODE(BuffereventCallbackTest);

// semantics 10.5
// api BEV_EVENT_EOF, BEV_EVENT_READING
// api bufferevent_options
TEST_P(BuffereventCallbackTest, EofDisablesReadingOnly) {
  bev_->OnEvent([&] { EXPECT_EQ(bev_->Enabled(), EV_WRITE); });
  bev_->Enable(EV_READ);
  shutdown(pair_[1], SHUT_WR);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_EQ(journal_, "s:EOF|R");
  Settle();
  EXPECT_EQ(bev_->events(), 1);
  bev_->Put("still writes");
  ASSERT_TRUE(RunUntil([&] { return bev_->writes() == 1; }));
  EXPECT_EQ(pair_.Drain(1), 12);
  // Enabled again, it is told again.
  bev_->Enable(EV_READ);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 2; }));
  EXPECT_EQ(bev_->last_event(), BEV_EVENT_EOF | BEV_EVENT_READING);
}

// semantics 10.4: what came before the end is told of before it.
TEST_P(BuffereventCallbackTest, DataThenEof) {
  bev_->Enable(EV_READ);
  pair_.Send(1, "last words");
  pair_.Close(1);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_EQ(journal_, "s:read s:EOF|R");
  EXPECT_EQ(bev_->Take(), "last words");
}

// An EOF is told of though the input is below its low mark, and the data stays.
TEST_P(BuffereventCallbackTest, EofBelowTheLowMark) {
  bufferevent_setwatermark(*bev_, EV_READ, 100, 0);
  bev_->Enable(EV_READ);
  pair_.Send(1, "short");
  pair_.Close(1);
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_EQ(journal_, "s:EOF|R");
  EXPECT_EQ(bev_->Take(), "short");
}

// semantics 10.5, 10.4, 10.17: errno is the error's in the callback.
// api BEV_EVENT_ERROR, BEV_EVENT_WRITING
TEST_P(BuffereventCallbackTest, WriteErrorDisablesWriting) {
  pair_.Close(1);
  bev_->OnEvent([&] {
    EXPECT_EQ(EVUTIL_SOCKET_ERROR(), EPIPE);
    EXPECT_EQ(bev_->Enabled(), 0);
  });
  bev_->Put("nobody reads this");
  ASSERT_TRUE(RunUntil([&] { return bev_->events() == 1; }));
  EXPECT_EQ(journal_, "s:ERROR|W");
  EXPECT_EQ(bev_->OutputSize(), 17u);
  Settle();
  EXPECT_EQ(bev_->events(), 1);
}

// semantics 10.17
TEST_P(BuffereventCallbackTest, ResetIsAReadError) {
  Listening listening;
  const int client = listening.Connect();
  const int accepted = listening.Accept();
  Stream bev(NewSocket(accepted, BEV_OPT_CLOSE_ON_FREE), &journal_, "t");
  bev.Enable(EV_READ);
  Settle();
  const linger reset = {1, 0};
  setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  close(client);
  ASSERT_TRUE(RunUntil([&] { return bev.events() == 1; }));
  EXPECT_EQ(journal_, "t:ERROR|R");
  EXPECT_EQ(bev.last_error(), ECONNRESET);
  EXPECT_EQ(bev.Enabled(), EV_WRITE);
}

// semantics 10.4: NULL callbacks are skipped.
TEST_P(BuffereventCallbackTest, NullCallbacks) {
  bufferevent_setcb(*bev_, nullptr, nullptr, nullptr, nullptr);
  bev_->Enable(EV_READ);
  bev_->Put("out");
  pair_.Send(1, "in");
  ASSERT_TRUE(RunUntil(
      [&] { return bev_->InputSize() == 2 && bev_->OutputSize() == 0; }));
  pair_.Close(1);
  ASSERT_TRUE(RunUntil([&] { return bev_->Enabled() == EV_WRITE; }));
  EXPECT_EQ(bev_->Take(), "in");
}

// semantics 10.8: deferred callbacks do not run inside the call that causes
// them, direct ones of trigger do.
TEST_P(BuffereventCallbackTest, DeferredComesFromTheLoop) {
  bufferevent_trigger_event(*bev_, BEV_EVENT_TIMEOUT, 0);
  EXPECT_EQ(journal_, Deferred() ? "" : "s:TIMEOUT");
  Turn();
  EXPECT_EQ(journal_, "s:TIMEOUT");
}

// semantics 10.4
TEST_P(BuffereventCallbackTest, OrderInOneBatch) {
  const int ignore = BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS;
  bufferevent_trigger_event(*bev_, BEV_EVENT_EOF | BEV_EVENT_READING,
                            BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger(*bev_, EV_WRITE, ignore);
  bufferevent_trigger(*bev_, EV_READ, ignore);
  bufferevent_trigger_event(*bev_, BEV_EVENT_CONNECTED,
                            BEV_TRIG_DEFER_CALLBACKS);
  EXPECT_EQ(journal_, "");
  Turn();
  EXPECT_EQ(journal_, "s:CONNECTED s:read s:write s:EOF|R");
}

// semantics 10.8: coalesced.
TEST_P(BuffereventCallbackTest, CoalescedWhenDeferred) {
  const int ignore = BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS;
  for (int i = 0; i < 5; ++i) bufferevent_trigger(*bev_, EV_READ, ignore);
  bufferevent_trigger_event(*bev_, BEV_EVENT_EOF | BEV_EVENT_READING,
                            BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger_event(*bev_, BEV_EVENT_TIMEOUT | BEV_EVENT_WRITING,
                            BEV_TRIG_DEFER_CALLBACKS);
  Settle();
  EXPECT_EQ(journal_, "s:read s:EOF|TIMEOUT|R|W");
}

// A deferred call finds the callbacks of when it runs.
TEST_P(BuffereventCallbackTest, CallbacksChangedBeforeTheDeferredCall) {
  Journal other;
  bufferevent_trigger(*bev_, EV_READ,
                      BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_setcb(
      *bev_,
      [](bufferevent*, void* arg) {
        static_cast<Journal*>(arg)->Write("other", 0);
      },
      nullptr, nullptr, &other);
  Settle();
  EXPECT_EQ(journal_, "");
  EXPECT_EQ(other.names(), "other");
}

// Callbacks may set others for the calls that follow.
TEST_P(BuffereventCallbackTest, CallbacksChangedInACallback) {
  bev_->OnRead([&] {
    bev_->Take();
    bufferevent_setcb(*bev_, nullptr, nullptr, nullptr, nullptr);
  });
  bev_->Enable(EV_READ);
  pair_.Send(1);
  ASSERT_TRUE(RunUntil([&] { return bev_->reads() == 1; }));
  pair_.Send(1, "more");
  ASSERT_TRUE(RunUntil([&] { return bev_->InputSize() == 4; }));
  EXPECT_EQ(journal_, "s:read");
}

// A write from within callbacks goes out in turn.
TEST_P(BuffereventCallbackTest, PingPong) {
  Stream peer(NewSocket(pair_[1]), nullptr);
  int left = 100;
  bev_->OnRead([&] { bev_->Put(bev_->Take()); });
  peer.OnRead([&] {
    if (--left > 0) peer.Put(peer.Take());
  });
  bev_->Enable(EV_READ);
  peer.Enable(EV_READ);
  peer.Put("ping");
  ASSERT_TRUE(RunUntil([&] { return left == 0; }));
  EXPECT_EQ(bev_->reads(), 100);
  EXPECT_EQ(peer.InputSize(), 4u);
}

// Disabled in its callback, reading stops at once.
TEST_P(BuffereventCallbackTest, DisableInTheCallback) {
  bev_->OnRead([&] { bev_->Disable(EV_READ); });
  bev_->Enable(EV_READ);
  pair_.Send(1, "one");
  ASSERT_TRUE(RunUntil([&] { return bev_->reads() == 1; }));
  pair_.Send(1, "two");
  Settle();
  EXPECT_EQ(bev_->Take(), "one");
  bev_->Enable(EV_READ);
  ASSERT_TRUE(RunUntil([&] { return bev_->reads() == 2; }));
  EXPECT_EQ(bev_->Take(), "two");
}

// More output from the write callback: called again when that is out.
TEST_P(BuffereventCallbackTest, WriteFromTheWriteCallback) {
  bev_->OnWrite([&] {
    if (bev_->writes() < 4) bev_->Put("more");
  });
  bev_->Put("first");
  ASSERT_TRUE(RunUntil([&] { return bev_->writes() == 4; }));
  EXPECT_EQ(pair_.Drain(1), 5 + 3 * 4);
}

// semantics 10.16: the rest of a large arrival is read in later rounds.
TEST_P(BuffereventCallbackTest, LargeArrivalIsReadInSlices) {
  EXPECT_EQ(bufferevent_get_max_single_read(*bev_), 16384);
  const int sent = pair_.Fill(1);
  ASSERT_GT(sent, 65536);
  size_t last = 0, largest = 0;
  bev_->OnRead([&] {
    largest = std::max(largest, bev_->InputSize() - last);
    last = bev_->InputSize();
  });
  bev_->Enable(EV_READ);
  ASSERT_TRUE(
      RunUntil([&] { return bev_->InputSize() == static_cast<size_t>(sent); }));
  EXPECT_GT(bev_->reads(), 1);
#ifdef TESTING_DEBIAN_LIBEVENT
  EXPECT_LE(largest, 16384u);
#else
  // better: one read takes up to 64 KiB unless a program has set a maximum.
  EXPECT_LE(largest, 65536u);
#endif
}

}  // namespace
}  // namespace compat
