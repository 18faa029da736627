// Socket bufferevents: what a new one is like, its getters, and data through
// it.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <gtest/gtest.h>

#include <string>

#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

class BuffereventBasicTest : public StreamTest {};
COMPAT_ON_EVERY_STREAM_MODE(BuffereventBasicTest);

void OnData(bufferevent*, void*) {}
void OnEvent(bufferevent*, short, void*) {}

// semantics 10.1
// api bufferevent_socket_new, bufferevent_get_enabled, bufferevent_getfd
// api bufferevent_get_base, bufferevent_get_underlying, bufferevent_free
// api BEV_OPT_CLOSE_ON_FREE, BEV_OPT_DEFER_CALLBACKS
TEST_P(BuffereventBasicTest, NewIsEnabledForWritingOnly) {
  SocketPair pair;
  bufferevent* bev = NewSocket(pair[0]);
  ASSERT_NE(bev, nullptr);
  EXPECT_EQ(bufferevent_get_enabled(bev), EV_WRITE);
  EXPECT_EQ(bufferevent_getfd(bev), pair[0]);
  EXPECT_EQ(bufferevent_get_base(bev), base());
  EXPECT_EQ(bufferevent_get_underlying(bev), nullptr);
  EXPECT_EQ(evbuffer_get_length(bufferevent_get_input(bev)), 0u);
  EXPECT_EQ(evbuffer_get_length(bufferevent_get_output(bev)), 0u);
  // Nothing to write: nothing that keeps the loop.
  EXPECT_EQ(event_base_dispatch(base()), 1);
  bufferevent_free(bev);
}

// semantics 10.10: getfd on fresh
TEST_P(BuffereventBasicTest, NewWithoutFd) {
  Stream bev(NewSocket(-1), &journal_);
  EXPECT_EQ(bufferevent_getfd(bev), -1);
  EXPECT_EQ(bev.Enabled(), EV_WRITE);
  EXPECT_EQ(bev.Enable(EV_READ), 0);
  EXPECT_EQ(bev.Enabled(), EV_READ | EV_WRITE);
  EXPECT_EQ(bev.Put("waits for an fd"), 0);
  EXPECT_EQ(bev.OutputSize(), 15u);
  Settle();
  EXPECT_EQ(journal_, "");
}

// semantics 10.8: UNLOCK_CALLBACKS requires DEFER
// api BEV_OPT_UNLOCK_CALLBACKS, BEV_OPT_THREADSAFE
TEST_P(BuffereventBasicTest, UnlockWithoutDeferIsRefused) {
  LogCapture log;
  SocketPair pair;
  const int lock = kShared ? BEV_OPT_THREADSAFE : 0;
  EXPECT_EQ(
      bufferevent_socket_new(base(), pair[0], lock | BEV_OPT_UNLOCK_CALLBACKS),
      nullptr);
  // The caller's fd is the caller's still.
  EXPECT_EQ(bufferevent_socket_new(
                base(), pair[0],
                lock | BEV_OPT_UNLOCK_CALLBACKS | BEV_OPT_CLOSE_ON_FREE),
            nullptr);
  EXPECT_TRUE(IsOpen(pair[0]));
}

// api bufferevent_enable, bufferevent_disable
TEST_P(BuffereventBasicTest, EnableAndDisable) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]));
  EXPECT_EQ(bev.Enable(EV_READ), 0);
  EXPECT_EQ(bev.Enabled(), EV_READ | EV_WRITE);
  EXPECT_EQ(bev.Enable(EV_READ), 0);
  EXPECT_EQ(bev.Disable(EV_WRITE), 0);
  EXPECT_EQ(bev.Enabled(), EV_READ);
  EXPECT_EQ(bev.Disable(EV_READ | EV_WRITE), 0);
  EXPECT_EQ(bev.Enabled(), 0);
  EXPECT_EQ(bev.Disable(EV_READ | EV_WRITE), 0);
}

