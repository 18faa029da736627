// Which shard a key lives on.

#ifndef PERCORE_EXAMPLES_KV_SERVER_PLACEMENT_H_
#define PERCORE_EXAMPLES_KV_SERVER_PLACEMENT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace percore::kv {

// Mixed in all of its 64 bits: a store's index uses the low ones, OwnerOf()
// the high ones, so that a shard's keys still spread over its index.
inline uint64_t HashOf(std::string_view key) {
  return std::hash<std::string_view>()(key);
}

// The shard, below `shards` (1 to 2^32), that owns keys of this hash.
inline size_t OwnerOf(uint64_t hash, size_t shards) {
  return static_cast<size_t>(((hash >> 32) * shards) >> 32);
}

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_PLACEMENT_H_
