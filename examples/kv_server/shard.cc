#include "percore/examples/kv_server/shard.h"

#include <utility>

#include "percore/examples/kv_server/server.h"
#include "percore/examples/kv_server/stats_text.h"

namespace percore::kv {
namespace {

constexpr size_t kScratchBytes = size_t{64} << 10;

}  // namespace

Shard::Shard(Server& server, size_t index, EventBase& base,
             const Store::Options& options)
    : server_(server),
      index_(index),
      base_(base),
      store_(options, clock_),
      scratch_(kScratchBytes) {}

void Shard::Quiesce(std::function<void()> done) {
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

void Shard::Adopt(int fd) {
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