// A disabled direction keeps its data until it is enabled.
TEST_P(BuffereventBasicTest, DisabledDirectionsMoveNothing) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]), &journal_);
  bev.Disable(EV_WRITE);
  bev.Put("out");
  pair.Send(1, "in");
  Settle();
  EXPECT_EQ(journal_, "");
  EXPECT_EQ(bev.OutputSize(), 3u);
  EXPECT_EQ(bev.InputSize(), 0u);
  EXPECT_EQ(pair.Drain(1), 0);

  bev.Enable(EV_WRITE);
  EXPECT_TRUE(RunUntil([&] { return bev.writes() == 1; }));
  EXPECT_EQ(pair.Drain(1), 3);
  bev.Enable(EV_READ);
  EXPECT_TRUE(RunUntil([&] { return bev.reads() == 1; }));
  EXPECT_EQ(bev.Take(), "in");
  EXPECT_EQ(journal_, "s:write s:read");
}

// semantics 10.1: the write event is there only while there is output.
// api bufferevent_write
TEST_P(BuffereventBasicTest, WriteInterestFollowsTheOutput) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]), &journal_);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  EXPECT_EQ(bev.Put("hello"), 0);
  EXPECT_TRUE(RunUntil([&] { return bev.writes() == 1; }));
  EXPECT_EQ(bev.OutputSize(), 0u);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  EXPECT_EQ(pair.Drain(1), 5);
  // Each output that drains is one callback.
  EXPECT_EQ(bev.Put("again"), 0);
  EXPECT_TRUE(RunUntil([&] { return bev.writes() == 2; }));
  Settle();
  EXPECT_EQ(journal_, "s:write s:write");
}

// semantics 10.2: with nothing ever written the write callback is not called.
TEST_P(BuffereventBasicTest, NoWriteCallbackWithoutOutput) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]), &journal_);
  bev.Enable(EV_READ);
  bev.Put("");
  Settle();
  EXPECT_EQ(journal_, "");
}

// But for this: enabling EV_WRITE watches the descriptor even without output,
// and when it is writable the callback says so, once.
TEST_P(BuffereventBasicTest, EnablingWritesTellsOfAnEmptyOutput) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]), &journal_);
  bev.Enable(EV_WRITE);
  ASSERT_TRUE(RunUntil([&] { return bev.writes() == 1; }));
  Settle();
  EXPECT_EQ(journal_, "s:write");
  bev.Enable(EV_WRITE);
  bev.Disable(EV_WRITE);
  Settle();
  EXPECT_EQ(journal_, "s:write");
}

// api bufferevent_read
TEST_P(BuffereventBasicTest, ReadTakesUpToSize) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]));
  char bytes[8] = {};
  EXPECT_EQ(bufferevent_read(bev, bytes, sizeof(bytes)), 0u);
  bev.Enable(EV_READ);
  pair.Send(1, "abcdef");
  ASSERT_TRUE(RunUntil([&] { return bev.reads() == 1; }));
  EXPECT_EQ(bufferevent_read(bev, bytes, 2), 2u);
  EXPECT_EQ(std::string(bytes, 2), "ab");
  EXPECT_EQ(bufferevent_read(bev, bytes, sizeof(bytes)), 4u);
  EXPECT_EQ(std::string(bytes, 4), "cdef");
  EXPECT_EQ(bufferevent_read(bev, bytes, sizeof(bytes)), 0u);
}

