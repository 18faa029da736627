// Environment variables that steer the choice of a backend.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"

namespace compat {
namespace {

// Sets a variable while it lives.
class ScopedEnv {
 public:
  explicit ScopedEnv(const char* name, const char* value = "1") : name_(name) {
    setenv(name, value, 1);
  }
  ~ScopedEnv() { unsetenv(name_); }
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;

 private:
  const char* name_;
};

std::string Method(int flags = 0) {
  ConfigPtr cfg(event_config_new());
  event_config_set_flag(cfg.get(), flags);
  BasePtr base(event_base_new_with_config(cfg.get()));
  return base ? event_base_get_method(base.get()) : "none";
}

// semantics 6
// main/base_environ
TEST(EnvironmentTest, DisabledMethods) {
  EXPECT_EQ(Method(), "epoll");
  ScopedEnv no_epoll("EVENT_NOEPOLL");
  EXPECT_EQ(Method(), "poll");
  {
    ScopedEnv no_poll("EVENT_NOPOLL");
    EXPECT_EQ(Method(), "select");
  }
  {
    ScopedEnv no_select("EVENT_NOSELECT");
    EXPECT_EQ(Method(), "poll");
  }
}

// semantics 6: presence counts, not the value.
TEST(EnvironmentTest, AnyValue) {
  for (const char* value : {"", "0", "no"}) {
    ScopedEnv no_epoll("EVENT_NOEPOLL", value);
    EXPECT_EQ(Method(), "poll") << value;
  }
}

// semantics 6: names of other systems' methods are without effect here.
TEST(EnvironmentTest, MethodsOfOtherSystems) {
  ScopedEnv a("EVENT_NOKQUEUE");
  ScopedEnv b("EVENT_NODEVPOLL");
  ScopedEnv c("EVENT_NOEVPORT");
  ScopedEnv d("EVENT_NOWIN32");
  EXPECT_EQ(Method(), "epoll");
}

// semantics 6: all disabled: NULL with a warning.
TEST(EnvironmentTest, AllDisabled) {
  ScopedEnv a("EVENT_NOEPOLL");
  ScopedEnv b("EVENT_NOPOLL");
  ScopedEnv c("EVENT_NOSELECT");
  ScopedEnv d("EVENT_NOIO_URING");
  LogCapture log;
  EXPECT_EQ(event_base_new(), nullptr);
  EXPECT_EQ(log.Warnings(), 1);
}

// semantics 6
// api EVENT_BASE_FLAG_IGNORE_ENV
TEST(EnvironmentTest, IgnoreEnv) {
  ScopedEnv a("EVENT_NOEPOLL");
  ScopedEnv b("EVENT_EPOLL_USE_CHANGELIST");
  EXPECT_EQ(Method(EVENT_BASE_FLAG_IGNORE_ENV), "epoll");
}

// semantics 6
// api EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST
TEST(EnvironmentTest, Changelist) {
  EXPECT_EQ(Method(EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST),
            "epoll (with changelist)");
  ScopedEnv env("EVENT_EPOLL_USE_CHANGELIST");
  EXPECT_EQ(Method(), "epoll (with changelist)");
}

// semantics 6: the precise clock shows in two readings that are closer than
// a tick of the coarse one.
TEST(EnvironmentTest, PreciseTimer) {
  const auto fine = [](event_base* base) {
    timeval first = {}, tv = {};
    event_gettime_monotonic(base, &first);
    // A coarse clock stands still for a whole tick (1 to 10 ms).
    int steps = 0;
    timeval last = first;
    for (int i = 0; i < 200000 && steps < 50; ++i) {
      event_gettime_monotonic(base, &tv);
      const long us =
          (tv.tv_sec - last.tv_sec) * 1000000L + (tv.tv_usec - last.tv_usec);
      if (us > 0) {
        if (us < 900) ++steps;
        last = tv;
      }
    }
    return steps == 50;
  };
  {
    ScopedEnv env("EVENT_PRECISE_TIMER");
    BasePtr base(event_base_new());
    EXPECT_TRUE(fine(base.get()));
  }
  ConfigPtr cfg(event_config_new());
  event_config_set_flag(cfg.get(), EVENT_BASE_FLAG_PRECISE_TIMER);
  BasePtr precise(event_base_new_with_config(cfg.get()));
  EXPECT_TRUE(fine(precise.get()));
#ifdef TESTING_DEBIAN_LIBEVENT
  // percore may read the fine clock always: a timer that is never early needs
  // it.
  BasePtr coarse(event_base_new());
  EXPECT_FALSE(fine(coarse.get()));
#endif
}

// semantics 6: the chosen method is logged, even with IGNORE_ENV.
TEST(EnvironmentTest, ShowMethod) {
  {
    LogCapture log;
    Method();
    EXPECT_EQ(log.Count(EVENT_LOG_MSG), 0);
  }
  ScopedEnv env("EVENT_SHOW_METHOD");
  for (int flags : {0, int{EVENT_BASE_FLAG_IGNORE_ENV}}) {
    LogCapture log;
    Method(flags);
    EXPECT_EQ(log.Count(EVENT_LOG_MSG), 1);
    EXPECT_TRUE(log.Contains("libevent using: epoll"));
  }
}

// Runs `body` in a child whose effective user differs from its real one; the
// exit code is body's answer, or kNoOtherUser (a sandbox may know one user
// only; the target asks not to be put in one).
constexpr int kNoOtherUser = 99;

template <typename Body>
int AsSetuid(Body body) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (seteuid(65534) != 0) _exit(kNoOtherUser);
    _exit(body() ? 1 : 0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// semantics 6: all are ignored in a set-uid process.
TEST(EnvironmentTest, SetuidIgnoresTheEnvironment) {
  if (getuid() != 0) GTEST_SKIP() << "SKIP: needs root";
  ScopedEnv a("EVENT_NOEPOLL");
  ScopedEnv b("EVENT_EPOLL_USE_CHANGELIST");
  EXPECT_EQ(Method(), "poll");
  const int answer = AsSetuid([] { return Method() == "epoll"; });
  if (answer == kNoOtherUser) GTEST_SKIP() << "SKIP: needs a second user id";
  EXPECT_EQ(answer, 1);
}

// semantics 6: EVENT_SHOW_METHOD too.
TEST(EnvironmentTest, SetuidIgnoresShowMethod) {
  if (getuid() != 0) GTEST_SKIP() << "SKIP: needs root";
  ScopedEnv env("EVENT_SHOW_METHOD");
  const int answer = AsSetuid([] {
    LogCapture log;
    Method();
    return log.Count(EVENT_LOG_MSG) == 0;
  });
  if (answer == kNoOtherUser) GTEST_SKIP() << "SKIP: needs a second user id";
  EXPECT_EQ(answer, 1);
}

// semantics 6: EVENT_DEBUG_MODE is not the library's variable: a second assign
// of an added event would be fatal with debug mode on.
TEST(EnvironmentTest, DebugModeIsNoVariable) {
  ScopedEnv env("EVENT_DEBUG_MODE");
  BasePtr base(event_base_new());
  event* ev = event_new(
      base.get(), 0, EV_READ, [](evutil_socket_t, short, void*) {}, nullptr);
  // Descriptor 0 may block: debug mode would not take it.
  EXPECT_NE(ev, nullptr);
  event_free(ev);
}

}  // namespace
}  // namespace compat
