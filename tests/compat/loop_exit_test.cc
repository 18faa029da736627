// When the loop stops, and what it returns.

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class LoopExitTest : public BackendTest {
 protected:
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND(LoopExitTest);

// semantics 1.2
// api event_base_dispatch
// api event_base_loop
TEST_P(LoopExitTest, OutOfEventsIsOne) {
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(event_base_loop(base(), 0), 1);
  Probe timer(base(), &journal_, "t");
  timer.Add(Ms(1));
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(timer.calls(), 1);
}

// semantics 1.1: also with ONCE and NONBLOCK.
// api EVLOOP_ONCE
// api EVLOOP_NONBLOCK
TEST_P(LoopExitTest, OutOfEventsIsOneWithAnyFlag) {
  EXPECT_EQ(event_base_loop(base(), EVLOOP_ONCE), 1);
  EXPECT_EQ(event_base_loop(base(), EVLOOP_NONBLOCK), 1);
  EXPECT_EQ(event_base_loop(base(), EVLOOP_ONCE | EVLOOP_NONBLOCK), 1);
  // NONBLOCK: the pass that empties the base is followed by one that finds it
  // so.
  Probe user(base(), &journal_, "u");
  user.Activate();
  EXPECT_EQ(event_base_loop(base(), EVLOOP_NONBLOCK), 1);
  // ONCE ends right after the pass.
  user.Activate();
  EXPECT_EQ(event_base_loop(base(), EVLOOP_ONCE), 0);
}

// semantics 1.1: NONBLOCK alone polls again until a turn finds nothing.
TEST_P(LoopExitTest, NonblockGoesOnWhileSomethingIsReady) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.OnCall([&] {
    if (reader.calls() == 5) pair.Drain(0);
  });
  reader.Add();
  EXPECT_EQ(event_base_loop(base(), EVLOOP_NONBLOCK), 0);
  EXPECT_EQ(reader.calls(), 0);
  pair.Send(1);
  EXPECT_EQ(event_base_loop(base(), EVLOOP_NONBLOCK), 0);
  EXPECT_EQ(reader.calls(), 5);
}

// semantics 1.1: ONCE|NONBLOCK is a single pass.
TEST_P(LoopExitTest, OnceNonblockIsOnePass) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add();
  EXPECT_EQ(Turn(), 0);
  pair.Send(1);
  EXPECT_EQ(Turn(), 0);
  EXPECT_EQ(reader.calls(), 1);
}

// semantics 1.1: ONCE waits for something to run, then ends.
TEST_P(LoopExitTest, OnceWaitsForAnEvent) {
  Probe near(base(), &journal_, "near");
  Probe far(base(), &journal_, "far");
  near.Add(Ms(10));
  far.Add(Ms(60000));
  EXPECT_EQ(event_base_loop(base(), EVLOOP_ONCE), 0);
  EXPECT_EQ(journal_.names(), "near");
}

// semantics 1.1: ONCE goes round again while something is left active.
TEST_P(LoopExitTest, OnceRunsUntilNothingIsActive) {
  event_base_priority_init(base(), 3);
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  event_priority_set(a.ev(), 0);
  event_priority_set(b.ev(), 2);
  b.Activate();
  a.Activate();
  EXPECT_EQ(event_base_loop(base(), EVLOOP_ONCE), 0);
  EXPECT_EQ(journal_.names(), "a b");
}

// semantics 1.1: with nothing to wait for but NO_EXIT_ON_EMPTY, stay.
// api EVLOOP_NO_EXIT_ON_EMPTY
TEST_P(LoopExitTest, NoExitOnEmpty) {
  EXPECT_EQ(event_base_loop(base(), EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY),
            0);
  if (!kForeignWakeups) return;
  Probe timer(base(), &journal_, "t");
  timer.Add(Ms(1));
  std::atomic<bool> inside{false};  // A break before the entry is lost.
  timer.OnCall([&] { inside = true; });
  std::thread other([&] {
    while (!inside) std::this_thread::yield();
    SleepMs(30);  // Time to run out of events; nothing tells that it sleeps.
    event_base_loopbreak(base());
  });
  EXPECT_EQ(event_base_loop(base(), EVLOOP_NO_EXIT_ON_EMPTY), 0);
  other.join();
  EXPECT_EQ(timer.calls(), 1);
  EXPECT_TRUE(event_base_got_break(base()));
}

