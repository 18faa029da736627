// Text, dates and clocks, through evutil.

#include <event2/util.h>

#include <climits>
#include <clocale>
#include <cstdarg>
#include <cstring>
#include <ctime>
#include <string>

#include "gtest/gtest.h"

namespace {

// semantics 15.5
// api evutil_ascii_strcasecmp
TEST(UtilText, CompareIgnoringCase) {
  EXPECT_EQ(evutil_ascii_strcasecmp("", ""), 0);
  EXPECT_EQ(evutil_ascii_strcasecmp("aZ09-[", "Az09-["), 0);
  EXPECT_EQ(evutil_ascii_strcasecmp("a", "B"), -1);
  EXPECT_EQ(evutil_ascii_strcasecmp("B", "a"), 1);
  EXPECT_EQ(evutil_ascii_strcasecmp("", "a"), -1);
  EXPECT_EQ(evutil_ascii_strcasecmp("ab", "a"), 1);
  // The neighbours of the letters have no case.
  EXPECT_NE(evutil_ascii_strcasecmp("@", "`"), 0);
  EXPECT_NE(evutil_ascii_strcasecmp("[", "{"), 0);
  // Nor has anything outside ASCII, in any locale.
  EXPECT_NE(evutil_ascii_strcasecmp("\xe4", "\xc4"), 0);
}

// semantics 15.5
// api evutil_ascii_strncasecmp
TEST(UtilText, CompareSomeIgnoringCase) {
  EXPECT_EQ(evutil_ascii_strncasecmp("abcX", "ABCy", 3), 0);
  EXPECT_EQ(evutil_ascii_strncasecmp("abcX", "ABCy", 4), -1);
  EXPECT_EQ(evutil_ascii_strncasecmp("a", "b", 0), 0);
  EXPECT_EQ(evutil_ascii_strncasecmp("ab", "a", 5), 1);
  EXPECT_EQ(evutil_ascii_strncasecmp("a", "A", 100), 0) << "stops at the NUL";
}

int Vsnprintf(char* out, size_t size, const char* format, ...) {
  va_list args;
  va_start(args, format);
  const int length = evutil_vsnprintf(out, size, format, args);
  va_end(args);
  return length;
}

// semantics 15.6
// api evutil_snprintf
// api evutil_vsnprintf
TEST(UtilText, SnprintfCountsAllAndTerminates) {
  char out[8];
  std::memset(out, 'x', sizeof(out));
  EXPECT_EQ(evutil_snprintf(out, sizeof(out), "%d-%s", 12, "ab"), 5);
  EXPECT_STREQ(out, "12-ab");
  EXPECT_EQ(evutil_snprintf(out, 4, "%s", "abcdef"), 6);
  EXPECT_STREQ(out, "abc");
  EXPECT_EQ(evutil_snprintf(out, 1, "%s", "abcdef"), 6);
  EXPECT_STREQ(out, "");
  out[0] = 'x';
  EXPECT_EQ(evutil_snprintf(out, 0, "%s", "abcdef"), 0);
  EXPECT_EQ(out[0], 'x');
  EXPECT_EQ(Vsnprintf(out, 4, "%s", "abcdef"), 6);
  EXPECT_STREQ(out, "abc");
}

// api evutil_strtoll
TEST(UtilText, Strtoll) {
  char* end;
  EXPECT_EQ(evutil_strtoll("9223372036854775807", &end, 10), INT64_MAX);
  EXPECT_EQ(*end, '\0');
  EXPECT_EQ(evutil_strtoll("-9223372036854775808", &end, 10), INT64_MIN);
  EXPECT_EQ(evutil_strtoll("ff zz", &end, 16), 255);
  EXPECT_STREQ(end, " zz");
  EXPECT_EQ(evutil_strtoll("0x10", nullptr, 16), 16);
  EXPECT_EQ(evutil_strtoll("none", &end, 10), 0);
  EXPECT_STREQ(end, "none");
}

std::tm Example() {
  std::tm tm{};
  tm.tm_year = 94;
  tm.tm_mon = 10;
  tm.tm_mday = 6;
  tm.tm_hour = 8;
  tm.tm_min = 49;
  tm.tm_sec = 37;
  return tm;
}

// semantics 15.8
// api evutil_date_rfc1123
TEST(UtilText, DateIsEnglishInEveryLocale) {
  // Only the C locales may be there; the loop tries what the machine has.
  for (const char* locale : {"C", "C.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8"}) {
    if (std::setlocale(LC_ALL, locale) == nullptr) continue;
    char date[40];
    const std::tm tm = Example();
    EXPECT_EQ(evutil_date_rfc1123(date, sizeof(date), &tm), 29);
    EXPECT_STREQ(date, "Sun, 06 Nov 1994 08:49:37 GMT") << locale;
  }
  std::setlocale(LC_ALL, "C");
}

// semantics 15.8
TEST(UtilText, DateIsCutSafely) {
  char date[40];
  const std::tm tm = Example();
  EXPECT_EQ(evutil_date_rfc1123(date, 10, &tm), 29);
  EXPECT_STREQ(date, "Sun, 06 N");
  EXPECT_EQ(evutil_date_rfc1123(date, 0, &tm), 0);
}

// semantics 15.8
TEST(UtilText, DateOfNow) {
  const std::time_t before = std::time(nullptr);
  char date[40];
  EXPECT_EQ(evutil_date_rfc1123(date, sizeof(date), nullptr), 29);
  const std::time_t after = std::time(nullptr);
  // The clock may have ticked in between: it is the date of one of them.
  bool found = false;
  for (std::time_t t = before; t <= after; ++t) {
    std::tm tm;
    gmtime_r(&t, &tm);
    char want[40];
    std::strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    found = found || std::strcmp(want, date) == 0;
  }
  EXPECT_TRUE(found) << date;
}

// api evutil_monotonic_timer_new
// api evutil_monotonic_timer_free
// api evutil_configure_monotonic_time
// api evutil_gettime_monotonic
TEST(UtilText, MonotonicTimersNeverGoBack) {
  for (int flags : {0, EV_MONOT_PRECISE, EV_MONOT_FALLBACK,
                    EV_MONOT_PRECISE | EV_MONOT_FALLBACK}) {
    evutil_monotonic_timer* timer = evutil_monotonic_timer_new();
    ASSERT_NE(timer, nullptr);
    ASSERT_EQ(evutil_configure_monotonic_time(timer, flags), 0);
    timeval last{-1, 0};
    for (int i = 0; i < 1000; ++i) {
      timeval now{-1, -1};
      ASSERT_EQ(evutil_gettime_monotonic(timer, &now), 0);
      ASSERT_TRUE(evutil_timercmp(&now, &last, >=)) << flags;
      ASSERT_LT(now.tv_usec, 1000000);
      last = now;
    }
    evutil_monotonic_timer_free(timer);
  }
  evutil_monotonic_timer_free(nullptr);
}

// api evutil_gettime_monotonic
TEST(UtilText, MonotonicTimersAdvanceWithTime) {
  for (int flags : {0, EV_MONOT_PRECISE, EV_MONOT_FALLBACK}) {
    evutil_monotonic_timer* timer = evutil_monotonic_timer_new();
    ASSERT_EQ(evutil_configure_monotonic_time(timer, flags), 0);
    timeval before;
    timeval after;
    timeval passed;
    ASSERT_EQ(evutil_gettime_monotonic(timer, &before), 0);
    // A real sleep: it is the system's clock that is looked at.
    const timespec nap{0, 30 * 1000 * 1000};
    nanosleep(&nap, nullptr);
    ASSERT_EQ(evutil_gettime_monotonic(timer, &after), 0);
    evutil_timersub(&after, &before, &passed);
    // The coarse clock may be a tick of up to 10 ms behind.
    const timeval least{0, 20 * 1000};
    EXPECT_TRUE(evutil_timercmp(&passed, &least, >=)) << flags;
    evutil_monotonic_timer_free(timer);
  }
}

// semantics 15.10
// api evutil_timeradd
TEST(UtilText, TimerMacros) {
  timeval a{1, 600000};
  timeval b{2, 700000};
  timeval sum;
  evutil_timeradd(&a, &b, &sum);
  EXPECT_EQ(sum.tv_sec, 4);
  EXPECT_EQ(sum.tv_usec, 300000);
  timeval difference;
  evutil_timersub(&sum, &a, &difference);
  EXPECT_EQ(difference.tv_sec, 2);
  EXPECT_EQ(difference.tv_usec, 700000);
  EXPECT_TRUE(evutil_timercmp(&a, &b, <));
  EXPECT_TRUE(evutil_timercmp(&a, &b, <=));
  EXPECT_TRUE(evutil_timercmp(&a, &b, !=));
  EXPECT_FALSE(evutil_timercmp(&a, &b, >=));
  EXPECT_FALSE(evutil_timercmp(&a, &b, >));
  EXPECT_TRUE(evutil_timercmp(&b, &difference, ==));
  EXPECT_TRUE(evutil_timercmp(&b, &difference, >=));
  EXPECT_TRUE(evutil_timercmp(&b, &difference, <=));
  EXPECT_TRUE(evutil_timerisset(&a));
  evutil_timerclear(&a);
  EXPECT_FALSE(evutil_timerisset(&a));
  timeval now;
  EXPECT_EQ(evutil_gettimeofday(&now, nullptr), 0);
  EXPECT_TRUE(evutil_timerisset(&now));
}

// api evutil_offsetof
TEST(UtilText, Offsetof) {
  struct Pair {
    char first;
    int second;
  };
  EXPECT_EQ(evutil_offsetof(Pair, second), sizeof(int));
}

}  // namespace
