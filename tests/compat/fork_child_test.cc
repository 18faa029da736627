// A child of a fork that did not call event_reinit: it only frees, or goes on
// as a daemon, or is sent a signal. The parent must not notice.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "percore/tests/compat/fork_fixture.h"

namespace percore::compat {
namespace {

using ForkChild = ForkTest;

// The usual start of a server: everything added, then daemon(), then the loop.
// semantics 5.4
TEST_F(ForkChild, DaemonBetweenAddAndDispatch) {
  AddReader();
  AddSignal();
  AddTimer(30);
  const ChildResult result = RunInChild([this] {
    ASSERT_EQ(0, daemon(/*nochdir=*/1, /*noclose=*/1));
    alarm(20);  // not inherited
    ExpectReaderWorks();
    ExpectSignalWorks();
    while (timeouts_ == 0) event_base_loop(base_.get(), EVLOOP_ONCE);
    reader_.reset();
    signal_.reset();
    timer_.reset();
    base_.reset();
    if (!HasFailure()) (void)!write(STDERR_FILENO, "served", 6);
  });
  EXPECT_EQ("served", result.stderr_text);
}

// semantics 5.4
TEST_F(ForkChild, TimersOfAChildThatDidNotReinit) {
  AddTimer(20);
  InChild([this] {
    EXPECT_EQ(1, event_base_dispatch(base_.get()));
    EXPECT_EQ(1, timeouts_);
  });
  EXPECT_EQ(1, event_base_dispatch(base_.get()));
  EXPECT_EQ(1, timeouts_);
}

// A child that forks and execs, or ends: the parent goes on.
// semantics 5.4
TEST_F(ForkChild, ChildThatEndsAtOnce) {
  AddReader();
  AddSignal();
  InChild([] {});
  ExpectReaderWorks();
  ExpectSignalWorks();
}

#ifdef TESTING_DEBIAN_LIBEVENT

// What 2.1 does, so that nobody takes the tests below for its behaviour.
// semantics 5.4
TEST_F(ForkChild, SharesTheParentsKernelSet) {
  AddReader();
  InChild([this] { event_del(reader_.get()); });
  Send();
  Turn();
  EXPECT_EQ(0, reads_) << "the child took the fd from the parent's set";
}

// semantics 4.8
TEST_F(ForkChild, ItsSignalsComeToTheParent) {
  AddSignal();
  InChild([] { raise(SIGUSR1); });
  Turn();
  EXPECT_EQ(1, signals_);
}

#else

// better: the original's child would take the parent's fds from its set.
// semantics 5.4
TEST_F(ForkChild, ThatOnlyFrees) {
  AddReader();
  AddSignal();
  AddTimer(60000);
  InChild([this] {
    base_.reset();
    event_free(reader_.release());
    event_free(signal_.release());
    event_free(timer_.release());
  });
  ExpectReaderWorks();
  ExpectSignalWorks();
}

// better: the first use re-initialises the child's base.
// semantics 5.4
TEST_F(ForkChild, ThatDeletes) {
  AddReader();
  AddSignal();
  InChild([this] {
    event_del(reader_.get());
    event_del(signal_.get());
  });
  ExpectReaderWorks();
  ExpectSignalWorks();
}

// better: the first use re-initialises the child's base.
// semantics 5.4
TEST_F(ForkChild, ThatAdds) {
  AddTimer(60000);
  InChild([this] {
    AddReader();
    ExpectReaderWorks();
  });
  Send();
  Turn();
  EXPECT_EQ(0, reads_);
}

// better: the first use re-initialises the child's base.
// semantics 5.4
TEST_F(ForkChild, ThatRunsTheLoop) {
  AddReader();
  AddSignal();
  InChild([this] {
    ExpectReaderWorks();
    ExpectSignalWorks();
  });
  Turn();
  EXPECT_EQ(0, signals_);
  ExpectReaderWorks();
  ExpectSignalWorks();
}

// better: the original's handler writes into the pipe shared with the parent.
// semantics 4.8
TEST_F(ForkChild, SignalsBeforeTheFirstUseDoNothing) {
  AddSignal();
  InChild([this] {
    raise(SIGUSR1);
    EXPECT_EQ(0, event_reinit(base_.get()));
    Turn();
    EXPECT_EQ(0, signals_);
    ExpectSignalWorks();
  });
  Turn();
  EXPECT_EQ(0, signals_);
  ExpectSignalWorks();
}

// better: the second base in the process is as safe as the first.
// semantics 5.4
TEST_F(ForkChild, EveryBaseOfTheProcess) {
  BasePtr second = NewBase();
  int calls = 0;
  EventPtr ev(evsignal_new(second.get(), SIGUSR1, Count, &calls));
  event_add(ev.get(), nullptr);
  AddReader();
  AddSignal();
  InChild([&] {
    ExpectReaderWorks();
    event_base_loop(second.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    ExpectSignalWorks();
    event_base_loop(second.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    EXPECT_EQ(2, calls);
  });
  ExpectSignalWorks();
  event_base_loop(second.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(2, calls);
}

#endif

}  // namespace
}  // namespace percore::compat
