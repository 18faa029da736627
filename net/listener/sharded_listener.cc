#include "percore/net/listener/sharded_listener.h"

#include <netinet/in.h>

#include <cerrno>

#include "percore/net/listener/listening_socket.h"
#include "percore/net/listener/steering.h"
#include "percore/runtime/system/sockets.h"

namespace percore {
namespace listener_internal {

// What the cores share. Late mail may look here, so the runtime keeps it.
class ShardedState {
 public:
  struct alignas(64) Core {
    ShardedState* state = nullptr;
    int index = 0;
    // A counter; relaxed, since it orders nothing.
    std::atomic<std::int64_t> live{0};
    // The core's own.
    Listener* listener = nullptr;
    bool closed = false;
  };

  ShardedState(RuntimeCore* runtime, ShardedListener::OnAccept on_accept)
      : runtime_(runtime),
        on_accept_(std::move(on_accept)),
        cores_(static_cast<std::size_t>(runtime->cores())) {
    for (std::size_t i = 0; i < cores_.size(); ++i) {
      cores_[i].state = this;
      cores_[i].index = static_cast<int>(i);
    }
  }

  Core& core(int index) { return cores_[static_cast<std::size_t>(index)]; }
  std::size_t cores() const { return cores_.size(); }
  void set_hand_off(bool on) { hand_off_ = on; }

  static void Take(evconnlistener*, evutil_socket_t fd, sockaddr* peer,
                   int size, void* arg) {
    Core* here = static_cast<Core*>(arg);
    here->state->Spread(here, Accepted(fd, peer, static_cast<socklen_t>(size)));
  }

 private:
  struct Handed {
    Accepted connection;
    LiveConnection live;
  };

  LiveConnection Count(int index) { return LiveConnection(&core(index).live); }

  void Spread(Core* here, Accepted connection) {
    const int to = hand_off_ ? LeastLoaded(here->index) : here->index;
    if (to == here->index) {
      Serve(here, std::move(connection), Count(to));
      return;
    }
    // Counted now, so that a flood does not all go to the same core.
    auto handed =
        std::make_shared<Handed>(Handed{std::move(connection), Count(to)});
    const SendResult sent = runtime_->Post(
        to, Message([there = &core(to), handed] {
          there->state->Serve(there, std::move(handed->connection),
                              std::move(handed->live));
        }));
    if (sent == SendResult::kOk) return;
    Serve(here, std::move(handed->connection), Count(here->index));
  }

  // Served where it was accepted if no core has fewer.
  int LeastLoaded(int here) {
    int least = here;
    std::int64_t live = core(here).live.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < cores_.size(); ++i) {
      const std::int64_t other = cores_[i].live.load(std::memory_order_relaxed);
      if (other >= live) continue;
      live = other;
      least = static_cast<int>(i);
    }
    return least;
  }

  // That core. One that has quiesced refuses what is still on its way.
  void Serve(Core* there, Accepted connection, LiveConnection live) {
    if (there->closed) return;
    on_accept_(there->index, std::move(connection), std::move(live));
  }

  RuntimeCore* runtime_;
  ShardedListener::OnAccept on_accept_;
  std::vector<Core> cores_;
  bool hand_off_ = false;
};

}  // namespace listener_internal

using listener_internal::ShardedState;

ShardedListener::ShardedListener(Runtime& runtime, OnAccept on_accept)
    : runtime_(runtime.core()),
      state_(std::make_shared<ShardedState>(runtime.core(),
                                            std::move(on_accept))) {}

ShardedListener::~ShardedListener() {
  if (registered_) runtime_->Unregister(this);
  // Not running any more, or never started: nobody else is at work here.
  for (std::size_t i = 0; i < cores(); ++i) Destroy(static_cast<int>(i));
  for (const int fd : sockets_) {
    if (fd >= 0) CloseSocket(fd);
  }
}

std::size_t ShardedListener::cores() const { return state_->cores(); }

absl::StatusOr<std::unique_ptr<ShardedListener>> ShardedListener::Bind(
    Runtime& runtime, const sockaddr* address, socklen_t size,
    const ShardedListenerOptions& options, OnAccept on_accept) {
  if (!runtime.status().ok()) return runtime.status();
  std::unique_ptr<ShardedListener> listener(
      new ShardedListener(runtime, std::move(on_accept)));
  absl::Status status = listener->MakeSockets(address, size, options);
  if (!status.ok()) return status;
  runtime.core()->KeepUntilEnd(listener->state_);
  runtime.core()->Register(listener.get());
  listener->registered_ = true;
  return listener;
}

