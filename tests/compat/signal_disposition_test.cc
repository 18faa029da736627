// What the library does to the process's signal dispositions, and undoes.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "percore/tests/compat/handles.h"

namespace percore::compat {
namespace {

void Nothing(evutil_socket_t, short, void*) {}
void UsersHandler(int) {}

struct sigaction Disposition(int sig) {
  struct sigaction action {};
  sigaction(sig, nullptr, &action);
  return action;
}

// The test's own disposition for SIGUSR1, put back at the end.
class SignalDisposition : public ::testing::Test {
 protected:
  void SetUp() override {
    struct sigaction mine {};
    mine.sa_handler = UsersHandler;
    mine.sa_flags = SA_NODEFER;
    sigemptyset(&mine.sa_mask);
    sigaddset(&mine.sa_mask, SIGHUP);
    ASSERT_EQ(0, sigaction(SIGUSR1, &mine, &before_));
  }
  void TearDown() override { sigaction(SIGUSR1, &before_, nullptr); }

  static void ExpectMine() {
    const struct sigaction now = Disposition(SIGUSR1);
    EXPECT_EQ(UsersHandler, now.sa_handler);
    EXPECT_EQ(SA_NODEFER, now.sa_flags & SA_NODEFER);
    EXPECT_EQ(1, sigismember(&now.sa_mask, SIGHUP));
    EXPECT_EQ(0, sigismember(&now.sa_mask, SIGTERM));
  }
  static void ExpectLibrarys() {
    EXPECT_NE(UsersHandler, Disposition(SIGUSR1).sa_handler);
    EXPECT_NE(SIG_DFL, Disposition(SIGUSR1).sa_handler);
  }

  struct sigaction before_ {};
};

// semantics 4.3
TEST_F(SignalDisposition, InstalledAtTheFirstAddNotBefore) {
  BasePtr base = NewBase();
  EventPtr ev(evsignal_new(base.get(), SIGUSR1, Nothing, nullptr));
  ExpectMine();
  ASSERT_EQ(0, event_add(ev.get(), nullptr));
  ExpectLibrarys();
}

// semantics 4.3
TEST_F(SignalDisposition, RestartsSystemCallsAndMasksEverything) {
  BasePtr base = NewBase();
  EventPtr ev(evsignal_new(base.get(), SIGUSR1, Nothing, nullptr));
  event_add(ev.get(), nullptr);
  const struct sigaction now = Disposition(SIGUSR1);
  EXPECT_EQ(SA_RESTART, now.sa_flags & SA_RESTART);
  for (const int sig : {SIGHUP, SIGINT, SIGTERM, SIGUSR2, SIGCHLD, SIGALRM}) {
    EXPECT_EQ(1, sigismember(&now.sa_mask, sig)) << sig;
  }
}

// semantics 4.3
TEST_F(SignalDisposition, RestoredAtTheLastDelete) {
  BasePtr base = NewBase();
  EventPtr a(evsignal_new(base.get(), SIGUSR1, Nothing, nullptr));
  EventPtr b(evsignal_new(base.get(), SIGUSR1, Nothing, nullptr));
  event_add(a.get(), nullptr);
  event_add(b.get(), nullptr);
  event_del(a.get());
  ExpectLibrarys();
  event_del(b.get());
  ExpectMine();
}

// semantics 4.3
TEST_F(SignalDisposition, RestoredAtBaseFree) {
  BasePtr base = NewBase();
  event* ev = evsignal_new(base.get(), SIGUSR1, Nothing, nullptr);
  event_add(ev, nullptr);
  ExpectLibrarys();
  base.reset();
  ExpectMine();
  event_free(ev);
}

// semantics 4.3
TEST_F(SignalDisposition, RestoredAfterANonPersistentOneFired) {
  BasePtr base = NewBase();
  EventPtr ev(event_new(base.get(), SIGUSR1, EV_SIGNAL, Nothing, nullptr));
  event_add(ev.get(), nullptr);
  raise(SIGUSR1);
  event_base_dispatch(base.get());
  ExpectMine();
}

// semantics 4.3
TEST_F(SignalDisposition, IgnoredComesBackAsIgnored) {
  signal(SIGUSR1, SIG_IGN);
  BasePtr base = NewBase();
  EventPtr ev(evsignal_new(base.get(), SIGUSR1, Nothing, nullptr));
  for (int i = 0; i < 3; ++i) {
    event_add(ev.get(), nullptr);
    ExpectLibrarys();
    event_del(ev.get());
    EXPECT_EQ(SIG_IGN, Disposition(SIGUSR1).sa_handler);
  }
}

// semantics 4.3
TEST_F(SignalDisposition, OtherSignalsAreLeftAlone) {
  const auto before = Disposition(SIGUSR2).sa_handler;
  BasePtr base = NewBase();
  EventPtr ev(evsignal_new(base.get(), SIGUSR1, Nothing, nullptr));
  event_add(ev.get(), nullptr);
  EXPECT_EQ(before, Disposition(SIGUSR2).sa_handler);
}

// semantics 4.4
TEST_F(SignalDisposition, SignalThatCannotBeCaughtIsRefused) {
  BasePtr base = NewBase();
  EventPtr ev(evsignal_new(base.get(), SIGKILL, Nothing, nullptr));
  EXPECT_EQ(-1, event_add(ev.get(), nullptr));
  EXPECT_FALSE(event_pending(ev.get(), EV_SIGNAL, nullptr));
}

#ifndef TESTING_DEBIAN_LIBEVENT
// better: with two bases the original puts back whatever the base that goes
// first had found, and so takes the signal from the other one.
// semantics 4.3
TEST_F(SignalDisposition, RestoredWithTheLastWatcherOfTheProcess) {
  BasePtr one = NewBase();
  BasePtr two = NewBase();
  EventPtr a(evsignal_new(one.get(), SIGUSR1, Nothing, nullptr));
  EventPtr b(evsignal_new(two.get(), SIGUSR1, Nothing, nullptr));
  event_add(a.get(), nullptr);
  event_add(b.get(), nullptr);
  event_del(a.get());
  ExpectLibrarys();
  event_del(b.get());
  ExpectMine();
}
#endif

}  // namespace
}  // namespace percore::compat
