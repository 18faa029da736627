// event_base_get_num_events and its high-water marks.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <type_traits>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

constexpr unsigned kActive = EVENT_BASE_COUNT_ACTIVE;
constexpr unsigned kVirtual = EVENT_BASE_COUNT_VIRTUAL;
constexpr unsigned kAdded = EVENT_BASE_COUNT_ADDED;

class CountsTest : public BackendTest {
 protected:
  int Num(unsigned flags) { return event_base_get_num_events(base(), flags); }
  int Max(unsigned flags, bool clear = false) {
    return event_base_get_max_events(base(), flags, clear);
  }
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND(CountsTest);

// api EVENT_BASE_COUNT_ACTIVE
// api EVENT_BASE_COUNT_VIRTUAL
// api EVENT_BASE_COUNT_ADDED
TEST_P(CountsTest, Constants) {
  EXPECT_EQ(kActive, 1u);
  EXPECT_EQ(kVirtual, 2u);
  EXPECT_EQ(kAdded, 4u);
}

// api event_base_get_num_events: internal events are not counted.
TEST_P(CountsTest, NothingInANewBase) {
  EXPECT_EQ(Num(kActive | kVirtual | kAdded), 0);
  EXPECT_EQ(Num(0), 0);
}

// api event_base_get_num_events
TEST_P(CountsTest, Added) {
  SocketPair pair;
  Probe io(base(), &journal_, "io", pair[0], EV_READ | EV_PERSIST);
  Probe timer(base(), &journal_, "t");
  Probe sig(base(), &journal_, "s", SIGUSR2, EV_SIGNAL | EV_PERSIST);
  io.Add();
  EXPECT_EQ(Num(kAdded), 1);
  io.Add();
  EXPECT_EQ(Num(kAdded), 1);
  timer.Add(Ms(60000));
  EXPECT_EQ(Num(kAdded), 2);
  sig.Add();
  EXPECT_EQ(Num(kAdded), 3);
  // A timeout counts on its own.
  io.Add(Ms(60000));
  EXPECT_EQ(Num(kAdded), 4);
  event_remove_timer(io.ev());
  EXPECT_EQ(Num(kAdded), 3);
  sig.Del();
  timer.Del();
  io.Del();
  EXPECT_EQ(Num(kAdded), 0);
  EXPECT_EQ(Num(kActive), 0);
}

// api event_base_get_num_events: an active entry counts in both.
TEST_P(CountsTest, Active) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.Activate();
  a.Activate();
  EXPECT_EQ(Num(kActive), 1);
  EXPECT_EQ(Num(kAdded), 1);
  b.Activate();
  EXPECT_EQ(Num(kActive), 2);
  EXPECT_EQ(Num(kActive | kAdded), 4);
  EXPECT_EQ(Num(kVirtual), 0);
  // One less while a callback runs.
  a.OnCall([&] { EXPECT_EQ(Num(kActive), 1); });
  b.OnCall([&] { EXPECT_EQ(Num(kActive), 0); });
  event_base_dispatch(base());
  EXPECT_EQ(journal_.size(), 2);
  EXPECT_EQ(Num(kActive | kAdded), 0);
}

// api event_base_get_max_events
TEST_P(CountsTest, HighWaterMarks) {
  std::vector<std::unique_ptr<Probe>> probes;
  for (int i = 0; i < 5; ++i) {
    probes.push_back(std::make_unique<Probe>(base(), &journal_, "p"));
    probes.back()->Add(Ms(60000));
  }
  EXPECT_EQ(Max(kAdded), 5);
  probes[0]->Del();
  probes[1]->Del();
  EXPECT_EQ(Num(kAdded), 3);
  EXPECT_EQ(Max(kAdded), 5);
  probes[0]->Activate();
  probes[1]->Activate();
  EXPECT_EQ(Max(kActive), 2);
  // The sum of the marks, though reached at different times.
  EXPECT_EQ(Max(kActive | kAdded), 7);
  Turn();
  EXPECT_EQ(Max(kActive), 2);
}

// api event_base_get_max_events: clear starts those that were asked for anew.
TEST_P(CountsTest, Clear) {
  Probe timer(base(), &journal_, "t");
  timer.Add(Ms(60000));
  Probe user(base(), &journal_, "u");
  user.Activate();
  EXPECT_EQ(Max(kAdded, true), 2);
  EXPECT_EQ(Max(kAdded), 0);
  EXPECT_EQ(Max(kActive), 1);
  EXPECT_EQ(Max(kActive, true), 1);
  EXPECT_EQ(Max(kActive), 0);
  Turn();
  // The next change is measured against zero.
  Probe again(base(), &journal_, "a");
  again.Add(Ms(60000));
  EXPECT_EQ(Max(kAdded), 2);
}

// semantics 25.6: the counters are ints.
TEST_P(CountsTest, AreInts) {
  static_assert(
      std::is_same_v<decltype(event_base_get_num_events(nullptr, 0)), int>);
  static_assert(
      std::is_same_v<decltype(event_base_get_max_events(nullptr, 0, 0)), int>);
}

}  // namespace
}  // namespace compat
