// A socket bufferevent's descriptor, priority and base, and the 1.x names.

#include <event.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_compat.h>
#include <event2/bufferevent_struct.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

class BuffereventStateTest : public StreamTest {};
COMPAT_ON_EVERY_STREAM_MODE(BuffereventStateTest);

// semantics 10.10
// api bufferevent_setfd, bufferevent_getfd
TEST_P(BuffereventStateTest, SetfdMovesWhatIsEnabled) {
  SocketPair first, second;
  Stream bev(NewSocket(first[0]), &journal_);
  bev.Enable(EV_READ);
  Settle();
  journal_.clear();
  EXPECT_EQ(bufferevent_setfd(bev, second[0]), 0);
  EXPECT_EQ(bufferevent_getfd(bev), second[0]);
  EXPECT_TRUE(IsOpen(first[0]));
  first.Send(1, "old");
  second.Send(1, "new");
  ASSERT_TRUE(RunUntil([&] { return bev.reads() == 1; }));
  Settle();
  EXPECT_EQ(bev.Take(), "new");
  bev.Put("out");
  int got = 0;
  ASSERT_TRUE(RunUntil([&] { return (got += second.Drain(1)) == 3; }));
  EXPECT_EQ(first.Drain(1), 0);
}

// What was written without a descriptor goes out when there is one.
TEST_P(BuffereventStateTest, SetfdGivesTheFirstDescriptor) {
  SocketPair pair;
  Stream bev(NewSocket(-1), &journal_);
  bev.Enable(EV_READ);
  bev.Put("waiting");
  Settle();
  EXPECT_EQ(bufferevent_setfd(bev, pair[0]), 0);
  int got = 0;
  ASSERT_TRUE(RunUntil([&] { return (got += pair.Drain(1)) == 7; }));
  pair.Send(1);
  ASSERT_TRUE(RunUntil([&] { return bev.reads() == 1; }));
}

TEST_P(BuffereventStateTest, SetfdMinusOneDetaches) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0], BEV_OPT_CLOSE_ON_FREE), &journal_);
  bev.Enable(EV_READ);
  Settle();
  EXPECT_EQ(bufferevent_setfd(bev, -1), 0);
  EXPECT_EQ(bufferevent_getfd(bev), -1);
  pair.Send(1);
  Settle();
  EXPECT_EQ(bev.reads(), 0);
  bev.Free();
  Settle();
  EXPECT_TRUE(IsOpen(pair[0]));
}

#ifndef TESTING_DEBIAN_LIBEVENT  // came with 2.2
// api bufferevent_replacefd
TEST_P(BuffereventStateTest, ReplacefdClosesTheOld) {
  SocketPair first, second;
  const int old = first.Release(0);
  Stream bev(NewSocket(old), &journal_);
  bev.Enable(EV_READ);
  EXPECT_EQ(bufferevent_replacefd(bev, second[0]), 0);
  EXPECT_EQ(bufferevent_getfd(bev), second[0]);
  EXPECT_FALSE(IsOpen(old));
  second.Send(1);
  ASSERT_TRUE(RunUntil([&] { return bev.reads() == 1; }));
  EXPECT_EQ(bufferevent_replacefd(bev, -1), 0);
  EXPECT_FALSE(IsOpen(second.Release(0)));
}
#endif

// semantics 10.14
// api bufferevent_priority_set, bufferevent_get_priority
TEST_P(BuffereventStateTest, Priority) {
  event_base_priority_init(base(), 5);
  SocketPair pair;
  Stream bev(NewSocket(pair[0]));
  EXPECT_EQ(bufferevent_get_priority(bev), 2);
  EXPECT_EQ(bufferevent_priority_set(bev, 4), 0);
  EXPECT_EQ(bufferevent_get_priority(bev), 4);
  EXPECT_EQ(bufferevent_priority_set(bev, 0), 0);
  EXPECT_EQ(bufferevent_get_priority(bev), 0);
  EXPECT_EQ(bufferevent_priority_set(bev, 5), -1);
  EXPECT_EQ(bufferevent_priority_set(bev, -1), -1);
  EXPECT_EQ(bufferevent_get_priority(bev), 0);
}

