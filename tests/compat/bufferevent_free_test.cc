// Freeing socket bufferevents: from each callback, with output or deferred
// calls pending, by references, and when the descriptor goes.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

class BuffereventFreeTest : public StreamTest {
 protected:
  // A stream that closes pair_[0] when it is freed.
  std::unique_ptr<Stream> New() {
    pair_ = std::make_unique<SocketPair>();
    fd_ = pair_->Release(0);
    return std::make_unique<Stream>(NewSocket(fd_, BEV_OPT_CLOSE_ON_FREE),
                                    &journal_);
  }
  // A stream that frees itself in the callback that `cause` leads to.
  template <typename Cause>
  void ExpectFreedInside(Stream* bev, Cause cause) {
    bool inside = false;
    const auto free_it = [this, bev, &inside] {
      bev->Free();
      // Not while its callback is on the stack.
      EXPECT_TRUE(IsOpen(fd_));
      inside = true;
    };
    bev->OnRead(free_it).OnWrite(free_it).OnEvent(free_it);
    cause();
    ASSERT_TRUE(RunUntil([&] { return inside; }));
    const std::string calls = journal_;
    EXPECT_FALSE(IsOpen(fd_));
    Settle();
    EXPECT_EQ(journal_, calls);
  }

  std::unique_ptr<SocketPair> pair_;
  int fd_ = -1;
};
COMPAT_ON_EVERY_STREAM_MODE(BuffereventFreeTest);

// semantics 10.9
// api bufferevent_free
TEST_P(BuffereventFreeTest, WhenTheDescriptorIsClosed) {
  auto bev = New();
  Settle();
  bev->Free();
#ifdef TESTING_DEBIAN_LIBEVENT
  // By the loop, when that runs the next time.
  EXPECT_TRUE(IsOpen(fd_));
#else
  // better: at once, for the loop is not running.
  EXPECT_FALSE(IsOpen(fd_));
#endif
  Turn();
  EXPECT_FALSE(IsOpen(fd_));
}

// semantics 10.9: or by event_base_free.
TEST_P(BuffereventFreeTest, BaseFreedWithoutAnotherTurn) {
  auto bev = New();
  Settle();
  bev->Free();
  base_.reset();
  EXPECT_FALSE(IsOpen(fd_));
}

TEST_P(BuffereventFreeTest, InTheReadCallback) {
  auto bev = New();
  ExpectFreedInside(bev.get(), [&] {
    bev->Enable(EV_READ);
    pair_->Send(1, "data");
    pair_->Close(1);  // an EOF that is not told of
  });
  EXPECT_EQ(journal_, "s:read");
}

TEST_P(BuffereventFreeTest, InTheWriteCallback) {
  auto bev = New();
  ExpectFreedInside(bev.get(), [&] { bev->Put("out"); });
  EXPECT_EQ(journal_, "s:write");
}

TEST_P(BuffereventFreeTest, InTheEventCallback) {
  auto bev = New();
  ExpectFreedInside(bev.get(), [&] {
    bev->Enable(EV_READ);
    pair_->Close(1);
  });
  EXPECT_EQ(journal_, "s:EOF|R");
}

TEST_P(BuffereventFreeTest, InTheTimeoutCallback) {
  auto bev = New();
  ExpectFreedInside(bev.get(), [&] {
    const timeval soon = Ms(1);
    bufferevent_set_timeouts(*bev, &soon, nullptr);
    bev->Enable(EV_READ);
  });
  EXPECT_EQ(journal_, "s:TIMEOUT|R");
}

