// Level and edge events on one descriptor, with debug mode (which must be the
// process's first call, so this is a program of its own).

#include <event2/event.h>
#include <gtest/gtest.h>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class DebugMode : public testing::Environment {
 public:
  void SetUp() override { event_enable_debug_mode(); }
};
testing::Environment* const kDebugMode =
    testing::AddGlobalTestEnvironment(new DebugMode);

class MixedEdgeTest : public BackendTest {
 protected:
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND(MixedEdgeTest);

// semantics 3.8
// et/et_mix_error
TEST_P(MixedEdgeTest, SecondAddIsRefused) {
  SocketPair pair;
  Probe level(base(), &journal_, "l", pair[0], EV_READ);
  Probe edge(base(), &journal_, "e", pair[0], EV_READ | EV_ET);
  {
    LogCapture log;
    EXPECT_EQ(level.Add(), 0);
    EXPECT_EQ(edge.Add(), -1);
    EXPECT_EQ(log.Warnings(), 1);
  }
  EXPECT_EQ(edge.Pending(EV_READ), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 1);
  level.Del();
  EXPECT_EQ(edge.Add(), 0);
  LogCapture log;
  EXPECT_EQ(level.Add(), -1);
  EXPECT_EQ(log.Warnings(), 1);
}

// Events that agree are fine, and so are other descriptors.
TEST_P(MixedEdgeTest, EventsThatAgree) {
  SocketPair pair;
  Probe a(base(), &journal_, "a", pair[0], EV_READ | EV_ET);
  Probe b(base(), &journal_, "b", pair[0], EV_WRITE | EV_ET);
  Probe c(base(), &journal_, "c", pair[1], EV_READ);
  EXPECT_EQ(a.Add(), 0);
  EXPECT_EQ(b.Add(), 0);
  EXPECT_EQ(c.Add(), 0);
}

}  // namespace
}  // namespace compat
