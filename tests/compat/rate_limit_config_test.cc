// Token bucket configurations and what a bufferevent says of its limits.

#include <event2/bufferevent.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

struct FreeBucket {
  void operator()(ev_token_bucket_cfg* cfg) const {
    ev_token_bucket_cfg_free(cfg);
  }
};
using BucketPtr = std::unique_ptr<ev_token_bucket_cfg, FreeBucket>;

BucketPtr New(size_t read_rate, size_t read_burst, size_t write_rate,
              size_t write_burst, const timeval* tick = nullptr) {
  return BucketPtr(ev_token_bucket_cfg_new(read_rate, read_burst, write_rate,
                                           write_burst, tick));
}

// A second never ends while a test runs: levels do not change by themselves.
const timeval kLong = {1000, 0};

// api ev_token_bucket_cfg_new, ev_token_bucket_cfg_free, EV_RATE_LIMIT_MAX
// semantics 11.6
// api ev_token_bucket_cfg
TEST(TokenBucketTest, Validation) {
  EXPECT_NE(New(1, 1, 1, 1), nullptr);
  EXPECT_NE(New(100, 200, 300, 400), nullptr);
  EXPECT_NE(New(EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX,
                EV_RATE_LIMIT_MAX),
            nullptr);
  EXPECT_EQ(New(2, 1, 1, 1), nullptr);
  EXPECT_EQ(New(1, 1, 2, 1), nullptr);
  EXPECT_EQ(New(0, 1, 1, 1), nullptr);
  EXPECT_EQ(New(1, 1, 0, 1), nullptr);
  const size_t over = size_t{EV_RATE_LIMIT_MAX} + 1;
  EXPECT_EQ(New(1, over, 1, 1), nullptr);
  EXPECT_EQ(New(1, 1, 1, over), nullptr);
  EXPECT_EQ(New(over, over, 1, 1), nullptr);
}

#ifndef TESTING_DEBIAN_LIBEVENT
// better: as 2.2, where libevent would divide by zero later.
// bufferevent/ratelimit_div_by_zero
// semantics 11.7
TEST(TokenBucketTest, BadTicks) {
  for (timeval tick : {timeval{0, 0}, timeval{0, 999}, timeval{-1, 0},
                       timeval{0, -1}, timeval{0x7fffffffffffffff, 0}}) {
    EXPECT_EQ(New(1, 1, 1, 1, &tick), nullptr) << tick.tv_sec;
  }
  const timeval fine = {0, 1000};
  EXPECT_NE(New(1, 1, 1, 1, &fine), nullptr);
}
#endif

class RateLimitConfigTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    if (IsSkipped()) return;
    bev_ = std::make_unique<Stream>(NewSocket(pair_[0]), &journal_);
  }
  void TearDown() override { bev_.reset(); }

  SocketPair pair_;
  // Outlives the bufferevent, which keeps the pointer.
  BucketPtr cfg_ = New(100, 300, 200, 400, &kLong);
  std::unique_ptr<Stream> bev_;
};
COMPAT_ON_FEW_STREAM_MODES(RateLimitConfigTest);

// api bufferevent_set_rate_limit, bufferevent_get_token_bucket_cfg
// api bufferevent_get_read_limit, bufferevent_get_write_limit
// api bufferevent_get_max_to_read, bufferevent_get_max_to_write
// semantics 11.2, 11.3, 11.5
TEST_P(RateLimitConfigTest, InitialLevels) {
  EXPECT_EQ(bufferevent_get_token_bucket_cfg(*bev_), nullptr);
  EXPECT_EQ(bufferevent_get_read_limit(*bev_), EV_SSIZE_MAX);
  EXPECT_EQ(bufferevent_get_write_limit(*bev_), EV_SSIZE_MAX);
  EXPECT_EQ(bufferevent_get_max_to_read(*bev_), 16384);
  EXPECT_EQ(bufferevent_get_max_to_write(*bev_), 16384);
  EXPECT_EQ(bufferevent_set_rate_limit(*bev_, cfg_.get()), 0);
  EXPECT_EQ(bufferevent_get_token_bucket_cfg(*bev_), cfg_.get());
  EXPECT_EQ(bufferevent_get_read_limit(*bev_), 100);
  EXPECT_EQ(bufferevent_get_write_limit(*bev_), 200);
  EXPECT_EQ(bufferevent_get_max_to_read(*bev_), 100);
  EXPECT_EQ(bufferevent_get_max_to_write(*bev_), 200);
  EXPECT_EQ(bufferevent_set_rate_limit(*bev_, nullptr), 0);
  EXPECT_EQ(bufferevent_get_token_bucket_cfg(*bev_), nullptr);
  EXPECT_EQ(bufferevent_get_read_limit(*bev_), EV_SSIZE_MAX);
  EXPECT_EQ(bufferevent_get_max_to_read(*bev_), 16384);
}

// semantics 11.2: a new configuration clamps the level.
TEST_P(RateLimitConfigTest, ReplacedByASmaller) {
  const BucketPtr small = New(5, 10, 6, 12, &kLong);
  bufferevent_set_rate_limit(*bev_, cfg_.get());
  bufferevent_set_rate_limit(*bev_, small.get());
  EXPECT_EQ(bufferevent_get_read_limit(*bev_), 10);
  EXPECT_EQ(bufferevent_get_write_limit(*bev_), 12);
  bufferevent_set_rate_limit(*bev_, nullptr);
}

