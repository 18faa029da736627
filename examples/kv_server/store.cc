#include "percore/examples/kv_server/store.h"

#include <charconv>
#include <cstring>
#include <optional>

namespace percore::kv {
namespace {

constexpr int64_t kRelativeLimit = int64_t{60} * 60 * 24 * 30;  // seconds

// Flushed items freed by each operation: enough that they are gone long before
// new ones fill the memory, few enough that no operation is slow.
constexpr int kFreedPerOperation = 8;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The number that a value starts with: white space, an optional plus, digits,
// then the end or white space (an earlier decr pads with it).
std::optional<uint64_t> NumberOf(std::string_view value) {
  const char* at = value.data();
  const char* const end = at + value.size();
  while (at != end && IsSpace(*at)) ++at;
  if (at != end && *at == '+') ++at;
  uint64_t number = 0;
  const auto [stop, error] = std::from_chars(at, end, number);
  if (error != std::errc() || (stop != end && !IsSpace(*stop))) return {};
  return number;
}

}  // namespace

Store::Store(const Options& options, const Clock& clock)
    : clock_(clock), options_(options) {}

Store::~Store() {
  DropAll();
  while (FreeOneFlushed()) {
  }
}

void Store::BeginOperation() {
  now_ms_ = clock_.NowMs();
  if (now_ms_ >= flush_at_ms_) DropAll();
  for (int i = 0; i < kFreedPerOperation; ++i) {
    if (!FreeOneFlushed()) break;
  }
}

Item* Store::Find(std::string_view key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  Item* item = *found;
  if (!item->ExpiredAt(now_ms_)) return item;
  if (!item->fetched) ++counters_.expired_unfetched;
  Unlink(item);
  return nullptr;
}

const Item* Store::Get(std::string_view key) {
  BeginOperation();
  ++counters_.cmd_get;
  const auto found = index_.find(key);
  if (found != index_.end() && (*found)->ExpiredAt(now_ms_)) {
    ++counters_.get_expired;
  }
  Item* item = Find(key);
  if (item == nullptr) {
    ++counters_.get_misses;
    return nullptr;
  }
  ++counters_.get_hits;
  item->fetched = true;
  lru_.MoveToNewest(item);
  return item;
}

Outcome Store::Set(std::string_view key, const Content& content) {
  BeginOperation();
  ++counters_.cmd_set;
  Item* old = Find(key);
  const Outcome outcome = PutContent(key, old, content);
  if (outcome != Outcome::kStored && old != nullptr) Unlink(old);
  return outcome;
}

Outcome Store::Add(std::string_view key, const Content& content) {
  BeginOperation();
  ++counters_.cmd_set;
  Item* old = Find(key);
  if (old != nullptr) {
    lru_.MoveToNewest(old);
    return Outcome::kNotStored;
  }
  return PutContent(key, nullptr, content);
}

Outcome Store::Replace(std::string_view key, const Content& content) {
  BeginOperation();
  ++counters_.cmd_set;
  Item* old = Find(key);
  if (old == nullptr) return Outcome::kNotStored;
  return PutContent(key, old, content);
}

Outcome Store::Append(std::string_view key, std::string_view more) {
  BeginOperation();
  ++counters_.cmd_set;
  Item* old = Find(key);
  if (old == nullptr || TooLarge(old->value_size + more.size())) {
    return Outcome::kNotStored;
  }
  return Put(key, old, old->flags, old->expires_ms, old->value(), more);
}

Outcome Store::Prepend(std::string_view key, std::string_view more) {
  BeginOperation();
  ++counters_.cmd_set;
  Item* old = Find(key);
  if (old == nullptr || TooLarge(old->value_size + more.size())) {
    return Outcome::kNotStored;
  }
  return Put(key, old, old->flags, old->expires_ms, more, old->value());
}

Outcome Store::Cas(std::string_view key, const Content& content,
                   uint64_t unique) {
  BeginOperation();
  ++counters_.cmd_set;
  Item* old = Find(key);
  if (old == nullptr) {
    ++counters_.cas_misses;
    return Outcome::kNotFound;
  }
  if (old->cas_unique != unique) {
    ++counters_.cas_badval;
    return Outcome::kExists;
  }
  ++counters_.cas_hits;
  return PutContent(key, old, content);
}

Outcome Store::Increment(std::string_view key, uint64_t delta,
                         uint64_t* number) {
  BeginOperation();
  Item* item = Find(key);
  if (item == nullptr) {
    ++counters_.incr_misses;
    return Outcome::kNotFound;
  }
  const std::optional<uint64_t> old = NumberOf(item->value());
  if (!old) return Outcome::kNotNumeric;
  ++counters_.incr_hits;
  *number = *old + delta;
  return PutNumber(item, *number);
}

Outcome Store::Decrement(std::string_view key, uint64_t delta,
                         uint64_t* number) {
  BeginOperation();
  Item* item = Find(key);
  if (item == nullptr) {
    ++counters_.decr_misses;
    return Outcome::kNotFound;
  }
  const std::optional<uint64_t> old = NumberOf(item->value());
  if (!old) return Outcome::kNotNumeric;
  ++counters_.decr_hits;
  *number = *old > delta ? *old - delta : 0;
  return PutNumber(item, *number);
}

Outcome Store::Touch(std::string_view key, int64_t exptime) {
  BeginOperation();
  ++counters_.cmd_touch;
  Item* item = Find(key);
  if (item == nullptr) {
    ++counters_.touch_misses;
    return Outcome::kNotFound;
  }
  ++counters_.touch_hits;
  item->expires_ms = ExpiryOf(exptime);
  lru_.MoveToNewest(item);
  return Outcome::kTouched;
}

Outcome Store::Delete(std::string_view key) {
  BeginOperation();
  Item* item = Find(key);
  if (item == nullptr) {
    ++counters_.delete_misses;
    return Outcome::kNotFound;
  }
  ++counters_.delete_hits;
  Unlink(item);
  return Outcome::kDeleted;
}

void Store::RejectTooLarge(std::string_view key, bool drop_old) {
  BeginOperation();
  ++counters_.store_too_large;
  if (!drop_old) return;
  if (Item* item = Find(key)) Unlink(item);
}

void Store::FlushAll(int64_t delay) {
  BeginOperation();
  flush_at_ms_ = delay <= 0 ? now_ms_ : ExpiryOf(delay);
  if (flush_at_ms_ <= now_ms_) DropAll();
}

void Store::SetMemoryLimit(size_t bytes) {
  BeginOperation();
  options_.memory_limit = bytes;
  MakeRoom(0);
}

StoreStats Store::stats() const {
  StoreStats stats;
  stats.counters = counters_;
  stats.curr_items = index_.size();
  stats.bytes = bytes_;
  stats.limit_maxbytes = options_.memory_limit;
  return stats;
}

int64_t Store::ExpiryOf(int64_t exptime) const {
  if (exptime == 0) return kNever;
  if (exptime < 0) return now_ms_;
  if (exptime <= kRelativeLimit) return now_ms_ + exptime * 1000;
  return exptime > kNever / 1000 ? kNever : exptime * 1000;
}

bool Store::TooLarge(size_t value_size) {
  if (value_size <= options_.max_value) return false;
  ++counters_.store_too_large;
  return true;
}

Outcome Store::PutContent(std::string_view key, Item* old,
                          const Content& content) {
  if (TooLarge(content.value.size())) return Outcome::kTooLarge;
  return Put(key, old, content.flags, ExpiryOf(content.exptime), content.value,
             {});
}

Outcome Store::Put(std::string_view key, Item* old, uint32_t flags,
                   int64_t expires_ms, std::string_view head,
                   std::string_view tail) {
  const size_t size = head.size() + tail.size();
  if (Item::Footprint(key.size(), size) > options_.memory_limit) {
    ++counters_.store_no_memory;
    return Outcome::kNoMemory;
  }
  // `head` or `tail` may be in `old`, so the new item is filled first.
  Item* item = Item::Make(key, size);
  if (item == nullptr) {
    ++counters_.store_no_memory;
    return Outcome::kNoMemory;
  }
  item->flags = flags;
  item->expires_ms = expires_ms;
  item->cas_unique = ++last_unique_;
  head.copy(item->value_bytes(), head.size());
  tail.copy(item->value_bytes() + head.size(), tail.size());
  if (old != nullptr) Unlink(old);
  MakeRoom(item->footprint());
  index_.insert(item);
  lru_.PushNewest(item);
  bytes_ += item->footprint();
  ++counters_.total_items;
  return Outcome::kStored;
}

Outcome Store::PutNumber(Item* item, uint64_t number) {
  char digits[20];
  const auto [end, error] =
      std::to_chars(digits, digits + sizeof digits, number);
  const std::string_view text(digits, static_cast<size_t>(end - digits));
  if (text.size() > item->value_size) {
    const Outcome outcome =
        Put(item->key(), item, item->flags, item->expires_ms, text, {});
    return outcome == Outcome::kStored ? Outcome::kNumber : outcome;
  }
  std::memcpy(item->value_bytes(), text.data(), text.size());
  std::memset(item->value_bytes() + text.size(), ' ',
              item->value_size - text.size());
  item->cas_unique = ++last_unique_;
  lru_.MoveToNewest(item);
  return Outcome::kNumber;
}

void Store::Unlink(Item* item) {
  index_.erase(item);
  lru_.Remove(item);
  bytes_ -= item->footprint();
  Item::Free(item);
}

void Store::MakeRoom(size_t bytes) {
  while (bytes_ + bytes > options_.memory_limit) {
    if (FreeOneFlushed()) continue;
    Item* victim = lru_.oldest();
    if (victim == nullptr) return;
    if (victim->ExpiredAt(now_ms_)) {
      ++counters_.reclaimed;
      if (!victim->fetched) ++counters_.expired_unfetched;
    } else {
      ++counters_.evictions;
      if (!victim->fetched) ++counters_.evicted_unfetched;
    }
    Unlink(victim);
  }
}

void Store::DropAll() {
  flush_at_ms_ = kNever;
  // Freeing a million items here would stop the core for all its connections.
  index_.clear();
  flushed_.TakeAll(lru_);
}

bool Store::FreeOneFlushed() {
  Item* item = flushed_.newest();
  if (item == nullptr) return false;
  flushed_.Remove(item);
  bytes_ -= item->footprint();
  Item::Free(item);
  return true;
}

}  // namespace percore::kv
