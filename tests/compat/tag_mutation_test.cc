// Every truncation and many mutations of marshalled elements, beside a decoder
// written for this test from the format's description.

#include <event2/tag.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <stdlib.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "percore/tests/compat/tags.h"

namespace {

using compat::BufferPtr;
using compat::Contents;
using compat::Hex;
using compat::NewBuffer;

// --- The model: bytes in, what is read and how far ------------------------

using Bytes = std::string_view;

unsigned At(Bytes in, size_t i) { return static_cast<unsigned char>(in[i]); }

struct Tag {
  ev_uint32_t value;
  size_t size;
};

std::optional<Tag> ModelTag(Bytes in) {
  unsigned long long value = 0;
  for (size_t i = 0; i < in.size() && i < 5; ++i) {
    value += (At(in, i) % 128ull) << (7 * i);
    if (At(in, i) < 128) {
      if (value > 0xffffffff) return std::nullopt;
      return Tag{static_cast<ev_uint32_t>(value), i + 1};
    }
  }
  return std::nullopt;
}

struct Integer {
  ev_uint64_t value;
  size_t size;
};

std::optional<Integer> ModelInteger(Bytes in, size_t max_digits) {
  if (in.empty()) return std::nullopt;
  // The nibbles after the first, but each byte's pair as it is written.
  std::string nibbles;
  for (size_t i = 0; i < in.size() && i < 9; ++i) {
    nibbles += static_cast<char>(At(in, i) / 16);
    nibbles += static_cast<char>(At(in, i) % 16);
  }
  const size_t digits = nibbles[0] + 1u;
  const size_t size = digits / 2 + 1;
  if (digits > max_digits || size > in.size()) return std::nullopt;
  ev_uint64_t value = 0;
  for (size_t i = digits; i-- > 0;) {
    value = value * 16 + static_cast<unsigned char>(nibbles[1 + i]);
  }
  return Integer{value, size};
}

struct Element {
  ev_uint32_t tag;
  Bytes payload;
  size_t header;
};

// The element, or how much of what is malformed a header consumes.
struct ElementResult {
  std::optional<Element> element;
  size_t consumed = 0;
};

ElementResult ModelElement(Bytes in) {
  const auto tag = ModelTag(in);
  if (!tag) return {};
  const auto length = ModelInteger(in.substr(tag->size), 8);
  if (!length) return {std::nullopt, tag->size};
  const size_t header = tag->size + length->size;
  if (length->value > in.size() - header) return {std::nullopt, header};
  return {Element{tag->value, in.substr(header, length->value), header},
          header + length->value};
}

// --- The library ----------------------------------------------------------

void Check(const std::string& in) {
  SCOPED_TRACE(Hex(in));
  const ElementResult want = ModelElement(in);
  const auto left = [&](const BufferPtr& buf, size_t consumed) {
    EXPECT_EQ(Hex(Contents(buf)), Hex(in.substr(consumed)));
  };
  const ev_uint32_t tag_there = ModelTag(in).value_or(Tag{0, 0}).value;

  BufferPtr buf = NewBuffer(in);
  ev_uint32_t tag = 0x5555;
  const auto model_tag = ModelTag(in);
  EXPECT_EQ(evtag_peek(buf.get(), &tag),
            model_tag ? static_cast<int>(model_tag->size) : -1);
  EXPECT_EQ(tag, model_tag ? model_tag->value : 0x5555);
  left(buf, 0);

  const int length =
      want.element ? static_cast<int>(want.element->payload.size()) : -1;
  BufferPtr to = NewBuffer();
  EXPECT_EQ(evtag_unmarshal(buf.get(), &tag, to.get()), length);
  EXPECT_EQ(Contents(to), want.element ? want.element->payload : "");
  left(buf, want.consumed);

  buf = NewBuffer(in);
  EXPECT_EQ(evtag_unmarshal_header(buf.get(), nullptr), length);
  left(buf, want.element ? want.element->header : want.consumed);

  buf = NewBuffer(in);
  EXPECT_EQ(evtag_consume(buf.get()), want.element ? 0 : -1);
  left(buf, want.consumed);

  buf = NewBuffer(in);
  char* text = nullptr;
  EXPECT_EQ(evtag_unmarshal_string(buf.get(), tag_there, &text),
            want.element ? 0 : -1);
  if (want.element && text != nullptr) {
    EXPECT_EQ(Bytes(text, length + 1),
              std::string(want.element->payload) + '\0');
  }
  free(text);
  left(buf, want.consumed);

  for (const size_t digits : {8, 16}) {
    buf = NewBuffer(in);
    ev_uint32_t number = 0;
    ev_uint64_t number64 = 0;
    const int got =
        digits == 8 ? evtag_unmarshal_int(buf.get(), tag_there, &number)
                    : evtag_unmarshal_int64(buf.get(), tag_there, &number64);
    const auto integer = want.element
                             ? ModelInteger(want.element->payload, digits)
                             : std::nullopt;
    EXPECT_EQ(got, integer ? static_cast<int>(integer->size) : -1);
    if (integer) {
      EXPECT_EQ(digits == 8 ? number : number64, integer->value);
    }
    left(buf, want.consumed);
  }

  buf = NewBuffer(in);
  timeval tv;
  const auto sec =
      want.element ? ModelInteger(want.element->payload, 8) : std::nullopt;
  const auto usec =
      sec ? ModelInteger(want.element->payload.substr(sec->size), 8)
          : std::nullopt;
  EXPECT_EQ(evtag_unmarshal_timeval(buf.get(), tag_there, &tv), usec ? 0 : -1);
  if (usec) {
    EXPECT_EQ(static_cast<ev_uint64_t>(tv.tv_sec), sec->value);
    EXPECT_EQ(static_cast<ev_uint64_t>(tv.tv_usec), usec->value);
  }
  left(buf, want.consumed);
}

std::vector<std::string> Marshalled() {
  std::vector<std::string> all;
  const auto keep = [&](auto marshal) {
    BufferPtr buf = NewBuffer();
    marshal(buf.get());
    all.push_back(Contents(buf));
  };
  for (const ev_uint32_t tag : {0u, 5u, 127u, 128u, 300u, 0xffffffffu}) {
    keep([&](evbuffer* b) { evtag_marshal_int(b, tag, 0x1234); });
    keep([&](evbuffer* b) { evtag_marshal_int64(b, tag, ~0ull); });
    keep([&](evbuffer* b) { evtag_marshal_string(b, tag, "some text"); });
    keep([&](evbuffer* b) {
      timeval tv = {1700000000, 999999};
      evtag_marshal_timeval(b, tag, &tv);
    });
    keep([&](evbuffer* b) { evtag_marshal(b, tag, nullptr, 0); });
  }
  return all;
}

// semantics 23.2, 23.3, 23.4, 23.6, 23.7
TEST(TagMutation, EveryTruncation) {
  for (const std::string& whole : Marshalled()) {
    for (size_t n = 0; n <= whole.size(); ++n) Check(whole.substr(0, n));
    Check(whole + "trailing bytes");
  }
}

// semantics 23.2, 23.3, 23.4, 23.6, 23.7
TEST(TagMutation, EveryByteChanged) {
  for (const std::string& whole : Marshalled()) {
    for (size_t i = 0; i < whole.size(); ++i) {
      for (const int byte :
           {0x00, 0x01, 0x0f, 0x10, 0x7f, 0x80, 0x8f, 0x90, 0xf0, 0xff}) {
        std::string changed = whole;
        changed[i] = static_cast<char>(byte);
        Check(changed);
      }
    }
    if (HasFailure()) break;
  }
}

// semantics 23.2, 23.3, 23.4
TEST(TagMutation, RandomBytes) {
  std::mt19937 random(2312);
  for (int i = 0; i < 8000 && !HasFailure(); ++i) {
    std::string in(random() % 14, '\0');
    for (char& c : in) {
      // Often small, so that lengths are often right.
      c = static_cast<char>(random() % 3 == 0 ? random() : random() % 20);
    }
    Check(in);
  }
}

// A stream of elements is read to its end whatever the pieces are.
TEST(TagMutation, StreamInPieces) {
  std::string stream;
  const std::vector<std::string> all = Marshalled();
  for (const std::string& one : all) stream += one;
  for (size_t piece = 1; piece < 20; ++piece) {
    BufferPtr buf = compat::ChunksOf(piece, stream);
    for (const std::string& one : all) {
      ev_uint32_t length = 0;
      ASSERT_EQ(evtag_peek_length(buf.get(), &length), 0);
      ASSERT_EQ(length, one.size());
      ASSERT_EQ(evtag_consume(buf.get()), 0);
    }
    ASSERT_EQ(evbuffer_get_length(buf.get()), 0u);
  }
}

}  // namespace
