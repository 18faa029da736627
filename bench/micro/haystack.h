// Text for searches, the same in every worker.

#ifndef PERCORE_BENCH_MICRO_HAYSTACK_H_
#define PERCORE_BENCH_MICRO_HAYSTACK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "percore/bench/micro/chance.h"

namespace percore::bench {

// What is sought, always in vain: kNeedle, where its first byte is one in 26 of
// random letters or does not occur; or the end of a line.
enum class Needle { kFrequentFirst, kAbsentFirst, kEol };

inline constexpr char kNeedle[] = "aQZ9";
inline constexpr size_t kNeedleSize = 4;

// `size` random lower-case letters, without 'a' for kAbsentFirst. The needle's
// later bytes are in none.
inline std::vector<char> Haystack(int size, Needle needle) {
  Chance chance;
  std::vector<char> text(static_cast<size_t>(size));
  for (char& c : text) {
    const uint32_t letter = chance.Below(26);
    c = static_cast<char>('a' + letter);
    if (needle == Needle::kAbsentFirst && letter == 0) c = 'b';
  }
  return text;
}

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_HAYSTACK_H_