// semantics 10.14: of reading and of deferred callbacks
TEST_P(BuffereventStateTest, PriorityOrders) {
  event_base_priority_init(base(), 3);
  SocketPair first, second;
  Stream low(NewSocket(first[0]), &journal_, "low");
  Stream high(NewSocket(second[0]), &journal_, "high");
  EXPECT_EQ(bufferevent_priority_set(low, 2), 0);
  EXPECT_EQ(bufferevent_priority_set(high, 0), 0);
  low.OnRead([&] { low.Take(); });
  high.OnRead([&] { high.Take(); });
  low.Enable(EV_READ);
  high.Enable(EV_READ);
  first.Send(1);
  second.Send(1);
  ASSERT_TRUE(RunUntil([&] { return low.reads() && high.reads(); }));
  EXPECT_EQ(journal_, "high:read low:read");
  journal_.clear();
  bufferevent_trigger(low, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger(high, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
  ASSERT_TRUE(RunUntil([&] { return low.reads() == 2 && high.reads() == 2; }));
  EXPECT_EQ(journal_, "high:read low:read");
}

// api bufferevent_base_set, bufferevent_get_base
TEST_P(BuffereventStateTest, BaseSet) {
  BasePtr other = NewBase(GetParam().setup);
  SocketPair pair;
  {
    Stream bev(NewSocket(pair[0]), &journal_);
    EXPECT_EQ(bufferevent_base_set(other.get(), bev), 0);
    EXPECT_EQ(bufferevent_get_base(bev), other.get());
    bev.Enable(EV_READ);
    pair.Send(1);
    Settle();
    EXPECT_EQ(journal_, "");
    ASSERT_TRUE(
        compat::RunUntil(other.get(), [&] { return bev.reads() == 1; }));
    // Its events wait on that base: too late to move on.
    EXPECT_EQ(bufferevent_base_set(base(), bev), -1);
#ifdef TESTING_DEBIAN_LIBEVENT
    EXPECT_EQ(bufferevent_get_base(bev), base());
#else
    // better: refused, it changes nothing.
    EXPECT_EQ(bufferevent_get_base(bev), other.get());
#endif
    bev.Disable(EV_READ | EV_WRITE);
    bev.Free();
    compat::Settle(other.get());
  }
}

// api bufferevent_base_set: not of a pair
TEST_P(BuffereventStateTest, BaseSetOfAPair) {
  BasePtr other = NewBase(GetParam().setup);
  bufferevent* ends[2];
  ASSERT_EQ(bufferevent_pair_new(base(), options(), ends), 0);
  EXPECT_EQ(bufferevent_base_set(other.get(), ends[0]), -1);
  EXPECT_EQ(bufferevent_get_base(ends[0]), base());
  EXPECT_EQ(bufferevent_priority_set(ends[0], 0), -1);
  EXPECT_EQ(bufferevent_setfd(ends[0], 0), -1);
  EXPECT_EQ(bufferevent_getfd(ends[0]), -1);
  bufferevent_free(ends[0]);
  bufferevent_free(ends[1]);
}

struct OldCalls {
  int reads = 0, writes = 0;
  short what = 0;
};
void OldRead(bufferevent*, void* arg) { ++static_cast<OldCalls*>(arg)->reads; }
void OldWrite(bufferevent*, void* arg) {
  ++static_cast<OldCalls*>(arg)->writes;
}
void OldError(bufferevent*, short what, void* arg) {
  static_cast<OldCalls*>(arg)->what |= what;
}

// api bufferevent_new, bufferevent_settimeout, evbuffercb, everrorcb
// api EVBUFFER_INPUT, EVBUFFER_OUTPUT
TEST(BuffereventOldTest, OnTheCurrentBase) {
  event_base* base = event_init();
  ASSERT_NE(base, nullptr);
  SocketPair pair;
  OldCalls calls;
  evbuffercb read_cb = OldRead, write_cb = OldWrite;
  everrorcb error_cb = OldError;
  bufferevent* bev =
      bufferevent_new(pair[0], read_cb, write_cb, error_cb, &calls);
  ASSERT_NE(bev, nullptr);
  EXPECT_EQ(bufferevent_base_set(base, bev), 0);
  EXPECT_EQ(bufferevent_get_enabled(bev), EV_WRITE);
  EXPECT_EQ(EVBUFFER_INPUT(bev), bufferevent_get_input(bev));
  EXPECT_EQ(EVBUFFER_OUTPUT(bev), bufferevent_get_output(bev));
  bufferevent_settimeout(bev, 1, 2);
  EXPECT_EQ(bev->timeout_read.tv_sec, 1);
  EXPECT_EQ(bev->timeout_write.tv_sec, 2);
  bufferevent_settimeout(bev, 0, 0);
  EXPECT_EQ(bev->timeout_read.tv_sec, 0);
  EXPECT_EQ(bev->timeout_write.tv_sec, 0);
  bufferevent_enable(bev, EV_READ);
  bufferevent_write(bev, "out", 3);
  pair.Send(1, "in");
  ASSERT_TRUE(
      RunUntil(base, [&] { return calls.reads == 1 && calls.writes == 1; }));
  pair.Drain(1);
  pair.Close(1);
  ASSERT_TRUE(RunUntil(base, [&] { return calls.what != 0; }));
  EXPECT_EQ(calls.what, EVBUFFER_EOF | EVBUFFER_READ);
  bufferevent_free(bev);
  event_base_free(base);
}

// api EVBUFFER_READ, EVBUFFER_WRITE, EVBUFFER_EOF, EVBUFFER_ERROR
// api EVBUFFER_TIMEOUT
TEST(BuffereventOldTest, NamesOfFlags) {
  EXPECT_EQ(EVBUFFER_READ, BEV_EVENT_READING);
  EXPECT_EQ(EVBUFFER_WRITE, BEV_EVENT_WRITING);
  EXPECT_EQ(EVBUFFER_EOF, BEV_EVENT_EOF);
  EXPECT_EQ(EVBUFFER_ERROR, BEV_EVENT_ERROR);
  EXPECT_EQ(EVBUFFER_TIMEOUT, BEV_EVENT_TIMEOUT);
}

// The structure is public: what its fields say.
// api struct bufferevent, struct event_watermark
TEST_P(BuffereventStateTest, PublicFields) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]));
  const bufferevent* raw = bev;
  EXPECT_EQ(raw->ev_base, base());
  EXPECT_EQ(raw->input, bev.input());
  EXPECT_EQ(raw->output, bev.output());
  EXPECT_EQ(raw->cbarg, &bev);
  bufferevent_setwatermark(bev, EV_READ, 3, 4);
  bufferevent_setwatermark(bev, EV_WRITE, 5, 6);
  EXPECT_EQ(raw->wm_read.low, 3u);
  EXPECT_EQ(raw->wm_read.high, 4u);
  EXPECT_EQ(raw->wm_write.low, 5u);
  EXPECT_EQ(raw->wm_write.high, 6u);
  const timeval read = {7, 8}, write = {9, 10};
  bufferevent_set_timeouts(bev, &read, &write);
  EXPECT_EQ(raw->timeout_read.tv_sec, 7);
  EXPECT_EQ(raw->timeout_write.tv_usec, 10);
  EXPECT_EQ(raw->enabled, EV_WRITE);
  bev.Enable(EV_READ);
  EXPECT_EQ(raw->enabled, EV_READ | EV_WRITE);
  EXPECT_EQ(event_get_fd(&raw->ev_read), pair[0]);
  EXPECT_TRUE(event_initialized(&raw->ev_write));
}

}  // namespace
}  // namespace compat
