// The C++20 structures of sample.rpc, beside the generated C: messages go both
// ways, and what one refuses the other refuses.
#include <event2/buffer.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/proto/rpc/sample.gen.h"
#include "tests/proto/rpc/sample.rpc.h"

namespace {

using std::string_literals::operator""s;

sample_cpp::sample Full() {
  sample_cpp::sample s;
  s.text = "text";
  s.number = 0x1234;
  s.large = 0x123456789;
  s.fixed = {'a', 'b', 'c', 'd'};
  s.raw = "r\0w"s;
  s.where = {"here", std::nullopt};
  s.maybe_text = "m";
  s.maybe_large = 0;
  s.maybe_where = {"th", 300};
  s.maybe_raw = "";
  s.numbers = {1, 2, 300};
  s.names = {"one"};
  s.places = {{"p", std::nullopt}};
  s.larges = {7};
  return s;
}

// Through the C structure and out again; "refused" if it is.
std::string ThroughC(const std::string& bytes) {
  evbuffer* b = evbuffer_new();
  evbuffer_add(b, bytes.data(), bytes.size());
  sample* s = sample_new();
  std::string out = "refused";
  if (sample_unmarshal(s, b) == 0) {
    sample_marshal(b, s);
    out.resize(evbuffer_get_length(b));
    evbuffer_remove(b, out.data(), out.size());
  }
  sample_free(s);
  evbuffer_free(b);
  return out;
}

TEST(GeneratedCpp, BytesAreThoseOfC) {
  const std::string bytes = Full().Marshal();
  EXPECT_EQ(ThroughC(bytes), bytes);
  sample_cpp::sample back;
  ASSERT_TRUE(back.Unmarshal(ThroughC(bytes)));
  EXPECT_TRUE(back == Full());
  sample_cpp::sample required = Full();
  required.maybe_text.reset();
  required.maybe_large.reset();
  required.maybe_where.reset();
  required.maybe_raw.reset();
  required.numbers.clear();
  required.names.clear();
  required.places.clear();
  required.larges.clear();
  EXPECT_EQ(ThroughC(required.Marshal()), required.Marshal());
}

TEST(GeneratedCpp, RefusesWhatCRefuses) {
  const std::string whole = Full().Marshal();
  const auto check = [](const std::string& bytes) {
    sample_cpp::sample s;
    EXPECT_EQ(s.Unmarshal(bytes), ThroughC(bytes) != "refused");
  };
  for (std::size_t n = 0; n < whole.size(); ++n) {
    check(whole.substr(0, n));
    for (const int byte : {0x00, 0x01, 0x0f, 0x10, 0x7f, 0x80, 0xff}) {
      std::string changed = whole;
      changed[n] = static_cast<char>(byte);
      check(changed);
    }
  }
  check(whole + whole);
  check(whole + "\x63\x00"s);
}

TEST(GeneratedCpp, DepthIsBounded) {
  const auto nested = [](int depth) {
    sample_cpp::tree t{7, {}};
    std::string bytes = t.Marshal();
    for (int i = 1; i < depth; ++i) {
      std::string outer = t.Marshal() + "\x02";
      unsigned char length[9];
      // Of an integer's form: digits, then nibbles from the least on.
      std::size_t digits = 1;
      while (digits < 16 && bytes.size() >> (4 * digits) != 0) ++digits;
      for (std::size_t k = 0; k < digits / 2 + 1; ++k) {
        const std::size_t high =
            k == 0 ? digits - 1 : bytes.size() >> (4 * (2 * k - 1)) & 0xf;
        length[k] = static_cast<unsigned char>(high << 4 |
                                               (bytes.size() >> (8 * k) & 0xf));
      }
      outer.append(reinterpret_cast<char*>(length), digits / 2 + 1);
      bytes = outer + bytes;
    }
    return sample_cpp::tree().Unmarshal(bytes);
  };
  EXPECT_TRUE(nested(100));
  EXPECT_FALSE(nested(101));
  EXPECT_FALSE(nested(3000));
}

}  // namespace
