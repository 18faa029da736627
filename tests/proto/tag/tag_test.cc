// What the C++ door says beyond the C door (tests/compat/tag_*_test.cc).
#include "percore/proto/tag/tag.h"

#include <gtest/gtest.h>

#include <string>

#include "percore/runtime/system/memory.h"

namespace percore::tag {
namespace {

TEST(Tag, MarshallingSaysWhatFailed) {
  Buffer out;
  EXPECT_TRUE(MarshalInt(&out, 5, 0x1234));
  EXPECT_TRUE(MarshalTimeval(&out, 1, {100, 5}));
  const std::string whole = out.ToString();
  out.Freeze(/*front=*/false);
  Buffer data;
  ASSERT_TRUE(data.Add("data"));
  const std::string large(5000, 'x');
  EXPECT_FALSE(MarshalInt(&out, 5, 1));
  EXPECT_FALSE(MarshalTimeval(&out, 1, {100, 5}));
  EXPECT_FALSE(Marshal(&out, 5, "x", 1));
  EXPECT_FALSE(Marshal(&out, 5, large.data(), 5000));
  EXPECT_FALSE(Marshal(&out, 5, &data));
  EXPECT_EQ(out.ToString(), whole);
  EXPECT_EQ(data.ToString(), "data");
}

TEST(Tag, NoElementOfItself) {
  Buffer b;
  ASSERT_TRUE(b.Add("data"));
  EXPECT_FALSE(Marshal(&b, 1, &b));
  EXPECT_EQ(b.ToString(), "data");
}

TEST(Tag, HeaderWithoutPayload) {
  Buffer b;
  ASSERT_TRUE(b.Add("\xac\x02\x2f\xff"));
  Header header;
  ASSERT_TRUE(PeekHeader(&b, &header));
  EXPECT_EQ(header.tag, 300u);
  EXPECT_EQ(header.length, 0xfffu);
  EXPECT_EQ(header.size, 4u);
  EXPECT_EQ(b.size(), 4u);
}

// Payloads are moved: the bytes of a reference are those that arrive.
TEST(Tag, PayloadsAreNotCopied) {
  static const std::string payload(100000, 'x');
  Buffer data;
  ASSERT_TRUE(
      data.AddReference(payload.data(), 0, payload.size(), nullptr, nullptr));
  Buffer wire;
  ASSERT_TRUE(Marshal(&wire, 1, &data));
  Buffer to;
  ASSERT_EQ(Unmarshal(&wire, nullptr, &to), 100000);
  EXPECT_EQ(reinterpret_cast<const char*>(to.PullUp(-1)), payload.data());
}

TEST(Tag, StringIsTheCallers) {
  Buffer b;
  ASSERT_TRUE(Marshal(&b, 1, "text", 4));
  char* text = UnmarshalString(&b, 1);
  EXPECT_STREQ(text, "text");
  MemFree(text);
  EXPECT_EQ(UnmarshalString(&b, 1), nullptr);
}

}  // namespace
}  // namespace percore::tag
