// Fatal errors: the line, the fatal callback, the process's end.

#include <errno.h>
#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <string.h>

#include <string>

#include "percore/tests/compat/child_process.h"

extern "C" {  // exported for generated code and old programs, undeclared
void event_err(int code, const char* format, ...);
void event_errx(int code, const char* format, ...);
void event_sock_err(int code, evutil_socket_t sock, const char* format, ...);
}

namespace percore::compat {
namespace {

// A wrong use that the library asserts against in every mode.
void BreakAnAssertion() {
  event_init();
  event ev;
  event_set(
      &ev, SIGUSR1, EV_SIGNAL | EV_READ, [](evutil_socket_t, short, void*) {},
      nullptr);
}

// semantics 7.2
// api event_errx
TEST(LogFatal, ErrxLogsAndExits) {
  const ChildResult result = RunInChild([] { event_errx(17, "gone %d", 5); });
  EXPECT_EQ(17, result.exit_code);
  EXPECT_EQ("[err] gone 5\n", result.stderr_text);
}

// semantics 7.2
// api event_err
TEST(LogFatal, ErrAppendsErrnosText) {
  const ChildResult result = RunInChild([] {
    errno = EACCES;
    event_err(18, "gone");
  });
  EXPECT_EQ(18, result.exit_code);
  EXPECT_EQ(std::string("[err] gone: ") + strerror(EACCES) + "\n",
            result.stderr_text);
}

// semantics 7.2
// api event_sock_err
TEST(LogFatal, SockErrAppendsTheSocketsErrorText) {
  const ChildResult result = RunInChild([] {
    errno = ECONNREFUSED;
    event_sock_err(19, 3, "gone");
  });
  EXPECT_EQ(19, result.exit_code);
  EXPECT_EQ(std::string("[err] gone: ") + strerror(ECONNREFUSED) + "\n",
            result.stderr_text);
}

// semantics 7.2
TEST(LogFatal, LogCallbackGetsTheError) {
  const ChildResult result = RunInChild([] {
    event_set_log_callback([](int severity, const char* text) {
      fprintf(stderr, "<%d %s>", severity, text);
    });
    event_errx(3, "gone");
  });
  EXPECT_EQ(3, result.exit_code);
  EXPECT_EQ("<3 gone>", result.stderr_text);
}

// semantics 7.2
// api event_set_fatal_callback, event_fatal_cb
TEST(LogFatal, FatalCallbackGetsTheCode) {
  const ChildResult result = RunInChild([] {
    event_set_fatal_callback([](int code) { _exit(code + 1); });
    event_errx(40, "gone");
  });
  EXPECT_EQ(41, result.exit_code);
  EXPECT_EQ("[err] gone\n", result.stderr_text) << "logged before";
}

// semantics 7.2
TEST(LogFatal, ExitsWithTheCodeIfTheCallbackReturns) {
  const ChildResult result = RunInChild([] {
    event_set_fatal_callback([](int) { fputs("returned", stderr); });
    event_errx(42, "gone");
  });
  EXPECT_EQ(42, result.exit_code);
  EXPECT_EQ("[err] gone\nreturned", result.stderr_text);
}

// semantics 7.2
TEST(LogFatal, FailedAssertionAborts) {
  const ChildResult result = RunInChild(BreakAnAssertion);
  EXPECT_EQ(SIGABRT, result.signal) << result.stderr_text;
  EXPECT_NE(std::string::npos, result.stderr_text.find("[err] "));
}

// semantics 7.2
// api event_set
TEST(LogFatal, FailedAssertionHasItsOwnCode) {
  const ChildResult result = RunInChild([] {
    event_set_fatal_callback([](int code) {
      _exit(static_cast<unsigned>(code) == 0xdeaddead ? 77 : 78);
    });
    BreakAnAssertion();
  });
  EXPECT_EQ(77, result.exit_code) << result.stderr_text;
}

// With a callback that returns there is no abort, but an exit.
// semantics 7.2
TEST(LogFatal, FailedAssertionExitsIfTheCallbackReturns) {
  const ChildResult result = RunInChild([] {
    event_set_fatal_callback([](int) {});
    BreakAnAssertion();
  });
  EXPECT_EQ(0xdeaddead & 0xff, static_cast<unsigned>(result.exit_code));
}

}  // namespace
}  // namespace percore::compat
