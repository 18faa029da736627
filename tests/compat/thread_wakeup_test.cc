// Calls of another thread that must wake a loop which sleeps in the kernel.

#include <event2/event.h>
#include <event2/thread.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "percore/tests/compat/thread_fixture.h"

namespace percore::compat {
namespace {

using ThreadWakeup = ThreadTest;

// semantics 1.14, 8.3
// api event_active, evuser_trigger
TEST_F(ThreadWakeup, Active) {
  Happening ran;
  EventPtr ev(evuser_new(base_.get(), Tell, &ran));
  StartLoopAndAwaitAsleep();
  event_active(ev.get(), EV_READ, 0);
  EXPECT_TRUE(ran.Await());
  AwaitAsleep(loop_tid_);
  evuser_trigger(ev.get());
  EXPECT_TRUE(ran.Await());
  StopLoop();
}

// semantics 1.14
TEST_F(ThreadWakeup, AddOfAnEarlierTimeout) {
  Happening ran, late;
  EventPtr far(evtimer_new(base_.get(), Tell, &late));
  const timeval hour = {3600, 0};
  event_add(far.get(), &hour);
  StartLoopAndAwaitAsleep();
  EventPtr ev(evtimer_new(base_.get(), Tell, &ran));
  const timeval soon = Milliseconds(5);
  ASSERT_EQ(0, event_add(ev.get(), &soon));
  EXPECT_TRUE(ran.Await());
  StopLoop();
}

// semantics 1.14
TEST_F(ThreadWakeup, AddOfAReadyFd) {
  int ends[2];
  ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  evutil_make_socket_nonblocking(ends[0]);
  ASSERT_EQ(1, write(ends[1], "x", 1));
  Happening ran;
  EventPtr ev(event_new(base_.get(), ends[0], EV_READ, Tell, &ran));
  StartLoopAndAwaitAsleep();
  ASSERT_EQ(0, event_add(ev.get(), nullptr));
  EXPECT_TRUE(ran.Await());
  StopLoop();
  close(ends[0]);
  close(ends[1]);
}

// semantics 1.11, 1.14
// api event_base_loopbreak
TEST_F(ThreadWakeup, Loopbreak) {
  StartLoopAndAwaitAsleep();
  EXPECT_EQ(0, event_base_loopbreak(base_.get()));
  AwaitEnd();
  EXPECT_EQ(0, result_);
  EXPECT_TRUE(event_base_got_break(base_.get()));
}

// semantics 1.11, 1.14
// api event_base_loopexit
TEST_F(ThreadWakeup, LoopexitAtOnce) {
  StartLoopAndAwaitAsleep();
  EXPECT_EQ(0, event_base_loopexit(base_.get(), nullptr));
  AwaitEnd();
  EXPECT_EQ(0, result_);
  EXPECT_TRUE(event_base_got_exit(base_.get()));
}

// semantics 1.11, 1.14
TEST_F(ThreadWakeup, LoopexitWithATimeout) {
  StartLoopAndAwaitAsleep();
  const timeval soon = Milliseconds(10);
  EXPECT_EQ(0, event_base_loopexit(base_.get(), &soon));
  AwaitEnd();
  EXPECT_EQ(0, result_);
  EXPECT_TRUE(event_base_got_exit(base_.get()));
}

// semantics 1.14
// api event_base_loopcontinue
TEST_F(ThreadWakeup, LoopcontinueDoesNotStopIt) {
  Happening ran;
  EventPtr ev(evuser_new(base_.get(), Tell, &ran));
  StartLoopAndAwaitAsleep();
  EXPECT_EQ(0, event_base_loopcontinue(base_.get()));
  event_active(ev.get(), EV_READ, 0);
  EXPECT_TRUE(ran.Await());
  StopLoop();
}

// semantics 1.13, 1.14
// api event_base_once
TEST_F(ThreadWakeup, OnceAtOnceWithATimeoutAndOnAnFd) {
  int ends[2];
  ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  evutil_make_socket_nonblocking(ends[0]);
  Happening now, later, readable;
  StartLoopAndAwaitAsleep();
  EXPECT_EQ(0,
            event_base_once(base_.get(), -1, EV_TIMEOUT, Tell, &now, nullptr));
  EXPECT_TRUE(now.Await());
  AwaitAsleep(loop_tid_);
  const timeval soon = Milliseconds(5);
  EXPECT_EQ(0,
            event_base_once(base_.get(), -1, EV_TIMEOUT, Tell, &later, &soon));
  EXPECT_TRUE(later.Await());
  AwaitAsleep(loop_tid_);
  EXPECT_EQ(0, event_base_once(base_.get(), ends[0], EV_READ, Tell, &readable,
                               nullptr));
  ASSERT_EQ(1, write(ends[1], "x", 1));
  EXPECT_TRUE(readable.Await());
  StopLoop();
  close(ends[0]);
  close(ends[1]);
}

// A deleted last event ends a loop that has nothing left to wait for.
class ThreadDeleteLast : public ThreadTest {
 protected:
  void ExpectDeleteEndsTheLoop(event* ev) {
    loop_ = std::thread([this] {
      loop_tid_ = ThreadId();
      started_.Tell();
      result_ = event_base_dispatch(base_.get());
      ended_.Tell();
    });
    ASSERT_TRUE(started_.Await());
    AwaitAsleep(loop_tid_);
    EXPECT_EQ(0, event_del(ev));
    AwaitEnd();
    EXPECT_EQ(1, result_);
  }
};

// semantics 1.14
TEST_F(ThreadDeleteLast, Fd) {
  int ends[2];
  ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  evutil_make_socket_nonblocking(ends[0]);
  EventPtr ev(event_new(base_.get(), ends[0], EV_READ, Tell, nullptr));
  event_add(ev.get(), nullptr);
  ExpectDeleteEndsTheLoop(ev.get());
  close(ends[0]);
  close(ends[1]);
}

// semantics 1.14
TEST_F(ThreadDeleteLast, Signal) {
  EventPtr ev(evsignal_new(base_.get(), SIGUSR2, Tell, nullptr));
  event_add(ev.get(), nullptr);
  ExpectDeleteEndsTheLoop(ev.get());
}

#ifndef TESTING_DEBIAN_LIBEVENT
// better: 2.1 sleeps on until the deleted timer's time has come.
// semantics 1.14
TEST_F(ThreadDeleteLast, Timer) {
  EventPtr ev(evtimer_new(base_.get(), Tell, nullptr));
  const timeval hour = {3600, 0};
  event_add(ev.get(), &hour);
  ExpectDeleteEndsTheLoop(ev.get());
}
#endif

// semantics 1.14
// api event_base_active_by_fd, event_base_active_by_signal
TEST_F(ThreadWakeup, ActiveByFdAndBySignal) {
  int ends[2];
  ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  evutil_make_socket_nonblocking(ends[0]);
  Happening by_fd, by_signal;
  EventPtr reader(event_new(base_.get(), ends[0], EV_READ, Tell, &by_fd));
  EventPtr watcher(evsignal_new(base_.get(), SIGUSR1, Tell, &by_signal));
  event_add(reader.get(), nullptr);
  event_add(watcher.get(), nullptr);
  StartLoopAndAwaitAsleep();
  event_base_active_by_fd(base_.get(), ends[0], EV_READ);
  EXPECT_TRUE(by_fd.Await());
  AwaitAsleep(loop_tid_);
  event_base_active_by_signal(base_.get(), SIGUSR1);
  EXPECT_TRUE(by_signal.Await());
  StopLoop();
  close(ends[0]);
  close(ends[1]);
}

// semantics 3.6, 1.14
// api event_free_finalize
TEST_F(ThreadWakeup, Finalizer) {
  static Happening* finalized;
  Happening done;
  finalized = &done;
  event* ev = evuser_new(base_.get(), Tell, nullptr);
  StartLoopAndAwaitAsleep();
  EXPECT_EQ(
      0, event_free_finalize(0, ev, [](event*, void*) { finalized->Tell(); }));
  EXPECT_TRUE(done.Await());
  StopLoop();
}

// Queries from any thread while the loop sleeps.
// semantics 8.3
TEST_F(ThreadWakeup, QueriesNeedNoWakeup) {
  Happening never;
  EventPtr ev(evtimer_new(base_.get(), Tell, &never));
  const timeval hour = {3600, 0};
  event_add(ev.get(), &hour);
  StartLoopAndAwaitAsleep();
  EXPECT_TRUE(event_pending(ev.get(), EV_TIMEOUT, nullptr));
  EXPECT_EQ(1, event_base_get_num_events(base_.get(), EVENT_BASE_COUNT_ADDED));
  EXPECT_EQ(1,
            event_base_get_max_events(base_.get(), EVENT_BASE_COUNT_ADDED, 0));
  EXPECT_FALSE(event_base_got_exit(base_.get()));
  FILE* sink = fopen("/dev/null", "w");
  event_base_dump_events(base_.get(), sink);
  fclose(sink);
  int visited = 0;
  event_base_foreach_event(
      base_.get(),
      [](const event_base*, const event*, void* arg) {
        ++*static_cast<int*>(arg);
        return 0;
      },
      &visited);
  EXPECT_GE(visited, 1);
  StopLoop();
}

// A poll or select that waits has the old set: it has to be told.
// semantics 5.6
TEST_F(ThreadWakeup, PollAndSelectSeeFdsOfOtherThreads) {
  for (const char* avoided : {"epoll", "poll"}) {
    ConfigPtr config(event_config_new());
    event_config_avoid_method(config.get(), "epoll");
    event_config_avoid_method(config.get(), avoided);
    base_.reset(event_base_new_with_config(config.get()));
    int ends[2];
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    evutil_make_socket_nonblocking(ends[0]);
    Happening ran;
    EventPtr ev(event_new(base_.get(), ends[0], EV_READ, Tell, &ran));
    StartLoopAndAwaitAsleep();
    ASSERT_EQ(0, event_add(ev.get(), nullptr));
    ASSERT_EQ(1, write(ends[1], "x", 1));
    EXPECT_TRUE(ran.Await()) << event_base_get_method(base_.get());
    StopLoop();
    ev.reset();
    close(ends[0]);
    close(ends[1]);
  }
}

}  // namespace
}  // namespace percore::compat
