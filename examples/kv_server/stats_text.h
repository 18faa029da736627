// The text of `stats` and `stats settings`.

#ifndef PERCORE_EXAMPLES_KV_SERVER_STATS_TEXT_H_
#define PERCORE_EXAMPLES_KV_SERVER_STATS_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "percore/examples/kv_server/stats.h"

namespace percore::kv {

// What does not change while the server runs.
struct ServerFacts {
  int port = 0;
  size_t shards = 0;
  std::string backend;
  int64_t started_s = 0;  // Unix time
};

// `stats` is the sum of all shards. With END.
void AppendServerStats(const ServerFacts& facts, const ShardStats& stats,
                       std::string* out);
void AppendServerSettings(const ServerFacts& facts, const ShardStats& stats,
                          std::string* out);

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_STATS_TEXT_H_
