// Limits of one pass: callbacks and time.

#include <event2/event.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

// semantics 1.5
// api event_config_set_max_dispatch_interval
class DispatchLimitTest : public testing::Test {
 protected:
  void Make(const timeval* interval, int callbacks, int min_priority,
            int priorities = 1) {
    ConfigPtr cfg(event_config_new());
    ASSERT_EQ(event_config_set_max_dispatch_interval(cfg.get(), interval,
                                                     callbacks, min_priority),
              0);
    base_.reset(event_base_new_with_config(cfg.get()));
    ASSERT_NE(base_, nullptr);
    ASSERT_EQ(event_base_priority_init(base(), priorities), 0);
    // Readable after the first callback: its place in the journal shows when
    // the loop polled again.
    poll_ = std::make_unique<Probe>(base(), &journal_, "POLL", pair_[0],
                                    EV_READ | EV_PERSIST);
    event_priority_set(poll_->ev(), 0);
    poll_->OnCall([this] {
      pair_.Drain(0);
      if (journal_.size() > 20) poll_->Del();
    });
    poll_->Add();
  }
  event_base* base() const { return base_.get(); }

  // `n` user events of `priority`; each takes `ms` and makes the fd readable.
  void Users(int n, int priority, int ms = 0) {
    for (int i = 0; i < n; ++i) {
      users_.push_back(
          std::make_unique<Probe>(base(), &journal_, std::to_string(i)));
      event_priority_set(users_.back()->ev(), priority);
      users_.back()->OnCall([this, ms] {
        pair_.Send(1);
        if (ms > 0) SleepMs(ms);
      });
      users_.back()->Activate();
    }
  }
  void Run() { event_base_loop(base(), EVLOOP_NONBLOCK); }
  void TearDown() override {
    users_.clear();
    poll_.reset();
  }

  SocketPair pair_;
  BasePtr base_;
  std::unique_ptr<Probe> poll_;
  std::vector<std::unique_ptr<Probe>> users_;
  Journal journal_;
};

TEST_F(DispatchLimitTest, NoLimit) {
  Make(nullptr, -1, 0, 2);
  Users(5, 1);
  Run();
  EXPECT_EQ(journal_.names(), "0 1 2 3 4 POLL");
}

TEST_F(DispatchLimitTest, CallbacksThenPoll) {
  Make(nullptr, 2, 0, 2);
  Users(5, 1);
  Run();
  EXPECT_EQ(journal_.names(), "0 1 POLL 2 3 POLL 4 POLL");
}

TEST_F(DispatchLimitTest, OneCallback) {
  Make(nullptr, 1, 0, 2);
  Users(3, 1);
  Run();
  EXPECT_EQ(journal_.names(), "0 POLL 1 POLL 2 POLL");
}

TEST_F(DispatchLimitTest, PrioritiesAboveTheMinimumAreFree) {
  Make(nullptr, 1, 2, 3);
  Users(3, 1);
  Run();
  EXPECT_EQ(journal_.names(), "0 1 2 POLL");
  journal_.Clear();
  users_.clear();
  Users(3, 2);
  Run();
  EXPECT_EQ(journal_.names(), "0 POLL 1 POLL 2 POLL");
}

TEST_F(DispatchLimitTest, NegativeMinimumIsZero) {
  Make(nullptr, 1, -5, 1);
  Users(2, 0);
  Run();
  EXPECT_EQ(journal_.names(), "0 1 POLL");
  // With one queue the poll's result stands behind what was active already,
  // so count turns instead: ONCE runs until nothing is active.
  EXPECT_EQ(users_[1]->calls(), 1);
}

// The time is looked at after each callback.
TEST_F(DispatchLimitTest, TimeThenPoll) {
  const timeval limit = Ms(1);
  Make(&limit, -1, 0, 2);
  // The callbacks really are slow: longer than a tick of a coarse clock.
  Users(3, 1, 12);
  Run();
  EXPECT_EQ(journal_.names(), "0 POLL 1 POLL 2 POLL");
}

TEST_F(DispatchLimitTest, TimeNotReached) {
  const timeval limit = Ms(60000);
  Make(&limit, -1, 0, 2);
  Users(4, 1);
  Run();
  EXPECT_EQ(journal_.names(), "0 1 2 3 POLL");
}

TEST_F(DispatchLimitTest, TimeDoesNotLimitUrgentQueues) {
  const timeval limit = Ms(1);
  Make(&limit, -1, 2, 3);
  Users(3, 1, 12);  // Slow for the same reason.
  Run();
  EXPECT_EQ(journal_.names(), "0 1 2 POLL");
}

// Whichever limit comes first.
TEST_F(DispatchLimitTest, BothLimits) {
  const timeval limit = Ms(60000);
  Make(&limit, 3, 0, 2);
  Users(4, 1);
  Run();
  EXPECT_EQ(journal_.names(), "0 1 2 POLL 3 POLL");
}

// Internal callbacks do not count: an expired common-timeout queue's own timer
// shares the pass.
TEST_F(DispatchLimitTest, InternalCallbacksDoNotCount) {
  Make(nullptr, 1, 0, 1);
  poll_->Del();
  const timeval two = Ms(2);
  const timeval* common = event_base_init_common_timeout(base(), &two);
  Probe a(base(), &journal_, "a");
  ASSERT_EQ(event_add(a.ev(), common), 0);
  SleepMs(15);  // Until it is past on a coarse clock.
  // The internal timer, then the event that it made active, in one pass.
  EXPECT_EQ(event_base_loop(base(), EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
  EXPECT_EQ(journal_.names(), "a");
}

}  // namespace
}  // namespace compat
