// What a store counts, and the names these counts have in a `stats` answer.

#ifndef PERCORE_EXAMPLES_KV_SERVER_STATS_H_
#define PERCORE_EXAMPLES_KV_SERVER_STATS_H_

#include <cstdint>
#include <string_view>

namespace percore::kv {

// Since the store was made, or since ResetCounters().
struct StoreCounters {
  uint64_t cmd_get = 0;
  uint64_t cmd_set = 0;
  uint64_t cmd_touch = 0;
  uint64_t get_hits = 0;
  uint64_t get_misses = 0;
  uint64_t get_expired = 0;
  uint64_t delete_misses = 0;
  uint64_t delete_hits = 0;
  uint64_t incr_misses = 0;
  uint64_t incr_hits = 0;
  uint64_t decr_misses = 0;
  uint64_t decr_hits = 0;
  uint64_t cas_misses = 0;
  uint64_t cas_hits = 0;
  uint64_t cas_badval = 0;
  uint64_t touch_hits = 0;
  uint64_t touch_misses = 0;
  uint64_t store_too_large = 0;
  uint64_t store_no_memory = 0;
  uint64_t total_items = 0;
  uint64_t expired_unfetched = 0;
  uint64_t evicted_unfetched = 0;
  uint64_t evictions = 0;
  uint64_t reclaimed = 0;
};

struct StatField {
  std::string_view name;
  uint64_t StoreCounters::*member;
};

inline constexpr StatField kStatFields[] = {
    {"cmd_get", &StoreCounters::cmd_get},
    {"cmd_set", &StoreCounters::cmd_set},
    {"cmd_touch", &StoreCounters::cmd_touch},
    {"get_hits", &StoreCounters::get_hits},
    {"get_misses", &StoreCounters::get_misses},
    {"get_expired", &StoreCounters::get_expired},
    {"delete_misses", &StoreCounters::delete_misses},
    {"delete_hits", &StoreCounters::delete_hits},
    {"incr_misses", &StoreCounters::incr_misses},
    {"incr_hits", &StoreCounters::incr_hits},
    {"decr_misses", &StoreCounters::decr_misses},
    {"decr_hits", &StoreCounters::decr_hits},
    {"cas_misses", &StoreCounters::cas_misses},
    {"cas_hits", &StoreCounters::cas_hits},
    {"cas_badval", &StoreCounters::cas_badval},
    {"touch_hits", &StoreCounters::touch_hits},
    {"touch_misses", &StoreCounters::touch_misses},
    {"store_too_large", &StoreCounters::store_too_large},
    {"store_no_memory", &StoreCounters::store_no_memory},
    {"total_items", &StoreCounters::total_items},
    {"expired_unfetched", &StoreCounters::expired_unfetched},
    {"evicted_unfetched", &StoreCounters::evicted_unfetched},
    {"evictions", &StoreCounters::evictions},
    {"reclaimed", &StoreCounters::reclaimed},
};

// A store's counters and what it holds at the moment.
struct StoreStats {
  StoreCounters counters;
  uint64_t curr_items = 0;
  uint64_t bytes = 0;  // charged: items with their overhead
  uint64_t limit_maxbytes = 0;

  // Adds another shard's figures.
  void Add(const StoreStats& other) {
    for (const StatField& field : kStatFields) {
      counters.*field.member += other.counters.*field.member;
    }
    curr_items += other.curr_items;
    bytes += other.bytes;
    limit_maxbytes += other.limit_maxbytes;
  }
};

// What a shard counts of the connections that it serves.
struct ConnectionCounters {
  uint64_t curr_connections = 0;
  uint64_t total_connections = 0;
  uint64_t cmd_flush = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;

  void Add(const ConnectionCounters& other) {
    curr_connections += other.curr_connections;
    total_connections += other.total_connections;
    cmd_flush += other.cmd_flush;
    bytes_read += other.bytes_read;
    bytes_written += other.bytes_written;
  }
  // `stats reset`: connections stay counted.
  void ResetCounters() {
    const uint64_t open = curr_connections;
    *this = {};
    curr_connections = open;
    total_connections = open;
  }
};

struct ShardStats {
  StoreStats store;
  ConnectionCounters connections;

  void Add(const ShardStats& other) {
    store.Add(other.store);
    connections.Add(other.connections);
  }
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_STATS_H_