// A trigger from outside of the loop whose callback frees.
TEST_P(BuffereventFreeTest, InATriggeredCallback) {
  auto bev = New();
  ExpectFreedInside(bev.get(), [&] {
    bufferevent_trigger(*bev, EV_READ | EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
  });
  EXPECT_EQ(journal_, "s:read");
}

// Its buffers live as long as its callback.
TEST_P(BuffereventFreeTest, BuffersLiveInsideTheCallback) {
  auto bev = New();
  std::string got;
  bev->OnRead([&] {
    evbuffer* input = bev->input();
    bev->Free();
    got = BufferText(input);
  });
  bev->Enable(EV_READ);
  pair_->Send(1, "still here");
  ASSERT_TRUE(RunUntil([&] { return !got.empty(); }));
  EXPECT_EQ(got, "still here");
}

// Freed in a callback of one of its buffers.
TEST_P(BuffereventFreeTest, InABufferCallback) {
  auto bev = New();
  evbuffer_add_cb(
      bev->input(),
      [](evbuffer*, const evbuffer_cb_info*, void* arg) {
        static_cast<Stream*>(arg)->Free();
      },
      bev.get());
  bev->Enable(EV_READ);
  pair_->Send(1, "data");
  ASSERT_TRUE(RunUntil([&] { return bev->bev() == nullptr; }));
  Settle();
  EXPECT_EQ(journal_, "");
  EXPECT_FALSE(IsOpen(fd_));
}

// Each frees the other: only one callback is ever called.
TEST_P(BuffereventFreeTest, TwoThatFreeEachOther) {
  SocketPair first, second;
  Stream a(NewSocket(first[0]), &journal_, "a");
  Stream b(NewSocket(second[0]), &journal_, "b");
  a.OnRead([&] { b.Free(); });
  b.OnRead([&] { a.Free(); });
  a.Enable(EV_READ);
  b.Enable(EV_READ);
  first.Send(1);
  second.Send(1);
  ASSERT_TRUE(RunUntil([&] { return !journal_.empty(); }));
  Settle();
  EXPECT_EQ(a.reads() + b.reads(), 1);
}

// semantics 10.9: output that is not out is discarded.
TEST_P(BuffereventFreeTest, OutputIsDiscarded) {
  auto bev = New();
  pair_->Fill(1);
  const int filled = pair_->Drain(1);
  EXPECT_EQ(filled, 0);
  bev->Put("not sent");
  bev->Free();
  Settle();
  char byte;
  EXPECT_EQ(read((*pair_)[1], &byte, 1), -1);
  EXPECT_EQ(errno, ECONNRESET);  // what the peer had sent was not read
}

// semantics 10.9: no more callbacks, the deferred ones included.
TEST_P(BuffereventFreeTest, PendingCallsAreDropped) {
  auto bev = New();
  bev->Enable(EV_READ);
  pair_->Send(1);
  bev->Put("x");
  bufferevent_trigger(*bev, EV_READ | EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger_event(*bev, BEV_EVENT_EOF, BEV_TRIG_DEFER_CALLBACKS);
  bev->Free();
  Settle();
  EXPECT_EQ(journal_, "");
}

// semantics 8.7
// api bufferevent_incref, bufferevent_decref
TEST_P(BuffereventFreeTest, References) {
  auto bev = New();
  bufferevent* raw = *bev;
  bufferevent_incref(raw);
  EXPECT_EQ(bufferevent_decref(raw), 0);
  bufferevent_incref(raw);
  bev->Free();
  Settle();
  EXPECT_TRUE(IsOpen(fd_));
  // It has no callbacks, but is a stream still.
  EXPECT_EQ(bufferevent_getfd(raw), fd_);
  EXPECT_EQ(bufferevent_write(raw, "late", 4), 0);
  int got = 0;
  ASSERT_TRUE(RunUntil([&] { return (got += pair_->Drain(1)) == 4; }));
  EXPECT_EQ(bufferevent_decref(raw), 1);
  Settle();
  EXPECT_FALSE(IsOpen(fd_));
  EXPECT_EQ(journal_, "");
}

// A last reference dropped without bufferevent_free frees as well.
TEST_P(BuffereventFreeTest, DecrefFrees) {
  auto bev = New();
  EXPECT_EQ(bufferevent_decref(bev->Release()), 1);
  Settle();
  EXPECT_FALSE(IsOpen(fd_));
}

// semantics 8.7: a lock is a reference too.
// api bufferevent_lock, bufferevent_unlock
TEST_P(BuffereventFreeTest, LockIsAReference) {
  auto bev = New();
  bufferevent* raw = *bev;
  bufferevent_lock(raw);
  bev->Free();
  EXPECT_EQ(bufferevent_getfd(raw), fd_);
  EXPECT_TRUE(IsOpen(fd_));
  bufferevent_unlock(raw);
  Settle();
  EXPECT_FALSE(IsOpen(fd_));
}

// After the loop has ended for good: nothing is left when the base goes.
TEST_P(BuffereventFreeTest, ManyAfterTheLoopEnded) {
  std::vector<int> fds;
  std::vector<bufferevent*> streams;
  for (int i = 0; i < 50; ++i) {
    SocketPair pair;
    fds.push_back(pair.Release(0));
    streams.push_back(NewSocket(fds.back(), BEV_OPT_CLOSE_ON_FREE));
    bufferevent_enable(streams.back(), EV_READ);
  }
  event_base_loopbreak(base());
  Turn();
  for (bufferevent* bev : streams) bufferevent_free(bev);
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: no loop has to run for it.
  for (int fd : fds) EXPECT_FALSE(IsOpen(fd));
#endif
  base_.reset();
  for (int fd : fds) EXPECT_FALSE(IsOpen(fd));
}

// Freed in another's callback within a pass: gone when the pass is over.
TEST_P(BuffereventFreeTest, ByAnotherEventOfTheLoop) {
  auto bev = New();
  Probe timer(base(), nullptr, "t");
  timer.OnCall([&] {
    bev->Free();
    EXPECT_TRUE(IsOpen(fd_));
  });
  timer.Activate();
  Turn();
  EXPECT_FALSE(IsOpen(fd_));
}

// The descriptor of a freed stream may be used again by the next at once.
TEST_P(BuffereventFreeTest, DescriptorOutlivesWithoutCloseOnFree) {
  SocketPair pair;
  {
    Stream first(NewSocket(pair[0]), &journal_, "first");
    first.Enable(EV_READ);
    Settle();
  }
  Stream second(NewSocket(pair[0]), &journal_, "second");
  second.Enable(EV_READ);
  pair.Send(1);
  ASSERT_TRUE(RunUntil([&] { return second.reads() == 1; }));
  EXPECT_EQ(journal_, "second:read");
}

}  // namespace
}  // namespace compat
