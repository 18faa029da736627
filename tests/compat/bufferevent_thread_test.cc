// THREADSAFE bufferevents and listeners used from other threads than the one
// of their loop.

#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <event2/thread.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <string>
#include <thread>

#include "percore/tests/compat/listening.h"
#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/thread_fixture.h"

namespace percore::compat {
namespace {

using ::compat::Listening;
using ::compat::LocalAddress;
using ::compat::Loopback;
using ::compat::SocketPair;

constexpr int kSafe = BEV_OPT_THREADSAFE;

struct Watch {
  Happening read, freed;
  std::atomic<int> reads{0};
  std::atomic<size_t> bytes{0};
};

void TakeAll(bufferevent* bev, void* arg) {
  auto* watch = static_cast<Watch*>(arg);
  char block[4096];
  size_t n;
  while ((n = bufferevent_read(bev, block, sizeof(block))) > 0) {
    watch->bytes += n;
  }
  ++watch->reads;
  watch->read.Tell();
}

class BuffereventThread : public ThreadTest {
 protected:
  template <typename Done>
  static bool Await(Done done) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > until) return false;
      // What is waited for is another thread's doing, without a signal to us.
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  SocketPair pair_;
  Watch watch_;
};

// semantics 10.8: a write from another thread wakes the loop.
TEST_F(BuffereventThread, WriteFromAnotherThread) {
  bufferevent* bev = bufferevent_socket_new(base_.get(), pair_[0], kSafe);
  ASSERT_NE(bev, nullptr);
  StartLoopAndAwaitAsleep();
  EXPECT_EQ(bufferevent_write(bev, "from afar", 9), 0);
  int got = 0;
  EXPECT_TRUE(Await([&] { return (got += pair_.Drain(1)) == 9; }));
  StopLoop();
  bufferevent_free(bev);
}

// So does enabling.
TEST_F(BuffereventThread, EnableFromAnotherThread) {
  bufferevent* bev = bufferevent_socket_new(base_.get(), pair_[0], kSafe);
  bufferevent_setcb(bev, TakeAll, nullptr, nullptr, &watch_);
  pair_.Send(1, "waiting");
  StartLoopAndAwaitAsleep();
  EXPECT_EQ(bufferevent_enable(bev, EV_READ), 0);
  EXPECT_TRUE(watch_.read.Await());
  EXPECT_EQ(watch_.bytes, 7u);
  StopLoop();
  bufferevent_free(bev);
}

// A deferred trigger runs in the loop's thread.
TEST_F(BuffereventThread, TriggerFromAnotherThread) {
  bufferevent* bev = bufferevent_socket_new(base_.get(), pair_[0],
                                            kSafe | BEV_OPT_DEFER_CALLBACKS);
  bufferevent_setcb(bev, TakeAll, nullptr, nullptr, &watch_);
  StartLoopAndAwaitAsleep();
  bufferevent_trigger(bev, EV_READ, 0);
  EXPECT_TRUE(watch_.read.Await());
  StopLoop();
  bufferevent_free(bev);
}

struct LockProbe {
  std::atomic<bool> got_lock{false};
  bool got_inside = false;
  Happening done;
};

// Tries for 20 ms to let another thread lock the stream of this callback.
void TryFromAnotherThread(bufferevent* bev, void* arg) {
  auto* probe = static_cast<LockProbe*>(arg);
  bufferevent_setcb(bev, nullptr, nullptr, nullptr, nullptr);
  std::thread([bev, probe] {
    bufferevent_lock(bev);
    probe->got_lock = true;
    bufferevent_unlock(bev);
    probe->done.Tell();
  }).detach();
  // Real time: that it does not get the lock shows in no other way.
  for (int i = 0; i < 20 && !probe->got_lock; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  probe->got_inside = probe->got_lock;
}

// semantics 8.4
// api bufferevent_lock, bufferevent_unlock
TEST_F(BuffereventThread, CallbacksRunLockedOrNot) {
  for (int more : {0, int{BEV_OPT_DEFER_CALLBACKS},
                   BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS}) {
    bufferevent* bev = bufferevent_socket_new(base_.get(), -1, kSafe | more);
    LockProbe probe;
    bufferevent_setcb(bev, TryFromAnotherThread, nullptr, nullptr, &probe);
    bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
    event_base_loop(base_.get(), EVLOOP_NONBLOCK);
    EXPECT_EQ(probe.got_inside, (more & BEV_OPT_UNLOCK_CALLBACKS) != 0);
    ASSERT_TRUE(probe.done.Await());
    bufferevent_free(bev);
    event_base_loop(base_.get(), EVLOOP_NONBLOCK);
  }
}

// semantics 8.6: freed by another thread while the loop sleeps on it.
TEST_F(BuffereventThread, FreeFromAnotherThread) {
  const int fd = pair_.Release(0);
  bufferevent* bev =
      bufferevent_socket_new(base_.get(), fd, kSafe | BEV_OPT_CLOSE_ON_FREE);
  bufferevent_enable(bev, EV_READ);
  StartLoopAndAwaitAsleep();
  bufferevent_free(bev);
  char byte;
  // The peer sees the end when the loop has closed it.
  EXPECT_TRUE(Await([&] { return read(pair_[1], &byte, 1) == 0; }));
  StopLoop();
}

struct MidCallback {
  Happening inside, go_on;
  std::atomic<int> calls{0};
};

// semantics 8.6: and while its callback runs, which may go on using it.
TEST_F(BuffereventThread, FreeInMidCallback) {
  const int fd = pair_.Release(0);
  bufferevent* bev = bufferevent_socket_new(base_.get(), fd,
                                            kSafe | BEV_OPT_CLOSE_ON_FREE |
                                                BEV_OPT_DEFER_CALLBACKS |
                                                BEV_OPT_UNLOCK_CALLBACKS);
  MidCallback mid;
  bufferevent_setcb(
      bev,
      [](bufferevent* b, void* arg) {
        auto* m = static_cast<MidCallback*>(arg);
        ++m->calls;
        m->inside.Tell();
        m->go_on.Await();
        char bytes[8];
        EXPECT_EQ(bufferevent_read(b, bytes, 8), 4u);
      },
      nullptr, nullptr, &mid);
  bufferevent_enable(bev, EV_READ);
  StartLoop();
  pair_.Send(1, "data");
  ASSERT_TRUE(mid.inside.Await());
  bufferevent_free(bev);
  mid.go_on.Tell();
  char byte;
  EXPECT_TRUE(Await([&] { return read(pair_[1], &byte, 1) == 0; }));
  StopLoop();
  EXPECT_EQ(mid.calls, 1);
}

struct Exchange {
  bufferevent* other = nullptr;
  std::atomic<size_t> bytes{0};
};

// Two loops in two threads; each stream's callback writes to the other's.
TEST_F(BuffereventThread, TwoStreamsWriteToEachOther) {
  BasePtr second = NewBase();
  SocketPair pairs[2];
  Exchange ends[2];
  bufferevent* bevs[2];
  const int options =
      kSafe | BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS;
  bevs[0] = bufferevent_socket_new(base_.get(), pairs[0][0], options);
  bevs[1] = bufferevent_socket_new(second.get(), pairs[1][0], options);
  for (int i = 0; i < 2; ++i) {
    ends[i].other = bevs[1 - i];
    bufferevent_setcb(
        bevs[i],
        [](bufferevent* bev, void* arg) {
          auto* end = static_cast<Exchange*>(arg);
          char block[4096];
          size_t n;
          while ((n = bufferevent_read(bev, block, sizeof(block))) > 0) {
            end->bytes += n;
            bufferevent_write(end->other, block, n);
          }
        },
        nullptr, nullptr, &ends[i]);
    bufferevent_enable(bevs[i], EV_READ);
  }
  StartLoop();
  std::thread other_loop(
      [&] { event_base_loop(second.get(), EVLOOP_NO_EXIT_ON_EMPTY); });
  // What goes in on one side comes out on the other's peer.
  constexpr size_t kTotal = 1 << 20;
  const std::string block(8192, 'x');
  size_t in[2] = {}, out[2] = {};
  EXPECT_TRUE(Await([&] {
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < 2; ++i) {
        if (in[i] < kTotal) {
          const ssize_t n = write(pairs[i][1], block.data(), block.size());
          if (n > 0) in[i] += n;
        }
        out[i] += pairs[i].Drain(1);
      }
    }
    return out[0] >= kTotal && out[1] >= kTotal;
  }));
  EXPECT_EQ(out[0], in[1]);
  EXPECT_EQ(out[1], in[0]);
  event_base_loopbreak(second.get());
  other_loop.join();
  StopLoop();
  bufferevent_free(bevs[0]);
  bufferevent_free(bevs[1]);
}

// listener/disable_in_thread
// api LEV_OPT_THREADSAFE
TEST_F(BuffereventThread, ListenerDisabledByAnotherThread) {
  std::atomic<int> accepted{0};
  const auto at = Loopback();
  evconnlistener* listener = evconnlistener_new_bind(
      base_.get(),
      [](evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* arg) {
        close(fd);
        ++*static_cast<std::atomic<int>*>(arg);
      },
      &accepted, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_THREADSAFE, 16, at.sa(),
      at.size);
  ASSERT_NE(listener, nullptr);
  const auto to = LocalAddress(evconnlistener_get_fd(listener));
  StartLoopAndAwaitAsleep();
  const auto connect_one = [&] {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(fd, to.sa(), to.size), 0);
    return fd;
  };
  close(connect_one());
  EXPECT_TRUE(Await([&] { return accepted == 1; }));
  EXPECT_EQ(evconnlistener_disable(listener), 0);
  const int waiting = connect_one();
  AwaitAsleep(loop_tid_);
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(evconnlistener_enable(listener), 0);
  EXPECT_TRUE(Await([&] { return accepted == 2; }));
  close(waiting);
  StopLoop();
  evconnlistener_free(listener);
}

}  // namespace
}  // namespace percore::compat
