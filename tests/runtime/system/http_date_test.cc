#include "percore/runtime/system/http_date.h"

#include <cstring>
#include <ctime>

#include "gtest/gtest.h"

namespace percore {
namespace {

// Every day of four years, against strftime in the C locale.
TEST(HttpDate, AgreesWithStrftime) {
  for (std::time_t t = 1000000000; t < 1000000000 + 4 * 366 * 86400L;
       t += 86400 + 3607) {
    std::tm tm;
    gmtime_r(&t, &tm);
    char ours[40];
    char want[40];
    EXPECT_EQ(FormatHttpDate(ours, sizeof(ours), &tm), 29);
    std::strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    ASSERT_STREQ(ours, want);
  }
}

TEST(HttpDate, NamesOutOfRangeAreNoMemoryAccess) {
  for (int bad : {-1, 7, 12, 1000000, -1000000}) {
    std::tm tm{};
    tm.tm_mday = 1;
    tm.tm_wday = bad;
    tm.tm_mon = bad;
    char out[80];
    EXPECT_GT(FormatHttpDate(out, sizeof(out), &tm), 0);
    EXPECT_EQ(std::strncmp(out, "???, 01 ", 8), 0) << out;
  }
}

}  // namespace
}  // namespace percore
