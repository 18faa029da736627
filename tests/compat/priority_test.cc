// Priorities of events and their queues.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class PriorityTest : public LoopTest {
 protected:
  Journal journal_;
};

// api event_base_get_npriorities
// api event_base_priority_init
TEST_F(PriorityTest, OneQueueAtFirst) {
  EXPECT_EQ(event_base_get_npriorities(base()), 1);
  EXPECT_EQ(event_base_priority_init(base(), 4), 0);
  EXPECT_EQ(event_base_get_npriorities(base()), 4);
  EXPECT_EQ(event_base_priority_init(base(), 4), 0);
  EXPECT_EQ(event_base_priority_init(base(), 2), 0);
  EXPECT_EQ(event_base_get_npriorities(base()), 2);
}

// api event_base_priority_init
// api EVENT_MAX_PRIORITIES
TEST_F(PriorityTest, QueuesOutOfRange) {
  EXPECT_EQ(EVENT_MAX_PRIORITIES, 256);
  EXPECT_EQ(event_base_priority_init(base(), 0), -1);
  EXPECT_EQ(event_base_priority_init(base(), -3), -1);
  EXPECT_EQ(event_base_priority_init(base(), EVENT_MAX_PRIORITIES), -1);
  EXPECT_EQ(event_base_get_npriorities(base()), 1);
  EXPECT_EQ(event_base_priority_init(base(), EVENT_MAX_PRIORITIES - 1), 0);
  EXPECT_EQ(event_base_get_npriorities(base()), 255);
}

// api event_base_priority_init: refused while something is active.
TEST_F(PriorityTest, NoChangeOfQueuesWhileActive) {
  Probe user(base(), &journal_, "u");
  user.Activate();
  EXPECT_EQ(event_base_priority_init(base(), 3), -1);
  EXPECT_EQ(event_base_get_npriorities(base()), 1);
  user.Del();
  EXPECT_EQ(event_base_priority_init(base(), 3), 0);
}

// semantics 1.6: the middle at assign time; existing events keep theirs.
// api event_get_priority
TEST_F(PriorityTest, DefaultIsTheMiddle) {
  std::vector<std::unique_ptr<Probe>> probes;
  for (int n : {1, 2, 3, 4, 5, 8, 255}) {
    ASSERT_EQ(event_base_priority_init(base(), n), 0);
    probes.push_back(std::make_unique<Probe>(base(), &journal_, "p"));
    EXPECT_EQ(event_get_priority(probes.back()->ev()), n / 2) << n;
  }
  EXPECT_EQ(event_get_priority(probes.front()->ev()), 0);
  EXPECT_EQ(event_get_priority(probes[4]->ev()), 2);
}

// api event_priority_set
TEST_F(PriorityTest, PrioritySetChecksRangeAndState) {
  event_base_priority_init(base(), 3);
  Probe user(base(), &journal_, "u");
  EXPECT_EQ(event_priority_set(user.ev(), 2), 0);
  EXPECT_EQ(event_get_priority(user.ev()), 2);
  EXPECT_EQ(event_priority_set(user.ev(), 0), 0);
  EXPECT_EQ(event_priority_set(user.ev(), 3), -1);
  EXPECT_EQ(event_priority_set(user.ev(), -1), -1);
  EXPECT_EQ(event_get_priority(user.ev()), 0);
  user.Activate();
  EXPECT_EQ(event_priority_set(user.ev(), 1), -1);
  EXPECT_EQ(event_get_priority(user.ev()), 0);
  // Pending is no obstacle.
  user.Del();
  user.Add(Ms(60000));
  EXPECT_EQ(event_priority_set(user.ev(), 1), 0);
}

// semantics 1.3: urgent queues first, FIFO inside one.
TEST_F(PriorityTest, UrgentQueueFirst) {
  event_base_priority_init(base(), 3);
  Probe low1(base(), &journal_, "low1");
  Probe low2(base(), &journal_, "low2");
  Probe mid(base(), &journal_, "mid");
  Probe top1(base(), &journal_, "top1");
  Probe top2(base(), &journal_, "top2");
  event_priority_set(low1.ev(), 2);
  event_priority_set(low2.ev(), 2);
  event_priority_set(top1.ev(), 0);
  event_priority_set(top2.ev(), 0);
  low1.Activate();
  mid.Activate();
  top1.Activate();
  low2.Activate();
  top2.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "top1 top2 mid low1 low2");
}

