// hello_world: greets whoever connects, and hangs up.
//
//   tools/bazel run //examples/hello_world -- --port=9995
//   nc 127.0.0.1 9995
//
// The smallest server: a coroutine for each connection, on every core.
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "percore/examples/tcp_service/tcp_service.h"

ABSL_FLAG(std::string, address, "127.0.0.1", "address to listen on");
ABSL_FLAG(int, port, 9995, "TCP port; 0: one that is free");
ABSL_FLAG(int, cores, 0, "event loops; 0: one for each usable core");

namespace {

percore::Task<> Greet(percore::BufferEvent& client, int) {
  // Each answer is named before it is looked at: g++ 12 makes a coroutine that
  // never starts of `if (!(co_await ...).ok()) co_return;` before a loop whose
  // condition awaits.
  absl::Status status = co_await client.Write("Hello, World!\n");
  if (status.ok()) status = co_await client.Shutdown();
  // The client hangs up when it has read; what it sends is of no interest.
  while (status.ok()) {
    absl::StatusOr<std::string> ignored = co_await client.Read();
    status = ignored.status();
  }
}

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  percore::Runtime runtime(
      percore::examples::ServerRuntime("hello", absl::GetFlag(FLAGS_cores)));
  percore::examples::TcpService service(runtime, Greet);
  const absl::Status status =
      service.Start(absl::GetFlag(FLAGS_address), absl::GetFlag(FLAGS_port));
  if (!status.ok()) {
    std::fprintf(stderr, "hello_world: %s\n", status.ToString().c_str());
    return 1;
  }
  return service.Run("hello_world");
}
