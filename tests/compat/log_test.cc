// Log lines and where they go. The functions that write them are exported for
// generated code and old programs; no header declares them.

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <string.h>

#include <string>
#include <utility>
#include <vector>

#include "percore/tests/compat/child_process.h"
#include "percore/tests/compat/handles.h"

extern "C" {
void event_warn(const char* format, ...);
void event_warnx(const char* format, ...);
void event_msgx(const char* format, ...);
void event_sock_warn(evutil_socket_t sock, const char* format, ...);
}

namespace percore::compat {
namespace {

std::vector<std::pair<int, std::string>> lines;
void Keep(int severity, const char* text) {
  lines.emplace_back(severity, text);
}

class Log : public ::testing::Test {
 protected:
  void SetUp() override {
    lines.clear();
    event_set_log_callback(Keep);
  }
  void TearDown() override {
    event_set_log_callback(nullptr);
    event_enable_debug_logging(EVENT_DBG_NONE);
  }
};

// api EVENT_LOG_DEBUG, EVENT_LOG_MSG, EVENT_LOG_WARN, EVENT_LOG_ERR
// api _EVENT_LOG_DEBUG, _EVENT_LOG_MSG, _EVENT_LOG_WARN, _EVENT_LOG_ERR
// api EVENT_DBG_ALL, EVENT_DBG_NONE
TEST_F(Log, Constants) {
  EXPECT_EQ(0, EVENT_LOG_DEBUG);
  EXPECT_EQ(1, EVENT_LOG_MSG);
  EXPECT_EQ(2, EVENT_LOG_WARN);
  EXPECT_EQ(3, EVENT_LOG_ERR);
  EXPECT_EQ(EVENT_LOG_DEBUG, _EVENT_LOG_DEBUG);
  EXPECT_EQ(EVENT_LOG_MSG, _EVENT_LOG_MSG);
  EXPECT_EQ(EVENT_LOG_WARN, _EVENT_LOG_WARN);
  EXPECT_EQ(EVENT_LOG_ERR, _EVENT_LOG_ERR);
  EXPECT_EQ(0xffffffffu, EVENT_DBG_ALL);
  EXPECT_EQ(0u, EVENT_DBG_NONE);
}

// semantics 7.1, 7.3
// api event_set_log_callback, event_log_cb, event_warnx, event_msgx
TEST_F(Log, CallbackGetsSeverityAndText) {
  event_warnx("a %s of %d", "warning", 7);
  event_msgx("a message");
  ASSERT_EQ(2u, lines.size());
  EXPECT_EQ(EVENT_LOG_WARN, lines[0].first);
  EXPECT_EQ("a warning of 7", lines[0].second);
  EXPECT_EQ(EVENT_LOG_MSG, lines[1].first);
  EXPECT_EQ("a message", lines[1].second);
}

// semantics 7.1, 7.3
// api event_warn
TEST_F(Log, ErrnosTextIsAppended) {
  errno = ENOENT;
  event_warn("cannot open %s", "x");
  ASSERT_EQ(1u, lines.size());
  EXPECT_EQ(EVENT_LOG_WARN, lines[0].first);
  EXPECT_EQ(std::string("cannot open x: ") + strerror(ENOENT), lines[0].second);
}

// semantics 7.1
// api event_sock_warn
TEST_F(Log, SocketErrorsTextIsAppended) {
  errno = ECONNRESET;
  event_sock_warn(3, "socket %d", 3);
  ASSERT_EQ(1u, lines.size());
  EXPECT_EQ(EVENT_LOG_WARN, lines[0].first);
  EXPECT_EQ(std::string("socket 3: ") + strerror(ECONNRESET), lines[0].second);
}

// semantics 7.1
TEST_F(Log, CutAt1024Bytes) {
  const std::string text(5000, 'x');
  event_warnx("%s", text.c_str());
  errno = ENOENT;
  event_warn("%s", text.c_str());
  event_warnx("%s", std::string(1023, 'y').c_str());
  ASSERT_EQ(3u, lines.size());
  EXPECT_EQ(std::string(1023, 'x'), lines[0].second);
  EXPECT_EQ(std::string(1023, 'x'), lines[1].second) << "no room for errno";
  EXPECT_EQ(std::string(1023, 'y'), lines[2].second) << "it just fits";
}

// semantics 7.1
TEST_F(Log, ErrnosTextIsCutToo) {
  errno = ENOENT;
  event_warn("%s", std::string(1020, 'z').c_str());
  ASSERT_EQ(1u, lines.size());
  const std::string whole = std::string(1020, 'z') + ": " + strerror(ENOENT);
  EXPECT_EQ(0u, whole.find(lines[0].second)) << lines[0].second;
  EXPECT_LE(1020u, lines[0].second.size());
}

// semantics 7.1
TEST(LogDefault, LinesOnStderr) {
  const ChildResult result = RunInChild([] {
    event_msgx("one");
    event_warnx("two");
    errno = EPERM;
    event_warn("three");
  });
  ExpectClean(result);
  EXPECT_EQ(std::string("[msg] one\n[warn] two\n[warn] three: ") +
                strerror(EPERM) + "\n",
            result.stderr_text);
}

// semantics 7.1
TEST(LogDefault, NullCallbackBringsItBack) {
  const ChildResult result = RunInChild([] {
    event_set_log_callback(Keep);
    event_warnx("kept");
    event_set_log_callback(nullptr);
    event_warnx("shown");
  });
  ExpectClean(result);
  EXPECT_EQ("[warn] shown\n", result.stderr_text);
}

// semantics 7.1
// api event_enable_debug_logging
TEST(LogDefault, NoDebugLinesUnlessAsked) {
  const ChildResult quiet = RunInChild([] {
    BasePtr base = NewBase();
    event_base_loop(base.get(), EVLOOP_NONBLOCK);
    event_enable_debug_logging(EVENT_DBG_ALL);
    event_enable_debug_logging(EVENT_DBG_NONE);
    event_base_loop(base.get(), EVLOOP_NONBLOCK);
  });
  ExpectClean(quiet);
  EXPECT_EQ("", quiet.stderr_text);
}

}  // namespace
}  // namespace percore::compat
