// 2.2's signalfd mode: the signal is blocked and read from a descriptor.
// Debian's 2.1 has neither the flag nor the variable.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include "percore/tests/compat/child_process.h"
#include "percore/tests/compat/handles.h"

namespace percore::compat {
namespace {

void Count(evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); }

bool Blocked(int sig) {
  sigset_t now;
  sigprocmask(SIG_BLOCK, nullptr, &now);
  return sigismember(&now, sig) == 1;
}

#ifndef TESTING_DEBIAN_LIBEVENT

void ExpectSignalfd(event_base* base) {
  ASSERT_NE(nullptr, base);
  EXPECT_STREQ("signalfd_signal", event_base_get_signal_method(base));
  int calls = 0;
  EventPtr ev(evsignal_new(base, SIGUSR1, Count, &calls));
  EXPECT_FALSE(Blocked(SIGUSR1));
  ASSERT_EQ(0, event_add(ev.get(), nullptr));
  EXPECT_TRUE(Blocked(SIGUSR1));
  struct sigaction now {};
  sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(SIG_DFL, now.sa_handler) << "no handler in this mode";
  for (int i = 0; i < 3; ++i) raise(SIGUSR1);
  event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(1, calls) << "the kernel keeps no count of a pending signal";
  event_del(ev.get());
  EXPECT_FALSE(Blocked(SIGUSR1));
}

// better: 2.2's flag. semantics 4.6
TEST(SignalSignalfd, ByFlag) {
  ConfigPtr config(event_config_new());
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_USE_SIGNALFD);
  BasePtr base(event_base_new_with_config(config.get()));
  ExpectSignalfd(base.get());
}

// better: 2.2's variable. semantics 4.6, 6
TEST(SignalSignalfd, ByEnvironment) {
  ExpectClean(WaitForChild(StartChild([] {
    setenv("EVENT_USE_SIGNALFD", "1", 1);
    BasePtr base = NewBase();
    ExpectSignalfd(base.get());
  })));
}

#endif

// A handler is the default: nothing is blocked, so that children of the
// program do not inherit a mask.
// semantics 4.6
TEST(SignalSignalfd, NotUnlessAskedFor) {
  BasePtr base = NewBase();
  int calls = 0;
  EventPtr ev(evsignal_new(base.get(), SIGUSR1, Count, &calls));
  ASSERT_EQ(0, event_add(ev.get(), nullptr));
  EXPECT_FALSE(Blocked(SIGUSR1));
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: 2.2's query of the mechanism.
  EXPECT_STREQ("signal", event_base_get_signal_method(base.get()));
#endif
}

}  // namespace
}  // namespace percore::compat
