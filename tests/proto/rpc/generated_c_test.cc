// The C that tools/event_rpcgen writes for sample.rpc: accessors, completeness,
// the bytes on the wire (written down here by hand, from semantics 23 and 24),
// and every truncation and change of them.
#include <event2/buffer.h>
#include <event2/tag.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>

#include "tests/proto/rpc/sample.gen.h"

namespace {

struct FreeBuffer {
  void operator()(evbuffer* b) const { evbuffer_free(b); }
};
using BufferPtr = std::unique_ptr<evbuffer, FreeBuffer>;
struct FreeSample {
  void operator()(sample* s) const { sample_free(s); }
};
using SamplePtr = std::unique_ptr<sample, FreeSample>;

BufferPtr BufferOf(const std::string& bytes) {
  BufferPtr b(evbuffer_new());
  evbuffer_add(b.get(), bytes.data(), bytes.size());
  return b;
}

std::string Marshalled(const sample* s) {
  BufferPtr b(evbuffer_new());
  sample_marshal(b.get(), s);
  std::string bytes(evbuffer_get_length(b.get()), '\0');
  evbuffer_remove(b.get(), bytes.data(), bytes.size());
  return bytes;
}

int Unmarshal(sample* s, const std::string& bytes) {
  return sample_unmarshal(s, BufferOf(bytes).get());
}

const ev_uint8_t* U(const char* s) {
  return reinterpret_cast<const ev_uint8_t*>(s);
}

// The required entries.
SamplePtr Small() {
  SamplePtr s(sample_new());
  EXPECT_EQ(EVTAG_ASSIGN(s.get(), text, "text"), 0);
  EXPECT_EQ(EVTAG_ASSIGN(s.get(), number, 0x1234), 0);
  EXPECT_EQ(EVTAG_ASSIGN(s.get(), large, 0x123456789), 0);
  EXPECT_EQ(EVTAG_ASSIGN(s.get(), fixed, U("abcd")), 0);
  EXPECT_EQ(EVTAG_ASSIGN_WITH_LEN(s.get(), raw, U("r\0w"), 3), 0);
  place* where = nullptr;
  EXPECT_EQ(EVTAG_GET(s.get(), where, &where), 0);  // makes it
  EXPECT_EQ(EVTAG_ASSIGN(where, name, "here"), 0);
  return s;
}
using std::string_literals::operator""s;
const std::string kSmall =
    "\x01\x04text"
    "\x02\x03\x34\x32\x10"
    "\x03\x05\x89\x87\x65\x43\x21"
    "\x04\x04"
    "abcd"
    "\x05\x03r\0w"
    "\x06\x06\x01\x04here"s;

// And all others.
SamplePtr Full() {
  SamplePtr s = Small();
  EVTAG_ASSIGN(s.get(), maybe_text, "m");
  EVTAG_ASSIGN(s.get(), maybe_large, 0);
  std::unique_ptr<place, decltype(&place_free)> there(place_new(), place_free);
  EVTAG_ASSIGN(there.get(), name, "th");
  EVTAG_ASSIGN(there.get(), altitude, 300);
  EXPECT_EQ(EVTAG_ASSIGN(s.get(), maybe_where, there.get()), 0);
  EVTAG_ASSIGN_WITH_LEN(s.get(), maybe_raw, nullptr, 0);
  for (const ev_uint32_t n : {1, 2, 300}) {
    ev_uint32_t* added = EVTAG_ARRAY_ADD_VALUE(s.get(), numbers, n);
    EXPECT_TRUE(added != nullptr && *added == n);
  }
  EXPECT_NE(EVTAG_ARRAY_ADD_VALUE(s.get(), names, "one"), nullptr);
  place* added = EVTAG_ARRAY_ADD(s.get(), places);
  EVTAG_ASSIGN(added, name, "p");
  EXPECT_NE(EVTAG_ARRAY_ADD_VALUE(s.get(), larges, 7), nullptr);
  return s;
}
// semantics 24.3, 24.4: names and storage that programs rely on
TEST(GeneratedC, NamesAndStorage) {
  static_assert(SAMPLE_TEXT == 1 && SAMPLE_LARGE == 3 && PLACE_ALTITUDE == 300);
  static_assert(PLACE_MAX_TAGS == 301 && SAMPLE_LIMIT == 5);
  static_assert(static_cast<ev_uint32_t>(SAMPLE_LARGES) == 0xffffffff);
  static_assert(std::is_same_v<decltype(sample::text_data), char*>);
  static_assert(std::is_same_v<decltype(sample::number_data), ev_uint32_t>);
  static_assert(std::is_same_v<decltype(sample::large_data), ev_uint64_t>);
  static_assert(std::is_same_v<decltype(sample::fixed_data), ev_uint8_t[4]>);
  static_assert(std::is_same_v<decltype(sample::raw_data), ev_uint8_t*>);
  static_assert(std::is_same_v<decltype(sample::raw_length), ev_uint32_t>);
  static_assert(std::is_same_v<decltype(sample::where_data), place*>);
  static_assert(std::is_same_v<decltype(sample::numbers_data), ev_uint32_t*>);
  static_assert(std::is_same_v<decltype(sample::names_data), char**>);
  static_assert(std::is_same_v<decltype(sample::places_data), place**>);
  static_assert(std::is_same_v<decltype(sample::numbers_length), int>);
  static_assert(std::is_same_v<decltype(sample::numbers_num_allocated), int>);
  static_assert(std::is_same_v<decltype(sample::text_set), ev_uint8_t>);
  static_assert(std::is_same_v<decltype(sample::base), sample_access_*>);
  SamplePtr s(sample_new_with_arg(nullptr));
  EXPECT_EQ(s->base->text_assign, sample_text_assign);
}

// semantics 24.5
// api EVTAG_ASSIGN, EVTAG_ASSIGN_WITH_LEN
TEST(GeneratedC, MarshalsTheRequired) {
  SamplePtr s = Small();
  EXPECT_EQ(sample_complete(s.get()), 0);
  EXPECT_EQ(Marshalled(s.get()), kSmall);
}

// semantics 24.5, 24.6
// api EVTAG_GET, EVTAG_GET_WITH_LEN, EVTAG_ARRAY_ADD, EVTAG_ARRAY_ADD_VALUE,
// EVTAG_ARRAY_GET, EVTAG_ARRAY_LEN
TEST(GeneratedC, EveryEntryComesBack) {
  SamplePtr s = Full();
  const std::string bytes = Marshalled(s.get());
  EXPECT_EQ(bytes.substr(0, kSmall.size()), kSmall);
  EXPECT_EQ(bytes.substr(kSmall.size()),
            "\x07\x01m"
            "\x08\x01\x00"
            "\x09\x09\x01\x02th\xac\x02\x02\x2c\x21"
            "\x0a\x00"
            "\xc8\x01\x01\x01\xc8\x01\x01\x02\xc8\x01\x02\x2c\x21"
            "\xc9\x01\x03one"
            "\xca\x01\x03\x01\x01p"
            "\xff\xff\xff\xff\x0f\x01\x07"s);
  SamplePtr back(sample_new());
  ASSERT_EQ(Unmarshal(back.get(), bytes), 0);
  EXPECT_EQ(Marshalled(back.get()), bytes);
  char* text = nullptr;
  EXPECT_EQ(EVTAG_GET(back.get(), text, &text), 0);
  EXPECT_STREQ(text, "text");
  ev_uint8_t* raw = nullptr;
  ev_uint32_t length = 0;
  EXPECT_EQ(EVTAG_GET_WITH_LEN(back.get(), raw, &raw, &length), 0);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(raw), length), "r\0w"s);
  EXPECT_EQ(EVTAG_ARRAY_LEN(back.get(), numbers), 3);
  ev_uint32_t number = 0;
  EXPECT_EQ(EVTAG_ARRAY_GET(back.get(), numbers, 2, &number), 0);
  EXPECT_EQ(number, 300u);
  EXPECT_EQ(EVTAG_ARRAY_GET(back.get(), numbers, 3, &number), -1);
  EXPECT_EQ(EVTAG_ARRAY_GET(back.get(), numbers, -1, &number), -1);
  place* where = nullptr;
  EXPECT_EQ(EVTAG_GET(back.get(), maybe_where, &where), 0);
  EXPECT_EQ(EVTAG_GET(where, altitude, &number), 0);
  EXPECT_EQ(number, 300u);
}

