#include "percore/examples/kv_server/stats_text.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "percore/examples/kv_server/answer.h"

namespace percore::kv {
namespace {

std::string Seconds(const timeval& time) {
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%06ld",
                static_cast<long long>(time.tv_sec),
                static_cast<long>(time.tv_usec));
  return text;
}

}  // namespace

void AppendServerStats(const ServerFacts& facts, const ShardStats& stats,
                       std::string* out) {
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const ConnectionCounters& connections = stats.connections;
  AppendStat("pid", static_cast<uint64_t>(getpid()), out);
  AppendStat("uptime", static_cast<uint64_t>(now - facts.started_s), out);
  AppendStat("time", static_cast<uint64_t>(now), out);
  AppendStat("version", kServerVersion, out);
  AppendStat("pointer_size", 8 * sizeof(void*), out);
  AppendStat("rusage_user", Seconds(usage.ru_utime), out);
  AppendStat("rusage_system", Seconds(usage.ru_stime), out);
  AppendStat("curr_connections", connections.curr_connections, out);
  AppendStat("total_connections", connections.total_connections, out);
  AppendStat("cmd_flush", connections.cmd_flush, out);
  AppendStat("bytes_read", connections.bytes_read, out);
  AppendStat("bytes_written", connections.bytes_written, out);
  AppendStat("threads", facts.shards, out);
  AppendStoreStats(stats.store, out);
  out->append(kEnd);
}

void AppendServerSettings(const ServerFacts& facts, const ShardStats& stats,
                          std::string* out) {
  AppendStat("maxbytes", stats.store.limit_maxbytes, out);
  AppendStat("tcpport", static_cast<uint64_t>(facts.port), out);
  AppendStat("udpport", uint64_t{0}, out);
  AppendStat("evictions", "on", out);
  AppendStat("num_threads", facts.shards, out);
  AppendStat("cas_enabled", "yes", out);
  AppendStat("item_size_max", kMaxValueSize, out);
  AppendStat("flush_enabled", "yes", out);
  AppendStat("event_backend", facts.backend, out);
  out->append(kEnd);
}

}  // namespace percore::kv
