// Operations on two Buffers, chosen by the input, against two strings.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "percore/tests/net/buffer/buffer_steps.h"
#include "tests/fuzz/driver.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  std::size_t at = 0;
  percore::BufferSteps steps([&](std::size_t n) -> std::size_t {
    std::size_t value = at < size ? data[at++] : 0;
    if (n > 256 && at < size) value = value << 8 | data[at++];
    return value % n;
  });
  while (at < size) {
    FUZZ_CHECK(steps.Step() == nullptr);
    FUZZ_CHECK(steps.CompareAll() == nullptr);
  }
  return 0;
}

namespace percore::fuzz {

Corpus TheCorpus() {
  using namespace std::string_view_literals;
  return {.seeds = {"\0\x09\x06\x20\0\x0a\1\x0b\0\x03\x07\xff\xff"sv,
                    "\1\x0e\x05\x10\1\x0d\0\x08\x02\1\x06\0\x12\x80\x80"sv,
                    "\0\x01\x07\x20\x20\0\x0c\x10\x02\1\0\x11\x40\0\x07"sv},
          .tokens = {"\0\x0a"sv, "\1\x09"sv, "\0\x12"sv, "\1\x0b"sv, "\0\x0e"sv,
                     "\1\x08"sv},
          .max_size = 400};
}

}  // namespace percore::fuzz
