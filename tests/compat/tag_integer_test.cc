// Bare tags and integers: the bytes of each, both ways, and what is refused.

#include <event2/tag.h>
#include <event2/tag_compat.h>
#include <gtest/gtest.h>

#include <random>

#include "percore/tests/compat/tags.h"

namespace {

using compat::BufferPtr;
using compat::Bytes;
using compat::Contents;
using compat::FromHex;
using compat::Hex;
using compat::NewBuffer;
using compat::RemoveAll;

struct Vector {
  ev_uint64_t number;
  const char* hex;
};

constexpr Vector kIntegers[] = {
    {0, "00"},
    {1, "01"},
    {0xf, "0f"},
    {0x10, "10 10"},
    {0xaf, "1f a0"},
    {0xff, "1f f0"},
    {0x100, "20 01"},
    {0xfff, "2f ff"},
    {0x1000, "30 00 10"},
    {0x1234, "34 32 10"},
    {0x12345, "45 43 21"},
    {0x7fffffff, "7f ff ff ff 70"},
    {0x80000000, "70 00 00 00 80"},
    {0xdeadbeef, "7f ee bd ae d0"},
    {0xffffffff, "7f ff ff ff f0"},
};
constexpr Vector kLongIntegers[] = {
    {0x100000000, "80 00 00 00 01"},
    {0x123456789abcdef, "ef ed cb a9 87 65 43 21"},
    {0x8000000000000000, "f0 00 00 00 00 00 00 00 80"},
    {0xffffffffffffffff, "ff ff ff ff ff ff ff ff f0"},
};
constexpr Vector kTags[] = {
    {0, "00"},
    {1, "01"},
    {127, "7f"},
    {128, "80 01"},
    {300, "ac 02"},
    {16383, "ff 7f"},
    {16384, "80 80 01"},
    {2097151, "ff ff 7f"},
    {268435455, "ff ff ff 7f"},
    {268435456, "80 80 80 80 01"},
    {0xffffffff, "ff ff ff ff 0f"},
};

// semantics 23.1, 23.2
// api evtag_encode_int, evtag_decode_int, evtag_encode_int64,
// evtag_decode_int64
TEST(TagInteger, Vectors) {
  for (const Vector& v : kIntegers) {
    SCOPED_TRACE(v.hex);
    BufferPtr buf = NewBuffer();
    evtag_encode_int(buf.get(), static_cast<ev_uint32_t>(v.number));
    EXPECT_EQ(Hex(Contents(buf)), v.hex);
    ev_uint32_t back = 0x5555;
    EXPECT_EQ(evtag_decode_int(&back, buf.get()), 0);
    EXPECT_EQ(back, v.number);
    EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);

    evtag_encode_int64(buf.get(), v.number);
    EXPECT_EQ(Hex(Contents(buf)), v.hex);
    ev_uint64_t back64 = 0x5555;
    EXPECT_EQ(evtag_decode_int64(&back64, buf.get()), 0);
    EXPECT_EQ(back64, v.number);
  }
}

// semantics 23.1, 23.2: up to 16 digits for 64 bits, 8 for 32
TEST(TagInteger, LongVectors) {
  for (const Vector& v : kLongIntegers) {
    SCOPED_TRACE(v.hex);
    BufferPtr buf = NewBuffer();
    evtag_encode_int64(buf.get(), v.number);
    EXPECT_EQ(Hex(Contents(buf)), v.hex);
    ev_uint32_t narrow = 0x5555;
    EXPECT_EQ(evtag_decode_int(&narrow, buf.get()), -1);
    EXPECT_EQ(narrow, 0x5555u);
    EXPECT_EQ(Hex(Contents(buf)), v.hex);
    ev_uint64_t back = 0;
    EXPECT_EQ(evtag_decode_int64(&back, buf.get()), 0);
    EXPECT_EQ(back, v.number);
    EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
  }
}

// semantics 23.2: every cut is refused and consumes nothing
TEST(TagInteger, Truncated) {
  for (const auto& vectors :
       {std::vector<Vector>(std::begin(kIntegers), std::end(kIntegers)),
        std::vector<Vector>(std::begin(kLongIntegers),
                            std::end(kLongIntegers))}) {
    for (const Vector& v : vectors) {
      const std::string whole = Bytes(v.hex);
      for (size_t n = 0; n < whole.size(); ++n) {
        BufferPtr buf = NewBuffer(whole.substr(0, n));
        ev_uint32_t number = 0;
        ev_uint64_t number64 = 0;
        EXPECT_EQ(evtag_decode_int(&number, buf.get()), -1) << v.hex << n;
        EXPECT_EQ(evtag_decode_int64(&number64, buf.get()), -1) << v.hex << n;
        EXPECT_EQ(evbuffer_get_length(buf.get()), n);
      }
    }
  }
}

// semantics 23.2: zeros in front are digits, and the unused nibble is ignored
TEST(TagInteger, LongerThanNeeded) {
  for (const Vector& v :
       {Vector{5, "15 00"}, Vector{5, "15 0f"}, Vector{5, "25 00"},
        Vector{0, "70 00 00 00 00"}, Vector{0x21, "11 2f"}}) {
    BufferPtr buf = FromHex(v.hex);
    ev_uint32_t number = 0x5555;
    EXPECT_EQ(evtag_decode_int(&number, buf.get()), 0) << v.hex;
    EXPECT_EQ(number, v.number) << v.hex;
    EXPECT_EQ(evbuffer_get_length(buf.get()), 0u) << v.hex;
  }
}

