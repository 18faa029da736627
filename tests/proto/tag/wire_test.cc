#include "percore/proto/tag/wire.h"

#include <gtest/gtest.h>

#include <vector>

namespace percore::tag {
namespace {

// Each number of significant digits, at both of its ends.
TEST(Wire, IntegerSizes) {
  for (unsigned digits = 1; digits <= 16; ++digits) {
    const std::uint64_t most = ~0ull >> (64 - 4 * digits);
    for (const std::uint64_t number : {most, most / 16 + 1}) {
      unsigned char out[kMaxInt64Size + 1];
      out[digits / 2 + 1] = 0xee;
      ASSERT_EQ(EncodeInt(number, out), digits / 2 + 1);
      EXPECT_EQ(out[digits / 2 + 1], 0xee);
      EXPECT_EQ(out[0] >> 4, digits - 1);
      std::uint64_t back = 0;
      EXPECT_EQ(DecodeInt(out, digits / 2 + 1, &back), digits / 2 + 1);
      EXPECT_EQ(back, number);
      EXPECT_EQ(DecodeInt(out, digits / 2, &back), 0u);
    }
  }
}

TEST(Wire, TagSizes) {
  for (unsigned bits = 1; bits <= 32; ++bits) {
    const std::uint32_t tag = 1u << (bits - 1);
    unsigned char out[kMaxTagSize];
    const std::size_t size = EncodeTag(tag, out);
    EXPECT_EQ(size, (bits + 6) / 7);
    std::uint32_t back = 0;
    EXPECT_EQ(DecodeTag(out, size, &back), size);
    EXPECT_EQ(back, tag);
    EXPECT_EQ(DecodeTag(out, size - 1, &back), 0u);
    EXPECT_EQ(back, tag);
  }
}

TEST(Wire, NothingToRead) {
  std::uint32_t number = 7;
  std::uint64_t number64 = 7;
  EXPECT_EQ(DecodeTag(nullptr, 0, &number), 0u);
  EXPECT_EQ(DecodeInt(nullptr, 0, &number), 0u);
  EXPECT_EQ(DecodeInt(nullptr, 0, &number64), 0u);
  EXPECT_EQ(number, 7u);
  EXPECT_EQ(number64, 7u);
}

// With a block of exactly the bytes: a sanitizer sees one byte too far.
TEST(Wire, EveryFirstByte) {
  for (unsigned first = 0; first < 256; ++first) {
    for (std::size_t n = 1; n < 12; ++n) {
      std::vector<unsigned char> in(n, 0xff);
      in[0] = static_cast<unsigned char>(first);
      std::uint32_t number;
      std::uint64_t number64;
      const std::size_t need = ((first >> 4) + 1) / 2 + 1;
      EXPECT_EQ(DecodeInt(in.data(), n, &number64), need <= n ? need : 0);
      EXPECT_EQ(DecodeInt(in.data(), n, &number),
                need <= n && first < 0x80 ? need : 0);
      EXPECT_EQ(DecodeTag(in.data(), n, &number), first < 0x80 ? 1u : 0u);
    }
  }
}

}  // namespace
}  // namespace percore::tag