// semantics 1.1: entering the loop forgets a break made before it.
// api event_base_loopbreak
TEST_P(LoopExitTest, BreakBeforeEntryIsLost) {
  EXPECT_EQ(event_base_loopbreak(base()), 0);
  Probe user(base(), &journal_, "u");
  user.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(user.calls(), 1);
  EXPECT_FALSE(event_base_got_break(base()));
}

// semantics 1.1: an exit asked for before the entry is a timer and holds.
// semantics 1.11: what is active then still runs.
// api event_base_loopexit
TEST_P(LoopExitTest, ExitBeforeEntryHolds) {
  SocketPair pair;
  Probe keep(base(), &journal_, "keep", pair[0], EV_READ | EV_PERSIST);
  keep.Add();
  Probe user(base(), &journal_, "user");
  EXPECT_EQ(event_base_loopexit(base(), nullptr), 0);
  user.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 0);
  EXPECT_EQ(journal_.names(), "user");
  EXPECT_TRUE(event_base_got_exit(base()));
}

// semantics 1.11: loopexit in a callback lets the rest of the pass run.
TEST_P(LoopExitTest, ExitLetsThePassFinish) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  Probe far(base(), &journal_, "far");
  far.Add(Ms(60000));
  a.OnCall([&] { event_base_loopexit(base(), nullptr); });
  a.Activate();
  b.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 0);
  EXPECT_EQ(journal_.names(), "a b");
  EXPECT_TRUE(event_base_got_exit(base()));
  EXPECT_FALSE(event_base_got_break(base()));
}

// semantics 1.11: with a time it is an ordinary timer that keeps the loop.
TEST_P(LoopExitTest, ExitAfterATime) {
  const timeval tv = Ms(30);
  const int64_t start = NowUs();
  EXPECT_EQ(event_base_loopexit(base(), &tv), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 1);
  Probe ticker(base(), &journal_, "t", -1, EV_PERSIST);
  ticker.Add(Ms(4));
  EXPECT_EQ(event_base_dispatch(base()), 0);
  EXPECT_TRUE(event_base_got_exit(base()));
  EXPECT_GE(ticker.calls(), 1);
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: a timer never fires early.
  EXPECT_GE(NowUs() - start, 30000);
#else
  EXPECT_GE(NowUs() - start, 30000 - 10000);  // One tick of a coarse clock.
#endif
}

// semantics 1.11: several exits: the first stops, the others wait for the
// next loop.
TEST_P(LoopExitTest, SeveralExits) {
  const timeval first = Ms(1);
  const timeval second = Ms(300);
  event_base_loopexit(base(), &first);
  event_base_loopexit(base(), &second);
  EXPECT_EQ(event_base_dispatch(base()), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 1);
  EXPECT_EQ(event_base_dispatch(base()), 0);
  EXPECT_TRUE(event_base_got_exit(base()));
  EXPECT_EQ(event_base_dispatch(base()), 1);
}

// semantics 1.11: break stops after the current callback; what was active
// stays queued for the next loop.
TEST_P(LoopExitTest, BreakKeepsTheRestQueued) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  Probe c(base(), &journal_, "c");
  a.OnCall([&] { EXPECT_EQ(event_base_loopbreak(base()), 0); });
  a.Activate();
  b.Activate();
  c.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 0);
  EXPECT_EQ(journal_.names(), "a");
  EXPECT_TRUE(event_base_got_break(base()));
  EXPECT_FALSE(event_base_got_exit(base()));
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 2);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "a b c");
}

// semantics 1.11: break is looked at between the calls of one signal event.
TEST_P(LoopExitTest, BreakBetweenCallsOfASignal) {
  Probe sig(base(), &journal_, "s", SIGUSR1, EV_SIGNAL | EV_PERSIST);
  sig.OnCall([&] {
    if (sig.calls() == 2) event_base_loopbreak(base());
  });
  sig.Add();
  sig.Activate(EV_SIGNAL, 5);
  EXPECT_EQ(event_base_loop(base(), EVLOOP_NONBLOCK), 0);
  EXPECT_EQ(sig.calls(), 2);
}

