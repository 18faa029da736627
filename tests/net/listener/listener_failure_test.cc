// What a listener does when accept fails; time is virtual.

#include "percore/net/listener/listener.h"
#include "percore/tests/net/listener/accept_faults.h"
#include "percore/tests/net/listener/listener_fixture.h"
#include "percore/tests/runtime/core/virtual_clock.h"

namespace percore {
namespace {

using std::chrono::milliseconds;

class ListenerFailureTest : public ListenerFixture {
 protected:
  void SetUp() override {
    accept_faults = AcceptFaults();
    base_ = NewEventBase(GetParam(), &clock_);
    if (base_ == nullptr && GetParam() == "io_uring") {
      GTEST_SKIP() << "SKIP: needs io_uring in the kernel";
    }
    ASSERT_NE(base_, nullptr);
    warnings_ = 0;
    event_set_log_callback([](int severity, const char*) {
      if (severity >= EVENT_LOG_WARN) ++warnings_;
    });
  }
  void TearDown() override { event_set_log_callback(nullptr); }

  // Turns until `duration` of virtual time has gone by, at most 1000.
  void RunFor(std::chrono::nanoseconds duration) {
    bool over = false;
    const timeval tv = NsToTimeval(duration.count());
    base_->Once(
        -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void* arg) {
          *static_cast<bool*>(arg) = true;
        },
        &over, &tv);
    for (int i = 0; i < 1000 && !over; ++i) base_->Loop(EVLOOP_ONCE);
    ASSERT_TRUE(over) << "the loop spins";
  }

