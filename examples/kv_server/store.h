// One shard of the cache: memcached's rules for keys, values, expiry and
// eviction, without threads, sockets or text.
//
// The server makes one Store for each core; every method is for the thread
// that owns it. Keys are 1 to kMaxKeySize bytes (the protocol checks that),
// values up to Options::max_value. Items use no more than the memory limit,
// overhead included; past it the least recently used go first.

#ifndef PERCORE_EXAMPLES_KV_SERVER_STORE_H_
#define PERCORE_EXAMPLES_KV_SERVER_STORE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "percore/examples/kv_server/clock.h"
#include "percore/examples/kv_server/item.h"
#include "percore/examples/kv_server/placement.h"
#include "percore/examples/kv_server/stats.h"

namespace percore::kv {

inline constexpr size_t kMaxKeySize = 250;
inline constexpr size_t kMaxValueSize = size_t{1} << 20;

enum class Outcome : uint8_t {
  kStored,
  kNotStored,
  kExists,
  kNotFound,
  kDeleted,
  kTouched,
  kNumber,      // incr or decr worked
  kNotNumeric,  // the value is no unsigned 64-bit decimal number
  kTooLarge,
  kNoMemory,
};

class Store {
 public:
  struct Options {
    size_t memory_limit = size_t{64} << 20;  // bytes
    size_t max_value = kMaxValueSize;        // bytes
  };

  // What set, add, replace and cas bring. `exptime` is the protocol's: 0 never
  // expires, negative has expired, up to 30 days is seconds from now, more is
  // Unix time.
  struct Content {
    uint32_t flags = 0;
    int64_t exptime = 0;
    std::string_view value;
  };

  // `clock` is borrowed and outlives the store.
  Store(const Options& options, const Clock& clock);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // The live item of `key`, now the most recently used, or null. Valid until
  // the next call of any method.
  const Item* Get(std::string_view key);

  // kStored, kTooLarge or kNoMemory. A set that fails removes the old item:
  // a cache may forget, but not answer with what was meant to be replaced.
  Outcome Set(std::string_view key, const Content& content);
  // As Set, or kNotStored if there is (add), or is not (replace), an item.
  Outcome Add(std::string_view key, const Content& content);
  Outcome Replace(std::string_view key, const Content& content);
  // kStored, or kNotStored if there is no item or the sum would be too large.
  // Flags and expiry stay.
  Outcome Append(std::string_view key, std::string_view more);
  Outcome Prepend(std::string_view key, std::string_view more);
  // kStored if the item's unique number is still `unique`, kExists if it has
  // changed, kNotFound.
  Outcome Cas(std::string_view key, const Content& content, uint64_t unique);

  // kNumber with the new number, kNotFound, kNotNumeric, kNoMemory. Increment
  // wraps at 2^64, Decrement stops at 0. A number that gets shorter is padded
  // with spaces to the value's old length, as memcached does.
  Outcome Increment(std::string_view key, uint64_t delta, uint64_t* number);
  Outcome Decrement(std::string_view key, uint64_t delta, uint64_t* number);

  // kTouched or kNotFound. The unique number stays.
  Outcome Touch(std::string_view key, int64_t exptime);
  // kDeleted or kNotFound.
  Outcome Delete(std::string_view key);
  // Removes what a rejected, too large set was to replace.
  void RejectTooLarge(std::string_view key, bool drop_old);

  // Forgets every item that is there at the time `delay` says (an exptime; 0
  // or less: now). A later call replaces one that is not due yet.
  void FlushAll(int64_t delay);

  // At once, evicting what no longer fits.
  void SetMemoryLimit(size_t bytes);

  StoreStats stats() const;
  void ResetCounters() { counters_ = {}; }

 private:
  struct KeyHash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return HashOf(key); }
    size_t operator()(const Item* item) const { return (*this)(item->key()); }
  };
  struct KeyEqual {
    using is_transparent = void;
    static std::string_view Key(std::string_view key) { return key; }
    static std::string_view Key(const Item* item) { return item->key(); }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return Key(a) == Key(b);
    }
  };

  // First thing of every operation: reads the clock, carries out a flush that
  // has become due, frees a few flushed items.
  void BeginOperation();
  // The live item or null; an expired one is freed on the way.
  Item* Find(std::string_view key);
  int64_t ExpiryOf(int64_t exptime) const;
  bool TooLarge(size_t value_size);
  // Makes head + tail the value of `key`; `old` (the live item, or null) goes.
  Outcome Put(std::string_view key, Item* old, uint32_t flags,
              int64_t expires_ms, std::string_view head, std::string_view tail);
  Outcome PutContent(std::string_view key, Item* old, const Content& content);
  Outcome PutNumber(Item* item, uint64_t number);
  void Unlink(Item* item);
  void MakeRoom(size_t bytes);
  void DropAll();
  bool FreeOneFlushed();

  const Clock& clock_;
  Options options_;
  absl::flat_hash_set<Item*, KeyHash, KeyEqual> index_;
  LruList lru_;
  LruList flushed_;  // no longer in the index, freed a few at a time
  size_t bytes_ = 0;
  int64_t now_ms_ = 0;
  int64_t flush_at_ms_ = kNever;
  uint64_t last_unique_ = 0;
  StoreCounters counters_;
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_STORE_H_
