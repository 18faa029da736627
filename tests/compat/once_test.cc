// event_base_once: events that belong to the base.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

void Note(evutil_socket_t, short what, void* arg) {
  static_cast<Journal*>(arg)->Write("once", what);
}

class OnceTest : public BackendTest {
 protected:
  int Once(evutil_socket_t fd, short events, const timeval* tv = nullptr) {
    return event_base_once(base(), fd, events, Note, &journal_, tv);
  }
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND(OnceTest);

// semantics 1.13
// api event_base_once
TEST_P(OnceTest, Read) {
  SocketPair pair;
  EXPECT_EQ(Once(pair[0], EV_READ), 0);
  Turn();
  EXPECT_EQ(journal_.size(), 0);
  pair.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "once:R");
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.size(), 1);
}

TEST_P(OnceTest, Write) {
  SocketPair pair;
  EXPECT_EQ(Once(pair[0], EV_WRITE), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "once:W");
}

TEST_P(OnceTest, ReadOrWriteIsOneCall) {
  SocketPair pair;
  pair.Send(1);
  EXPECT_EQ(Once(pair[0], EV_READ | EV_WRITE), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "once:RW");
}

TEST_P(OnceTest, TimeoutOfAnFd) {
  SocketPair pair;
  const timeval tv = Ms(2);
  EXPECT_EQ(Once(pair[0], EV_READ, &tv), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "once:T");
}

// api event_base_once: EV_TIMEOUT; without a time, or with zero, at once.
TEST_P(OnceTest, Timer) {
  const timeval tv = Ms(2);
  EXPECT_EQ(Once(-1, EV_TIMEOUT, &tv), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "once:T");
}

TEST_P(OnceTest, TimerOfNoTimeIsActiveAtOnce) {
  const timeval zero = {0, 0};
  EXPECT_EQ(Once(-1, EV_TIMEOUT, nullptr), 0);
  EXPECT_EQ(Once(-1, EV_TIMEOUT, &zero), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 2);
  EXPECT_EQ(event_base_loop(base(), EVLOOP_NONBLOCK), 1);
  EXPECT_EQ(journal_.text(), "once:T once:T");
}

// api event_base_once: what is refused.
TEST_P(OnceTest, BadArguments) {
  SocketPair pair;
  const timeval tv = Ms(1);
  EXPECT_EQ(event_base_once(nullptr, -1, EV_TIMEOUT, Note, &journal_, &tv), -1);
  EXPECT_EQ(Once(SIGUSR1, EV_SIGNAL), -1);
  EXPECT_EQ(Once(pair[0], EV_READ | EV_PERSIST), -1);
  EXPECT_EQ(Once(SIGUSR1, EV_SIGNAL | EV_PERSIST), -1);
  EXPECT_EQ(Once(pair[0], 0), -1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.size(), 0);
}

// semantics 1.13: never fired: freed with the base (seen by leak checkers).
TEST_P(OnceTest, NeverFired) {
  SocketPair pair;
  const timeval far = Ms(60000);
  EXPECT_EQ(Once(pair[0], EV_READ), 0);
  EXPECT_EQ(Once(pair[0], EV_READ, &far), 0);
  EXPECT_EQ(Once(-1, EV_TIMEOUT, &far), 0);
  EXPECT_EQ(Once(-1, EV_TIMEOUT), 0);
  base_.reset();
  EXPECT_EQ(journal_.size(), 0);
}

// semantics 1.13: one asks for the next from its own callback.
TEST_P(OnceTest, Chain) {
  struct State {
    event_base* base;
    int left;
    static void Run(evutil_socket_t, short, void* arg) {
      State* s = static_cast<State*>(arg);
      if (--s->left > 0) {
        const timeval tv = Us(10);
        event_base_once(s->base, -1, EV_TIMEOUT, &State::Run, s, &tv);
      }
    }
  } state{base(), 5};
  event_base_once(base(), -1, EV_TIMEOUT, &State::Run, &state, nullptr);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(state.left, 0);
}

// What has been called is used again, for whatever is asked next: calls for now
// from a callback, more than are kept, and after one of a descriptor.
TEST_P(OnceTest, OneAfterTheOtherOfEveryKind) {
  SocketPair pair;
  for (int round = 0; round < 3; ++round) {
    journal_.Clear();
    EXPECT_EQ(Once(pair[0], EV_WRITE), 0);
    EXPECT_EQ(event_base_dispatch(base()), 1);
    EXPECT_EQ(journal_.text(), "once:W");
    journal_.Clear();
    Probe caller(base(), &journal_, "caller");
    caller.OnCall([this] {
      for (int i = 0; i < 1500; ++i) EXPECT_EQ(Once(-1, EV_TIMEOUT), 0);
    });
    event_active(caller.ev(), EV_READ, 0);
    EXPECT_EQ(event_base_dispatch(base()), 1);
    EXPECT_EQ(journal_.size(), 1501);
    EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  }
}

}  // namespace
}  // namespace compat
