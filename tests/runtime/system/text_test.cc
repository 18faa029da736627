#include "percore/runtime/system/text.h"

#include "gtest/gtest.h"

namespace percore {
namespace {

TEST(Text, CopyCutsAndTerminates) {
  char out[4] = {'x', 'x', 'x', 'x'};
  EXPECT_EQ(CopyText(out, "abcdef", sizeof(out)), 6u);
  EXPECT_STREQ(out, "abc");
  EXPECT_EQ(CopyText(out, "ab", sizeof(out)), 2u);
  EXPECT_STREQ(out, "ab");
  EXPECT_EQ(CopyText(out, "abc", 4), 3u);
  EXPECT_STREQ(out, "abc");
  EXPECT_EQ(CopyText(out, "z", 0), 1u);
  EXPECT_STREQ(out, "abc") << "no room: nothing is written";
  EXPECT_EQ(CopyText(out, "", 1), 0u);
  EXPECT_STREQ(out, "");
}

// semantics 15.5
TEST(Text, BytesOutsideAsciiCompareAsUnsigned) {
  EXPECT_EQ(AsciiCompareIgnoringCase("\xe4", "a"), 1);
  EXPECT_EQ(AsciiCompareIgnoringCase("a", "\xe4"), -1);
}

}  // namespace
}  // namespace percore
