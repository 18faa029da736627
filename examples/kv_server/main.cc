// An in-memory cache that speaks the memcached text protocol: one shard of it
// on each core, talking by mailbox.
//
//   tools/bazel run -c opt //examples:kv_server -- --port=11211
//
// It has no authentication: whoever can connect can read and change it.

#include <csignal>
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "percore/examples/kv_server/server.h"
#include "percore/runtime/core/runtime.h"

ABSL_FLAG(std::string, address, "127.0.0.1", "IPv4 address to listen on");
ABSL_FLAG(int, port, 11211, "TCP port; 0: one that is free");
ABSL_FLAG(int, cores, 0, "event loops and shards; 0: one for each usable core");
ABSL_FLAG(int, memory, 64,
          "MiB of items, of all shards together; each shard has an equal "
          "part, at least 3");
ABSL_FLAG(std::string, backend, "",
          "epoll, io_uring, poll or select; empty: the system's best");

namespace {

percore::Runtime* serving = nullptr;

// The runtime's own handlers come with Run(); a signal between the line that
// says where we listen and Run() must drain too.
void StopServing(int) { serving->RequestStop(); }

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  percore::RuntimeOptions options;
  options.name = "kv";
  options.cores = absl::GetFlag(FLAGS_cores);
  options.method = absl::GetFlag(FLAGS_backend);
  options.drain_deadline_ns = 5'000'000'000;
  options.handle_signals = false;
  percore::Runtime runtime(options);
  serving = &runtime;
  std::signal(SIGINT, StopServing);
  std::signal(SIGTERM, StopServing);
  percore::kv::Server server(runtime);
  const percore::kv::ServerOptions server_options = {
      .address = absl::GetFlag(FLAGS_address),
      .port = absl::GetFlag(FLAGS_port),
      .memory = static_cast<size_t>(absl::GetFlag(FLAGS_memory)) << 20};
  const absl::Status status = server.Start(server_options);
  if (!status.ok()) {
    std::fprintf(stderr, "kv_server: %s\n", status.ToString().c_str());
    return 1;
  }
  const percore::kv::ServerFacts& facts = server.facts();
  std::printf("kv_server: listening on %s:%d, %zu cores, %s, %d MiB\n",
              server_options.address.c_str(), facts.port, facts.shards,
              facts.backend.c_str(), absl::GetFlag(FLAGS_memory));
  std::fflush(stdout);
  return runtime.Run();
}
