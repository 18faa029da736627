// Which core a key belongs to.
#ifndef PERCORE_RUNTIME_CORE_KEY_HASH_H_
#define PERCORE_RUNTIME_CORE_KEY_HASH_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>

namespace percore {

// std::hash, mixed, since that of an integer is the integer. Everything that
// reads as a string (string, string_view, literal) hashes alike. The same in
// every run of one build; not for storage.
template <typename K>
std::uint64_t KeyHash(const K& key) {
  std::uint64_t h;
  if constexpr (std::is_convertible_v<const K&, std::string_view>) {
    h = std::hash<std::string_view>{}(std::string_view(key));
  } else {
    h = std::hash<K>{}(key);
  }
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdull;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ull;
  return h ^ (h >> 33);
}

// 0 to cores - 1, evenly.
inline int CoreOfHash(std::uint64_t hash, int cores) {
  return static_cast<int>(
      (static_cast<unsigned __int128>(hash) * static_cast<unsigned>(cores)) >>
      64);
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_KEY_HASH_H_
