#include "percore/examples/kv_server/shard.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "percore/examples/kv_server/server.h"
#include "percore/examples/kv_server/stats_text.h"

namespace percore::kv {
namespace {

constexpr size_t kScratchBytes = size_t{64} << 10;
// Connections accepted in one turn, so that a flood of them leaves time for
// those that are there.
constexpr int kAcceptedPerTurn = 64;
// How long no connection is taken when descriptors have run out.
constexpr timeval kAcceptPause = {0, 100'000};

}  // namespace

Shard::Shard(Server& server, size_t index, EventBase& base, int listener,
             const Store::Options& options)
    : server_(server),
      index_(index),
      base_(base),
      listener_(listener),
      store_(options, clock_),
      scratch_(kScratchBytes) {
  EventBase::Assign(&acceptable_, &base_, listener_, EV_READ | EV_PERSIST,
                    &Shard::OnAcceptable, this);
  EventBase::Assign(&pause_, &base_, -1, 0, &Shard::OnPause, this);
}

Shard::~Shard() {
  base_.Del(&acceptable_, DelWait::kNever);
  base_.Del(&pause_, DelWait::kNever);
}

void Shard::Listen() { base_.Add(&acceptable_, nullptr); }

void Shard::Quiesce(std::function<void()> done) {
  base_.Del(&acceptable_, DelWait::kNever);
  base_.Del(&pause_, DelWait::kNever);
  quiet_ = std::move(done);
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].connection != nullptr) slots_[i].connection->Drain();
  }
  if (counters_.curr_connections == 0 && quiet_) {
    std::exchange(quiet_, nullptr)();
  }
}

size_t Shard::shards() const { return server_.shards(); }

void Shard::Send(size_t shard, std::unique_ptr<Batch> batch) {
  server_.Post(shard, [batch = std::move(batch)](Shard& there) mutable {
    there.RunBatch(std::move(batch));
  });
}

void Shard::Send(size_t shard, std::unique_ptr<Order> order) {
  server_.Post(shard, [order = std::move(order)](Shard& there) mutable {
    there.RunOrder(std::move(order));
  });
}

void Shard::RunBatch(std::unique_ptr<Batch> batch) {
  batch->Run(store_);
  const size_t home = batch->from().shard;
  server_.Post(home, [batch = std::move(batch)](Shard& there) mutable {
    there.ReturnBatch(std::move(batch));
  });
}

void Shard::ReturnBatch(std::unique_ptr<Batch> batch) {
  Connection* connection = Find(batch->from().session);
  if (connection != nullptr) connection->OnBatch(std::move(batch));
}

void Shard::RunOrder(std::unique_ptr<Order> order) {
  order->Run(store_, counters_);
  const size_t home = order->from.shard;
  server_.Post(home, [order = std::move(order)](Shard& there) mutable {
    there.ReturnOrder(std::move(order));
  });
}

void Shard::ReturnOrder(std::unique_ptr<Order> order) {
  Connection* connection = Find(order->from.session);
  if (connection != nullptr) connection->OnOrder(std::move(order));
}

void Shard::AppendStats(const ShardStats& stats, std::string* out) {
  AppendServerStats(server_.facts(), stats, out);
}

void Shard::AppendSettings(const ShardStats& stats, std::string* out) {
  AppendServerSettings(server_.facts(), stats, out);
}

void Shard::OnAcceptable(evutil_socket_t, short, void* self) {
  static_cast<Shard*>(self)->Accept();
}

void Shard::OnPause(evutil_socket_t, short, void* self) {
  static_cast<Shard*>(self)->Listen();
}

void Shard::Accept() {
  for (int i = 0; i < kAcceptedPerTurn; ++i) {
    const int fd =
        accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Adopt(fd);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
        errno == ENOBUFS) {
      // The connection stays in the queue: without a pause the loop would
      // report it again and again.
      base_.Del(&acceptable_, DelWait::kNever);
      base_.Add(&pause_, &kAcceptPause);
      return;
    }
    if (errno == EAGAIN) return;
    // ECONNABORTED, EINTR, a network error of the new connection: the next.
  }
}

void Shard::Adopt(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  uint32_t index = static_cast<uint32_t>(slots_.size());
  if (free_slots_.empty()) {
    slots_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  Slot& slot = slots_[index];
  const uint64_t id = (uint64_t{++slot.uses} << 32) | index;
  slot.connection = std::make_unique<Connection>(*this, fd, id);
  if (!slot.connection->Start()) Remove(id);
}

Connection* Shard::Find(uint64_t id) {
  const Slot& slot = slots_[static_cast<uint32_t>(id)];
  return slot.uses == id >> 32 ? slot.connection.get() : nullptr;
}

void Shard::Remove(uint64_t id) {
  const uint32_t index = static_cast<uint32_t>(id);
  slots_[index].connection.reset();
  free_slots_.push_back(index);
  if (counters_.curr_connections == 0 && quiet_) {
    std::exchange(quiet_, nullptr)();
  }
}

}  // namespace percore::kv
