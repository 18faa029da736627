// <percore/percore.h>, as a C program uses it. Ours alone: the target is not
// built against Debian's libevent.
#include <event2/event.h>
#include <gtest/gtest.h>
#include <percore/percore.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <thread>

namespace {

TEST(PercoreApi, VersionIsNotLibevents) {
  EXPECT_STREQ(percore_get_version(), "0.1.0");
  EXPECT_STREQ(event_get_version(), "2.1.12-stable");
}

TEST(PercoreApi, MethodIsAskedForByName) {
  for (const char* name : {"poll", "select", "epoll"}) {
    event_config* config = event_config_new();
    ASSERT_EQ(percore_config_set_method(config, name), 0);
    event_base* base = event_base_new_with_config(config);
    ASSERT_NE(base, nullptr);
    EXPECT_STREQ(event_base_get_method(base), name);
    event_base_free(base);
    event_config_free(config);
  }
  event_config* config = event_config_new();
  ASSERT_EQ(percore_config_set_method(config, "teleport"), 0);
  EXPECT_EQ(event_base_new_with_config(config), nullptr);
  EXPECT_EQ(percore_config_set_method(config, nullptr), 0);
  event_base* base = event_base_new_with_config(config);
  EXPECT_NE(base, nullptr);
  event_base_free(base);
  event_config_free(config);
}

TEST(PercoreApi, PostFromAnotherThreadRunsInTheLoop) {
  event_base* base = event_base_new();
  struct Seen {
    event_base* base;
    std::thread::id where;
  } seen{base, {}};
  std::thread other([&] {
    EXPECT_EQ(percore_post(
                  base,
                  [](void* arg) {
                    auto* s = static_cast<Seen*>(arg);
                    s->where = std::this_thread::get_id();
                    event_base_loopbreak(s->base);
                  },
                  &seen),
              PERCORE_POSTED);
  });
  EXPECT_EQ(event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY), 0);
  other.join();
  EXPECT_EQ(seen.where, std::this_thread::get_id());
  event_base_free(base);
}

TEST(PercoreApi, StatsCount) {
  event_base* base = event_base_new();
  percore_base_set_timing(base, 1);
  int calls = 0;
  event* timer = event_new(
      base, -1, 0,
      [](evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); },
      &calls);
  const timeval soon = {0, 1000};
  event_add(timer, &soon);
  EXPECT_EQ(event_base_dispatch(base), 1);
  percore_stats stats = {};
  stats.size = sizeof(stats);
  ASSERT_EQ(percore_base_get_stats(base, &stats), 0);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(stats.callbacks, 1u);
  EXPECT_EQ(stats.timers_expired, 1u);
  EXPECT_GE(stats.waiting_ns, 900000u);
  EXPECT_GE(stats.turns, 1u);
  // A program that knows only the first counters gets those and no more.
  stats.size = offsetof(percore_stats, mail_depth_median);
  stats.mail_delays = 77;
  EXPECT_EQ(percore_base_get_stats(base, &stats), 0);
  EXPECT_EQ(stats.mail_delays, 77u);
  stats.size = 4;
  EXPECT_EQ(percore_base_get_stats(base, &stats), -1);
  EXPECT_EQ(errno, EINVAL);
  event_free(timer);
  event_base_free(base);
}

TEST(PercoreApi, StatsSayHowLongMailWaits) {
  event_base* base = event_base_new();
  percore_base_set_timing(base, 1);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(percore_post(
                  base, [](void*) {}, nullptr),
              PERCORE_POSTED);
  }
  // Real time: the wait that is to be seen.
  std::this_thread::sleep_for(std::chrono::milliseconds(4));
  event_base_loop(base, EVLOOP_NONBLOCK);
  percore_stats stats = {};
  stats.size = sizeof(stats);
  ASSERT_EQ(percore_base_get_stats(base, &stats), 0);
  EXPECT_EQ(stats.messages_run, 5u);
  EXPECT_EQ(stats.mail_depth_median, 8u);
  EXPECT_EQ(stats.mail_delays, 5u);
  EXPECT_GE(stats.mail_delay_median_ns, 4000000u);
  event_base_free(base);
}

struct Hop {
  percore_runtime* runtime;
  std::atomic<int> core{-2};
  std::atomic<bool> done{false};
};

TEST(PercoreApi, ARuntimeRunsFunctionsOnItsCores) {
  percore_runtime_options options = {};
  options.size = sizeof(options);
  options.cores = 2;
  options.name = "capi";
  percore_runtime* runtime = percore_runtime_new(&options);
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(percore_runtime_cores(runtime), 2);
  EXPECT_EQ(percore_runtime_base(runtime, 2), nullptr);
  EXPECT_EQ(percore_runtime_base(runtime, -1), nullptr);
  EXPECT_NE(percore_runtime_base(runtime, 0), percore_runtime_base(runtime, 1));
  ASSERT_EQ(percore_runtime_start(runtime), 0);
  EXPECT_EQ(percore_runtime_start(runtime), -1);
  EXPECT_EQ(percore_runtime_current_core(runtime), -1);
  // From outside to core 0, and from there to core 1.
  Hop hop{runtime};
  ASSERT_EQ(percore_runtime_post(
                runtime, 0,
                [](void* arg) {
                  auto* h = static_cast<Hop*>(arg);
                  EXPECT_EQ(percore_runtime_current_core(h->runtime), 0);
                  percore_runtime_post(
                      h->runtime, 1,
                      [](void* inner) {
                        auto* h2 = static_cast<Hop*>(inner);
                        h2->core = percore_runtime_current_core(h2->runtime);
                        h2->done = true;
                      },
                      h);
                },
                &hop),
            PERCORE_POSTED);
  while (!hop.done) std::this_thread::yield();
  EXPECT_EQ(hop.core, 1);
  EXPECT_EQ(percore_runtime_post(runtime, 7, nullptr, nullptr), PERCORE_CLOSED);
  percore_runtime_stop(runtime);
  percore_runtime_join(runtime);
  percore_runtime_free(runtime);
  percore_runtime_free(nullptr);
}

TEST(PercoreApi, OptionsAreChecked) {
  percore_runtime_options options = {};
  options.size = 3;
  EXPECT_EQ(percore_runtime_new(&options), nullptr);
  EXPECT_EQ(errno, EINVAL);
  options.size = sizeof(options);
  options.cores = -1;
  EXPECT_EQ(percore_runtime_new(&options), nullptr);
  options.cores = 1;
  options.method = "teleport";
  EXPECT_EQ(percore_runtime_new(&options), nullptr);
}

}  // namespace
