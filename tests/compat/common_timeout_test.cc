// Common timeouts: queues of equal durations.

#include <event2/event.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class CommonTimeoutTest : public BackendTest {
 protected:
  const timeval* Common(const timeval& duration) {
    return event_base_init_common_timeout(base(), &duration);
  }
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND(CommonTimeoutTest);

// semantics 2.8
// api event_base_init_common_timeout
TEST_P(CommonTimeoutTest, SameDurationSamePointer) {
  const timeval* ten = Common(Ms(10));
  const timeval* twenty = Common(Ms(20));
  ASSERT_NE(ten, nullptr);
  ASSERT_NE(twenty, nullptr);
  EXPECT_NE(ten, twenty);
  EXPECT_EQ(Common(Ms(10)), ten);
  EXPECT_EQ(Common(Ms(20)), twenty);
  // What it returned is a name of the same queue.
  EXPECT_EQ(event_base_init_common_timeout(base(), ten), ten);
  EXPECT_EQ(ten->tv_sec, 0);
}

// semantics 2.9: the microseconds are normalised here, and only here.
TEST_P(CommonTimeoutTest, MicrosecondsBeyondASecond) {
  timeval odd;
  odd.tv_sec = 1;
  odd.tv_usec = 1500000;
  const timeval* common = event_base_init_common_timeout(base(), &odd);
  ASSERT_NE(common, nullptr);
  EXPECT_EQ(common->tv_sec, 2);
  EXPECT_EQ(Common(Ms(2500)), common);
}

// semantics 2.8: at most 256.
TEST_P(CommonTimeoutTest, AtMost256) {
  std::vector<const timeval*> all;
  for (int i = 0; i < 256; ++i) {
    all.push_back(Common(Us(1000000 + i)));
    ASSERT_NE(all.back(), nullptr) << i;
  }
  LogCapture log;
  EXPECT_EQ(Common(Ms(5000)), nullptr);
  EXPECT_EQ(log.Warnings(), 1);
  EXPECT_EQ(Common(Us(1000000 + 100)), all[100]);
  Probe last(base(), &journal_, "last");
  EXPECT_EQ(event_add(last.ev(), all[255]), 0);
  EXPECT_EQ(last.Pending(EV_TIMEOUT), EV_TIMEOUT);
}

// semantics 2.8
// semantics 1.7: first in, first out.
TEST_P(CommonTimeoutTest, FifoByAdd) {
  const timeval* common = Common(Ms(5));
  std::vector<std::unique_ptr<Probe>> probes;
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    probes.push_back(
        std::make_unique<Probe>(base(), &journal_, std::to_string(i)));
    EXPECT_EQ(event_add(probes.back()->ev(), common), 0);
    expected += (i ? " " : "") + std::to_string(i);
  }
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), expected);
}

// semantics 2.8: the internal timer does not count nor keep the loop.
TEST_P(CommonTimeoutTest, TheQueueItselfIsInternal) {
  const timeval* common = Common(Ms(5));
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  Probe timer(base(), &journal_, "t");
  event_add(timer.ev(), common);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 1);
  timer.Del();
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(timer.calls(), 0);
}

// semantics 2.8: mixed with ordinary timeouts. When all are past in one pass
// those of a queue come after the internal timer's call, hence behind ordinary
// ones: the run counts only if no callback was late by a distance.
TEST_P(CommonTimeoutTest, MixedWithOrdinary) {
  constexpr int kDistanceMs = 25;
  const timeval* first = Common(Ms(kDistanceMs));
  const timeval* third = Common(Ms(3 * kDistanceMs));
  for (int attempt = 0; attempt < 20; ++attempt) {
    journal_.Clear();
    const int64_t start = NowUs();
    bool late = false;
    const auto watch = [&](int due_ms) {
      return [&late, start, due_ms] {
        late |= NowUs() - start >= (due_ms + kDistanceMs - 10) * 1000;
      };
    };
    Probe c3(base(), &journal_, "c3");
    Probe o2(base(), &journal_, "o2");
    Probe c1(base(), &journal_, "c1");
    Probe o4(base(), &journal_, "o4");
    c1.OnCall(watch(kDistanceMs));
    o2.OnCall(watch(2 * kDistanceMs));
    c3.OnCall(watch(3 * kDistanceMs));
    event_add(c3.ev(), third);
    o2.Add(Ms(2 * kDistanceMs));
    event_add(c1.ev(), first);
    o4.Add(Ms(4 * kDistanceMs));
    EXPECT_EQ(event_base_dispatch(base()), 1);
    EXPECT_EQ(journal_.size(), 4);
    if (late) continue;
    EXPECT_EQ(journal_.text(), "c1:T o2:T c3:T o4:T");
    return;
  }
  GTEST_SKIP() << "the machine was too busy for timers every 25 ms";
}