absl::Status ShardedListener::MakeSockets(
    const sockaddr* address, socklen_t size,
    const ShardedListenerOptions& options) {
  if (options.backlog == 0) {
    return absl::InvalidArgumentError("a listener needs a backlog");
  }
  accept_flags_ = options.flags | LEV_OPT_CLOSE_ON_FREE;
  const int backlog =
      options.backlog < 0 ? Listener::kDefaultBacklog : options.backlog;
  int error = 0;
  if (options.spread != Spread::kHandOff && cores() > 1) {
    error = AddSocket(address, size, options.flags | LEV_OPT_REUSEABLE_PORT,
                      backlog);
    const bool unsupported = error == EOPNOTSUPP || error == ENOPROTOOPT;
    if (error != 0 && (options.spread != Spread::kAuto || !unsupported)) {
      return StatusOfErrno(error, "cannot listen");
    }
  }
  if (sockets_.empty()) {
    state_->set_hand_off(cores() > 1);
    error = AddSocket(address, size, options.flags, backlog);
    return StatusOfErrno(error, "cannot listen");
  }
  // The port that the first was given is the others' too.
  while (error == 0 && sockets_.size() < cores()) {
    error = AddSocket(reinterpret_cast<sockaddr*>(&address_), address_size_,
                      options.flags | LEV_OPT_REUSEABLE_PORT, backlog);
  }
  if (error != 0) return StatusOfErrno(error, "cannot listen");
  if (options.steer_by_cpu) Steer();
  return absl::OkStatus();
}

int ShardedListener::AddSocket(const sockaddr* address, socklen_t size,
                               unsigned flags, int backlog) {
  const int fd = MakeBoundSocket(flags, address, size);
  if (fd < 0) return errno;
  sockets_.push_back(fd);
  address_size_ = sizeof(address_);
  if (listen(fd, backlog) != 0) return errno;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address_), &address_size_) !=
      0) {
    return errno;
  }
  return 0;
}

// The i-th socket is the i-th core's. Without it the kernel's hash spreads.
void ShardedListener::Steer() {
  std::vector<int> cpus;
  for (int core = 0; core < runtime_->cores(); ++core) {
    cpus.push_back(runtime_->cpu(core));
    if (cpus.back() < 0) return;
  }
  steered_ = SteerByCpu(sockets_[0], cpus.data(), runtime_->cores()) == 0;
}

absl::Status ShardedListener::Start() {
  std::vector<int> errors(sockets_.size());
  const auto listen_on = [&](int index) {
    const std::size_t i = static_cast<std::size_t>(index);
    if (i >= sockets_.size()) return;
    ShardedState::Core& core = state_->core(index);
    if (core.closed) return;
    core.listener =
        Listener::New(runtime_->base(index), &ShardedState::Take, &core,
                      accept_flags_, /*backlog=*/0, sockets_[i]);
    if (core.listener == nullptr) {
      errors[i] = errno;
    } else {
      sockets_[i] = -1;
    }
  };
  if (runtime_->running()) {
    runtime_->OnEveryCore(
        [&](int core, std::function<void()> done) {
          listen_on(core);
          done();
        },
        INT64_MAX / 4);
  } else {
    for (int core = 0; core < runtime_->cores(); ++core) listen_on(core);
  }
  for (const int error : errors) {
    if (error != 0) return absl::ErrnoToStatus(error, "cannot accept");
  }
  return absl::OkStatus();
}

int ShardedListener::port() const {
  if (address_.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address_)->sin_port);
  }
  if (address_.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address_)->sin6_port);
  }
  return 0;
}

std::int64_t ShardedListener::live(int core) const {
  return state_->core(core).live.load(std::memory_order_relaxed);
}

void ShardedListener::Quiesce(int core, std::function<void()> done) {
  Destroy(core);
  done();
}

void ShardedListener::Destroy(int core) {
  ShardedState::Core& here = state_->core(core);
  here.closed = true;
  if (here.listener != nullptr) std::exchange(here.listener, nullptr)->Free();
}

}  // namespace percore
