// Bufferevents that share one limit.

#include <event2/bufferevent.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

class RateLimitGroupTest : public StreamTest {
 protected:
  struct Link {
    SocketPair pair;
    std::unique_ptr<Stream> writer, reader;
    size_t got = 0;
  };

  void TearDown() override {
    for (auto& link : links_) {
      if (group_ != nullptr && link->writer) {
        bufferevent_remove_from_rate_limit_group(*link->writer);
      }
    }
    links_.clear();
    if (base_) Settle();
    if (group_ != nullptr) bufferevent_rate_limit_group_free(group_);
  }
  void NewGroup(size_t rate, size_t burst, int tick_ms) {
    const timeval tick = Ms(tick_ms);
    ev_token_bucket_cfg* cfg =
        ev_token_bucket_cfg_new(rate, burst, rate, burst, &tick);
    group_ = bufferevent_rate_limit_group_new(base(), cfg);
    // The group has a copy.
    ev_token_bucket_cfg_free(cfg);
    ASSERT_NE(group_, nullptr);
  }
  // A member that writes to a reader without limits.
  Link& Add() {
    links_.push_back(std::make_unique<Link>());
    Link* link = links_.back().get();
    link->writer = std::make_unique<Stream>(NewSocket(link->pair[0]));
    link->reader = std::make_unique<Stream>(NewSocket(link->pair[1]));
    link->reader->OnRead([link] { link->got += link->reader->Take().size(); });
    link->reader->Enable(EV_READ);
    EXPECT_EQ(bufferevent_add_to_rate_limit_group(*link->writer, group_), 0);
    return *link;
  }
  size_t Got() const {
    size_t total = 0;
    for (const auto& link : links_) total += link->got;
    return total;
  }

  bufferevent_rate_limit_group* group_ = nullptr;
  std::vector<std::unique_ptr<Link>> links_;
};
COMPAT_ON_FEW_STREAM_MODES(RateLimitGroupTest);

// semantics 11.2, 11.4
// api bufferevent_rate_limit_group_new, bufferevent_rate_limit_group_free
// api bufferevent_rate_limit_group_get_read_limit,
// bufferevent_rate_limit_group_get_write_limit,
// bufferevent_add_to_rate_limit_group,
// bufferevent_remove_from_rate_limit_group
// api bufferevent_rate_limit_group
TEST_P(RateLimitGroupTest, Levels) {
  NewGroup(1000, 3000, 1000000);
  EXPECT_EQ(bufferevent_rate_limit_group_get_read_limit(group_), 1000);
  EXPECT_EQ(bufferevent_rate_limit_group_get_write_limit(group_), 1000);
  Link& link = Add();
  // A member's share: no limit of its own.
  EXPECT_EQ(bufferevent_get_max_to_write(*link.writer), 1000);
  EXPECT_EQ(bufferevent_get_write_limit(*link.writer), EV_SSIZE_MAX);
  Add();
  EXPECT_EQ(bufferevent_get_max_to_write(*link.writer), 500);
  EXPECT_EQ(bufferevent_remove_from_rate_limit_group(*link.writer), 0);
  EXPECT_EQ(bufferevent_get_max_to_write(*link.writer), 16384);
}

// semantics 11.3: shares have a minimum.
// api bufferevent_rate_limit_group_set_min_share
TEST_P(RateLimitGroupTest, MinimumShare) {
  NewGroup(1000, 3000, 1000000);
  for (int i = 0; i < 20; ++i) Add();
  EXPECT_EQ(bufferevent_get_max_to_write(*links_[0]->writer), 64);
  EXPECT_EQ(bufferevent_rate_limit_group_set_min_share(group_, 200), 0);
  EXPECT_EQ(bufferevent_get_max_to_write(*links_[0]->writer), 200);
  EXPECT_EQ(bufferevent_rate_limit_group_set_min_share(group_, 0), 0);
  EXPECT_EQ(bufferevent_get_max_to_write(*links_[0]->writer), 50);
  EXPECT_EQ(bufferevent_rate_limit_group_set_min_share(
                group_, size_t{EV_SSIZE_MAX} + 1),
            -1);
  // Clamped to the rate.
  EXPECT_EQ(bufferevent_rate_limit_group_set_min_share(group_, 5000), 0);
  EXPECT_EQ(bufferevent_get_max_to_write(*links_[0]->writer), 1000);
}

