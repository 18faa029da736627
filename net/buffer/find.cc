#include "percore/net/buffer/find.h"

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace percore {

#if defined(__SSE2__)

namespace {

// Positions where the first and the last byte both agree, sixteen at a time:
// a frequent first byte costs nothing unless the last one agrees as well.
// `*at` in: where to begin; out: where no match begins before.
const unsigned char* FindByEnds(const unsigned char* data, std::size_t* at,
                                std::size_t until, const unsigned char* what,
                                std::size_t n) {
  const __m128i first = _mm_set1_epi8(static_cast<char>(what[0]));
  const __m128i last = _mm_set1_epi8(static_cast<char>(what[n - 1]));
  std::size_t i = *at;
  for (; i + 16 <= until; i += 16) {
    const __m128i a =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i));
    const __m128i b =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i + n - 1));
    unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(
        _mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last))));
    while (mask != 0) {
      const unsigned bit = static_cast<unsigned>(__builtin_ctz(mask));
      if (n == 2 || std::memcmp(data + i + bit + 1, what + 1, n - 2) == 0) {
        return data + i + bit;
      }
      mask &= mask - 1;
    }
  }
  *at = i;
  return nullptr;
}

}  // namespace

const unsigned char* FindBytes(const unsigned char* data, std::size_t size,
                               const unsigned char* what, std::size_t n) {
  if (n > size) return nullptr;
  const std::size_t positions = size - n + 1;
  std::size_t i = 0;
  while (i < positions) {
    // A rare first byte is found fastest by the C library.
    const auto* hit = static_cast<const unsigned char*>(
        std::memchr(data + i, what[0], positions - i));
    if (hit == nullptr) return nullptr;
    if (std::memcmp(hit, what, n) == 0) return hit;
    const auto at = static_cast<std::size_t>(hit - data);
    const bool frequent = at - i < 128;
    i = at + 1;
    if (!frequent) continue;
    // A frequent one by both ends, for a while.
    std::size_t until = i + 4096;
    if (until > positions) until = positions;
    hit = FindByEnds(data, &i, until, what, n);
    if (hit != nullptr) return hit;
  }
  return nullptr;
}

const unsigned char* FindCrOrLf(const unsigned char* data, std::size_t size) {
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i lf = _mm_set1_epi8('\n');
  std::size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    const __m128i v =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i));
    const int mask = _mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(v, cr), _mm_cmpeq_epi8(v, lf)));
    if (mask != 0) return data + i + __builtin_ctz(static_cast<unsigned>(mask));
  }
  for (; i < size; ++i) {
    if (data[i] == '\r' || data[i] == '\n') return data + i;
  }
  return nullptr;
}

#else

const unsigned char* FindBytes(const unsigned char* data, std::size_t size,
                               const unsigned char* what, std::size_t n) {
  const unsigned char* p = data;
  const unsigned char* end = data + size;
  while (static_cast<std::size_t>(end - p) >= n) {
    p = static_cast<const unsigned char*>(
        std::memchr(p, what[0], static_cast<std::size_t>(end - p) - n + 1));
    if (p == nullptr) return nullptr;
    if (p[n - 1] == what[n - 1] && std::memcmp(p, what, n) == 0) return p;
    ++p;
  }
  return nullptr;
}

const unsigned char* FindCrOrLf(const unsigned char* data, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == '\r' || data[i] == '\n') return data + i;
  }
  return nullptr;
}

#endif

}  // namespace percore
