// What the small servers of this folder have in common: an address, a
// coroutine for each connection on the core that got it, and an orderly end.
//
//   TcpService service(runtime, [](BufferEvent& client, int core) -> Task<> {
//     co_await client.Write("Hello!\n");
//     co_await client.Shutdown();
//   });
//   absl::Status status = service.Start("127.0.0.1", 9995);
//
// SIGTERM and SIGINT drain: the sockets that listen close, every connection is
// told that its client has ended (reads give what had come, then the end), and
// the program ends when all coroutines have, or after the runtime's deadline.
#ifndef PERCORE_EXAMPLES_TCP_SERVICE_TCP_SERVICE_H_
#define PERCORE_EXAMPLES_TCP_SERVICE_TCP_SERVICE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "percore/net/listener/sharded_listener.h"
#include "percore/net/stream/buffer_event.h"
#include "percore/runtime/core/runtime.h"
#include "percore/runtime/core/task.h"

namespace percore::examples {

class TcpService final : public Service {
 public:
  // The connection is closed when the coroutine ends. It is captured by
  // nothing: what a lambda captures must outlive the service.
  using Serve = std::function<Task<>(BufferEvent& client, int core)>;

  // `runtime` outlives this.
  TcpService(Runtime& runtime, Serve serve);
  ~TcpService() override;

  // Starts the runtime and listens on an IPv4 or IPv6 address; port 0: one
  // that is free. Not on a core.
  absl::Status Start(const std::string& address, int port);
  // Prints "NAME: listening on ADDRESS:PORT" and serves until stopped. The
  // exit status for main.
  int Run(const char* name);

  // Connections that were accepted. Any thread.
  std::int64_t accepted(int core) const;

  // Service.
  void Quiesce(int core, std::function<void()> done) override;
  void Destroy(int core) override;

 private:
  class Connection;
  struct Core {
    std::set<Connection*> connections;
    std::function<void()> quiet;
    bool draining = false;
    std::atomic<std::int64_t> accepted{0};
  };
  Task<> ServeOne(int core, Accepted accepted, LiveConnection live);

  Runtime& runtime_;
  Serve serve_;
  std::string address_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::unique_ptr<ShardedListener> listener_;
};

// Options of every one of these programs: signals and five seconds to drain.
RuntimeOptions ServerRuntime(const char* name, int cores);

}  // namespace percore::examples

#endif  // PERCORE_EXAMPLES_TCP_SERVICE_TCP_SERVICE_H_