// semantics 1.3: one queue a pass, then a poll, so that what became ready at a
// more urgent level comes before the next queue.
TEST_F(PriorityTest, OneQueueAPass) {
  SocketPair pair;
  event_base_priority_init(base(), 3);
  Probe reader(base(), &journal_, "reader", pair[0], EV_READ);
  event_priority_set(reader.ev(), 0);
  reader.Add();
  Probe mid(base(), &journal_, "mid");
  mid.OnCall([&] { pair.Send(1); });
  Probe low(base(), &journal_, "low");
  event_priority_set(low.ev(), 2);
  low.Activate();
  mid.Activate();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.names(), "mid reader low");
}

// semantics 1.3: a low priority starves while a higher one is always active.
TEST_F(PriorityTest, LowPriorityStarves) {
  event_base_priority_init(base(), 2);
  Probe high(base(), &journal_, "high");
  Probe low(base(), &journal_, "low");
  event_priority_set(high.ev(), 0);
  high.OnCall([&] {
    if (high.calls() < 50) {
      high.Activate();
    } else {
      EXPECT_EQ(low.calls(), 0);
    }
  });
  low.Activate();
  high.Activate();
  event_base_dispatch(base());
  EXPECT_EQ(high.calls(), 50);
  EXPECT_EQ(low.calls(), 1);
}

// semantics 1.3: the same for an always ready fd and an always expired timer.
TEST_F(PriorityTest, LowPriorityStarvesBehindIo) {
  SocketPair pair;
  event_base_priority_init(base(), 2);
  Probe high(base(), &journal_, "high", pair[0], EV_WRITE | EV_PERSIST);
  Probe low(base(), &journal_, "low", pair[0], EV_WRITE);
  event_priority_set(high.ev(), 0);
  high.OnCall([&] {
    if (high.calls() == 20) {
      EXPECT_EQ(low.calls(), 0);
      high.Del();
    }
  });
  low.Add();
  high.Add();
  event_base_dispatch(base());
  EXPECT_EQ(low.calls(), 1);
}

// semantics 1.4: an activation of more urgent priority interrupts the queue
// that runs.
TEST_F(PriorityTest, UrgentActivationInterruptsTheQueue) {
  event_base_priority_init(base(), 3);
  Probe top(base(), &journal_, "top");
  event_priority_set(top.ev(), 0);
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.OnCall([&] { top.Activate(); });
  a.Activate();
  b.Activate();
  event_base_dispatch(base());
  EXPECT_EQ(journal_.names(), "a top b");
}

// semantics 1.4: one of equal or lower priority does not.
TEST_F(PriorityTest, EqualOrLowerActivationDoesNotInterrupt) {
  event_base_priority_init(base(), 3);
  Probe low(base(), &journal_, "low");
  event_priority_set(low.ev(), 2);
  Probe same(base(), &journal_, "same");
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.OnCall([&] {
    low.Activate();
    same.Activate();
  });
  a.Activate();
  b.Activate();
  event_base_dispatch(base());
  EXPECT_EQ(journal_.names(), "a b same low");
}

// semantics 1.1: ONCE with an urgent activation in the callback goes round
// until nothing is active.
TEST_F(PriorityTest, OnceAlsoRunsWhatWasInterrupted) {
  event_base_priority_init(base(), 2);
  Probe top(base(), &journal_, "top");
  event_priority_set(top.ev(), 0);
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.OnCall([&] { top.Activate(); });
  a.Activate();
  b.Activate();
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(journal_.names(), "a top b");
}

// main/manipulate_active_events: priority_set fails, del works.
TEST_F(PriorityTest, ActiveEventsCanBeDeleted) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.Activate();
  b.Activate();
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 2);
  a.Del();
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 1);
  event_base_dispatch(base());
  EXPECT_EQ(journal_.names(), "b");
}

#if GTEST_HAS_DEATH_TEST
using PriorityDeathTest = PriorityTest;

// semantics 1.6: a priority that no queue has any more is a bug.
TEST_F(PriorityDeathTest, PriorityBeyondTheQueues) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        event_base_priority_init(base(), 8);
        Probe high(base(), nullptr, "h");
        event_priority_set(high.ev(), 7);
        event_base_priority_init(base(), 2);
        high.Activate();
        event_base_dispatch(base());
      },
      "");
}
#endif

}  // namespace
}  // namespace compat
