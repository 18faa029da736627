#include "percore/runtime/system/text.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace percore {
namespace {

unsigned char Lower(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 'A' && byte <= 'Z' ? static_cast<unsigned char>(byte + 32)
                                    : byte;
}

}  // namespace

int AsciiCompareIgnoringCase(const char* a, const char* b) {
  return AsciiCompareIgnoringCase(a, b, static_cast<std::size_t>(-1));
}

int AsciiCompareIgnoringCase(const char* a, const char* b, std::size_t n) {
  for (; n > 0; --n, ++a, ++b) {
    const unsigned char lower_a = Lower(*a);
    const unsigned char lower_b = Lower(*b);
    if (lower_a != lower_b) return lower_a < lower_b ? -1 : 1;
    if (lower_a == '\0') return 0;
  }
  return 0;
}

int FormatText(char* out, std::size_t size, const char* format,
               std::va_list args) {
  if (size == 0) return 0;
  const int length = std::vsnprintf(out, size, format, args);
  out[size - 1] = '\0';
  return length;
}

std::size_t CopyText(char* to, const char* from, std::size_t size) {
  const std::size_t length = std::strlen(from);
  if (size > 0) {
    const std::size_t n = std::min(length, size - 1);
    std::memcpy(to, from, n);
    to[n] = '\0';
  }
  return length;
}

}  // namespace percore