// semantics 1.12
// api event_base_got_exit
// api event_base_got_break
TEST_P(LoopExitTest, GotExitAndBreakLastUntilTheNextEntry) {
  EXPECT_FALSE(event_base_got_exit(base()));
  EXPECT_FALSE(event_base_got_break(base()));
  event_base_loopexit(base(), nullptr);
  event_base_dispatch(base());
  EXPECT_TRUE(event_base_got_exit(base()));
  EXPECT_TRUE(event_base_got_exit(base()));
  event_base_dispatch(base());
  EXPECT_FALSE(event_base_got_exit(base()));

  Probe user(base(), &journal_, "u");
  user.OnCall([&] { event_base_loopbreak(base()); });
  user.Activate();
  event_base_dispatch(base());
  EXPECT_TRUE(event_base_got_break(base()));
  event_base_dispatch(base());
  EXPECT_FALSE(event_base_got_break(base()));
}

// semantics 1.4
// api event_base_loopcontinue: the rest of the queue waits for a new poll,
// whose results queue behind it.
TEST_P(LoopExitTest, ContinuePollsBeforeTheRest) {
  SocketPair pair;
  Probe reader(base(), &journal_, "reader", pair[0], EV_READ);
  event_base_priority_init(base(), 2);
  event_priority_set(reader.ev(), 0);
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  reader.Add();
  a.OnCall([&] {
    pair.Send(1);
    EXPECT_EQ(event_base_loopcontinue(base()), 0);
  });
  a.Activate();
  b.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "a reader b");
}

// api event_base_loopcontinue: outside of a callback without effect.
TEST_P(LoopExitTest, ContinueBeforeEntryIsLost) {
  EXPECT_EQ(event_base_loopcontinue(base()), 0);
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.Activate();
  b.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "a b");
}

// api event_base_loopbreak
// api event_base_loopcontinue
TEST(LoopExitNullTest, NullBaseIsAnError) {
  EXPECT_EQ(event_base_loopbreak(nullptr), -1);
  EXPECT_EQ(event_base_loopcontinue(nullptr), -1);
}

// The descriptor of this process's only epoll set, or -1.
int EpollFd() {
  int found = -1;
  DIR* dir = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(dir)) {
    char target[128];
    const std::string path = std::string("/proc/self/fd/") + entry->d_name;
    const ssize_t n = readlink(path.c_str(), target, sizeof(target) - 1);
    if (n > 0 && std::string(target, n) == "anon_inode:[eventpoll]") {
      found = atoi(entry->d_name);
    }
  }
  closedir(dir);
  return found;
}

// semantics 1.1: an error of the backend ends the loop with -1.
// semantics 1.2
TEST_P(LoopExitTest, BackendErrorIsMinusOne) {
  if (!IsEpoll()) GTEST_SKIP() << "only epoll's descriptor can be spoilt";
  const int epoll_fd = EpollFd();
  ASSERT_GE(epoll_fd, 0);
  const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  ASSERT_EQ(dup2(null_fd, epoll_fd), epoll_fd);
  close(null_fd);
  Probe timer(base(), &journal_, "t");
  timer.Add(Ms(1));
  LogCapture log;
  EXPECT_EQ(event_base_dispatch(base()), -1);
  EXPECT_GE(log.Warnings(), 1);
}

// semantics 1.1: a loop inside the loop is refused and changes nothing.
TEST_P(LoopExitTest, ReentrantLoopIsRefused) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  int inner = 0;
  int warnings = 0;
  a.OnCall([&] {
    LogCapture log;
    inner = event_base_loop(base(), EVLOOP_NONBLOCK);
    warnings = log.Warnings();
  });
  a.Activate();
  b.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(inner, -1);
  EXPECT_EQ(warnings, 1);
  EXPECT_EQ(journal_.names(), "a b");
}

// semantics 1.1: another base's loop inside the loop is fine.
TEST_P(LoopExitTest, AnotherBaseInsideACallback) {
  BasePtr second = NewBase(GetParam());
  Probe inner(second.get(), &journal_, "inner");
  inner.Activate();
  Probe outer(base(), &journal_, "outer");
  outer.OnCall([&] { EXPECT_EQ(event_base_dispatch(second.get()), 1); });
  outer.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "outer inner");
}

}  // namespace
}  // namespace compat