// semantics 23.1, 23.2: all lengths, with other bytes around, in any pieces
TEST(TagInteger, RoundTrip) {
  std::mt19937_64 random(23);
  for (int i = 0; i < 3000; ++i) {
    const ev_uint64_t number = random() >> (random() % 64);
    BufferPtr flat = NewBuffer();
    evtag_encode_int64(flat.get(), number);
    evtag_encode_int(flat.get(), static_cast<ev_uint32_t>(number));
    BufferPtr buf = compat::ChunksOf(1 + random() % 4, RemoveAll(flat.get()));
    ASSERT_EQ(compat::Add(buf.get(), "rest"), 0);
    ev_uint64_t back64 = 0;
    ev_uint32_t back = 0;
    ASSERT_EQ(evtag_decode_int64(&back64, buf.get()), 0);
    ASSERT_EQ(back64, number);
    ASSERT_EQ(evtag_decode_int(&back, buf.get()), 0);
    ASSERT_EQ(back, static_cast<ev_uint32_t>(number));
    ASSERT_EQ(Contents(buf), "rest");
  }
}

// semantics 23.3
// api evtag_encode_tag, evtag_decode_tag, evtag_peek
TEST(TagInteger, Tags) {
  for (const Vector& v : kTags) {
    SCOPED_TRACE(v.hex);
    const int size = static_cast<int>(Bytes(v.hex).size());
    const auto tag = static_cast<ev_uint32_t>(v.number);
    EXPECT_EQ(evtag_encode_tag(nullptr, tag), size);
    BufferPtr flat = NewBuffer();
    EXPECT_EQ(evtag_encode_tag(flat.get(), tag), size);
    EXPECT_EQ(Hex(Contents(flat)), v.hex);
    for (const size_t piece : {1, 2, 9}) {
      BufferPtr buf = FromHex(piece, v.hex);
      ASSERT_EQ(compat::Add(buf.get(), "x"), 0);
      ev_uint32_t back = ~tag;
      EXPECT_EQ(evtag_peek(buf.get(), &back), size);
      EXPECT_EQ(back, tag);
      EXPECT_EQ(evtag_peek(buf.get(), nullptr), size);
      back = ~tag;
      EXPECT_EQ(evtag_decode_tag(&back, buf.get()), size);
      EXPECT_EQ(back, tag);
      EXPECT_EQ(Contents(buf), "x");
    }
    const std::string whole = Bytes(v.hex);
    for (size_t n = 0; n < whole.size(); ++n) {
      BufferPtr cut = NewBuffer(whole.substr(0, n));
      ev_uint32_t back = 0x5555;
      EXPECT_EQ(evtag_peek(cut.get(), &back), -1);
      EXPECT_EQ(evtag_decode_tag(&back, cut.get()), -1);
      EXPECT_EQ(back, 0x5555u);
      EXPECT_EQ(evbuffer_get_length(cut.get()), n);
    }
  }
}

// semantics 23.3: at most five bytes, and four bits of the fifth
TEST(TagInteger, MalformedTags) {
  for (const char* hex :
       {"ff ff ff ff 10", "ff ff ff ff 1f", "ff ff ff ff 8f 00",
        "ff ff ff ff ff 0f", "80 80 80 80 80 00", "80 80 80 80 80"}) {
    BufferPtr buf = FromHex(hex);
    const size_t size = evbuffer_get_length(buf.get());
    ev_uint32_t tag = 0x5555;
    EXPECT_EQ(evtag_peek(buf.get(), &tag), -1) << hex;
    EXPECT_EQ(evtag_decode_tag(&tag, buf.get()), -1) << hex;
    EXPECT_EQ(tag, 0x5555u);
    EXPECT_EQ(evbuffer_get_length(buf.get()), size) << hex;
  }
  // Longer than need be is well-formed.
  for (const Vector& v : {Vector{5, "85 00"}, Vector{0, "80 80 80 80 00"}}) {
    BufferPtr buf = FromHex(v.hex);
    ev_uint32_t tag = 0x5555;
    EXPECT_GT(evtag_decode_tag(&tag, buf.get()), 0) << v.hex;
    EXPECT_EQ(tag, v.number);
    EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
  }
}

// What cannot be consumed is not decoded: libevent says it is, for ever.
TEST(TagInteger, FrozenFront) {
  BufferPtr buf = FromHex("05 01 07");
  evbuffer_freeze(buf.get(), 1);
  ev_uint32_t value = 0;
  EXPECT_EQ(evtag_peek(buf.get(), &value), 1);
  EXPECT_EQ(value, 5u);
#ifndef TESTING_DEBIAN_LIBEVENT  // better
  EXPECT_EQ(evtag_decode_tag(&value, buf.get()), -1);
  EXPECT_EQ(evtag_decode_int(&value, buf.get()), -1);
#endif
  EXPECT_EQ(evtag_unmarshal_int(buf.get(), 5, &value), -1);
  EXPECT_EQ(Hex(Contents([&] {
              evbuffer_unfreeze(buf.get(), 1);
              return buf.get();
            }())),
            "05 01 07");
}

// api encode_int, encode_int64, evtag_init
TEST(TagInteger, OldNames) {
  evtag_init();
  BufferPtr buf = NewBuffer();
  encode_int(buf.get(), 0x1234);
  encode_int64(buf.get(), 0x123456789);
  EXPECT_EQ(Hex(Contents(buf)), "34 32 10 89 87 65 43 21");
}

}  // namespace
