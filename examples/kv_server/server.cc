#include "percore/examples/kv_server/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>

namespace percore::kv {
Server::~Server() {
  listener_.reset();  // no connection comes to a shard that is going
  if (runtime_.core() != nullptr) runtime_.core()->Unregister(this);
}

absl::Status Server::Start(const ServerOptions& options) {
  if (!runtime_.status().ok()) return runtime_.status();
  const size_t cores = static_cast<size_t>(runtime_.cores());
  const size_t memory = options.memory / cores;
  if (memory < kLeastShardMemory) {
    return absl::InvalidArgumentError("the memory must be at least " +
                                      std::to_string(kLeastShardMemory >> 20) +
                                      " MiB for each core");
  }
  absl::Status status = Bind(options);
  if (!status.ok()) return status;
  facts_.shards = cores;
  facts_.backend = runtime_.base(0)->backend()->name();
  facts_.started_s = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
  shards_.resize(cores);
  status = runtime_.Start();
  if (!status.ok()) return status;
  runtime_.core()->Register(this);
  // All shards are there before the first can hear from a client.
  OnEveryCore([&](int core) {
    const size_t index = static_cast<size_t>(core);
    shards_[index] =
        std::make_unique<Shard>(*this, index, *runtime_.base(core),
                                Store::Options{.memory_limit = memory});
  });
  return listener_->Start();
}

absl::Status Server::Bind(const ServerOptions& options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(options.port));
  if (options.port < 0 || options.port > 65535 ||
      inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) != 1) {
    return absl::InvalidArgumentError(
        "no address to listen on: " + options.address + ":" +
        std::to_string(options.port));
  }
  absl::StatusOr<std::unique_ptr<ShardedListener>> listener =
      ShardedListener::Bind(
          runtime_, reinterpret_cast<sockaddr*>(&address), sizeof address, {},
          [this](int core, Accepted connection, LiveConnection) {
            shards_[static_cast<size_t>(core)]->Adopt(connection.Release());
          });
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  facts_.port = listener_->port();
  return absl::OkStatus();
}

void Server::OnEveryCore(const std::function<void(int)>& fn) {
  runtime_.core()->OnEveryCore(
      [&fn](int core, const std::function<void()>& done) {
        fn(core);
        done();
      },
      INT64_MAX / 4);
}

void Server::Quiesce(int core, std::function<void()> done) {
  shards_[static_cast<size_t>(core)]->Quiesce(std::move(done));
}

void Server::Destroy(int core) { shards_[static_cast<size_t>(core)].reset(); }

}  // namespace percore::kv
