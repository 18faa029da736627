// The methods that wait: order, names, limits.

#include <event2/event.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "percore/tests/compat/handles.h"

namespace percore::compat {
namespace {

void Count(evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); }

BasePtr Only(const char* method) {
  ConfigPtr config(event_config_new());
  for (const char* other : {"epoll", "poll", "select"}) {
    if (std::string(other) != method) {
      event_config_avoid_method(config.get(), other);
    }
  }
  return BasePtr(event_base_new_with_config(config.get()));
}

// semantics 5.1
// api event_get_supported_methods, event_base_get_method
TEST(BackendMethod, OrderOfPreference) {
  const char** supported = event_get_supported_methods();
  std::vector<std::string> names;
  for (; *supported != nullptr; ++supported) names.push_back(*supported);
  ASSERT_GE(names.size(), 3u);
  EXPECT_EQ("epoll", names[0]);
  EXPECT_EQ("poll", names[1]);
  EXPECT_EQ("select", names[2]);
  EXPECT_STREQ("epoll", event_base_get_method(NewBase().get()));

  ConfigPtr config(event_config_new());
  event_config_avoid_method(config.get(), "epoll");
  BasePtr second(event_base_new_with_config(config.get()));
  EXPECT_STREQ("poll", event_base_get_method(second.get()));
  event_config_avoid_method(config.get(), "poll");
  BasePtr third(event_base_new_with_config(config.get()));
  EXPECT_STREQ("select", event_base_get_method(third.get()));
}

// semantics 5.1, 5.3
// api EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST
TEST(BackendMethod, ChangelistHasItsOwnName) {
  ConfigPtr config(event_config_new());
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  BasePtr base(event_base_new_with_config(config.get()));
  EXPECT_STREQ("epoll (with changelist)", event_base_get_method(base.get()));
}

// Adds and deletes between two waits are one net change.
// semantics 5.3
TEST(BackendMethod, ChangelistAddsAndDeletesBetweenWaits) {
  ConfigPtr config(event_config_new());
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  BasePtr base(event_base_new_with_config(config.get()));
  int ends[2];
  ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  evutil_make_socket_nonblocking(ends[0]);
  ASSERT_EQ(1, write(ends[1], "x", 1));
  int calls = 0;
  EventPtr ev(
      event_new(base.get(), ends[0], EV_READ | EV_PERSIST, Count, &calls));
  for (int i = 0; i < 3; ++i) {
    event_add(ev.get(), nullptr);
    event_del(ev.get());
  }
  EXPECT_EQ(1, event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK));
  EXPECT_EQ(0, calls);
  event_add(ev.get(), nullptr);
  event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(1, calls);
  event_del(ev.get());
  event_add(ev.get(), nullptr);
  event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(2, calls);
  event_del(ev.get());
  event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(2, calls);
  close(ends[0]);
  close(ends[1]);
}

// More fds ready at once than one wait first asks for; and fds above
// FD_SETSIZE.
// semantics 5.2, 5.5
TEST(BackendMethod, ManyFdsReadyAtOnceAndBeyondFdSetsize) {
  constexpr int kPairs = 600;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 2 * kPairs + 100) {
    GTEST_SKIP() << "SKIP: needs " << 2 * kPairs + 100 << " descriptors";
  }
#ifdef TESTING_DEBIAN_LIBEVENT
  const std::vector<const char*> methods = {"epoll", "poll"};
#else
  // better: the C library ends Debian's select above FD_SETSIZE, for its
  // FD_SET is checked.
  const std::vector<const char*> methods = {"epoll", "poll", "select"};
#endif
  for (const char* method : methods) {
    BasePtr base = Only(method);
    ASSERT_NE(nullptr, base) << method;
    ASSERT_STREQ(method, event_base_get_method(base.get()));
    std::vector<int> fds;
    std::vector<EventPtr> events;
    int calls = 0;
    int highest = 0;
    for (int i = 0; i < kPairs; ++i) {
      int ends[2];
      ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
      evutil_make_socket_nonblocking(ends[0]);
      fds.insert(fds.end(), {ends[0], ends[1]});
      highest = std::max(highest, ends[0]);
      ASSERT_EQ(1, write(ends[1], "x", 1));
      events.emplace_back(
          event_new(base.get(), ends[0], EV_READ, Count, &calls));
      ASSERT_EQ(0, event_add(events.back().get(), nullptr)) << method;
    }
    EXPECT_GT(highest, FD_SETSIZE);
    EXPECT_EQ(1, event_base_dispatch(base.get()));
    EXPECT_EQ(kPairs, calls) << method;
    events.clear();
    for (const int fd : fds) close(fd);
  }
}

// The sets grow as the numbers of the descriptors do.
// semantics 5.5
TEST(BackendMethod, SelectGrowsItsSets) {
  BasePtr base = Only("select");
  std::vector<int> fds;
  std::vector<EventPtr> events;
  int calls = 0;
  for (int i = 0; i < 400; ++i) {
    int ends[2];
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    fds.insert(fds.end(), {ends[0], ends[1]});
    evutil_make_socket_nonblocking(ends[0]);
    ASSERT_EQ(1, write(ends[1], "x", 1));
    events.emplace_back(event_new(base.get(), ends[0], EV_READ, Count, &calls));
    ASSERT_EQ(0, event_add(events.back().get(), nullptr));
  }
  EXPECT_EQ(1, event_base_dispatch(base.get()));
  EXPECT_EQ(400, calls);
  events.clear();
  for (const int fd : fds) close(fd);
}

// semantics 5.1
// api event_base_get_features, EV_FEATURE_ET, EV_FEATURE_O1, EV_FEATURE_FDS
// api EV_FEATURE_EARLY_CLOSE
TEST(BackendMethod, Features) {
  EXPECT_EQ(EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE,
            event_base_get_features(Only("epoll").get()));
  EXPECT_EQ(EV_FEATURE_FDS,
            event_base_get_features(Only("poll").get()) & ~0x08);
  EXPECT_EQ(EV_FEATURE_FDS, event_base_get_features(Only("select").get()));
}

}  // namespace
}  // namespace percore::compat
