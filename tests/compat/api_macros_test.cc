// The macros of the headers, each used as a program uses it, and the types by
// their names.

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <event2/visibility.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <type_traits>

#include "percore/tests/compat/handles.h"

namespace percore::compat {
namespace {

void Count(evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); }

// api evtimer_assign, evtimer_add, evtimer_pending, evtimer_del
// api evtimer_initialized
TEST(ApiMacros, TimersOfTheProgramsOwnMemory) {
  BasePtr base = NewBase();
  int calls = 0;
  event ev;
  memset(&ev, 0, sizeof(ev));
  EXPECT_FALSE(evtimer_initialized(&ev));
  ASSERT_EQ(0, evtimer_assign(&ev, base.get(), Count, &calls));
  EXPECT_TRUE(evtimer_initialized(&ev));
  EXPECT_EQ(-1, event_get_fd(&ev));
  EXPECT_EQ(0, event_get_events(&ev));
  const timeval hour = {3600, 0};
  EXPECT_EQ(0, evtimer_add(&ev, &hour));
  timeval when = {0, 0};
  EXPECT_TRUE(evtimer_pending(&ev, &when));
  EXPECT_GT(when.tv_sec, 3600);
  EXPECT_EQ(0, evtimer_del(&ev));
  EXPECT_FALSE(evtimer_pending(&ev, nullptr));
  const timeval now = {0, 0};
  evtimer_add(&ev, &now);
  EXPECT_EQ(1, event_base_dispatch(base.get()));
  EXPECT_EQ(1, calls);
}

// api evtimer_new
TEST(ApiMacros, TimersOfTheLibrarysMemory) {
  BasePtr base = NewBase();
  int calls = 0;
  EventPtr ev(evtimer_new(base.get(), Count, &calls));
  ASSERT_NE(nullptr, ev);
  EXPECT_EQ(-1, event_get_fd(ev.get()));
  const timeval now = {0, 0};
  evtimer_add(ev.get(), &now);
  event_base_dispatch(base.get());
  EXPECT_EQ(1, calls);
}

// api evsignal_assign, event_get_signal
TEST(ApiMacros, SignalsOfTheProgramsOwnMemory) {
  BasePtr base = NewBase();
  int calls = 0;
  event ev;
  ASSERT_EQ(0, evsignal_assign(&ev, base.get(), SIGUSR2, Count, &calls));
  EXPECT_EQ(SIGUSR2, event_get_signal(&ev));
  EXPECT_EQ(EV_SIGNAL | EV_PERSIST, event_get_events(&ev));
  ASSERT_EQ(0, evsignal_add(&ev, nullptr));
  raise(SIGUSR2);
  event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(1, calls);
  EXPECT_EQ(0, evsignal_del(&ev));
}

// api evuser_new, evuser_trigger, evuser_pending, evuser_del
// api evuser_initialized
TEST(ApiMacros, UserEvents) {
  BasePtr base = NewBase();
  int calls = 0;
  EventPtr ev(evuser_new(base.get(), Count, &calls));
  EXPECT_TRUE(evuser_initialized(ev.get()));
  evuser_trigger(ev.get());
  EXPECT_FALSE(evuser_pending(ev.get(), nullptr)) << "its mask is empty";
  EXPECT_EQ(1, event_base_dispatch(base.get()));
  EXPECT_EQ(1, calls);
  evuser_trigger(ev.get());
  EXPECT_EQ(0, evuser_del(ev.get()));
  event_base_dispatch(base.get());
  EXPECT_EQ(1, calls);
}

// api EVUTIL_SOCKET_ERROR, EVUTIL_SET_SOCKET_ERROR, EVUTIL_CLOSESOCKET
// api EVUTIL_INVALID_SOCKET
TEST(ApiMacros, SocketErrors) {
  EVUTIL_SET_SOCKET_ERROR(ECONNRESET);
  EXPECT_EQ(ECONNRESET, errno);
  EXPECT_EQ(ECONNRESET, EVUTIL_SOCKET_ERROR());
  const evutil_socket_t fd = socket(AF_INET, SOCK_DGRAM, 0);
  ASSERT_NE(EVUTIL_INVALID_SOCKET, fd);
  EXPECT_EQ(0, EVUTIL_CLOSESOCKET(fd));
  EXPECT_EQ(-1, EVUTIL_CLOSESOCKET(fd));
  EXPECT_EQ(EBADF, EVUTIL_SOCKET_ERROR());
}

// semantics 15.10
// api evutil_timeradd, evutil_timersub, evutil_timerclear, evutil_timerisset
// api evutil_timercmp
TEST(ApiMacros, TimevalArithmetic) {
  const timeval a = {1, 700000};
  const timeval b = {2, 500000};
  timeval sum, difference;
  evutil_timeradd(&a, &b, &sum);
  EXPECT_EQ(4, sum.tv_sec);
  EXPECT_EQ(200000, sum.tv_usec);
  evutil_timersub(&b, &a, &difference);
  EXPECT_EQ(0, difference.tv_sec);
  EXPECT_EQ(800000, difference.tv_usec);
  EXPECT_TRUE(evutil_timercmp(&a, &b, <));
  EXPECT_TRUE(evutil_timercmp(&a, &b, <=));
  EXPECT_TRUE(evutil_timercmp(&a, &b, !=));
  EXPECT_TRUE(evutil_timercmp(&a, &a, ==));
  EXPECT_TRUE(evutil_timercmp(&a, &a, <=));
  EXPECT_TRUE(evutil_timercmp(&a, &a, >=));
  EXPECT_TRUE(evutil_timercmp(&b, &a, >=));
  EXPECT_FALSE(evutil_timercmp(&a, &b, >));
  EXPECT_TRUE(evutil_timerisset(&sum));
  evutil_timerclear(&sum);
  EXPECT_FALSE(evutil_timerisset(&sum));
}

// api evutil_gettimeofday, evutil_offsetof
TEST(ApiMacros, TimeAndOffset) {
  timeval tv = {0, 0};
  EXPECT_EQ(0, evutil_gettimeofday(&tv, nullptr));
  EXPECT_GT(tv.tv_sec, 1700000000);
  struct Record {
    int first;
    char second;
  };
  EXPECT_EQ(offsetof(Record, second),
            static_cast<size_t>(evutil_offsetof(Record, second)));
}

// api event_base, event, event_config, event_callback_fn, event_log_cb
// api event_fatal_cb, event_finalize_callback_fn, event_base_foreach_event_cb
// api event_method_feature, event_base_config_flag, evutil_monotonic_timer
TEST(ApiMacros, TypesHaveTheirShapes) {
  EXPECT_TRUE((std::is_same_v<event_callback_fn,
                              void (*)(evutil_socket_t, short, void*)>));
  EXPECT_TRUE((std::is_same_v<event_log_cb, void (*)(int, const char*)>));
  EXPECT_TRUE((std::is_same_v<event_fatal_cb, void (*)(int)>));
  EXPECT_TRUE((std::is_same_v<event_finalize_callback_fn,
                              void (*)(struct event*, void*)>));
  EXPECT_TRUE((std::is_same_v<event_base_foreach_event_cb,
                              int (*)(const struct event_base*,
                                      const struct event*, void*)>));
  EXPECT_TRUE((std::is_same_v<decltype(event_base_new()), struct event_base*>));
  EXPECT_TRUE(
      (std::is_same_v<decltype(event_config_new()), struct event_config*>));
  EXPECT_TRUE((std::is_same_v<decltype(evutil_monotonic_timer_new()),
                              struct evutil_monotonic_timer*>));
  EXPECT_TRUE(std::is_enum_v<enum event_method_feature>);
  EXPECT_TRUE(std::is_enum_v<enum event_base_config_flag>);
}

// Declared with it, a function of a program is an ordinary one.
// api EVENT2_EXPORT_SYMBOL, EVENT2_CORE_EXPORT_SYMBOL
EVENT2_EXPORT_SYMBOL int Exported();
EVENT2_CORE_EXPORT_SYMBOL int CoreExported();
int Exported() { return 1; }
int CoreExported() { return 2; }

TEST(ApiMacros, Visibility) {
  EXPECT_EQ(1, Exported());
  EXPECT_EQ(2, CoreExported());
}

}  // namespace
}  // namespace percore::compat
