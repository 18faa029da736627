// Commands of one connection on their way to the shard that owns their keys,
// and the answers on their way back: one object, one message each way.

#ifndef PERCORE_EXAMPLES_KV_SERVER_BATCH_H_
#define PERCORE_EXAMPLES_KV_SERVER_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "percore/examples/kv_server/command.h"
#include "percore/examples/kv_server/stats.h"
#include "percore/examples/kv_server/store.h"

namespace percore::kv {

// Where an answer goes.
struct ReturnAddress {
  size_t shard = 0;
  uint64_t session = 0;
};

// Not thread-safe: belongs to the shard that holds it.
class Batch {
 public:
  // Run() stops behind the answer with which there are this many bytes of
  // them, so that a client that asks for much and reads nothing costs little.
  static constexpr size_t kAnswerBudget = size_t{64} << 10;

  // For shard `to`, from the session at `from`.
  Batch(const ReturnAddress& from, size_t to) : from_(from), to_(to) {}

  const ReturnAddress& from() const { return from_; }
  size_t to() const { return to_; }

  // Adds a command of one key (IsKeyed), with copies of its key and value.
  void Add(const Command& command);
  size_t size() const { return entries_.size(); }

  // On the owner: carries out commands in order, all that are left or up to
  // the budget.
  void Run(Store& store);

  // Back home. The next answer in order; HasAnswer() first.
  bool HasAnswer() const { return taken_ < done_; }
  std::string_view TakeAnswer();
  // Every command has been carried out.
  bool complete() const { return done_ == entries_.size(); }

  // Ready for new commands; keeps small buffers for them.
  void Clear();

 private:
  struct Entry {
    Verb verb;
    bool noreply;
    bool drop_old;
    uint8_t key_size;
    uint32_t flags;
    uint32_t value_size;
    uint32_t answer_end;
    size_t at;  // of the key in bytes_; the value follows
    int64_t exptime;
    uint64_t number;
  };

  ReturnAddress from_;
  size_t to_;
  std::vector<Entry> entries_;
  std::string bytes_;
  std::string answers_;  // of the last Run()
  size_t answer_at_ = 0;
  size_t done_ = 0;
  size_t taken_ = 0;
};

// A command of the whole server: one goes to each shard and comes back.
struct Order {
  ReturnAddress from;
  enum class Topic : uint8_t { kGeneral, kSettings, kReset };
  Verb verb = Verb::kStats;  // kFlushAll, kStats, kCacheMemlimit
  bool noreply = false;
  Topic topic = Topic::kGeneral;  // kStats; kReset: counters become 0
  int64_t delay = 0;              // kFlushAll
  size_t memory_limit = 0;        // kCacheMemlimit: of the one shard, in bytes
  ShardStats stats;               // kStats: the shard's answer

  // On the shard; `connections` are the shard's counters.
  void Run(Store& store, ConnectionCounters& connections);
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_BATCH_H_
