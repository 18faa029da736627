// ShardedListener: one address, served by every core of a runtime.
//
//   auto listener = ShardedListener::Bind(
//       runtime, address, size, {},
//       [&](int core, Accepted connection, LiveConnection live) { ... });
//   ... make what serves connections, on every core ...
//   absl::Status status = (*listener)->Start();
//
// Two ways to spread connections:
//
//   a socket for each core on one port (SO_REUSEPORT): no core waits for
//   another. The kernel chooses by a hash of the addresses or, when asked to,
//   where threads are bound to processors and it can (steering.h), gives a
//   connection to the core that handled its first packet;
//
//   hand-off, where a port cannot be shared (local sockets, some systems), or
//   when asked for: core 0 accepts and sends each connection to the core with
//   the fewest live ones, by mailbox. A core whose mailbox takes none leaves
//   it to core 0.
//
// With SO_REUSEPORT another process of the same user may listen on the same
// port too, and gets its share: two servers started by mistake do not notice.
//
// A service of its runtime: when that quiesces the sockets close first. Made
// and destroyed by a thread that is no core; destroyed before its runtime.
#ifndef PERCORE_NET_LISTENER_SHARDED_LISTENER_H_
#define PERCORE_NET_LISTENER_SHARDED_LISTENER_H_

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "percore/net/listener/accepted.h"
#include "percore/net/listener/listener.h"
#include "percore/runtime/core/runtime.h"

namespace percore {

namespace listener_internal {
class ShardedState;
}  // namespace listener_internal

// A connection counts among the live ones of its core until this is destroyed:
// kept beside its socket. Any thread; before the runtime goes.
class LiveConnection {
 public:
  explicit LiveConnection(std::atomic<std::int64_t>* count) : count_(count) {
    // A counter: it orders nothing.
    count_->fetch_add(1, std::memory_order_relaxed);
  }
  LiveConnection(LiveConnection&& other) noexcept
      : count_(std::exchange(other.count_, nullptr)) {}
  LiveConnection& operator=(LiveConnection&& other) noexcept {
    std::swap(count_, other.count_);
    return *this;
  }
  ~LiveConnection() {
    if (count_ != nullptr) count_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t>* count_;
};

enum class Spread {
  kAuto,           // sockets if the system has it
  kSocketPerCore,  // or a status
  kHandOff,
};

struct ShardedListenerOptions {
  Spread spread = Spread::kAuto;
  // LEV_OPT_ bits of the sockets.
  unsigned flags = LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC;
  int backlog = 1024;  // of each socket
  // Ask the kernel to steer by processor; see steered(). For network cards
  // that spread packets over the processors: where one processor handles all
  // packets (a card with one queue, a client on this machine) its core would
  // get every connection.
  bool steer_by_cpu = false;
};

class ShardedListener final : public Service {
 public:
  // Called on `core` with each connection that is to be served there.
  using OnAccept =
      std::function<void(int core, Accepted connection, LiveConnection live)>;

  // Makes the sockets, which listen from now on: connections wait for Start.
  // Port 0 takes one that is free. The runtime may be running or not.
  static absl::StatusOr<std::unique_ptr<ShardedListener>> Bind(
      Runtime& runtime, const sockaddr* address, socklen_t size,
      const ShardedListenerOptions& options, OnAccept on_accept);
  ShardedListener(const ShardedListener&) = delete;
  ShardedListener& operator=(const ShardedListener&) = delete;
  ~ShardedListener() override;

  // Accepts from now on, on every core. Once.
  absl::Status Start();

  // The address that is bound, with the port. Any thread.
  const sockaddr_storage& address() const { return address_; }
  // The port, in the host's byte order; 0 for a local socket. Any thread.
  int port() const;
  // Whether one core accepts for all. Any thread.
  bool hands_off() const { return sockets_.size() < cores(); }
  // Whether the kernel steers by processor. Any thread.
  bool steered() const { return steered_; }
  // Connections that are live on a core just now. Any thread.
  std::int64_t live(int core) const;

  // Service.
  void Quiesce(int core, std::function<void()> done) override;
  void Destroy(int core) override;

 private:
  ShardedListener(Runtime& runtime, OnAccept on_accept);
  std::size_t cores() const;
  absl::Status MakeSockets(const sockaddr* address, socklen_t size,
                           const ShardedListenerOptions& options);
  // 0, or an errno value.
  int AddSocket(const sockaddr* address, socklen_t size, unsigned flags,
                int backlog);
  void Steer();

  RuntimeCore* runtime_;
  std::shared_ptr<listener_internal::ShardedState> state_;
  std::vector<int> sockets_;  // -1: a core's listener has it
  unsigned accept_flags_ = 0;
  sockaddr_storage address_{};
  socklen_t address_size_ = 0;
  bool steered_ = false;
  bool registered_ = false;
};

}  // namespace percore

#endif  // PERCORE_NET_LISTENER_SHARDED_LISTENER_H_
