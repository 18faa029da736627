#include "percore/proto/tag/wire.h"

#include <bit>

namespace percore::tag {
namespace {

std::size_t DecodeDigits(const unsigned char* in, std::size_t n,
                         std::size_t max_digits, std::uint64_t* out) {
  if (n == 0) return 0;
  const std::size_t digits = (in[0] >> 4) + 1u;
  const std::size_t size = digits / 2 + 1;
  if (digits > max_digits || size > n) return 0;
  std::uint64_t number = in[0] & 0xf;
  for (std::size_t i = 1; i < digits; ++i) {
    const unsigned char pair = in[(i + 1) / 2];
    const std::uint64_t digit = i % 2 != 0 ? pair >> 4 : pair & 0xf;
    number |= digit << (4 * i);
  }
  *out = number;
  return size;
}

}  // namespace

std::size_t EncodeTag(std::uint32_t tag, unsigned char* out) {
  std::size_t n = 0;
  for (; tag >= 0x80; tag >>= 7) {
    out[n++] = static_cast<unsigned char>(tag | 0x80);
  }
  out[n++] = static_cast<unsigned char>(tag);
  return n;
}

std::size_t EncodeInt(std::uint64_t number, unsigned char* out) {
  const std::size_t digits = (std::bit_width(number | 1) + 3u) / 4;
  out[0] = static_cast<unsigned char>((digits - 1) << 4 | (number & 0xf));
  std::size_t n = 1;
  for (number >>= 4; n < digits / 2 + 1; ++n, number >>= 8) {
    out[n] = static_cast<unsigned char>(number << 4 | (number >> 4 & 0xf));
  }
  return n;
}

std::size_t DecodeTag(const unsigned char* in, std::size_t n,
                      std::uint32_t* out) {
  std::uint32_t tag = 0;
  for (std::size_t i = 0; i < n && i < kMaxTagSize; ++i) {
    // The fifth byte has room for four bits, and none may follow.
    if (i == kMaxTagSize - 1 && in[i] > 0xf) return 0;
    tag |= (in[i] & 0x7fu) << (7 * i);
    if (in[i] < 0x80) {
      *out = tag;
      return i + 1;
    }
  }
  return 0;
}

std::size_t DecodeInt(const unsigned char* in, std::size_t n,
                      std::uint32_t* out) {
  std::uint64_t number;
  const std::size_t size = DecodeDigits(in, n, 8, &number);
  if (size != 0) *out = static_cast<std::uint32_t>(number);
  return size;
}

std::size_t DecodeInt(const unsigned char* in, std::size_t n,
                      std::uint64_t* out) {
  return DecodeDigits(in, n, 16, out);
}

}  // namespace percore::tag
