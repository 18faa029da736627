// Whole elements: each kind of payload, both ways, and how a call ends.

#include <event.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "percore/tests/compat/tags.h"

namespace {

using compat::BufferPtr;
using compat::Bytes;
using compat::Contents;
using compat::FromHex;
using compat::Hex;
using compat::NewBuffer;

// semantics 23.4, 23.5, 23.6
// api evtag_marshal, evtag_marshal_int, evtag_marshal_int64,
// evtag_marshal_string, evtag_marshal_timeval
TEST(TagElement, MarshalVectors) {
  BufferPtr buf = NewBuffer();
  const auto took = [&] { return Hex(compat::RemoveAll(buf.get())); };
  evtag_marshal_int(buf.get(), 5, 0x1234);
  EXPECT_EQ(took(), "05 03 34 32 10");
  evtag_marshal_int64(buf.get(), 300, 0x123456789);
  EXPECT_EQ(took(), "ac 02 05 89 87 65 43 21");
  evtag_marshal_string(buf.get(), 200, "hi");
  EXPECT_EQ(took(), "c8 01 02 68 69");
  evtag_marshal_string(buf.get(), 1, "");
  EXPECT_EQ(took(), "01 00");
  evtag_marshal(buf.get(), 1, nullptr, 0);
  EXPECT_EQ(took(), "01 00");
  evtag_marshal(buf.get(), 0xffffffff, "a\0b", 3);
  EXPECT_EQ(took(), "ff ff ff ff 0f 03 61 00 62");
  timeval tv = {100, 5};
  evtag_marshal_timeval(buf.get(), 1, &tv);
  EXPECT_EQ(took(), "01 03 14 60 05");
  // Of the seconds, the low 32 bits.
  tv.tv_sec = 0x100000005;
  tv.tv_usec = 0;
  evtag_marshal_timeval(buf.get(), 1, &tv);
  EXPECT_EQ(took(), "01 02 05 00");
  tv.tv_sec = tv.tv_usec = -1;
  evtag_marshal_timeval(buf.get(), 1, &tv);
  EXPECT_EQ(took(), "01 0a 7f ff ff ff f0 7f ff ff ff f0");
}

// semantics 23.5
// api evtag_marshal_buffer, evtag_unmarshal, evtag_unmarshal_header
TEST(TagElement, Buffers) {
  for (const size_t size : {0, 1, 15, 16, 53, 54, 60, 255, 256, 5000, 70000}) {
    SCOPED_TRACE(size);
    const std::string payload = compat::Pattern(size);
    BufferPtr from = compat::ChunksOf(700, payload);
    BufferPtr buf = NewBuffer();
    evtag_marshal_buffer(buf.get(), 300, from.get());
    EXPECT_EQ(evbuffer_get_length(from.get()), 0u);
    BufferPtr same = NewBuffer();
    evtag_marshal(same.get(), 300, payload.data(),
                  static_cast<ev_uint32_t>(size));
    EXPECT_EQ(Contents(buf), Contents(same));
    BufferPtr header = NewBuffer(Bytes("ac 02"));
    evtag_encode_int(header.get(), static_cast<ev_uint32_t>(size));
    EXPECT_EQ(Contents(buf), Contents(header) + payload);

    ASSERT_EQ(compat::Add(buf.get(), "rest"), 0);
    BufferPtr to = NewBuffer("before ");
    ev_uint32_t tag = 0;
    EXPECT_EQ(evtag_unmarshal(buf.get(), &tag, to.get()),
              static_cast<int>(size));
    EXPECT_EQ(tag, 300u);
    EXPECT_EQ(Contents(to), "before " + payload);
    EXPECT_EQ(Contents(buf), "rest");

    EXPECT_EQ(evtag_unmarshal_header(same.get(), &tag), static_cast<int>(size));
    EXPECT_EQ(tag, 300u);
    EXPECT_EQ(Contents(same), payload);
  }
}

// semantics 23.4
// api evtag_peek_length, evtag_payload_length, evtag_consume
TEST(TagElement, Lengths) {
  for (const size_t piece : {1, 2, 100}) {
    BufferPtr buf = FromHex(piece, "c8 01 02 68 69 05 03 34 32 10");
    ev_uint32_t length = 0;
    EXPECT_EQ(evtag_peek_length(buf.get(), &length), 0);
    EXPECT_EQ(length, 5u);
    EXPECT_EQ(evtag_payload_length(buf.get(), &length), 0);
    EXPECT_EQ(length, 2u);
    EXPECT_EQ(evtag_consume(buf.get()), 0);
    EXPECT_EQ(Hex(Contents(buf)), "05 03 34 32 10");
    EXPECT_EQ(evtag_consume(buf.get()), 0);
    EXPECT_EQ(evtag_consume(buf.get()), -1);
    EXPECT_EQ(evtag_peek_length(buf.get(), &length), -1);
    EXPECT_EQ(evtag_payload_length(buf.get(), &length), -1);
    EXPECT_EQ(length, 2u);
  }
  // The payload need not be there, the length must.
  BufferPtr buf = FromHex("05 20 01");
  ev_uint32_t length = 0;
  EXPECT_EQ(evtag_peek_length(buf.get(), &length), 0);
  EXPECT_EQ(length, 0x103u);
  EXPECT_EQ(evtag_payload_length(buf.get(), &length), 0);
  EXPECT_EQ(length, 0x100u);
  buf = FromHex("05 20");
  EXPECT_EQ(evtag_peek_length(buf.get(), &length), -1);
  EXPECT_EQ(evtag_payload_length(buf.get(), &length), -1);
}

TEST(TagElement, LengthsBeyond32Bits) {
  BufferPtr buf = FromHex("05 77 ff ff ff ff");
  ev_uint32_t length = 0;
  EXPECT_EQ(evtag_peek_length(buf.get(), &length), 0);
  EXPECT_EQ(length, 0xfffffffdu);
  buf = FromHex("05 7f ff ff ff f0");
  EXPECT_EQ(evtag_payload_length(buf.get(), &length), 0);
  EXPECT_EQ(length, 0xffffffffu);
#ifndef TESTING_DEBIAN_LIBEVENT  // better: 5 there, as if all had come
  EXPECT_EQ(evtag_peek_length(buf.get(), &length), -1);
#endif
}

// semantics 23.4, 23.6: no length is believed that the bytes do not bear out;
// the header has been consumed
TEST(TagElement, PayloadNotThere) {
  for (const char* hex :
       {"05 01", "05 0f 01", "05 77 ff ff ff ff", "05 7f ff ff ff f0",
        "05 7f ff ff ff 70 01 02", "05 70 00 00 00 80 01", "05 20 01 01"}) {
    SCOPED_TRACE(hex);
    const std::string all = Bytes(hex);
    const auto fails = [&](auto call) {
      BufferPtr buf = NewBuffer(all);
      ev_uint32_t length = 0;
      EXPECT_EQ(evtag_payload_length(buf.get(), &length), 0);
      BufferPtr number = NewBuffer();
      evtag_encode_int(number.get(), length);
      EXPECT_EQ(call(buf.get()), -1);
      EXPECT_EQ(Contents(buf),
                all.substr(1 + evbuffer_get_length(number.get())));
    };
    ev_uint32_t tag = 0;
    ev_uint64_t number64 = 0;
    char* text = nullptr;
    char data[8];
    timeval tv;
    BufferPtr to = NewBuffer();
    fails([&](evbuffer* b) { return evtag_unmarshal_header(b, &tag); });
    EXPECT_EQ(tag, 5u);
    fails([&](evbuffer* b) { return evtag_consume(b); });
    fails([&](evbuffer* b) { return evtag_unmarshal(b, &tag, to.get()); });
    fails([&](evbuffer* b) { return evtag_unmarshal_int(b, 5, &tag); });
    fails([&](evbuffer* b) { return evtag_unmarshal_int64(b, 5, &number64); });
    fails([&](evbuffer* b) { return evtag_unmarshal_string(b, 5, &text); });
    fails([&](evbuffer* b) { return evtag_unmarshal_fixed(b, 5, data, 8); });
    fails([&](evbuffer* b) { return evtag_unmarshal_timeval(b, 5, &tv); });
    EXPECT_EQ(evbuffer_get_length(to.get()), 0u);
    EXPECT_EQ(text, nullptr);
  }
}

// semantics 23.5, 23.7
// api evtag_unmarshal_int, evtag_unmarshal_int64
TEST(TagElement, UnmarshalInt) {
  for (const size_t piece : {1, 3, 100}) {
    ev_uint32_t number = 0;
    ev_uint64_t number64 = 0;
    BufferPtr buf = FromHex(piece, "05 03 34 32 10 05 03 34 32 10 77");
    EXPECT_EQ(evtag_unmarshal_int(buf.get(), 5, &number), 3);
    EXPECT_EQ(number, 0x1234u);
    EXPECT_EQ(evtag_unmarshal_int64(buf.get(), 5, &number64), 3);
    EXPECT_EQ(number64, 0x1234u);
    EXPECT_EQ(Hex(Contents(buf)), "77");
    // Bytes after the integer go with the element.
    buf = FromHex(piece, "05 07 3f ff ff ff ff 00 00 77");
    EXPECT_EQ(evtag_unmarshal_int(buf.get(), 5, &number), 3);
    EXPECT_EQ(number, 0xffffu);
    EXPECT_EQ(Hex(Contents(buf)), "77");
    buf = FromHex(piece, "05 09 ff ff ff ff ff ff ff ff f0 77");
    EXPECT_EQ(evtag_unmarshal_int64(buf.get(), 5, &number64), 9);
    EXPECT_EQ(number64, 0xffffffffffffffffu);
    EXPECT_EQ(Hex(Contents(buf)), "77");
  }
}

// semantics 23.7: an integer longer than its element, or of more digits than
// the type has; the element is consumed
TEST(TagElement, UnmarshalIntTooLong) {
  for (const char* hex : {"05 00 77", "05 01 10 77", "05 01 90 77",
                          "05 02 34 32 10", "05 04 7f ff ff ff f0"}) {
    const std::string all = Bytes(hex);
    const std::string rest = all.substr(2 + all[1]);
    ev_uint32_t number = 0x5555;
    ev_uint64_t number64;
    BufferPtr buf = NewBuffer(all);
    EXPECT_EQ(evtag_unmarshal_int(buf.get(), 5, &number), -1) << hex;
    EXPECT_EQ(Hex(Contents(buf)), Hex(rest)) << hex;
    buf = NewBuffer(all);
    EXPECT_EQ(evtag_unmarshal_int64(buf.get(), 5, &number64), -1) << hex;
    EXPECT_EQ(Hex(Contents(buf)), Hex(rest)) << hex;
  }
  BufferPtr buf = FromHex("05 05 80 00 00 00 01 77");
  ev_uint32_t number = 0x5555;
  EXPECT_EQ(evtag_unmarshal_int(buf.get(), 5, &number), -1);
  EXPECT_EQ(number, 0x5555u);
  EXPECT_EQ(Hex(Contents(buf)), "77");
}

// semantics 23.6: of another tag, an int keeps its length and payload, the
// others their payload; a timeval keeps nothing
TEST(TagElement, AnotherTag) {
  const auto left = [](auto call) {
    BufferPtr buf = FromHex("06 02 01 02 77");
    EXPECT_EQ(call(buf.get()), -1);
    return Hex(Contents(buf));
  };
  ev_uint32_t number = 0x5555;
  ev_uint64_t number64 = 0x5555;
  char* text = nullptr;
  char data[2] = {'x', 'y'};
  timeval tv = {7, 7};
  EXPECT_EQ(
      left([&](evbuffer* b) { return evtag_unmarshal_int(b, 5, &number); }),
      "02 01 02 77");
  EXPECT_EQ(
      left([&](evbuffer* b) { return evtag_unmarshal_int64(b, 5, &number64); }),
      "02 01 02 77");
  EXPECT_EQ(
      left([&](evbuffer* b) { return evtag_unmarshal_string(b, 5, &text); }),
      "01 02 77");
  EXPECT_EQ(left([&](evbuffer* b) {
              return evtag_unmarshal_fixed(b, 5, data, sizeof(data));
            }),
            "01 02 77");
  EXPECT_EQ(
      left([&](evbuffer* b) { return evtag_unmarshal_timeval(b, 5, &tv); }),
      "77");
  EXPECT_EQ(number, 0x5555u);
  EXPECT_EQ(number64, 0x5555u);
  EXPECT_EQ(text, nullptr);
  EXPECT_EQ(data[0], 'x');
  EXPECT_EQ(tv.tv_sec, 7);
}

// semantics 23.5
// api evtag_unmarshal_fixed
TEST(TagElement, UnmarshalFixed) {
  char data[4] = {'x', 'x', 'x', 'x'};
  for (const size_t piece : {1, 2, 100}) {
    BufferPtr buf = FromHex(piece, "05 03 34 32 10 77");
    EXPECT_EQ(evtag_unmarshal_fixed(buf.get(), 5, data, 3), 0);
    EXPECT_EQ(Hex({data, 4}), "34 32 10 78");
    EXPECT_EQ(Hex(Contents(buf)), "77");
  }
  // Of another length: the header is gone, the payload is not.
  for (const size_t size : {0, 2, 4}) {
    BufferPtr buf = FromHex("05 03 34 32 10 77");
    EXPECT_EQ(evtag_unmarshal_fixed(buf.get(), 5, data, size), -1);
    EXPECT_EQ(Hex(Contents(buf)), "34 32 10 77");
  }
  BufferPtr buf = FromHex("05 00 77");
  EXPECT_EQ(evtag_unmarshal_fixed(buf.get(), 5, data, 0), 0);
  EXPECT_EQ(Hex(Contents(buf)), "77");
}

// semantics 23.5
// api evtag_unmarshal_string
TEST(TagElement, UnmarshalString) {
  for (const size_t size : {0, 1, 100, 5000}) {
    const std::string want = compat::Pattern(size);
    BufferPtr flat = NewBuffer();
    evtag_marshal_string(flat.get(), 5, want.c_str());
    BufferPtr buf = compat::ChunksOf(333, Contents(flat));
    char* text = nullptr;
    ASSERT_EQ(evtag_unmarshal_string(buf.get(), 5, &text), 0);
    EXPECT_EQ(text, want);
    free(text);
    EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
  }
  // A NUL is a byte like others.
  BufferPtr buf = FromHex("05 03 61 00 62");
  char* text = nullptr;
  ASSERT_EQ(evtag_unmarshal_string(buf.get(), 5, &text), 0);
  EXPECT_EQ(Hex({text, 4}), "61 00 62 00");
  free(text);
}

// semantics 23.5, 23.7
// api evtag_unmarshal_timeval
TEST(TagElement, UnmarshalTimeval) {
  timeval tv = {7, 7};
  for (const size_t piece : {1, 2, 100}) {
    BufferPtr buf = FromHex(piece, "01 03 14 60 05 77");
    ASSERT_EQ(evtag_unmarshal_timeval(buf.get(), 1, &tv), 0);
    EXPECT_EQ(tv.tv_sec, 100);
    EXPECT_EQ(tv.tv_usec, 5);
    EXPECT_EQ(Hex(Contents(buf)), "77");
  }
  // Bytes after it go with it; the seconds have no sign.
  BufferPtr buf = FromHex("01 0c 7f ff ff ff f0 7f ff ff ff f0 aa bb 77");
  ASSERT_EQ(evtag_unmarshal_timeval(buf.get(), 1, &tv), 0);
  EXPECT_EQ(tv.tv_sec, 0xffffffff);
  EXPECT_EQ(tv.tv_usec, 0xffffffff);
  EXPECT_EQ(Hex(Contents(buf)), "77");
  // Too short for two integers, whatever follows.
  for (const char* hex : {"01 00 01 02", "01 01 01 02", "01 02 10 10 02",
                          "01 02 01 10 02", "01 01 10"}) {
    const std::string all = Bytes(hex);
    buf = NewBuffer(all);
    EXPECT_EQ(evtag_unmarshal_timeval(buf.get(), 1, &tv), -1) << hex;
    EXPECT_EQ(Hex(Contents(buf)), Hex(all.substr(2 + all[1]))) << hex;
  }
#ifndef TESTING_DEBIAN_LIBEVENT  // better: never half of one
  tv.tv_sec = tv.tv_usec = 7;
  buf = FromHex("01 01 01");
  EXPECT_EQ(evtag_unmarshal_timeval(buf.get(), 1, &tv), -1);
  EXPECT_EQ(tv.tv_sec, 7);
  EXPECT_EQ(tv.tv_usec, 7);
#endif
}

// Frozen where the call would change it: nothing changes.
TEST(TagElement, FrozenBuffers) {
  BufferPtr buf = FromHex("05 01 07");
  evbuffer_freeze(buf.get(), 0);
  evtag_marshal_int(buf.get(), 1, 1);
  evtag_marshal_string(buf.get(), 1, std::string(500, 'x').c_str());
  EXPECT_EQ(evtag_encode_tag(buf.get(), 300), 2);
  evtag_encode_int(buf.get(), 1);
  EXPECT_EQ(Hex(Contents(buf)), "05 01 07");
  BufferPtr data = NewBuffer("data");
  evtag_marshal_buffer(buf.get(), 1, data.get());
  EXPECT_EQ(Contents(data), "data");
  EXPECT_EQ(Hex(Contents(buf)), "05 01 07");
  // The payload stays where it is when `dst` takes none.
  BufferPtr from = FromHex("05 01 08 77");
  EXPECT_EQ(evtag_unmarshal(from.get(), nullptr, buf.get()), -1);
  EXPECT_EQ(Hex(Contents(from)), "08 77");
  EXPECT_EQ(Hex(Contents(buf)), "05 01 07");

  evbuffer_unfreeze(buf.get(), 0);
  evbuffer_freeze(buf.get(), 1);
  EXPECT_EQ(evtag_consume(buf.get()), -1);
  EXPECT_EQ(evtag_unmarshal_header(buf.get(), nullptr), -1);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 3u);
}

}  // namespace