// semantics 11.1: the level may be negative, and is no maximum then.
// api bufferevent_decrement_read_limit, bufferevent_decrement_write_limit
TEST_P(RateLimitConfigTest, Decrement) {
  bufferevent_set_rate_limit(*bev_, cfg_.get());
  EXPECT_EQ(bufferevent_decrement_read_limit(*bev_, 30), 0);
  EXPECT_EQ(bufferevent_get_read_limit(*bev_), 70);
  EXPECT_EQ(bufferevent_decrement_read_limit(*bev_, 100), 0);
  EXPECT_EQ(bufferevent_get_read_limit(*bev_), -30);
  EXPECT_EQ(bufferevent_get_max_to_read(*bev_), 0);
  EXPECT_EQ(bufferevent_decrement_write_limit(*bev_, 250), 0);
  EXPECT_EQ(bufferevent_get_write_limit(*bev_), -50);
  EXPECT_EQ(bufferevent_get_max_to_write(*bev_), 0);

  // Suspended both ways.
  bev_->Enable(EV_READ);
  pair_.Send(1, "in");
  bev_->Put("out");
  Settle();
  EXPECT_EQ(bev_->InputSize(), 0u);
  EXPECT_EQ(bev_->OutputSize(), 3u);
  EXPECT_EQ(bev_->Enabled(), EV_READ | EV_WRITE);

  // Credited, it goes on.
  EXPECT_EQ(bufferevent_decrement_read_limit(*bev_, -100), 0);
  EXPECT_EQ(bufferevent_decrement_write_limit(*bev_, -100), 0);
  ASSERT_TRUE(
      RunUntil([&] { return bev_->InputSize() == 2 && bev_->writes() == 1; }));
  EXPECT_EQ(bufferevent_get_read_limit(*bev_), 70 - 2);
  EXPECT_EQ(bufferevent_get_write_limit(*bev_), 50 - 3);
}

// Removing the limit resumes too.
TEST_P(RateLimitConfigTest, RemovedWhileSuspended) {
  bufferevent_set_rate_limit(*bev_, cfg_.get());
  bufferevent_decrement_read_limit(*bev_, 1000);
  bufferevent_decrement_write_limit(*bev_, 1000);
  bev_->Enable(EV_READ);
  pair_.Send(1, "in");
  bev_->Put("out");
  Settle();
  EXPECT_EQ(bev_->InputSize(), 0u);
  bufferevent_set_rate_limit(*bev_, nullptr);
  EXPECT_TRUE(
      RunUntil([&] { return bev_->InputSize() == 2 && bev_->writes() == 1; }));
}

// semantics 10.16
// api bufferevent_set_max_single_read, bufferevent_set_max_single_write
// api bufferevent_get_max_single_read, bufferevent_get_max_single_write
TEST_P(RateLimitConfigTest, SingleCaps) {
  EXPECT_EQ(bufferevent_get_max_single_read(*bev_), 16384);
  EXPECT_EQ(bufferevent_get_max_single_write(*bev_), 16384);
  EXPECT_EQ(bufferevent_set_max_single_read(*bev_, 10), 0);
  EXPECT_EQ(bufferevent_set_max_single_write(*bev_, 20), 0);
  EXPECT_EQ(bufferevent_get_max_single_read(*bev_), 10);
  EXPECT_EQ(bufferevent_get_max_single_write(*bev_), 20);
  EXPECT_EQ(bufferevent_get_max_to_read(*bev_), 10);
  EXPECT_EQ(bufferevent_get_max_to_write(*bev_), 20);

  // Obeyed for each read and write.
  size_t last = 0, largest = 0;
  bev_->OnRead([&] {
    largest = std::max(largest, bev_->InputSize() - last);
    last = bev_->InputSize();
  });
  bev_->Enable(EV_READ);
  pair_.Send(1, std::string(95, 'x'));
  bev_->Put(std::string(95, 'y'));
  ASSERT_TRUE(
      RunUntil([&] { return bev_->InputSize() == 95 && bev_->writes() == 1; }));
  if (!Deferred()) {
    EXPECT_EQ(largest, 10u);
    EXPECT_EQ(bev_->reads(), 10);
  }
  EXPECT_EQ(pair_.Drain(1), 95);

  EXPECT_EQ(bufferevent_set_max_single_read(*bev_, 0), 0);
  EXPECT_EQ(bufferevent_get_max_single_read(*bev_), 16384);
  EXPECT_EQ(bufferevent_set_max_single_write(*bev_, size_t{EV_SSIZE_MAX} + 1),
            0);
  EXPECT_EQ(bufferevent_get_max_single_write(*bev_), 16384);
}

// semantics 11.3: the smaller of the cap and the level
TEST_P(RateLimitConfigTest, CapAndLevel) {
  bufferevent_set_rate_limit(*bev_, cfg_.get());
  bufferevent_set_max_single_read(*bev_, 50);
#ifdef TESTING_DEBIAN_LIBEVENT
  // The level takes the cap's place.
  EXPECT_EQ(bufferevent_get_max_to_read(*bev_), 100);
#else
  // better: a cap that is set holds, as the reference says.
  EXPECT_EQ(bufferevent_get_max_to_read(*bev_), 50);
#endif
  bufferevent_set_max_single_read(*bev_, 5000);
  EXPECT_EQ(bufferevent_get_max_to_read(*bev_), 100);
}

}  // namespace
}  // namespace compat