  static inline int warnings_ = 0;
  VirtualClock clock_;
};
PERCORE_ON_EVERY_BACKEND(ListenerFailureTest);

// semantics 14.2
TEST_P(ListenerFailureTest, WhatOneConnectionDiedOfIsSilent) {
  ListenerPtr listener = Bind();
  listener->SetErrorCallback(&Taker::Error);
  int calls = 0;
  for (int error : {EINTR, ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENETUNREACH,
                    EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, ENONET, ETIMEDOUT}) {
    accept_faults.errors = {error, error};
    const Fd client = Connect(listener);
    Turn();
    // The next in the queue at once, in the same turn.
    EXPECT_EQ(taker_.count(), ++calls) << strerror(error);
  }
  accept_faults.errors = {EAGAIN};
  const Fd client = Connect(listener);
  Turn();
  EXPECT_EQ(taker_.count(), calls);
  Turn();
  EXPECT_EQ(taker_.count(), calls + 1);
  EXPECT_TRUE(taker_.errors.empty());
  EXPECT_EQ(warnings_, 0);
}

TEST_P(ListenerFailureTest, AFloodOfAbortedConnectionsEndsTheTurn) {
  ListenerPtr listener = Bind();
  const Fd client = Connect(listener);
  accept_faults.always = ECONNABORTED;
  Turn();
  EXPECT_EQ(accept_faults.calls, Listener::kBatch);
}

// better than semantics 14.2: libevent spins.
TEST_P(ListenerFailureTest, PausesGetLongerUntilAConnectionIsAccepted) {
  for (int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    ListenerPtr listener = Bind();
    listener->SetErrorCallback(&Taker::Error);
    taker_.errors.clear();
    const Fd client = Connect(listener);
    accept_faults.calls = 0;
    accept_faults.always = error;
    std::vector<std::int64_t> at;
    const auto began = clock_.elapsed();
    taker_.on_error = [&](Listener*) {
      at.push_back((clock_.elapsed() - began) / milliseconds(1));
    };
    RunFor(milliseconds(5000));
    EXPECT_EQ(at, (std::vector<std::int64_t>{0, 10, 30, 70, 150, 310, 630, 1270,
                                             2270, 3270, 4270}));
    EXPECT_EQ(accept_faults.calls, 11);
    EXPECT_EQ(taker_.errors, std::vector<int>(11, error));
    const int before = taker_.count();
    accept_faults.always = 0;
    RunFor(milliseconds(1000));
    EXPECT_EQ(taker_.count(), before + 1);
    // And from the beginning the next time.
    at.clear();
    const auto again = clock_.elapsed();
    accept_faults.errors = {error, error};
    const Fd next = Connect(listener);
    RunFor(milliseconds(100));
    EXPECT_EQ(taker_.count(), before + 2);
    ASSERT_EQ(at.size(), 2u);
    EXPECT_EQ(at[1] - at[0], 10);
    EXPECT_EQ(at[0], (again - began) / milliseconds(1));
  }
}

TEST_P(ListenerFailureTest, WithoutAnErrorCallbackOneWarningASeries) {
  ListenerPtr listener = Bind();
  const Fd client = Connect(listener);
  accept_faults.always = EMFILE;
  RunFor(milliseconds(5000));
  EXPECT_EQ(warnings_, 1);
  EXPECT_EQ(accept_faults.calls, 11);
  accept_faults.always = 0;
  RunFor(milliseconds(1000));
  EXPECT_EQ(taker_.count(), 1);
  accept_faults.errors = {EMFILE};
  const Fd next = Connect(listener);
  RunFor(milliseconds(100));
  EXPECT_EQ(warnings_, 2);
  EXPECT_EQ(taker_.count(), 2);
}

// The socket was closed under it, or never listened: no spin either.
TEST_P(ListenerFailureTest, ASocketThatDoesNotListenPausesToo) {
  ListenerPtr listener = Bind();
  listener->SetErrorCallback(&Taker::Error);
  const Fd client = Connect(listener);
  accept_faults.always = EINVAL;
  RunFor(milliseconds(1000));
  EXPECT_EQ(accept_faults.calls, 7);
}

TEST_P(ListenerFailureTest, DisabledInTheErrorCallbackItStays) {
  ListenerPtr listener = Bind();
  listener->SetErrorCallback(&Taker::Error);
  taker_.on_error = [](Listener* l) { l->Disable(); };
  const Fd client = Connect(listener);
  accept_faults.errors = {EMFILE};
  RunFor(milliseconds(100));
  EXPECT_EQ(taker_.count(), 0);
  EXPECT_EQ(CountAdded(), 0);
  // Enabled by the program it tries at once.
  listener->Enable();
  Turn();
  EXPECT_EQ(taker_.count(), 1);
}

TEST_P(ListenerFailureTest, DisabledWhileItPausesItStays) {
  ListenerPtr listener = Bind();
  listener->SetErrorCallback(&Taker::Error);
  const Fd client = Connect(listener);
  accept_faults.errors = {EMFILE};
  Turn();
  EXPECT_EQ(taker_.errors.size(), 1u);
  EXPECT_EQ(CountAdded(), 1);
  listener->Disable();
  EXPECT_EQ(CountAdded(), 0);
  RunFor(milliseconds(100));
  EXPECT_EQ(taker_.count(), 0);
  listener->Enable();
  Turn();
  EXPECT_EQ(taker_.count(), 1);
}

TEST_P(ListenerFailureTest, EnabledAgainInTheErrorCallbackItDoesNotSpin) {
  ListenerPtr listener = Bind();
  listener->SetErrorCallback(&Taker::Error);
  taker_.on_error = [](Listener* l) {
    l->Disable();
    l->Enable();
  };
  const Fd client = Connect(listener);
  accept_faults.always = EMFILE;
  RunFor(milliseconds(5000));
  EXPECT_EQ(accept_faults.calls, 11);
  EXPECT_EQ(CountAdded(), 1);
}

TEST_P(ListenerFailureTest, EnableWhileItPausesKeepsThePause) {
  ListenerPtr listener = Bind();
  listener->SetErrorCallback(&Taker::Error);
  const Fd client = Connect(listener);
  accept_faults.always = EMFILE;
  Turn();
  listener->Enable();
  Turn();
  Turn();
  EXPECT_EQ(accept_faults.calls, 1);
}

// semantics 14.5
TEST_P(ListenerFailureTest, FreedInTheErrorCallback) {
  ListenerPtr listener = Bind();
  listener->SetErrorCallback(&Taker::Error);
  const int fd = listener->fd();
  taker_.on_error = [&](Listener*) { listener.reset(); };
  const Fd client = Connect(listener);
  accept_faults.always = EMFILE;
  RunFor(milliseconds(100));
  EXPECT_EQ(accept_faults.calls, 1);
  EXPECT_EQ(CountAdded(), 0);
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST_P(ListenerFailureTest, FreedWhileItPauses) {
  ListenerPtr listener = Bind();
  listener->SetErrorCallback(&Taker::Error);
  const Fd client = Connect(listener);
  accept_faults.always = EMFILE;
  Turn();
  listener.reset();
  RunFor(milliseconds(100));
  EXPECT_EQ(accept_faults.calls, 1);
}

// semantics 14.1
TEST_P(ListenerFailureTest, AConnectionWithoutAnAddressIsSkipped) {
  ListenerPtr listener = Bind();
  accept_faults.no_address = true;
  const Fd a = Connect(listener);
  Turn();
  EXPECT_EQ(taker_.count(), 0);
  EXPECT_TRUE(IsClosed(a));
  accept_faults.no_address = false;
  const Fd b = Connect(listener);
  Turn();
  EXPECT_EQ(taker_.count(), 1);
}

TEST_P(ListenerFailureTest, ButALocalOneIsNot) {
  ListenerPtr listener = Bind(LEV_OPT_CLOSE_ON_FREE, Address::Unix());
  accept_faults.no_address = true;
  const Fd client = Connect(listener);
  Turn();
  ASSERT_EQ(taker_.count(), 1);
  EXPECT_EQ(taker_.peers[0].size, 0u);
}

}  // namespace
}  // namespace percore
