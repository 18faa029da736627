#include "percore/examples/kv_server/item.h"

#include <cstdlib>
#include <cstring>

namespace percore::kv {
namespace {

// malloc's header and rounding, and a slot of the index at its usual load.
constexpr size_t kAllocatorOverhead = 16;
constexpr size_t kIndexOverhead = 16;

}  // namespace

Item* Item::Make(std::string_view key, size_t value_size) {
  void* memory = std::malloc(sizeof(Item) + key.size() + value_size);
  if (memory == nullptr) return nullptr;
  Item* item = static_cast<Item*>(memory);
  item->newer = item->older = nullptr;
  item->expires_ms = kNever;
  item->cas_unique = 0;
  item->flags = 0;
  item->value_size = static_cast<uint32_t>(value_size);
  item->key_size = static_cast<uint8_t>(key.size());
  item->fetched = false;
  std::memcpy(static_cast<char*>(memory) + sizeof(Item), key.data(),
              key.size());
  return item;
}

void Item::Free(Item* item) { std::free(item); }

size_t Item::Footprint(size_t key_size, size_t value_size) {
  return sizeof(Item) + key_size + value_size + kAllocatorOverhead +
         kIndexOverhead;
}

void LruList::PushNewest(Item* item) {
  item->newer = nullptr;
  item->older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = item;
  newest_ = item;
}

void LruList::Remove(Item* item) {
  (item->newer != nullptr ? item->newer->older : newest_) = item->older;
  (item->older != nullptr ? item->older->newer : oldest_) = item->newer;
  item->newer = item->older = nullptr;
}

void LruList::TakeAll(LruList& other) {
  if (other.empty()) return;
  other.newest_->newer = oldest_;
  (oldest_ != nullptr ? oldest_->older : newest_) = other.newest_;
  oldest_ = other.oldest_;
  other.newest_ = other.oldest_ = nullptr;
}

}  // namespace percore::kv
