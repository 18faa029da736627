// The backends of this machine as test parameters: a suite that touches I/O
// runs once for each. Each target also exists a second time, named
// NAME_shared, where locking is on before the first base is made.

#ifndef PERCORE_TESTS_COMPAT_BACKENDS_H_
#define PERCORE_TESTS_COMPAT_BACKENDS_H_

#include <event2/event.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>

#include <cctype>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace compat {

#ifdef COMPAT_SHARED_MODE
inline constexpr bool kShared = true;
#else
inline constexpr bool kShared = false;
#endif

// Whether another thread may wake a loop: libevent needs locks for it, percore
// takes activations and loop control by mailbox in the owned mode too.
#if defined(COMPAT_SHARED_MODE) || !defined(TESTING_DEBIAN_LIBEVENT)
inline constexpr bool kForeignWakeups = true;
#else
inline constexpr bool kForeignWakeups = false;
#endif

struct FreeBase {
  void operator()(event_base* base) const { event_base_free(base); }
};
using BasePtr = std::unique_ptr<event_base, FreeBase>;

struct FreeConfig {
  void operator()(event_config* cfg) const { event_config_free(cfg); }
};
using ConfigPtr = std::unique_ptr<event_config, FreeConfig>;

// One way to make a base: a method name and EVENT_BASE_FLAG_* bits.
struct Setup {
  std::string method;
  int flags = 0;

  std::string Name() const {
    std::string name;
    for (char c : method) {
      if (isalnum(static_cast<unsigned char>(c))) name += c;
    }
    if (flags & EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) name += "_changelist";
    if (flags & EVENT_BASE_FLAG_PRECISE_TIMER) name += "_precise";
    if (flags & EVENT_BASE_FLAG_NO_CACHE_TIME) name += "_nocache";
    return name;
  }
};

inline void PrintTo(const Setup& setup, std::ostream* os) {
  *os << setup.Name();
}

inline std::vector<std::string> SupportedMethods() {
  std::vector<std::string> methods;
  for (const char** m = event_get_supported_methods(); *m != nullptr; ++m) {
    methods.emplace_back(*m);
  }
  return methods;
}

// Every supported method, no flags.
inline std::vector<Setup> Backends() {
  std::vector<Setup> setups;
  for (const std::string& method : SupportedMethods()) {
    setups.push_back({method, 0});
  }
  return setups;
}

// Every supported method, then the flags that change how a backend works.
inline std::vector<Setup> BackendsAndFlags() {
  std::vector<Setup> setups = Backends();
  for (const std::string& method : SupportedMethods()) {
    setups.push_back({method, EVENT_BASE_FLAG_PRECISE_TIMER});
    if (method == "epoll") {
      setups.push_back({method, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST});
      setups.push_back({method, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST |
                                    EVENT_BASE_FLAG_PRECISE_TIMER});
    }
  }
  return setups;
}

inline std::string SetupName(const testing::TestParamInfo<Setup>& info) {
  return info.param.Name();
}

// A config that leaves `setup.method` as the only choice.
inline ConfigPtr NewConfig(const Setup& setup) {
  ConfigPtr cfg(event_config_new());
  for (const std::string& method : SupportedMethods()) {
    if (method != setup.method) {
      event_config_avoid_method(cfg.get(), method.c_str());
    }
  }
  event_config_set_flag(cfg.get(), setup.flags);
  return cfg;
}

// The base that `cfg` describes. percore chooses io_uring only when it is
// asked for by name; the environment is the way that needs no further header.
inline BasePtr NewBase(const Setup& setup, const event_config* cfg) {
  const bool ask = setup.method == "io_uring";
  if (ask) setenv("PERCORE_METHOD", "io_uring", 1);
  BasePtr base(event_base_new_with_config(cfg));
  if (ask) unsetenv("PERCORE_METHOD");
  return base;
}

inline BasePtr NewBase(const Setup& setup) {
  return NewBase(setup, NewConfig(setup).get());
}

// A test with a base of the parameter's backend.
class BackendTest : public testing::TestWithParam<Setup> {
 protected:
  void SetUp() override {
    base_ = NewBase(GetParam());
    if (!base_ && GetParam().method == "io_uring") {
      GTEST_SKIP() << "SKIP: needs io_uring in the kernel";
    }
    ASSERT_NE(base_, nullptr) << GetParam().Name();
    ASSERT_EQ(
        std::string(event_base_get_method(base())).rfind(GetParam().method, 0),
        0u);
  }

  event_base* base() const { return base_.get(); }
  bool IsEpoll() const { return GetParam().method == "epoll"; }
  bool IsSelect() const { return GetParam().method == "select"; }
  bool IsChangelist() const {
    return (GetParam().flags & EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) != 0;
  }
  // One turn that does not wait.
  int Turn() { return event_base_loop(base(), EVLOOP_ONCE | EVLOOP_NONBLOCK); }

  BasePtr base_;
};

// A test of what no backend changes: the default base.
class LoopTest : public testing::Test {
 protected:
  void SetUp() override {
    base_.reset(event_base_new());
    ASSERT_NE(base_, nullptr);
  }

  event_base* base() const { return base_.get(); }
  int Turn() { return event_base_loop(base(), EVLOOP_ONCE | EVLOOP_NONBLOCK); }

  BasePtr base_;
};

}  // namespace compat

#define COMPAT_ON_EVERY_BACKEND(Suite)                              \
  INSTANTIATE_TEST_SUITE_P(Backends, Suite,                         \
                           testing::ValuesIn(::compat::Backends()), \
                           ::compat::SetupName)
#define COMPAT_ON_EVERY_BACKEND_AND_FLAG(Suite)                             \
  INSTANTIATE_TEST_SUITE_P(Backends, Suite,                                 \
                           testing::ValuesIn(::compat::BackendsAndFlags()), \
                           ::compat::SetupName)

#endif  // PERCORE_TESTS_COMPAT_BACKENDS_H_
