// EV_CLOSED: the peer has shut down its side.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class ClosedEventTest : public BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    if (!(event_base_get_features(base()) & EV_FEATURE_EARLY_CLOSE)) {
      GTEST_SKIP() << GetParam().method << " cannot tell of a close early";
    }
  }
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND_AND_FLAG(ClosedEventTest);

// semantics 3.10
// api EV_CLOSED
TEST_P(ClosedEventTest, ShutdownOfThePeer) {
  SocketPair pair;
  Probe closed(base(), &journal_, "c", pair[0], EV_CLOSED);
  closed.Add();
  Turn();
  EXPECT_EQ(journal_.size(), 0);
  shutdown(pair[1], SHUT_WR);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "c:C");
}

TEST_P(ClosedEventTest, CloseOfThePeer) {
  SocketPair pair;
  Probe closed(base(), &journal_, "c", pair[0], EV_CLOSED);
  closed.Add();
  pair.Close(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "c:C");
}

// semantics 3.10: even with data that nobody has read.
TEST_P(ClosedEventTest, WithUnreadData) {
  SocketPair pair;
  Probe closed(base(), &journal_, "c", pair[0], EV_CLOSED);
  closed.Add();
  pair.Send(1, "some data");
  Turn();
  EXPECT_EQ(journal_.size(), 0);
  shutdown(pair[1], SHUT_WR);
  Turn();
  EXPECT_EQ(journal_.text(), "c:C");
  EXPECT_EQ(pair.Drain(0), 9);
}

// semantics 1.9: watched together with reading.
TEST_P(ClosedEventTest, WithRead) {
  SocketPair pair;
  Probe both(base(), &journal_, "b", pair[0], EV_READ | EV_CLOSED | EV_PERSIST);
  both.Add();
  pair.Send(1);
  Turn();
  EXPECT_EQ(journal_.text(), "b:R");
  shutdown(pair[1], SHUT_WR);
  journal_.Clear();
  Turn();
  EXPECT_EQ(journal_.text(), "b:RC");
}

// A reader beside it is told of the end as readable.
TEST_P(ClosedEventTest, ReaderBeside) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  Probe closed(base(), &journal_, "c", pair[0], EV_CLOSED | EV_PERSIST);
  reader.Add();
  closed.Add();
  pair.Close(1);
  Turn();
  EXPECT_EQ(journal_.text(), "c:C r:R");
}

// main/simpleclose_*: level and persistent: again and again.
TEST_P(ClosedEventTest, PersistentIsToldAgain) {
  SocketPair pair;
  Probe closed(base(), &journal_, "c", pair[0], EV_CLOSED | EV_PERSIST);
  closed.Add();
  pair.Close(1);
  Turn();
  Turn();
  EXPECT_EQ(closed.calls(), 2);
}

// main/simpleclose_*: by edges: once.
TEST_P(ClosedEventTest, EdgeTriggered) {
  if (!(event_base_get_features(base()) & EV_FEATURE_ET)) {
    GTEST_SKIP() << "the backend has no edges";
  }
  SocketPair pair;
  Probe closed(base(), &journal_, "c", pair[0], EV_CLOSED | EV_PERSIST | EV_ET);
  closed.Add();
  shutdown(pair[1], SHUT_WR);
  Turn();
  Turn();
  EXPECT_EQ(journal_.text(), "c:CE");
}

// semantics 3.10: an error without RDHUP tells readers and writers, not a pure
// watcher of the close. A socket that never connected has such a hangup.
TEST_P(ClosedEventTest, ErrorIsNotAClose) {
  if (!IsEpoll()) GTEST_SKIP() << "the line is about epoll";
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  Probe reader(base(), &journal_, "r", fd, EV_READ | EV_PERSIST);
  Probe writer(base(), &journal_, "w", fd, EV_WRITE | EV_PERSIST);
  Probe closed(base(), &journal_, "c", fd, EV_CLOSED | EV_PERSIST);
  closed.Add();
  reader.Add();
  writer.Add();
  Turn();
  EXPECT_EQ(journal_.text(), "w:W r:R");
  EXPECT_EQ(closed.calls(), 0);
  close(fd);
}

}  // namespace
}  // namespace compat