// api bufferevent_read_buffer, bufferevent_write_buffer
TEST_P(BuffereventBasicTest, WholeBuffers) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]));
  Stream peer(NewSocket(pair[1]));
  peer.Enable(EV_READ);
  evbuffer* buffer = evbuffer_new();
  EXPECT_EQ(bufferevent_write_buffer(bev, buffer), 0);
  evbuffer_add_printf(buffer, "%s", "moved");
  EXPECT_EQ(bufferevent_write_buffer(bev, buffer), 0);
  EXPECT_EQ(evbuffer_get_length(buffer), 0u);
  ASSERT_TRUE(RunUntil([&] { return peer.InputSize() == 5; }));
  evbuffer_add_printf(buffer, "was ");
  EXPECT_EQ(bufferevent_read_buffer(peer, buffer), 0);
  EXPECT_EQ(BufferText(buffer), "was moved");
  EXPECT_EQ(peer.InputSize(), 0u);
  EXPECT_EQ(bufferevent_read_buffer(peer, buffer), 0);
  evbuffer_free(buffer);
}

// semantics 10.12
// api bufferevent_get_input, bufferevent_get_output
TEST_P(BuffereventBasicTest, TheEndsThatArentYoursAreFrozen) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]));
  EXPECT_EQ(evbuffer_add(bev.input(), "x", 1), -1);
  EXPECT_EQ(evbuffer_add_printf(bev.input(), "x"), -1);
  EXPECT_EQ(evbuffer_prepend(bev.output(), "x", 1), -1);
  EXPECT_EQ(evbuffer_add(bev.output(), "xy", 2), 0);
  EXPECT_EQ(evbuffer_drain(bev.output(), 1), -1);
  EXPECT_EQ(bev.OutputSize(), 2u);
  // The other ends are free.
  EXPECT_EQ(evbuffer_prepend(bev.input(), "z", 1), 0);
  EXPECT_EQ(evbuffer_drain(bev.input(), 1), 0);
}

// Frozen stays frozen after I/O.
TEST_P(BuffereventBasicTest, FrozenAfterTransfer) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]));
  bev.Enable(EV_READ);
  bev.Put("out");
  pair.Send(1, "in");
  ASSERT_TRUE(RunUntil([&] { return bev.writes() == 1 && bev.reads() == 1; }));
  EXPECT_EQ(evbuffer_add(bev.input(), "x", 1), -1);
  bev.Disable(EV_WRITE);
  bev.Put("x");
  EXPECT_EQ(evbuffer_drain(bev.output(), 1), -1);
}

// Output added to the buffer itself goes out too.
TEST_P(BuffereventBasicTest, OutputAddedToTheBuffer) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]));
  evbuffer_add_printf(bev.output(), "%d bottles", 99);
  ASSERT_TRUE(RunUntil([&] { return bev.writes() == 1; }));
  EXPECT_EQ(pair.Drain(1), 10);
}

// api bufferevent_setcb, bufferevent_getcb
// api bufferevent_data_cb, bufferevent_event_cb
TEST_P(BuffereventBasicTest, CallbacksAreTheOnesSet) {
  Stream bev(NewSocket());
  bufferevent_data_cb read_cb, write_cb;
  bufferevent_event_cb event_cb;
  void* arg;
  bufferevent_setcb(bev, OnData, nullptr, OnEvent, &journal_);
  bufferevent_getcb(bev, &read_cb, &write_cb, &event_cb, &arg);
  EXPECT_EQ(read_cb, &OnData);
  EXPECT_EQ(write_cb, nullptr);
  EXPECT_EQ(event_cb, &OnEvent);
  EXPECT_EQ(arg, &journal_);
  // What is not asked for is not written.
  bufferevent_getcb(bev, nullptr, nullptr, nullptr, nullptr);
  bufferevent_setcb(bev, nullptr, nullptr, nullptr, nullptr);
  bufferevent_getcb(bev, &read_cb, nullptr, &event_cb, &arg);
  EXPECT_EQ(read_cb, nullptr);
  EXPECT_EQ(event_cb, nullptr);
  EXPECT_EQ(arg, nullptr);
}

