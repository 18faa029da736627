// event_compat.h: the functions of the "current" base, and the old names.

#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <string.h>

#include "percore/tests/compat/child_process.h"
#include "percore/tests/compat/handles.h"

namespace percore::compat {
namespace {

void Count(evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); }

// The current base belongs to the process: a child for each test.
void WithCurrentBase(const std::function<void(event_base*)>& body) {
  ExpectClean(WaitForChild(StartChild([&] {
    event_base* base = event_init();
    ASSERT_NE(nullptr, base);
    body(base);
  })));
}

// semantics 25.1
// api event_init, event_set, event_dispatch
TEST(OldApi, EventSetUsesTheCurrentBase) {
  WithCurrentBase([](event_base* base) {
    int calls = 0;
    event ev;
    event_set(&ev, -1, 0, Count, &calls);
    EXPECT_EQ(base, event_get_base(&ev));
    const timeval now = {0, 0};
    event_add(&ev, &now);
    EXPECT_EQ(1, event_dispatch());
    EXPECT_EQ(1, calls);
  });
}

// semantics 25.1
TEST(OldApi, TheLastInitIsCurrent) {
  WithCurrentBase([](event_base* first) {
    event_base* second = event_init();
    EXPECT_NE(first, second);
    event ev;
    event_set(&ev, -1, 0, Count, nullptr);
    EXPECT_EQ(second, event_get_base(&ev));
    event_base_free(first);
    event_set(&ev, -1, 0, Count, nullptr);
    EXPECT_EQ(second, event_get_base(&ev)) << "another base's end";
  });
}

// semantics 25.1, 25.2
// api event_base_free
TEST(OldApi, FreeOfNullFreesTheCurrentBase) {
  const ChildResult result = RunInChild([] {
    event_init();
    event_base_free(nullptr);
    event_base_free(nullptr);  // there is none: a warning
    event ev;
    event_assign(&ev, nullptr, -1, 0, Count, nullptr);
    EXPECT_EQ(nullptr, event_get_base(&ev));
  });
  EXPECT_EQ(0, result.exit_code) << result.signal;
  EXPECT_EQ(0u, result.stderr_text.find("[warn] ")) << result.stderr_text;
}

// semantics 25.1
// api event_loop, event_loopexit, event_loopbreak
TEST(OldApi, LoopAndItsEnd) {
  WithCurrentBase([](event_base* base) {
    event ev;
    int calls = 0;
    event_set(&ev, -1, EV_PERSIST, Count, &calls);
    const timeval hour = {3600, 0};
    event_add(&ev, &hour);
    EXPECT_EQ(0, event_loop(EVLOOP_NONBLOCK));
    EXPECT_EQ(0, event_loopexit(nullptr));
    EXPECT_EQ(0, event_dispatch());
    EXPECT_TRUE(event_base_got_exit(base));

    event breaker;
    event_set(
        &breaker, -1, 0,
        [](evutil_socket_t, short, void*) { EXPECT_EQ(0, event_loopbreak()); },
        nullptr);
    event_active(&breaker, EV_TIMEOUT, 1);
    EXPECT_EQ(0, event_dispatch());
    EXPECT_TRUE(event_base_got_break(base));
    EXPECT_EQ(0, calls);
  });
}

// api event_once, event_get_method, event_priority_init
TEST(OldApi, OnceMethodPriorities) {
  WithCurrentBase([](event_base* base) {
    EXPECT_STREQ(event_base_get_method(base), event_get_method());
    EXPECT_EQ(0, event_priority_init(4));
    EXPECT_EQ(4, event_base_get_npriorities(base));
    EXPECT_EQ(4, event_base_get_npriorities(nullptr));
    int calls = 0;
    EXPECT_EQ(0, event_once(-1, EV_TIMEOUT, Count, &calls, nullptr));
    EXPECT_EQ(1, event_dispatch());
    EXPECT_EQ(1, calls);
  });
}

// api evtimer_set, timeout_set, timeout_add, timeout_pending, timeout_del
// api timeout_initialized
TEST(OldApi, TimeoutNames) {
  WithCurrentBase([](event_base*) {
    int calls = 0;
    event ev;
    memset(&ev, 0, sizeof(ev));
    EXPECT_FALSE(timeout_initialized(&ev));
    timeout_set(&ev, Count, &calls);
    EXPECT_TRUE(timeout_initialized(&ev));
    const timeval hour = {3600, 0};
    EXPECT_EQ(0, timeout_add(&ev, &hour));
    EXPECT_TRUE(timeout_pending(&ev, nullptr));
    EXPECT_EQ(0, timeout_del(&ev));
    EXPECT_FALSE(timeout_pending(&ev, nullptr));

    event other;
    evtimer_set(&other, Count, &calls);
    const timeval now = {0, 0};
    timeout_add(&other, &now);
    event_dispatch();
    EXPECT_EQ(1, calls);
  });
}

// api evsignal_set, signal_set, signal_add, signal_pending, signal_del
// api signal_initialized, EVENT_SIGNAL, EVENT_FD
TEST(OldApi, SignalNames) {
  WithCurrentBase([](event_base*) {
    int calls = 0;
    event ev;
    memset(&ev, 0, sizeof(ev));
    EXPECT_FALSE(signal_initialized(&ev));
    signal_set(&ev, SIGUSR1, Count, &calls);
    EXPECT_TRUE(signal_initialized(&ev));
    EXPECT_EQ(SIGUSR1, EVENT_SIGNAL(&ev));
    EXPECT_EQ(SIGUSR1, EVENT_FD(&ev));
    EXPECT_EQ(0, signal_add(&ev, nullptr));
    EXPECT_TRUE(signal_pending(&ev, nullptr));
    raise(SIGUSR1);
    event_loop(EVLOOP_ONCE | EVLOOP_NONBLOCK);
    EXPECT_EQ(1, calls);
    EXPECT_EQ(0, signal_del(&ev));
    EXPECT_FALSE(signal_pending(&ev, nullptr));
    evsignal_set(&ev, SIGUSR2, Count, &calls);
    EXPECT_EQ(SIGUSR2, EVENT_SIGNAL(&ev));
    EXPECT_EQ(EV_SIGNAL | EV_PERSIST, event_get_events(&ev));
  });
}

}  // namespace
}  // namespace percore::compat
