// file_pump: sends one file to everybody who connects, however slowly they
// read, in constant memory.
//
//   tools/bazel run -c opt //examples/file_pump -- --port=8088 --file=big.iso
//   nc 127.0.0.1 8088 > copy.iso
//
// The file is a FileSegment that all connections share: the system sends it
// from its own cache (sendfile(2)), and nothing of it is read into the program.
// The file must not become shorter meanwhile. A client that takes no byte for
// a minute is given up.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "percore/examples/tcp_service/tcp_service.h"
#include "percore/net/buffer/file_segment.h"

ABSL_FLAG(std::string, address, "127.0.0.1", "address to listen on");
ABSL_FLAG(int, port, 8088, "TCP port; 0: one that is free");
ABSL_FLAG(int, cores, 0, "event loops; 0: one for each usable core");
ABSL_FLAG(std::string, file, "", "what to send");

namespace {

// Open for as long as the program runs.
percore::FileSegment* file = nullptr;

percore::Task<> Pump(percore::BufferEvent& client, int) {
  client.SetTimeouts(std::chrono::seconds(0), std::chrono::seconds(60));
  if (file->length() != 0 &&
      !client.output().AddFile(file, 0, file->length())) {
    co_return;
  }
  absl::Status status = co_await client.Shutdown();
  // Closing before the client has read all could cut it short.
  while (status.ok()) {
    absl::StatusOr<std::string> ignored = co_await client.Read();
    status = ignored.status();
  }
}

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  const std::string name = absl::GetFlag(FLAGS_file);
  const int fd = open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    file = percore::FileSegment::Create(fd, 0, -1, EVBUF_FS_CLOSE_ON_FREE);
  }
  if (file == nullptr) {
    std::fprintf(stderr, "file_pump: --file=%s: %s\n", name.c_str(),
                 std::strerror(errno));
    return 1;
  }
  percore::Runtime runtime(
      percore::examples::ServerRuntime("pump", absl::GetFlag(FLAGS_cores)));
  percore::examples::TcpService service(runtime, Pump);
  const absl::Status status =
      service.Start(absl::GetFlag(FLAGS_address), absl::GetFlag(FLAGS_port));
  if (!status.ok()) {
    std::fprintf(stderr, "file_pump: %s\n", status.ToString().c_str());
    return 1;
  }
  return service.Run("file_pump");
}