// api bufferevent_setwatermark, bufferevent_getwatermark
TEST_P(BuffereventBasicTest, WatermarksAreTheOnesSet) {
  Stream bev(NewSocket());
  size_t low = 7, high = 7;
  EXPECT_EQ(bufferevent_getwatermark(bev, EV_READ, &low, &high), 0);
  EXPECT_EQ(low, 0u);
  EXPECT_EQ(high, 0u);
  bufferevent_setwatermark(bev, EV_READ, 1, 2);
  bufferevent_setwatermark(bev, EV_WRITE, 3, 4);
  EXPECT_EQ(bufferevent_getwatermark(bev, EV_READ, &low, &high), 0);
  EXPECT_EQ(low, 1u);
  EXPECT_EQ(high, 2u);
  EXPECT_EQ(bufferevent_getwatermark(bev, EV_WRITE, &low, nullptr), 0);
  EXPECT_EQ(low, 3u);
  EXPECT_EQ(bufferevent_getwatermark(bev, EV_WRITE, nullptr, &high), 0);
  EXPECT_EQ(high, 4u);
  EXPECT_EQ(bufferevent_getwatermark(bev, EV_READ | EV_WRITE, &low, &high), -1);
  EXPECT_EQ(bufferevent_getwatermark(bev, 0, &low, &high), -1);
  EXPECT_EQ(bufferevent_getwatermark(bev, EV_TIMEOUT, &low, &high), -1);
  bufferevent_setwatermark(bev, EV_READ | EV_WRITE, 5, 6);
  EXPECT_EQ(bufferevent_getwatermark(bev, EV_READ, &low, &high), 0);
  EXPECT_EQ(low + high, 11u);
  EXPECT_EQ(bufferevent_getwatermark(bev, EV_WRITE, &low, &high), 0);
  EXPECT_EQ(low + high, 11u);
}

// semantics 10.15
// api bufferevent_flush, BEV_NORMAL, BEV_FLUSH, BEV_FINISHED
// api enum bufferevent_flush_mode
TEST_P(BuffereventBasicTest, FlushDoesNothing) {
  SocketPair pair;
  Stream bev(NewSocket(pair[0]), &journal_);
  bev.Put("stays");
  for (auto mode : {BEV_NORMAL, BEV_FLUSH, BEV_FINISHED}) {
    EXPECT_EQ(bufferevent_flush(bev, EV_READ | EV_WRITE, mode), 0);
  }
  EXPECT_EQ(bev.OutputSize(), 5u);
  EXPECT_EQ(journal_, "");
}

// A megabyte each way through small socket buffers, every byte in order.
TEST_P(BuffereventBasicTest, VolumeBothWays) {
  constexpr size_t kSize = 1 << 20;
  std::string bytes(kSize, '\0');
  for (size_t i = 0; i < kSize; ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
  SocketPair pair;
  Stream a(NewSocket(pair[0])), b(NewSocket(pair[1]));
  std::string got[2];
  a.OnRead([&] { got[0] += a.Take(); });
  b.OnRead([&] { got[1] += b.Take(); });
  a.Enable(EV_READ);
  b.Enable(EV_READ);
  a.Put(bytes);
  b.Put(bytes);
  ASSERT_TRUE(RunUntil(
      [&] { return got[0].size() >= kSize && got[1].size() >= kSize; }));
  EXPECT_TRUE(got[0] == bytes);
  EXPECT_TRUE(got[1] == bytes);
  EXPECT_EQ(a.events() + b.events(), 0);
}

// The descriptor is closed with CLOSE_ON_FREE, and only then.
// semantics 10.8
TEST_P(BuffereventBasicTest, CloseOnFree) {
  for (int more : {0, int{BEV_OPT_CLOSE_ON_FREE}}) {
    SocketPair pair;
    const int fd = pair[0];
    bufferevent_free(NewSocket(fd, more));
    Settle();
    EXPECT_EQ(IsOpen(fd), more == 0);
    if (more != 0) pair.Release(0);
  }
}

}  // namespace
}  // namespace compat