// semantics 24.5
// api EVTAG_HAS
TEST(GeneratedC, UnsetIsNotThere) {
  SamplePtr s(sample_new());
  char* text = nullptr;
  ev_uint32_t number;
  EXPECT_EQ(EVTAG_GET(s.get(), text, &text), -1);
  EXPECT_EQ(EVTAG_GET(s.get(), number, &number), -1);
  EXPECT_EQ(EVTAG_ARRAY_GET(s.get(), numbers, 0, &number), -1);
  EXPECT_FALSE(EVTAG_HAS(s.get(), maybe_text));
  EXPECT_EQ(sample_complete(s.get()), -1);
  s = Full();
  EXPECT_TRUE(EVTAG_HAS(s.get(), maybe_text));
  sample_clear(s.get());
  EXPECT_FALSE(EVTAG_HAS(s.get(), maybe_text));
  EXPECT_EQ(EVTAG_ARRAY_LEN(s.get(), numbers), 0);
  EXPECT_EQ(Marshalled(s.get()), "");
}

// semantics 24.5: assigned values are copies, twice too
TEST(GeneratedC, AssignCopies) {
  SamplePtr s = Small();
  char buffer[] = "first";
  EVTAG_ASSIGN(s.get(), text, buffer);
  buffer[0] = 'x';
  char* text = nullptr;
  EVTAG_GET(s.get(), text, &text);
  EXPECT_STREQ(text, "first");
  EVTAG_ASSIGN(s.get(), text, "second");
  EVTAG_GET(s.get(), text, &text);
  EXPECT_STREQ(text, "second");
  // Of itself, and of one that is not complete: refused, nothing changed.
  place* where = nullptr;
  EVTAG_GET(s.get(), where, &where);
  EXPECT_EQ(EVTAG_ASSIGN(s.get(), where, where), 0);
  std::unique_ptr<place, decltype(&place_free)> empty(place_new(), place_free);
  EXPECT_EQ(EVTAG_ASSIGN(s.get(), where, empty.get()), -1);
  EXPECT_EQ(sample_complete(s.get()), 0);
}

