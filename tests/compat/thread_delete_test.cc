// event_del while another thread runs the event's callback.

#include <event2/event.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "percore/tests/compat/thread_fixture.h"

namespace percore::compat {
namespace {

// The callback stays inside until it is let go.
class ThreadDelete : public ThreadTest {
 protected:
  void Enter(short flags) {
    ev_.reset(event_new(base_.get(), -1, flags, Stay, this));
    StartLoop();
    event_active(ev_.get(), EV_READ, 1);
    ASSERT_TRUE(inside_.Await());
  }
  static void Stay(evutil_socket_t, short, void* arg) {
    auto* self = static_cast<ThreadDelete*>(arg);
    ++self->calls_;
    self->inside_.Tell();
    self->go_.Await();
    self->left_ = true;
  }
  // Lets the callback go once the caller sleeps in its wait for it.
  std::thread LetGoWhenAsleep() {
    const int caller = ThreadId();
    return std::thread([this, caller] {
      AwaitAsleep(caller);
      go_.Tell();
    });
  }

  EventPtr ev_;
  std::atomic<int> calls_{0};
  std::atomic<bool> left_{false};
  Happening inside_;
  Happening go_;
};

// semantics 3.4, 8.3
// api event_del
TEST_F(ThreadDelete, WaitsForTheRunningCallback) {
  Enter(0);
  std::thread helper = LetGoWhenAsleep();
  EXPECT_EQ(0, event_del(ev_.get()));
  EXPECT_TRUE(left_);
  helper.join();
  StopLoop();
}

// semantics 3.4
// api event_del_noblock
TEST_F(ThreadDelete, NoblockDoesNotWait) {
  Enter(0);
  EXPECT_EQ(0, event_del_noblock(ev_.get()));
  EXPECT_FALSE(left_);
  go_.Tell();
  StopLoop();
  EXPECT_EQ(1, calls_);
}

// semantics 3.4
// api EV_FINALIZE
TEST_F(ThreadDelete, FinalizeEventsAreNotWaitedFor) {
  Enter(EV_FINALIZE);
  EXPECT_EQ(0, event_del(ev_.get()));
  EXPECT_FALSE(left_);
  go_.Tell();
  StopLoop();
}

// semantics 3.4
// api event_del_block
TEST_F(ThreadDelete, BlockWaitsEvenForFinalizeEvents) {
  Enter(EV_FINALIZE);
  std::thread helper = LetGoWhenAsleep();
  EXPECT_EQ(0, event_del_block(ev_.get()));
  EXPECT_TRUE(left_);
  helper.join();
  StopLoop();
}

// semantics 3.5
// api event_free
TEST_F(ThreadDelete, FreeWaitsToo) {
  Enter(0);
  std::thread helper = LetGoWhenAsleep();
  ev_.reset();
  EXPECT_TRUE(left_);
  helper.join();
  StopLoop();
}

// semantics 3.4
TEST_F(ThreadDelete, AnotherEventIsNotWaitedFor) {
  Enter(0);
  EventPtr other(event_new(base_.get(), -1, 0, Tell, nullptr));
  const timeval hour = {3600, 0};
  event_add(other.get(), &hour);
  EXPECT_EQ(0, event_del(other.get()));
  EXPECT_FALSE(left_);
  go_.Tell();
  StopLoop();
}

// What was queued again meanwhile is gone when event_del returns.
// semantics 3.4
TEST_F(ThreadDelete, RemovesAnActivationQueuedMeanwhile) {
  Enter(0);
  event_active(ev_.get(), EV_READ, 1);
  std::thread helper = LetGoWhenAsleep();
  EXPECT_EQ(0, event_del(ev_.get()));
  helper.join();
  Happening after;
  EventPtr last(event_new(base_.get(), -1, 0, Tell, &after));
  event_active(last.get(), EV_READ, 1);
  EXPECT_TRUE(after.Await());
  EXPECT_EQ(1, calls_);
  StopLoop();
}

// semantics 3.4
TEST_F(ThreadDelete, InItsOwnCallbackDoesNotWait) {
  struct Self {
    event* ev = nullptr;
    Happening done;
  } self;
  self.ev = event_new(
      base_.get(), -1, 0,
      [](evutil_socket_t, short, void* arg) {
        auto* s = static_cast<Self*>(arg);
        EXPECT_EQ(0, event_del_block(s->ev));
        EXPECT_EQ(0, event_del(s->ev));
        event_free(s->ev);
        s->done.Tell();
      },
      &self);
  StartLoop();
  event_active(self.ev, EV_READ, 1);
  EXPECT_TRUE(self.done.Await());
  StopLoop();
}

// semantics 3.6
// api event_finalize
TEST_F(ThreadDelete, FinalizeDoesNotWaitAndRunsAfterTheCallback) {
  static std::atomic<bool>* left;
  static Happening* finalized;
  static std::atomic<bool> left_before_finalizer;
  Happening done;
  finalized = &done;
  left = &left_;
  Enter(0);
  EXPECT_EQ(0, event_finalize(0, ev_.get(), [](event*, void*) {
              left_before_finalizer = left->load();
              finalized->Tell();
            }));
  EXPECT_FALSE(left_);
  go_.Tell();
  EXPECT_TRUE(done.Await());
  EXPECT_TRUE(left_before_finalizer);
  StopLoop();
}

}  // namespace
}  // namespace percore::compat