// semantics 2.8: added again, from common to ordinary and back.
TEST_P(CommonTimeoutTest, SwitchesBetweenCommonAndOrdinary) {
  const timeval* ten = Common(Ms(10));
  const timeval* far = Common(Ms(60000));
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  Probe c(base(), &journal_, "c");
  event_add(a.ev(), far);
  a.Add(Ms(1));
  b.Add(Ms(60000));
  event_add(b.ev(), ten);
  event_add(c.ev(), far);
  event_add(c.ev(), ten);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 3);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "a b c");
}

// semantics 2.8: added again with the same duration: to the tail.
TEST_P(CommonTimeoutTest, AddAgainGoesToTheTail) {
  const timeval* common = Common(Ms(10));
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  event_add(a.ev(), common);
  event_add(b.ev(), common);
  SleepMs(6);  // So that the second add is later on a coarse clock too.
  event_add(a.ev(), common);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "b a");
}

// semantics 2.8
// semantics 2.4: persistent events tick in their queue.
TEST_P(CommonTimeoutTest, PersistentTicks) {
  const timeval* common = Common(Ms(3));
  Probe ticker(base(), &journal_, "t", -1, EV_PERSIST);
  ticker.OnCall([&] {
    if (ticker.calls() == 3) ticker.Del();
  });
  event_add(ticker.ev(), common);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(ticker.calls(), 3);
}

// semantics 2.8: with an fd: readiness takes it out of the queue.
TEST_P(CommonTimeoutTest, FdEvents) {
  SocketPair ready, quiet;
  const timeval* common = Common(Ms(10));
  Probe a(base(), &journal_, "a", ready[0], EV_READ);
  Probe b(base(), &journal_, "b", quiet[0], EV_READ);
  event_add(a.ev(), common);
  event_add(b.ev(), common);
  ready.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "a:R b:T");
}

// semantics 2.7: the pending time is without the mark of the queue.
TEST_P(CommonTimeoutTest, PendingTellsWallClock) {
  const timeval* common = Common(Ms(60000));
  Probe timer(base(), &journal_, "t");
  const int64_t before = WallUs();
  event_add(timer.ev(), common);
  timeval due = {};
  EXPECT_EQ(event_pending(timer.ev(), EV_TIMEOUT, &due), EV_TIMEOUT);
  EXPECT_GE(ToUs(due), before + 60000000 - 20000);
  EXPECT_LE(ToUs(due), WallUs() + 60000000 + 20000);
  EXPECT_LT(due.tv_usec, 1000000);
  EXPECT_GE(due.tv_usec, 0);
}

// api event_remove_timer
TEST_P(CommonTimeoutTest, RemoveTimer) {
  const timeval* common = Common(Ms(1));
  Probe timer(base(), &journal_, "t");
  event_add(timer.ev(), common);
  EXPECT_EQ(event_remove_timer(timer.ev()), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(timer.calls(), 0);
}

// api event_base_once: takes a common timeout too.
TEST_P(CommonTimeoutTest, Once) {
  const timeval* common = Common(Ms(1));
  int calls = 0;
  EXPECT_EQ(
      event_base_once(
          base(), -1, EV_TIMEOUT,
          [](evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); },
          &calls, common),
      0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(calls, 1);
}

// semantics 2.8: the callback deletes others of its queue.
TEST_P(CommonTimeoutTest, DeletedByAnEarlierOneOfTheQueue) {
  const timeval* common = Common(Ms(2));
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  Probe c(base(), &journal_, "c");
  a.OnCall([&] { b.Free(); });
  event_add(a.ev(), common);
  event_add(b.ev(), common);
  event_add(c.ev(), common);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "a c");
}

}  // namespace
}  // namespace compat
