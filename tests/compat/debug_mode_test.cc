// Debug mode: misuse of an event ends the program with a message, or makes the
// call fail. It is set once a process, so every test has a child.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include <string>

#include "percore/tests/compat/child_process.h"
#include "percore/tests/compat/handles.h"

extern "C" void event_disable_debug_mode(void);  // exported, undeclared

namespace percore::compat {
namespace {

void Nothing(evutil_socket_t, short, void*) {}

// Debug mode was on and the library ended the child with abort().
void ExpectAborts(const std::function<void()>& body) {
  const ChildResult result = RunInChild([&] {
    event_enable_debug_mode();
    body();
  });
  EXPECT_EQ(SIGABRT, result.signal) << result.exit_code << result.stderr_text;
  EXPECT_NE(std::string::npos, result.stderr_text.find("[err] "))
      << result.stderr_text;
}

// The same calls without debug mode are no reason to end.
void ExpectHarmlessOtherwise(const std::function<void()>& body) {
  ExpectClean(RunInChild(body));
}

void Both(const std::function<void()>& body) {
  ExpectAborts(body);
  ExpectHarmlessOtherwise(body);
}

// Correct use: nothing is reported.
void ExpectFine(const std::function<void()>& body) {
  const ChildResult result = RunInChild([&] {
    event_enable_debug_mode();
    body();
  });
  ExpectClean(result);
  EXPECT_EQ("", result.stderr_text);
}

// api event_enable_debug_mode
TEST(DebugMode, ASecondCallIsFatal) {
  const ChildResult result = RunInChild([] {
    event_enable_debug_mode();
    event_enable_debug_mode();
  });
  EXPECT_EQ(1, result.exit_code);
  EXPECT_EQ(0u, result.stderr_text.find("[err] ")) << result.stderr_text;
}

// api event_enable_debug_mode
TEST(DebugMode, TooLateIsFatal) {
  const ChildResult after_base = RunInChild([] {
    BasePtr base = NewBase();
    event_enable_debug_mode();
  });
  EXPECT_EQ(1, after_base.exit_code);
  EXPECT_EQ(0u, after_base.stderr_text.find("[err] "));

  const ChildResult after_event = RunInChild([] {
    event ev;
    event_assign(&ev, nullptr, -1, 0, Nothing, nullptr);
    event_enable_debug_mode();
  });
  EXPECT_EQ(1, after_event.exit_code);
}

TEST(DebugMode, CorrectUseIsSilent) {
  ExpectFine([] {
    BasePtr base = NewBase();
    event embedded;
    ASSERT_EQ(0, event_assign(&embedded, base.get(), -1, 0, Nothing, nullptr));
    const timeval now = {0, 0};
    event_add(&embedded, &now);
    EventPtr ev(event_new(base.get(), -1, 0, Nothing, nullptr));
    event_active(ev.get(), EV_READ, 1);
    EXPECT_EQ(1, event_base_dispatch(base.get()));
    event_del(&embedded);
    event_assign(&embedded, base.get(), -1, 0, Nothing, nullptr);
    event_debug_unassign(&embedded);
  });
}

TEST(DebugMode, AssignOfAnAddedEvent) {
  ExpectAborts([] {
    BasePtr base = NewBase();
    event ev;
    event_assign(&ev, base.get(), -1, 0, Nothing, nullptr);
    const timeval hour = {3600, 0};
    event_add(&ev, &hour);
    event_assign(&ev, base.get(), -1, 0, Nothing, nullptr);
  });
}

TEST(DebugMode, AddOfANeverAssignedEvent) {
  ExpectAborts([] {
    BasePtr base = NewBase();
    event ev;
    memset(&ev, 0, sizeof(ev));
    ev.ev_base = base.get();
    ev.ev_fd = -1;
    const timeval hour = {3600, 0};
    event_add(&ev, &hour);
  });
}

TEST(DebugMode, OtherUsesOfANeverAssignedEvent) {
  for (int use = 0; use < 5; ++use) {
    ExpectAborts([use] {
      BasePtr base = NewBase();
      event ev;
      memset(&ev, 0, sizeof(ev));
      ev.ev_base = base.get();
      ev.ev_fd = -1;
      if (use == 0) event_del(&ev);
      if (use == 1) event_active(&ev, EV_READ, 1);
      if (use == 2) event_pending(&ev, EV_READ, nullptr);
      if (use == 3) event_priority_set(&ev, 0);
      if (use == 4)
        event_get_assignment(&ev, nullptr, nullptr, nullptr, nullptr, nullptr);
    });
  }
}

// api event_debug_unassign
TEST(DebugMode, UnassignedEventIsForgotten) {
  ExpectAborts([] {
    BasePtr base = NewBase();
    event ev;
    event_assign(&ev, base.get(), -1, 0, Nothing, nullptr);
    event_debug_unassign(&ev);
    const timeval hour = {3600, 0};
    event_add(&ev, &hour);
  });
}

// api event_debug_unassign
TEST(DebugMode, UnassignOfAnAddedEventIsFatal) {
  ExpectAborts([] {
    BasePtr base = NewBase();
    event ev;
    event_assign(&ev, base.get(), -1, 0, Nothing, nullptr);
    const timeval hour = {3600, 0};
    event_add(&ev, &hour);
    event_debug_unassign(&ev);
  });
}

// api event_debug_unassign, event_initialized, evtimer_initialized
TEST(DebugMode, UnassignMakesUninitialisedInAnyMode) {
  auto body = [] {
    BasePtr base = NewBase();
    event ev;
    evtimer_assign(&ev, base.get(), Nothing, nullptr);
    EXPECT_TRUE(event_initialized(&ev));
    event_debug_unassign(&ev);
    EXPECT_FALSE(evtimer_initialized(&ev));
  };
  ExpectFine(body);
  ExpectHarmlessOtherwise(body);
}

// semantics 7.5
TEST(DebugMode, BlockingFdIsRefusedAtAssign) {
  Both([] {
    BasePtr base = NewBase();
    int ends[2];
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    event ev;
    event_assign(&ev, base.get(), ends[0], EV_READ, Nothing, nullptr);
  });
}

// semantics 7.5
TEST(DebugMode, SignalsAndNoFdNeedNotBeNonblocking) {
  ExpectFine([] {
    BasePtr base = NewBase();
    EventPtr a(evsignal_new(base.get(), SIGUSR1, Nothing, nullptr));
    EventPtr b(event_new(base.get(), -1, EV_READ, Nothing, nullptr));
    int ends[2];
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    evutil_make_socket_nonblocking(ends[0]);
    EventPtr c(event_new(base.get(), ends[0], EV_READ, Nothing, nullptr));
    EXPECT_NE(nullptr, a);
    EXPECT_NE(nullptr, b);
    EXPECT_NE(nullptr, c);
  });
}

// semantics 3.8
TEST(DebugMode, MixedEdgeAndLevelOnOneFdIsRefused) {
  const ChildResult result = RunInChild([] {
    event_enable_debug_mode();
    BasePtr base = NewBase();
    int ends[2];
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    evutil_make_socket_nonblocking(ends[0]);
    EventPtr level(event_new(base.get(), ends[0], EV_READ, Nothing, nullptr));
    EventPtr edge(
        event_new(base.get(), ends[0], EV_WRITE | EV_ET, Nothing, nullptr));
    EXPECT_EQ(0, event_add(level.get(), nullptr));
    EXPECT_EQ(-1, event_add(edge.get(), nullptr));
    EXPECT_FALSE(event_pending(edge.get(), EV_WRITE, nullptr));
    event_del(level.get());
    EXPECT_EQ(0, event_add(edge.get(), nullptr)) << "alone on the fd it may";
  });
  ExpectClean(result);
  EXPECT_NE(std::string::npos, result.stderr_text.find("[warn] "));
}

// The bookkeeping forgets an event with its event_free.
TEST(DebugMode, FreedMemoryMayBeAssignedAgain) {
  ExpectFine([] {
    BasePtr base = NewBase();
    const timeval hour = {3600, 0};
    for (int i = 0; i < 1000; ++i) {
      EventPtr ev(event_new(base.get(), -1, 0, Nothing, nullptr));
      ASSERT_EQ(0, event_add(ev.get(), &hour));
    }
  });
}

// api event_disable_debug_mode
TEST(DebugMode, CanBeTurnedOff) {
  ExpectFine([] {
    event_disable_debug_mode();
    BasePtr base = NewBase();
    event ev;
    event_assign(&ev, base.get(), -1, 0, Nothing, nullptr);
    const timeval hour = {3600, 0};
    event_add(&ev, &hour);
    event_del(&ev);
    event_debug_unassign(&ev);
  });
}

// Debug mode is not a variable of the environment.
// semantics 6
TEST(DebugMode, EnvironmentDoesNotTurnItOn) {
  ExpectHarmlessOtherwise([] {
    setenv("EVENT_DEBUG_MODE", "1", 1);
    BasePtr base = NewBase();
    event ev;
    memset(&ev, 0, sizeof(ev));
    ev.ev_base = base.get();
    ev.ev_fd = -1;
    EXPECT_EQ(0, event_del(&ev));
  });
}

}  // namespace
}  // namespace percore::compat
