// Filters over sockets and over each other, and what freeing them frees.

#include <event2/bufferevent.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "percore/tests/compat/filters.h"
#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

class FilterChainTest : public StreamTest {
 protected:
  bufferevent* NewFilter(bufferevent* under, FilterLog* log, int more) {
    return bufferevent_filter_new(under, ShiftIn, ShiftOut, options() | more,
                                  CountFree, log);
  }

  FilterLog log_, other_log_;
  SocketPair pair_;
};
COMPAT_ON_EVERY_STREAM_MODE(FilterChainTest);

// bufferevent/socket_filter_inactive
TEST_P(FilterChainTest, OverASocket) {
  Stream filter(NewFilter(NewSocket(pair_[0]), &log_, BEV_OPT_CLOSE_ON_FREE),
                &journal_);
  filter.Enable(EV_READ);
  filter.Put("HAL");
  pair_.Send(1, "IBM");
  ASSERT_TRUE(RunUntil([&] { return filter.reads() == 1; }));
  EXPECT_EQ(filter.Take(), "HAL");
  char bytes[4] = {};
  ASSERT_TRUE(RunUntil([&] { return read(pair_[1], bytes, 3) == 3; }));
  EXPECT_STREQ(bytes, "IBM");
  pair_.Close(1);
  ASSERT_TRUE(RunUntil([&] { return filter.events() == 1; }));
  EXPECT_EQ(filter.last_event(), BEV_EVENT_EOF | BEV_EVENT_READING);
}

// Both callbacks NULL: it passes everything on.
TEST_P(FilterChainTest, WithoutCallbacks) {
  Stream filter(bufferevent_filter_new(NewSocket(pair_[0]), nullptr, nullptr,
                                       options() | BEV_OPT_CLOSE_ON_FREE,
                                       nullptr, nullptr),
                &journal_);
  filter.Enable(EV_READ);
  filter.Put("as it is");
  pair_.Send(1, "unchanged");
  ASSERT_TRUE(RunUntil([&] { return filter.InputSize() == 9; }));
  EXPECT_EQ(filter.Take(), "unchanged");
  int got = 0;
  ASSERT_TRUE(RunUntil([&] { return (got += pair_.Drain(1)) == 8; }));
}

TEST_P(FilterChainTest, Nested) {
  bufferevent* inner =
      NewFilter(NewSocket(pair_[0]), &log_, BEV_OPT_CLOSE_ON_FREE);
  ASSERT_NE(inner, nullptr);
  {
    Stream outer(NewFilter(inner, &other_log_, BEV_OPT_CLOSE_ON_FREE),
                 &journal_);
    EXPECT_EQ(bufferevent_get_underlying(outer), inner);
    outer.Enable(EV_READ);
    outer.Put("AB");
    pair_.Send(1, "ef");
    ASSERT_TRUE(RunUntil([&] { return outer.reads() == 1; }));
    EXPECT_EQ(outer.Take(), "cd");
    char bytes[3] = {};
    ASSERT_TRUE(RunUntil([&] { return read(pair_[1], bytes, 2) == 2; }));
    EXPECT_STREQ(bytes, "CD");
  }
  Settle();
  EXPECT_EQ(log_.freed, 1);
  EXPECT_EQ(other_log_.freed, 1);
}

// A flush goes down the whole chain.
TEST_P(FilterChainTest, NestedFlush) {
  log_.out_waits = other_log_.out_waits = true;
  Stream outer(
      NewFilter(NewFilter(NewSocket(pair_[0]), &log_, BEV_OPT_CLOSE_ON_FREE),
                &other_log_, BEV_OPT_CLOSE_ON_FREE),
      &journal_);
  outer.Put("AB");
  Settle();
  EXPECT_EQ(pair_.Drain(1), 0);
  bufferevent_flush(outer, EV_WRITE, BEV_FLUSH);
  int got = 0;
  ASSERT_TRUE(RunUntil([&] { return (got += pair_.Drain(1)) == 2; }));
}

// semantics 12.2: freed without CLOSE_ON_FREE the underlying is the program's
// again.
TEST_P(FilterChainTest, WithoutCloseOnFree) {
  Stream under(NewSocket(pair_[0]), &journal_, "under");
  {
    Stream filter(NewFilter(under, &log_, 0), &journal_, "f");
    filter.Enable(EV_READ);
    pair_.Send(1, "IBM");
    ASSERT_TRUE(RunUntil([&] { return filter.reads() == 1; }));
    filter.Take();
  }
  Settle();
  EXPECT_EQ(log_.freed, 1);
  EXPECT_EQ(bufferevent_getfd(under), pair_[0]);
  under.SetCallbacks();
  journal_.clear();
  under.Enable(EV_READ);
  pair_.Send(1, "plain");
  ASSERT_TRUE(RunUntil([&] { return under.reads() == 1; }));
  EXPECT_EQ(under.Take(), "plain");
}

