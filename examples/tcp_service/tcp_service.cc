#include "percore/examples/tcp_service/tcp_service.h"

#include <netdb.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include "percore/runtime/core/spawn.h"

namespace percore::examples {
namespace {

RuntimeCore* serving = nullptr;

// From before the line that says where we listen: who reads that may send a
// signal at once.
void StopServing(int) { serving->RequestStop(); }

}  // namespace

// A connection in the list of its core, for as long as its coroutine lives.
class TcpService::Connection {
 public:
  Connection(Core& core, BufferEvent accepted)
      : stream(std::move(accepted)), core_(core) {
    core_.connections.insert(this);
    ++core_.accepted;
    if (core_.draining) End();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    stream.Close();
    core_.connections.erase(this);
    if (core_.connections.empty() && core_.quiet) {
      std::exchange(core_.quiet, nullptr)();
    }
  }
  // Its client has ended, as far as the coroutine can see.
  void End() {
    if (stream.fd() >= 0) shutdown(stream.fd(), SHUT_RD);
  }

  BufferEvent stream;

 private:
  Core& core_;
};

TcpService::TcpService(Runtime& runtime, Serve serve)
    : runtime_(runtime), serve_(std::move(serve)) {
  for (int core = 0; core < runtime.cores(); ++core) {
    cores_.push_back(std::make_unique<Core>());
  }
}

TcpService::~TcpService() {
  listener_.reset();
  if (runtime_.core() != nullptr) runtime_.core()->Unregister(this);
}

absl::Status TcpService::Start(const std::string& address, int port) {
  if (!runtime_.status().ok()) return runtime_.status();
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const bool is_v6 = address.find(':') != std::string::npos;
  address_ = is_v6 ? "[" + address + "]" : address;
  if (port < 0 || port > 65535 ||
      getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints,
                  &found) != 0) {
    return absl::InvalidArgumentError("no address to listen on: " + address_ +
                                      ":" + std::to_string(port));
  }
  auto listener = ShardedListener::Bind(
      runtime_, found->ai_addr, found->ai_addrlen, {},
      [this](int core, Accepted accepted, LiveConnection live) {
        (void)Spawn(runtime_, core,
                    ServeOne(core, std::move(accepted), std::move(live)));
      });
  freeaddrinfo(found);
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  absl::Status status = runtime_.Start();
  if (!status.ok()) return status;
  runtime_.core()->Register(this);
  return listener_->Start();
}

int TcpService::Run(const char* name) {
  serving = runtime_.core();
  std::signal(SIGINT, StopServing);
  std::signal(SIGTERM, StopServing);
  std::signal(SIGPIPE, SIG_IGN);
  std::printf("%s: listening on %s:%d, %d cores\n", name, address_.c_str(),
              listener_->port(), runtime_.cores());
  std::fflush(stdout);
  return runtime_.Run();
}

Task<> TcpService::ServeOne(int core, Accepted accepted, LiveConnection live) {
  absl::StatusOr<BufferEvent> stream =
      BufferEvent::Socket(runtime_.base(core), accepted.fd());
  if (!stream.ok()) co_return;
  accepted.Release();
  Connection connection(*cores_[static_cast<std::size_t>(core)],
                        *std::move(stream));
  co_await serve_(connection.stream, core);
}

std::int64_t TcpService::accepted(int core) const {
  return cores_[static_cast<std::size_t>(core)]->accepted;
}

void TcpService::Quiesce(int core, std::function<void()> done) {
  Core& c = *cores_[static_cast<std::size_t>(core)];
  c.draining = true;
  if (c.connections.empty()) return done();
  c.quiet = std::move(done);
  for (Connection* connection : c.connections) connection->End();
}

void TcpService::Destroy(int) {}

RuntimeOptions ServerRuntime(const char* name, int cores) {
  RuntimeOptions options;
  options.name = name;
  options.cores = cores;
  options.drain_deadline_ns = 5'000'000'000;
  options.handle_signals = false;
  return options;
}

}  // namespace percore::examples
