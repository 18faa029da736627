// EV_ET.

#include <event2/event.h>
#include <gtest/gtest.h>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class EdgeTriggeredTest : public BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    edges_ = (event_base_get_features(base()) & EV_FEATURE_ET) != 0;
  }
  bool edges_ = false;
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND_AND_FLAG(EdgeTriggeredTest);

// semantics 3.11
// semantics 1.9: the flag is told too, by a backend that has edges.
// api EV_ET
TEST_P(EdgeTriggeredTest, OneCallForOneEdge) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_ET | EV_PERSIST);
  EXPECT_EQ(reader.Add(), 0);
  pair.Send(1);
  Turn();
  Turn();
  Turn();
  if (edges_) {
    EXPECT_EQ(journal_.text(), "r:RE");
    // More data: another edge, though the first was never read.
    pair.Send(1);
    Turn();
    Turn();
    EXPECT_EQ(journal_.text(), "r:RE r:RE");
  } else {
    EXPECT_EQ(journal_.text(), "r:R r:R r:R");
  }
}

// semantics 3.11: an edge of each direction.
TEST_P(EdgeTriggeredTest, ReadAndWrite) {
  if (!edges_) GTEST_SKIP() << "the backend has no edges";
  SocketPair pair;
  Probe both(base(), &journal_, "b", pair[0],
             EV_READ | EV_WRITE | EV_ET | EV_PERSIST);
  both.Add();
  Turn();
  Turn();
  EXPECT_EQ(journal_.text(), "b:WE");
  pair.Send(1);
  Turn();
  EXPECT_EQ(both.calls(), 2);
  EXPECT_EQ(both.last_what() & (EV_READ | EV_ET), EV_READ | EV_ET);
}

// et/et_multiple_events: all events of the fd get the edge.
TEST_P(EdgeTriggeredTest, SeveralEventsOfTheFd) {
  if (!edges_) GTEST_SKIP() << "the backend has no edges";
  SocketPair pair;
  Probe a(base(), &journal_, "a", pair[0], EV_READ | EV_ET | EV_PERSIST);
  Probe b(base(), &journal_, "b", pair[0], EV_READ | EV_ET | EV_PERSIST);
  a.Add();
  b.Add();
  pair.Send(1);
  Turn();
  Turn();
  EXPECT_EQ(journal_.text(), "b:RE a:RE");
}

// semantics 3.11: not persistent: added again, what is there counts as an
// edge.
TEST_P(EdgeTriggeredTest, NotPersistent) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_ET);
  reader.Add();
  pair.Send(1);
  Turn();
  EXPECT_EQ(reader.calls(), 1);
  EXPECT_EQ(reader.Pending(EV_READ), 0);
  reader.Add();
  Turn();
  EXPECT_EQ(reader.calls(), 2);
}

// A level event beside does not carry the flag; another fd.
TEST_P(EdgeTriggeredTest, LevelEventsAreNotMarked) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add();
  pair.Send(1);
  Turn();
  Turn();
  EXPECT_EQ(journal_.text(), "r:R r:R");
}

}  // namespace
}  // namespace compat