// api bufferevent_rate_limit_group_decrement_read,
// bufferevent_rate_limit_group_decrement_write
TEST_P(RateLimitGroupTest, Decrement) {
  NewGroup(1000, 3000, 1000000);
  Link& link = Add();
  EXPECT_EQ(bufferevent_rate_limit_group_decrement_read(group_, 300), 0);
  EXPECT_EQ(bufferevent_rate_limit_group_get_read_limit(group_), 700);
  EXPECT_EQ(bufferevent_rate_limit_group_decrement_write(group_, 1100), 0);
  EXPECT_EQ(bufferevent_rate_limit_group_get_write_limit(group_), -100);
  EXPECT_EQ(bufferevent_get_max_to_write(*link.writer), 0);
  link.writer->Put("held");
  Settle();
  EXPECT_EQ(link.writer->OutputSize(), 4u);
  EXPECT_EQ(bufferevent_rate_limit_group_decrement_write(group_, -1000), 0);
  ASSERT_TRUE(RunUntil([&] { return link.got == 4; }));
  EXPECT_EQ(bufferevent_rate_limit_group_get_write_limit(group_), 896);
}

// api bufferevent_rate_limit_group_set_cfg
TEST_P(RateLimitGroupTest, SetCfg) {
  NewGroup(1000, 3000, 1000000);
  const timeval tick = {1000, 0};
  ev_token_bucket_cfg* cfg = ev_token_bucket_cfg_new(10, 20, 30, 40, &tick);
  EXPECT_EQ(bufferevent_rate_limit_group_set_cfg(group_, cfg), 0);
  ev_token_bucket_cfg_free(cfg);
  EXPECT_EQ(bufferevent_rate_limit_group_get_read_limit(group_), 20);
  EXPECT_EQ(bufferevent_rate_limit_group_get_write_limit(group_), 40);
  EXPECT_EQ(bufferevent_rate_limit_group_set_cfg(group_, nullptr), -1);
}

// semantics 11.4
// api bufferevent_rate_limit_group_get_totals,
// bufferevent_rate_limit_group_reset_totals
TEST_P(RateLimitGroupTest, Totals) {
  NewGroup(100000, 100000, 1000000);
  Link& link = Add();
  bufferevent_enable(*link.writer, EV_READ);
  link.writer->Put(std::string(300, 'w'));
  link.reader->Put(std::string(70, 'r'));
  ASSERT_TRUE(RunUntil(
      [&] { return link.got == 300 && link.writer->InputSize() == 70; }));
  ev_uint64_t read = 1, written = 1;
  bufferevent_rate_limit_group_get_totals(group_, &read, &written);
  EXPECT_EQ(read, 70u);
  EXPECT_EQ(written, 300u);
  bufferevent_rate_limit_group_get_totals(group_, nullptr, nullptr);
  bufferevent_rate_limit_group_reset_totals(group_);
  bufferevent_rate_limit_group_get_totals(group_, &read, nullptr);
  bufferevent_rate_limit_group_get_totals(group_, nullptr, &written);
  EXPECT_EQ(read + written, 0u);
}

// semantics 11.4: the rate is the group's, and every member gets of it.
TEST_P(RateLimitGroupTest, ThroughputAndFairness) {
  NewGroup(4000, 4000, 10);
  for (int i = 0; i < 5; ++i) Add().writer->Put(std::string(500000, 'x'));
  // 300 ms of real time: thirty ticks.
  RunFor(base(), 300);
  const size_t total = Got();
  EXPECT_GE(total, 40000u);  // a busy machine may lose ticks
  EXPECT_LE(total, 150000u);
  for (const auto& link : links_) {
    EXPECT_GE(link->got, total / 5 / 3);
    EXPECT_LE(link->got, total / 5 * 3);
  }
  ev_uint64_t written = 0;
  bufferevent_rate_limit_group_get_totals(group_, nullptr, &written);
  EXPECT_GE(written, total);
}

// A member that leaves while it is suspended goes on.
TEST_P(RateLimitGroupTest, LeavingResumes) {
  NewGroup(100, 100, 1000000);
  Link& link = Add();
  link.writer->Put(std::string(50000, 'x'));
  Settle();
  EXPECT_LE(link.got, 100u);
  bufferevent_remove_from_rate_limit_group(*link.writer);
  EXPECT_TRUE(RunUntil([&] { return link.got == 50000; }));
}

// Joining another group leaves the first.
TEST_P(RateLimitGroupTest, Moving) {
  NewGroup(100, 100, 1000000);
  Link& link = Add();
  bufferevent_rate_limit_group* first = group_;
  NewGroup(700, 700, 1000000);
  EXPECT_EQ(bufferevent_add_to_rate_limit_group(*link.writer, group_), 0);
  EXPECT_EQ(bufferevent_get_max_to_write(*link.writer), 700);
  bufferevent_rate_limit_group_free(first);
}

// Freed members leave their group.
TEST_P(RateLimitGroupTest, FreedMembers) {
  NewGroup(1000, 1000, 1000000);
  Link& link = Add();
  Add();
  Add().writer->Free();
  links_.back()->writer.reset();
  Settle();
  EXPECT_EQ(bufferevent_get_max_to_write(*link.writer), 500);
}

}  // namespace
}  // namespace compat
