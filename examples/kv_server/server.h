// The server: a shard on every core of a runtime, and the listener that gives
// them connections.

#ifndef PERCORE_EXAMPLES_KV_SERVER_SERVER_H_
#define PERCORE_EXAMPLES_KV_SERVER_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "percore/examples/kv_server/shard.h"
#include "percore/examples/kv_server/stats_text.h"
#include "percore/net/listener/sharded_listener.h"
#include "percore/runtime/core/runtime.h"

namespace percore::kv {

struct ServerOptions {
  std::string address = "127.0.0.1";  // IPv4
  int port = 11211;                   // 0: one that is free
  size_t memory = size_t{64} << 20;   // bytes, of all shards together
};

// A Service of its own, not a Sharded<Shard>: that one refuses messages between
// shards from the moment it quiesces, and a drain here answers what clients
// have asked for, other shards' keys included.
class Server : public Service {
 public:
  // The least memory that a shard works with: two of the largest items.
  static constexpr size_t kLeastShardMemory = size_t{3} << 20;

  // `runtime` is borrowed and outlives the server.
  explicit Server(Runtime& runtime) : runtime_(runtime) {}
  ~Server() override;

  // Starts the runtime, makes a shard on each core and listens. Not on a core.
  absl::Status Start(const ServerOptions& options);

  // Where it listens, the port it was given if it asked for 0.
  const ServerFacts& facts() const { return facts_; }
  size_t shards() const { return shards_.size(); }

  // Runs fn(Shard&) on a core, soon; dropped when the core has stopped.
  template <class F>
  void Post(size_t shard, F&& fn) {
    runtime_.Post(static_cast<int>(shard),
                  [this, shard, fn = std::forward<F>(fn)]() mutable {
                    // Null: the drain's deadline is over.
                    if (shards_[shard] != nullptr) fn(*shards_[shard]);
                  });
  }

  // Service.
  void Quiesce(int core, std::function<void()> done) override;
  void Destroy(int core) override;

 private:
  absl::Status Bind(const ServerOptions& options);
  void OnEveryCore(const std::function<void(int)>& fn);

  Runtime& runtime_;
  ServerFacts facts_;
  // A service too, which quiesces first: no shard hears from a client after
  // it was told to end.
  std::unique_ptr<ShardedListener> listener_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_SERVER_H_
