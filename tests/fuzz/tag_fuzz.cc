// Any bytes as elements: nothing is read past the end or taken that is not
// there, however the bytes lie in segments, and what is read is marshalled
// and read again the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "percore/net/buffer/buffer.h"
#include "percore/proto/tag/tag.h"
#include "percore/proto/tag/wire.h"
#include "percore/runtime/system/memory.h"
#include "tests/fuzz/driver.h"

namespace percore::tag {
namespace {

void CheckWire(std::string_view input) {
  const auto* in = reinterpret_cast<const unsigned char*>(input.data());
  unsigned char out[kMaxInt64Size];
  std::uint32_t tag;
  std::size_t n = DecodeTag(in, input.size(), &tag);
  FUZZ_CHECK(n <= input.size() && n <= kMaxTagSize);
  if (n != 0) {
    const std::size_t size = EncodeTag(tag, out);
    std::uint32_t again;
    FUZZ_CHECK(size <= n && DecodeTag(out, size, &again) == size);
    FUZZ_CHECK(again == tag);
  }
  std::uint32_t number;
  n = DecodeInt(in, input.size(), &number);
  FUZZ_CHECK(n <= input.size() && n <= kMaxIntSize);
  std::uint64_t number64;
  const std::size_t n64 = DecodeInt(in, input.size(), &number64);
  FUZZ_CHECK(n64 <= input.size() && n64 <= kMaxInt64Size);
  FUZZ_CHECK(n == 0 || (n64 == n && number64 == number));
  if (n64 != 0) {
    const std::size_t size = EncodeInt(number64, out);
    std::uint64_t again;
    FUZZ_CHECK(size <= n64 && DecodeInt(out, size, &again) == size);
    FUZZ_CHECK(again == number64);
  }
}

// The bytes in segments of `piece`.
void Fill(Buffer* b, std::string_view input, std::size_t piece) {
  for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
    FUZZ_CHECK(b->AddReference(input.data(), 0, std::min(piece, input.size()),
                               nullptr, nullptr));
  }
}

// What every call answers, as text: the same for all segments.
std::string Read(std::string_view input, std::size_t piece) {
  std::string answers;
  Buffer all;
  Fill(&all, input, piece);
  while (!all.empty()) {
    const std::size_t before = all.size();
    Header header;
    const bool whole =
        PeekHeader(&all, &header) && header.length <= before - header.size;
    std::uint32_t tag = 0;
    const int tag_size = PeekTag(&all, &tag);
    FUZZ_CHECK(all.size() == before);

    const std::string rest = all.ToString();
    Buffer copy;
    std::uint64_t number64 = 0;
    std::uint32_t number = 0;
    timeval tv = {};
    char* text;
    Fill(&copy, rest, piece);
    const int n32 = UnmarshalInt(&copy, tag, &number);
    copy.Drain(copy.size());
    Fill(&copy, rest, piece);
    const int n64 = UnmarshalInt(&copy, tag, &number64);
    FUZZ_CHECK(n32 < 0 || (n64 == n32 && number64 == number));
    copy.Drain(copy.size());
    Fill(&copy, rest, piece);
    const bool is_timeval = UnmarshalTimeval(&copy, tag, &tv);
    FUZZ_CHECK(whole || (n32 < 0 && n64 < 0 && !is_timeval));
    copy.Drain(copy.size());
    Fill(&copy, rest, piece);
    text = UnmarshalString(&copy, tag);
    FUZZ_CHECK((text != nullptr) == whole);

    Buffer payload;
    std::uint32_t same_tag = ~tag;
    const int length = Unmarshal(&all, &same_tag, &payload);
    FUZZ_CHECK((length >= 0) == whole);
    if (length < 0) {
      FUZZ_CHECK(payload.empty());
      FUZZ_CHECK(all.size() + kMaxHeaderSize >= before);
      return answers + " bad";
    }
    FUZZ_CHECK(tag_size > 0 && same_tag == tag);
    FUZZ_CHECK(all.size() == before - header.size - header.length);
    FUZZ_CHECK(payload.size() == header.length);
    const std::string bytes = payload.ToString();
    FUZZ_CHECK(std::memcmp(text, bytes.c_str(), bytes.size() + 1) == 0);
    MemFree(text);

    Buffer again;
    FUZZ_CHECK(Marshal(&again, tag, &payload) && payload.empty());
    const std::string marshalled = again.ToString();
    FUZZ_CHECK(marshalled.size() <= header.size + header.length);
    FUZZ_CHECK(marshalled.ends_with(bytes));
    FUZZ_CHECK(Unmarshal(&again, &same_tag, &payload) == length);
    FUZZ_CHECK(same_tag == tag && payload.ToString() == bytes);

    answers += std::to_string(tag) + ":" + std::to_string(n32) + "," +
               std::to_string(number64) + "," + std::to_string(tv.tv_sec) +
               "." + std::to_string(tv.tv_usec) + " ";
  }
  return answers;
}

}  // namespace
}  // namespace percore::tag

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  percore::tag::CheckWire(input);
  const std::string whole = percore::tag::Read(input, 4096);
  FUZZ_CHECK(percore::tag::Read(input, 1) == whole);
  FUZZ_CHECK(percore::tag::Read(input, 3) == whole);
  return 0;
}

percore::fuzz::Corpus percore::fuzz::TheCorpus() {
  using std::string_view_literals::operator""sv;
  return {
      .seeds =
          {
              "\x05\x03\x34\x32\x10\x05\x03\x34\x32\x10"sv,
              "\xac\x02\x05\x89\x87\x65\x43\x21"sv,
              "\x01\x03\x14\x60\x05"sv,
              "\xff\xff\xff\xff\x0f\x00"sv,
              "\x01\x09\xff\xff\xff\xff\xff\xff\xff\xff\xf0"sv,
              "\x01\x09some text\x02\x02"
              "23\x03\x02\x01\x02"sv,
              "\x05\x7f\xff\xff\xff\xf0"sv,
              "\x05\x70\x00\x00\x00\x80z"sv,
          },
      .tokens = {"\x80", "\xff", "\x0f", "\x10", "\x7f\xff\xff\xff\xf0"sv,
                 "\xff\xff\xff\xff\x0f", "\x01\x01\x01", "\x05\x00"sv},
      .max_size = 64,
  };
}
