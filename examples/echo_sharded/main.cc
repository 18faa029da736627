// echo_sharded: sends back what it gets, each connection on one core.
//
//   tools/bazel run -c opt //examples/echo_sharded -- --port=7777
//   nc 127.0.0.1 7777
//
// Bytes move from the input to the output without a copy. A client that does
// not read is not read from: Write waits, and the input fills up to its limit.
// At the end it says how the connections were spread over the cores.
#include <chrono>
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "percore/examples/tcp_service/tcp_service.h"

ABSL_FLAG(std::string, address, "127.0.0.1", "address to listen on");
ABSL_FLAG(int, port, 7777, "TCP port; 0: one that is free");
ABSL_FLAG(int, cores, 0, "event loops; 0: one for each usable core");
ABSL_FLAG(int, idle_seconds, 300, "how long a client may be silent; 0: ever");

namespace {

percore::Task<> Echo(percore::BufferEvent& client, int) {
  client.SetTimeouts(std::chrono::seconds(absl::GetFlag(FLAGS_idle_seconds)),
                     std::chrono::seconds(60));
  percore::Buffer bytes;
  for (;;) {
    absl::StatusOr<std::size_t> n = co_await client.ReadInto(&bytes);
    if (!n.ok()) break;
    absl::Status sent = co_await client.Write(&bytes);
    if (!sent.ok()) co_return;
  }
  (void)co_await client.Drain();
}

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  percore::Runtime runtime(
      percore::examples::ServerRuntime("echo", absl::GetFlag(FLAGS_cores)));
  percore::examples::TcpService service(runtime, Echo);
  const absl::Status status =
      service.Start(absl::GetFlag(FLAGS_address), absl::GetFlag(FLAGS_port));
  if (!status.ok()) {
    std::fprintf(stderr, "echo_sharded: %s\n", status.ToString().c_str());
    return 1;
  }
  const int result = service.Run("echo_sharded");
  for (int core = 0; core < runtime.cores(); ++core) {
    std::printf("core %d: %lld connections\n", core,
                static_cast<long long>(service.accepted(core)));
  }
  return result;
}
