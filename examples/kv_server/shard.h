// What one core has of the server: its part of the cache, and its connections.

#ifndef PERCORE_EXAMPLES_KV_SERVER_SHARD_H_
#define PERCORE_EXAMPLES_KV_SERVER_SHARD_H_

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "percore/examples/kv_server/connection.h"
#include "percore/examples/kv_server/session.h"
#include "percore/examples/kv_server/store.h"
#include "percore/runtime/loop/event_base.h"

namespace percore::kv {

class Server;

// Made, used and destroyed on its core.
class Shard : public Router {
 public:
  // `server` and `base` outlive the shard.
  Shard(Server& server, size_t index, EventBase& base,
        const Store::Options& options);

  // Serves a connection that was accepted; closes it in the end.
  void Adopt(int fd);

  // Calls `done` when every connection has been served
  // what it had asked for and is closed.
  void Quiesce(std::function<void()> done);

  // Router, for this core's sessions.
  size_t shards() const override;
  size_t here() const override { return index_; }
  Store& store() override { return store_; }
  ConnectionCounters& counters() override { return counters_; }
  void Send(size_t shard, std::unique_ptr<Batch> batch) override;
  void Send(size_t shard, std::unique_ptr<Order> order) override;
  void AppendStats(const ShardStats& stats, std::string* out) override;
  void AppendSettings(const ShardStats& stats, std::string* out) override;

  // For this core's connections.
  EventBase& base() { return base_; }
  std::span<char> scratch() { return scratch_; }
  // Destroys the connection.
  void Remove(uint64_t id);

 private:
  // A connection's id is its slot and, above, how often the slot was used: a
  // batch that comes back too late finds nobody.
  struct Slot {
    std::unique_ptr<Connection> connection;
    uint32_t uses = 0;
  };

  Connection* Find(uint64_t id);

  void RunBatch(std::unique_ptr<Batch> batch);
  void ReturnBatch(std::unique_ptr<Batch> batch);
  void RunOrder(std::unique_ptr<Order> order);
  void ReturnOrder(std::unique_ptr<Order> order);

  Server& server_;
  const size_t index_;
  EventBase& base_;
  SystemClock clock_;
  Store store_;
  ConnectionCounters counters_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  std::vector<char> scratch_;
  std::function<void()> quiet_;
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_SHARD_H_
