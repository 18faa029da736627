// One cached item and the list that keeps items in order of use.

#ifndef PERCORE_EXAMPLES_KV_SERVER_ITEM_H_
#define PERCORE_EXAMPLES_KV_SERVER_ITEM_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace percore::kv {

// `expires_ms` of an item that never expires.
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// Header of one allocation: the key's bytes, then the value's, follow it.
struct Item {
  // Allocates an item for `key` with room for `value_size` bytes, which the
  // caller fills. Null when memory is out. Give it back with Free().
  static Item* Make(std::string_view key, size_t value_size);
  static void Free(Item* item);

  // Bytes an item of these sizes is charged with: itself, and an estimate of
  // what the allocator and the index add.
  static size_t Footprint(size_t key_size, size_t value_size);
  size_t footprint() const { return Footprint(key_size, value_size); }

  std::string_view key() const { return {data(), key_size}; }
  std::string_view value() const { return {data() + key_size, value_size}; }
  char* value_bytes() {
    return reinterpret_cast<char*>(this) + sizeof(Item) + key_size;
  }
  bool ExpiredAt(int64_t now_ms) const { return expires_ms <= now_ms; }

  // Links of the LruList that the item is on.
  Item* newer;
  Item* older;
  int64_t expires_ms;  // Unix time; kNever: does not expire
  uint64_t cas_unique;
  uint32_t flags;
  uint32_t value_size;
  uint8_t key_size;
  bool fetched;  // a get has found it

 private:
  const char* data() const {
    return reinterpret_cast<const char*>(this) + sizeof(Item);
  }
};

// Intrusive list of items, most recently used first. Owns nothing.
class LruList {
 public:
  bool empty() const { return newest_ == nullptr; }
  Item* oldest() const { return oldest_; }
  Item* newest() const { return newest_; }

  void PushNewest(Item* item);
  void Remove(Item* item);
  void MoveToNewest(Item* item) {
    if (item == newest_) return;
    Remove(item);
    PushNewest(item);
  }

  // Puts all of `other`'s items behind the oldest and leaves `other` empty.
  void TakeAll(LruList& other);

 private:
  Item* newest_ = nullptr;
  Item* oldest_ = nullptr;
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_ITEM_H_
