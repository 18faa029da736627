// An allocation that fails: the call returns its error and changes nothing.

#include <event2/event.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "percore/tests/compat/handles.h"

namespace percore::compat {
namespace {

// The allocation that fails, counted from 1; 0: none. It and all later ones.
int fails_at = 0;
int asked = 0;
bool Fails() { return ++asked >= fails_at && fails_at != 0; }
void* Allocate(size_t size) { return Fails() ? nullptr : malloc(size); }
void* Reallocate(void* block, size_t size) {
  return Fails() ? nullptr : realloc(block, size);
}
void FailFrom(int n) {
  fails_at = n;
  asked = 0;
}

void Nothing(evutil_socket_t, short, void*) {}
void Quiet(int, const char*) {}

class MemoryFailure : public ::testing::Test {
 protected:
  void SetUp() override {
    FailFrom(0);
    event_set_mem_functions(Allocate, Reallocate, free);
    event_set_log_callback(Quiet);
  }
  void TearDown() override {
    FailFrom(0);
    event_set_log_callback(nullptr);
  }
};

// semantics 7.4
// api event_new
TEST_F(MemoryFailure, EventNew) {
  BasePtr base = NewBase();
  FailFrom(1);
  EXPECT_EQ(nullptr, event_new(base.get(), -1, 0, Nothing, nullptr));
}

// semantics 7.4
// api event_base_new
TEST_F(MemoryFailure, BaseNewAtItsFirstAllocation) {
  FailFrom(1);
  EXPECT_EQ(nullptr, event_base_new());
}

// semantics 7.4
// api event_config_new, event_config_avoid_method
TEST_F(MemoryFailure, Config) {
  ConfigPtr config(event_config_new());
  FailFrom(1);
  EXPECT_EQ(nullptr, event_config_new());
  EXPECT_EQ(-1, event_config_avoid_method(config.get(), "epoll"));
  FailFrom(0);
  BasePtr base(event_base_new_with_config(config.get()));
  EXPECT_STREQ("epoll", event_base_get_method(base.get())) << "not avoided";
}

// semantics 7.4
// api event_base_once
TEST_F(MemoryFailure, Once) {
  BasePtr base = NewBase();
  const timeval soon = Milliseconds(1);
  FailFrom(1);
  EXPECT_EQ(
      -1, event_base_once(base.get(), -1, EV_TIMEOUT, Nothing, nullptr, &soon));
  FailFrom(0);
  EXPECT_EQ(1, event_base_dispatch(base.get())) << "nothing was left behind";
}

// semantics 7.4
// api event_base_init_common_timeout
TEST_F(MemoryFailure, CommonTimeout) {
  BasePtr base = NewBase();
  const timeval hour = {3600, 0};
  FailFrom(1);
  EXPECT_EQ(nullptr, event_base_init_common_timeout(base.get(), &hour));
  FailFrom(0);
  EXPECT_NE(nullptr, event_base_init_common_timeout(base.get(), &hour));
}

// semantics 7.4
// api event_add
TEST_F(MemoryFailure, AddOfATimer) {
  BasePtr base = NewBase();
  EventPtr ev(evtimer_new(base.get(), Nothing, nullptr));
  const timeval soon = Milliseconds(1);
  FailFrom(1);
#ifdef TESTING_DEBIAN_LIBEVENT
  EXPECT_EQ(-1, event_add(ev.get(), &soon));
#else
  // better: whether the first timer needs memory is the library's affair.
  const bool added = event_add(ev.get(), &soon) == 0;
  EXPECT_EQ(added, event_pending(ev.get(), EV_TIMEOUT, nullptr) != 0);
#endif
  FailFrom(0);
  EXPECT_EQ(0, event_add(ev.get(), &soon));
  EXPECT_EQ(1, event_base_dispatch(base.get()));
}

// semantics 7.4
TEST_F(MemoryFailure, AddOfAnFd) {
  BasePtr base = NewBase();
  int ends[2];
  ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  evutil_make_socket_nonblocking(ends[0]);
  EventPtr ev(event_new(base.get(), ends[0], EV_READ, Nothing, nullptr));
  FailFrom(1);
  const bool added = event_add(ev.get(), nullptr) == 0;
  FailFrom(0);
  EXPECT_EQ(added, event_pending(ev.get(), EV_READ, nullptr) != 0);
  EXPECT_EQ(added ? 1 : 0,
            event_base_get_num_events(base.get(), EVENT_BASE_COUNT_ADDED));
  EXPECT_EQ(0, event_add(ev.get(), nullptr));
  close(ends[0]);
  close(ends[1]);
}

#ifndef TESTING_DEBIAN_LIBEVENT

// better: the original does not survive every one of these.
// semantics 7.4
TEST_F(MemoryFailure, EachAllocationOfABase) {
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 1000) << "it never gets through";
    FailFrom(n);
    BasePtr base = NewBase();
    const bool needed = asked >= n;
    FailFrom(0);
    EXPECT_TRUE(needed || base != nullptr);
    if (base != nullptr) {
      EXPECT_EQ(1, event_base_dispatch(base.get()));
    }
    if (!needed) break;
  }
}

// better: the original does not survive every one of these.
// semantics 7.4
TEST_F(MemoryFailure, EachAllocationOfAWorkingLoop) {
  const timeval now = {0, 0};
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 1000) << "it never gets through";
    BasePtr base = NewBase();
    int ends[2];
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    evutil_make_socket_nonblocking(ends[0]);
    ASSERT_EQ(1, write(ends[1], "x", 1));
    int calls = 0;
    auto count = [](evutil_socket_t, short, void* arg) {
      ++*static_cast<int*>(arg);
    };
    EventPtr reader(event_new(base.get(), ends[0], EV_READ, count, &calls));
    EventPtr timer(evtimer_new(base.get(), count, &calls));
    EventPtr watcher(event_new(base.get(), SIGUSR1, EV_SIGNAL, count, &calls));
    FailFrom(n);
    int added = event_add(reader.get(), nullptr) == 0;
    added += event_add(timer.get(), &now) == 0;
    if (event_add(watcher.get(), nullptr) == 0) {
      ++added;
      raise(SIGUSR1);
    }
    added +=
        event_base_once(base.get(), -1, EV_TIMEOUT, count, &calls, &now) == 0;
    const int result = event_base_dispatch(base.get());
    const bool needed = asked >= n;
    FailFrom(0);
    EXPECT_EQ(1, result) << n;
    EXPECT_EQ(added, calls) << n;
    close(ends[0]);
    close(ends[1]);
    if (!needed) {
      EXPECT_EQ(4, added);
      break;
    }
  }
}

#endif

}  // namespace
}  // namespace percore::compat