// semantics 24.6
TEST(GeneratedC, RefusedOnTheWire) {
  SamplePtr s(sample_new());
  EXPECT_EQ(Unmarshal(s.get(), kSmall + "\x02\x01\x01"), -1) << "twice";
  s.reset(sample_new());
  EXPECT_EQ(Unmarshal(s.get(), kSmall + "\x63\x01\x01"), -1) << "unknown";
  s.reset(sample_new());
  EXPECT_EQ(Unmarshal(s.get(), kSmall.substr(6)), -1) << "one missing";
  s.reset(sample_new());
  EXPECT_EQ(Unmarshal(s.get(), kSmall + "\x09\x00"s), -1) << "incomplete";
}

// Nothing but messages that are whole is taken, and nothing leaks (ASan).
TEST(GeneratedC, EveryTruncationAndChange) {
  const std::string whole = Marshalled(Full().get());
  for (size_t n = 0; n < whole.size(); ++n) {
    SamplePtr s(sample_new());
    const int result = Unmarshal(s.get(), whole.substr(0, n));
    EXPECT_TRUE(result != 0 || n >= kSmall.size()) << n;
    for (const int byte : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::string changed = whole;
      changed[n] = static_cast<char>(byte);
      s.reset(sample_new());
      if (Unmarshal(s.get(), changed) != 0) continue;
      SamplePtr again(sample_new());
      EXPECT_EQ(Unmarshal(again.get(), Marshalled(s.get())), 0) << n;
    }
  }
}

// A message says how deep it is; our stack is not its.
TEST(GeneratedC, DepthIsBounded) {
  const auto nested = [](int depth) {
    BufferPtr b = BufferOf("\x01\x01\x07");
    for (int i = 1; i < depth; ++i) {
      BufferPtr outer = BufferOf("\x01\x01\x07");
      evtag_marshal_buffer(outer.get(), 2, b.get());
      b.swap(outer);
    }
    tree* t = tree_new();
    const int result = tree_unmarshal(t, b.get());
    tree_free(t);
    return result;
  };
  EXPECT_EQ(nested(1), 0);
  EXPECT_EQ(nested(100), 0);
  EXPECT_EQ(nested(101), -1);
  EXPECT_EQ(nested(20000), -1);
  EXPECT_EQ(nested(2), 0);
}

}  // namespace
