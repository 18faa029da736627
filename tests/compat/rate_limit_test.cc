// Throughput under a limit. Ticks are short, and the totals exact where the
// bucket makes them so: bytes by the clock are between two bounds.

#include <event2/bufferevent.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "percore/tests/compat/filters.h"
#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

class RateLimitTest : public StreamTest {
 protected:
  void TearDown() override {
    a_.reset();
    b_.reset();
    if (base_) Settle();
    if (cfg_ != nullptr) ev_token_bucket_cfg_free(cfg_);
  }
  void Start(bufferevent* limited, size_t rate) {
    const timeval tick = Ms(20);
    cfg_ = ev_token_bucket_cfg_new(rate, rate, rate, rate, &tick);
    a_ = std::make_unique<Stream>(limited);
    b_ = std::make_unique<Stream>(NewSocket(pair_[1]));
    a_->OnRead([this] { a_read_ += a_->Take().size(); });
    b_->OnRead([this] { b_read_ += b_->Take().size(); });
    a_->Enable(EV_READ);
    b_->Enable(EV_READ);
  }
  // 200 ms of real time: ten ticks, or eleven, and the first bucket.
  void Run200Ms() { RunFor(base(), 200); }

  SocketPair pair_;
  ev_token_bucket_cfg* cfg_ = nullptr;
  std::unique_ptr<Stream> a_, b_;
  size_t a_read_ = 0, b_read_ = 0;
};
COMPAT_ON_FEW_STREAM_MODES(RateLimitTest);

// semantics 11.1
TEST_P(RateLimitTest, Reading) {
  Start(NewSocket(pair_[0]), 1000);
  EXPECT_EQ(bufferevent_set_rate_limit(*a_, cfg_), 0);
  b_->Put(std::string(100000, 'x'));
  Run200Ms();
  EXPECT_GE(a_read_, 5000u);  // a busy machine may lose ticks
  EXPECT_LE(a_read_, 14000u);
  bufferevent_set_rate_limit(*a_, nullptr);
  EXPECT_TRUE(RunUntil([&] { return a_read_ == 100000; }));
}

TEST_P(RateLimitTest, Writing) {
  Start(NewSocket(pair_[0]), 1000);
  EXPECT_EQ(bufferevent_set_rate_limit(*a_, cfg_), 0);
  a_->Put(std::string(100000, 'x'));
  Run200Ms();
  EXPECT_GE(b_read_, 5000u);
  EXPECT_LE(b_read_, 14000u);
  EXPECT_EQ(a_->OutputSize(), 100000 - b_read_);
  bufferevent_set_rate_limit(*a_, nullptr);
  EXPECT_TRUE(RunUntil([&] { return b_read_ == 100000; }));
}

// A limited socket below a filter limits the filter.
TEST_P(RateLimitTest, BelowAFilter) {
  FilterLog log;
  bufferevent* under = NewSocket(pair_[0]);
  Start(
      bufferevent_filter_new(under, ShiftIn, ShiftOut,
                             options() | BEV_OPT_CLOSE_ON_FREE, nullptr, &log),
      1000);
  EXPECT_EQ(bufferevent_set_rate_limit(under, cfg_), 0);
  a_->Put(std::string(50000, 'x'));
  Run200Ms();
  EXPECT_GE(b_read_, 5000u);
  EXPECT_LE(b_read_, 14000u);
  a_.reset();
  Settle();
}

// An unlimited configuration is no limit.
// semantics 11.6
TEST_P(RateLimitTest, Unlimited) {
  Start(NewSocket(pair_[0]), EV_RATE_LIMIT_MAX);
  EXPECT_EQ(bufferevent_set_rate_limit(*a_, cfg_), 0);
  a_->Put(std::string(300000, 'x'));
  b_->Put(std::string(300000, 'y'));
  EXPECT_TRUE(RunUntil([&] { return a_read_ == 300000 && b_read_ == 300000; }));
}

// Freed while suspended.
TEST_P(RateLimitTest, FreeWhileSuspended) {
  Start(NewSocket(pair_[0]), 10);
  bufferevent_set_rate_limit(*a_, cfg_);
  a_->Put(std::string(1000, 'x'));
  Settle();
  EXPECT_GT(a_->OutputSize(), 0u);
  a_->Free();
  RunFor(base(), 40);  // past the tick at which it would have gone on
  EXPECT_LE(b_read_, 30u);
}

}  // namespace
}  // namespace compat