// semantics 10.8: CLOSE_ON_FREE frees the underlying, which has its own say on
// its descriptor.
TEST_P(FilterChainTest, CloseOnFree) {
  for (int close_fd : {0, int{BEV_OPT_CLOSE_ON_FREE}}) {
    SocketPair pair;
    const int fd = pair[0];
    bufferevent* filter =
        NewFilter(NewSocket(fd, close_fd), &log_, BEV_OPT_CLOSE_ON_FREE);
    log_.freed = 0;
    bufferevent_free(filter);
#ifndef TESTING_DEBIAN_LIBEVENT
    // better: at once, for the loop is not running.
    EXPECT_EQ(log_.freed, 1);
    EXPECT_EQ(IsOpen(fd), close_fd == 0);
#endif
    Settle();
    EXPECT_EQ(log_.freed, 1);
    EXPECT_EQ(IsOpen(fd), close_fd == 0);
    if (close_fd != 0) pair.Release(0);
  }
}

TEST_P(FilterChainTest, FreeInEachCallback) {
  for (const char* where : {"read", "write", "event"}) {
    SocketPair pair;
    FilterLog log;
    Stream filter(NewFilter(NewSocket(pair[0]), &log, BEV_OPT_CLOSE_ON_FREE),
                  &journal_);
    const auto free_it = [&] { filter.Free(); };
    const std::string name = where;
    if (name == "read") {
      filter.OnRead(free_it);
    } else if (name == "write") {
      filter.OnWrite(free_it);
    } else {
      filter.OnEvent(free_it);
    }
    filter.Enable(EV_READ);
    filter.Put("x");
    pair.Send(1, "yz");
    Settle();
    pair.Close(1);
    ASSERT_TRUE(RunUntil([&] { return filter.bev() == nullptr; })) << where;
    const std::string calls = journal_;
    Settle();
    EXPECT_EQ(journal_, calls);
    EXPECT_EQ(log.freed, 1) << where;
  }
}

// A filter callback that frees the filter it runs in.
TEST_P(FilterChainTest, FreeInTheOutermostOfTwo) {
  Stream outer(NewFilter(NewFilter(NewSocket(pair_[0], BEV_OPT_CLOSE_ON_FREE),
                                   &log_, BEV_OPT_CLOSE_ON_FREE),
                         &other_log_, BEV_OPT_CLOSE_ON_FREE),
               &journal_);
  const int fd = pair_.Release(0);
  outer.OnRead([&] { outer.Free(); });
  outer.Enable(EV_READ);
  pair_.Send(1, "x");
  ASSERT_TRUE(RunUntil([&] { return outer.bev() == nullptr; }));
  Settle();
  EXPECT_EQ(journal_, "s:read");
  EXPECT_EQ(log_.freed + other_log_.freed, 2);
  EXPECT_FALSE(IsOpen(fd));
}

// A megabyte each way through two filters, with a mark in the way.
TEST_P(FilterChainTest, Volume) {
  constexpr size_t kSize = 1 << 20;
  std::string bytes(kSize, '\0');
  for (size_t i = 0; i < kSize; ++i) bytes[i] = static_cast<char>(i * 13 >> 2);
  Stream a(NewFilter(NewSocket(pair_[0]), &log_, BEV_OPT_CLOSE_ON_FREE));
  Stream b(NewFilter(NewSocket(pair_[1]), &other_log_, BEV_OPT_CLOSE_ON_FREE));
  std::string got[2];
  a.OnRead([&] { got[0] += a.Take(); });
  b.OnRead([&] { got[1] += b.Take(); });
  bufferevent_setwatermark(b, EV_READ, 0, 30000);
  a.Enable(EV_READ);
  b.Enable(EV_READ);
  a.Put(bytes);
  b.Put(bytes);
  ASSERT_TRUE(RunUntil(
      [&] { return got[0].size() == kSize && got[1].size() == kSize; }));
  EXPECT_TRUE(got[0] == bytes);
  EXPECT_TRUE(got[1] == bytes);
}

// semantics 12.2: the connect of the underlying is told by the filter.
TEST_P(FilterChainTest, ConnectedIsForwarded) {
  bufferevent* under = NewSocket(pair_[0]);
  Stream filter(NewFilter(under, &log_, BEV_OPT_CLOSE_ON_FREE), &journal_);
  EXPECT_EQ(bufferevent_socket_connect(under, nullptr, 0), 0);
  ASSERT_TRUE(RunUntil([&] { return filter.events() == 1; }));
  EXPECT_EQ(filter.last_event(), BEV_EVENT_CONNECTED);
}

}  // namespace
}  // namespace compat
