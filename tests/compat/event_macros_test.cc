// Constants and macros of event2/event.h and event2/event_struct.h that no
// other file of the suite names.

#include <event2/event_struct.h>

// api TAILQ_ENTRY
// api TAILQ_HEAD
// api LIST_ENTRY
// api LIST_HEAD
// A program without <sys/queue.h> does not get these names from the header.
#if defined(TAILQ_ENTRY) || defined(TAILQ_HEAD) || defined(LIST_ENTRY) || \
    defined(LIST_HEAD)
#error "event_struct.h leaves its queue macros behind"
#endif

#include <event2/event.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stddef.h>

#include "percore/tests/compat/backends.h"

namespace compat {
namespace {

void Count(evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); }

// api struct event
// api struct event_callback
// api struct event_list
// api struct event_dlist
TEST(EventMacrosTest, QueueTypes) {
  event_list list = {};
  event_dlist dlist = {};
  EXPECT_EQ(list.tqh_first, nullptr);
  EXPECT_EQ(dlist.lh_first, nullptr);
  EXPECT_EQ(sizeof(event), 128u);
  EXPECT_EQ(sizeof(event_callback), 40u);
  EXPECT_EQ(offsetof(event, ev_fd), 56u);
  EXPECT_EQ(offsetof(event, ev_base), 64u);
  EXPECT_EQ(offsetof(event, ev_events), 104u);
  EXPECT_EQ(offsetof(event, ev_res), 106u);
  EXPECT_EQ(offsetof(event, ev_timeout), 112u);
}

// api EVENT_LOG_DEBUG
// api EVENT_LOG_MSG
// api EVENT_LOG_WARN
// api EVENT_LOG_ERR
// api _EVENT_LOG_DEBUG
// api _EVENT_LOG_MSG
// api _EVENT_LOG_WARN
// api _EVENT_LOG_ERR
// api EVENT_DBG_ALL
// api EVENT_DBG_NONE
TEST(EventMacrosTest, LogConstants) {
  EXPECT_EQ(EVENT_LOG_DEBUG, 0);
  EXPECT_EQ(EVENT_LOG_MSG, 1);
  EXPECT_EQ(EVENT_LOG_WARN, 2);
  EXPECT_EQ(EVENT_LOG_ERR, 3);
  EXPECT_EQ(_EVENT_LOG_DEBUG, EVENT_LOG_DEBUG);
  EXPECT_EQ(_EVENT_LOG_MSG, EVENT_LOG_MSG);
  EXPECT_EQ(_EVENT_LOG_WARN, EVENT_LOG_WARN);
  EXPECT_EQ(_EVENT_LOG_ERR, EVENT_LOG_ERR);
  EXPECT_EQ(EVENT_DBG_ALL, 0xffffffffu);
  EXPECT_EQ(EVENT_DBG_NONE, 0);
}

// api EVENT_SET_MEM_FUNCTIONS_IMPLEMENTED
TEST(EventMacrosTest, MemFunctionsAreThere) {
#ifndef EVENT_SET_MEM_FUNCTIONS_IMPLEMENTED
  FAIL() << "not defined";
#endif
}

// api evsignal_new
// api evsignal_assign
// api evsignal_add
// api evsignal_del
// api evsignal_pending
// api evsignal_initialized
// api event_get_signal
TEST(EventMacrosTest, SignalMacros) {
  BasePtr base(event_base_new());
  int calls = 0;
  event* ev = evsignal_new(base.get(), SIGUSR2, Count, &calls);
  ASSERT_NE(ev, nullptr);
  EXPECT_TRUE(evsignal_initialized(ev));
  EXPECT_EQ(event_get_signal(ev), SIGUSR2);
  EXPECT_EQ(event_get_events(ev), EV_SIGNAL | EV_PERSIST);
  EXPECT_EQ(evsignal_add(ev, nullptr), 0);
  EXPECT_EQ(evsignal_pending(ev, nullptr), EV_SIGNAL);
  raise(SIGUSR2);
  event_base_loop(base.get(), EVLOOP_ONCE);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(evsignal_del(ev), 0);
  EXPECT_EQ(evsignal_pending(ev, nullptr), 0);
  event stack;
  EXPECT_EQ(evsignal_assign(&stack, base.get(), SIGUSR1, Count, &calls), 0);
  EXPECT_EQ(event_get_signal(&stack), SIGUSR1);
  EXPECT_EQ(event_get_events(&stack), EV_SIGNAL | EV_PERSIST);
  event_free(ev);
}

}  // namespace
}  // namespace compat
