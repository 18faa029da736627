// Choosing a backend by a config.

#include <event2/event.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/probe.h"

namespace compat {
namespace {

std::string MethodOf(const BasePtr& base) {
  return base ? event_base_get_method(base.get()) : "none";
}

// semantics 5.1
// api event_get_supported_methods
TEST(ConfigTest, SupportedMethodsInOrder) {
  const std::vector<std::string> methods = SupportedMethods();
  ASSERT_GE(methods.size(), 3u);
  EXPECT_EQ(methods[0], "epoll");
  EXPECT_EQ(methods[1], "poll");
  EXPECT_EQ(methods[2], "select");
}

// semantics 5.1
// api event_base_new
// api event_base_get_method
TEST(ConfigTest, DefaultIsTheFirst) {
  BasePtr base(event_base_new());
  EXPECT_EQ(MethodOf(base), SupportedMethods().front());
}

// api event_base_new_with_config: NULL is the default.
TEST(ConfigTest, NullConfig) {
  BasePtr base(event_base_new_with_config(nullptr));
  EXPECT_EQ(MethodOf(base), "epoll");
}

// api event_config_new
// api event_config_free
// api event_config_avoid_method
TEST(ConfigTest, AvoidMethods) {
  ConfigPtr cfg(event_config_new());
  ASSERT_NE(cfg, nullptr);
  EXPECT_EQ(event_config_avoid_method(cfg.get(), "epoll"), 0);
  EXPECT_EQ(MethodOf(BasePtr(event_base_new_with_config(cfg.get()))), "poll");
  EXPECT_EQ(event_config_avoid_method(cfg.get(), "poll"), 0);
  EXPECT_EQ(MethodOf(BasePtr(event_base_new_with_config(cfg.get()))), "select");
  EXPECT_EQ(event_config_avoid_method(cfg.get(), "no such method"), 0);
  EXPECT_EQ(MethodOf(BasePtr(event_base_new_with_config(cfg.get()))), "select");
}

// semantics 6: all avoided: NULL with a warning.
TEST(ConfigTest, AllAvoided) {
  ConfigPtr cfg(event_config_new());
  for (const std::string& m : SupportedMethods()) {
    event_config_avoid_method(cfg.get(), m.c_str());
  }
  LogCapture log;
  EXPECT_EQ(event_base_new_with_config(cfg.get()), nullptr);
  EXPECT_EQ(log.Warnings(), 1);
}

// semantics 6: the base does not consume the config.
TEST(ConfigTest, ConfigIsReusable) {
  ConfigPtr cfg(event_config_new());
  event_config_avoid_method(cfg.get(), "epoll");
  BasePtr one(event_base_new_with_config(cfg.get()));
  BasePtr two(event_base_new_with_config(cfg.get()));
  cfg.reset();
  EXPECT_EQ(MethodOf(one), "poll");
  EXPECT_EQ(MethodOf(two), "poll");
  EXPECT_EQ(event_base_dispatch(one.get()), 1);
}

// api event_base_get_features
TEST(ConfigTest, Features) {
  const struct {
    const char* method;
    int features;
  } kKnown[] = {
      {"epoll", EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE},
      {"poll", EV_FEATURE_FDS | EV_FEATURE_EARLY_CLOSE},
      {"select", EV_FEATURE_FDS},
  };
  for (const auto& known : kKnown) {
    BasePtr base = NewBase({known.method, 0});
    ASSERT_NE(base, nullptr);
    EXPECT_EQ(event_base_get_features(base.get()), known.features)
        << known.method;
  }
  EXPECT_EQ(EV_FEATURE_ET, 0x01);
  EXPECT_EQ(EV_FEATURE_O1, 0x02);
  EXPECT_EQ(EV_FEATURE_FDS, 0x04);
  EXPECT_EQ(EV_FEATURE_EARLY_CLOSE, 0x08);
}

// main/base_features
// api event_config_require_features
TEST(ConfigTest, RequiredFeatures) {
  ConfigPtr cfg(event_config_new());
  EXPECT_EQ(event_config_require_features(cfg.get(), EV_FEATURE_ET), 0);
  EXPECT_EQ(MethodOf(BasePtr(event_base_new_with_config(cfg.get()))), "epoll");
  // The later call replaces the earlier.
  EXPECT_EQ(event_config_require_features(cfg.get(), EV_FEATURE_FDS), 0);
  EXPECT_EQ(MethodOf(BasePtr(event_base_new_with_config(cfg.get()))), "poll");
  EXPECT_EQ(event_config_require_features(
                cfg.get(), EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE),
            0);
  EXPECT_EQ(MethodOf(BasePtr(event_base_new_with_config(cfg.get()))), "epoll");
}

// semantics 6: no backend has all of them.
TEST(ConfigTest, ImpossibleFeatures) {
  ConfigPtr cfg(event_config_new());
  event_config_require_features(cfg.get(), EV_FEATURE_ET | EV_FEATURE_FDS);
  LogCapture log;
  EXPECT_EQ(event_base_new_with_config(cfg.get()), nullptr);
  EXPECT_EQ(log.Warnings(), 1);
}

// Features and avoidance together.
TEST(ConfigTest, FeatureOfAnAvoidedMethod) {
  ConfigPtr cfg(event_config_new());
  event_config_require_features(cfg.get(), EV_FEATURE_ET);
  event_config_avoid_method(cfg.get(), "epoll");
  LogCapture log;
  EXPECT_EQ(event_base_new_with_config(cfg.get()), nullptr);
}

// api event_config_set_flag
// api event_config_require_features
// api event_config_set_num_cpus_hint
TEST(ConfigTest, NullConfigIsAnError) {
  EXPECT_EQ(event_config_set_flag(nullptr, EVENT_BASE_FLAG_NOLOCK), -1);
  EXPECT_EQ(event_config_require_features(nullptr, EV_FEATURE_ET), -1);
  EXPECT_EQ(event_config_set_num_cpus_hint(nullptr, 2), -1);
}

// api event_config_set_num_cpus_hint
TEST(ConfigTest, CpusHint) {
  ConfigPtr cfg(event_config_new());
  EXPECT_EQ(event_config_set_num_cpus_hint(cfg.get(), 4), 0);
  BasePtr base(event_base_new_with_config(cfg.get()));
  EXPECT_NE(base, nullptr);
}

// semantics 5.1: the changelist has a name of its own.
// api event_config_set_flag: bits are added.
TEST(ConfigTest, FlagsAdd) {
  ConfigPtr cfg(event_config_new());
  EXPECT_EQ(
      event_config_set_flag(cfg.get(), EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST),
      0);
  EXPECT_EQ(event_config_set_flag(cfg.get(), EVENT_BASE_FLAG_PRECISE_TIMER), 0);
  BasePtr base(event_base_new_with_config(cfg.get()));
  EXPECT_EQ(MethodOf(base), "epoll (with changelist)");
}

// Every single flag makes a base that works.
TEST(ConfigTest, EachFlag) {
  EXPECT_EQ(EVENT_BASE_FLAG_NOLOCK, 0x01);
  EXPECT_EQ(EVENT_BASE_FLAG_IGNORE_ENV, 0x02);
  EXPECT_EQ(EVENT_BASE_FLAG_STARTUP_IOCP, 0x04);
  EXPECT_EQ(EVENT_BASE_FLAG_NO_CACHE_TIME, 0x08);
  EXPECT_EQ(EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST, 0x10);
  EXPECT_EQ(EVENT_BASE_FLAG_PRECISE_TIMER, 0x20);
  for (int flag = 0x01; flag <= 0x20; flag <<= 1) {
    ConfigPtr cfg(event_config_new());
    event_config_set_flag(cfg.get(), flag);
    BasePtr base(event_base_new_with_config(cfg.get()));
    ASSERT_NE(base, nullptr) << flag;
    Journal journal;
    Probe timer(base.get(), &journal, "t");
    timer.Add(Ms(1));
    EXPECT_EQ(event_base_dispatch(base.get()), 1) << flag;
    EXPECT_EQ(timer.calls(), 1) << flag;
  }
}

// main/methods: every method in the list can be had by avoiding the others.
TEST(ConfigTest, EveryListedMethodWorks) {
  for (const char* method : {"epoll", "poll", "select"}) {
    EXPECT_EQ(MethodOf(NewBase({method, 0})), method);
  }
}

// api event_get_supported_methods: the same list at each call.
TEST(ConfigTest, SupportedMethodsAgain) {
  const std::vector<std::string> first = SupportedMethods();
  EXPECT_EQ(SupportedMethods(), first);
}

}  // namespace
}  // namespace compat
