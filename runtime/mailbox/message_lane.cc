#include "percore/runtime/mailbox/message_lane.h"

#include <iterator>

namespace percore {

MessageLane::~MessageLane() {
  for (auto& slot : chunks_) {
    Chunk* chunk = slot.load(std::memory_order_acquire);
    if (chunk == nullptr) continue;
    for (Lease& lease : chunk->leases) {
      if (lease.constructed_.load(std::memory_order_acquire)) {
        std::destroy_at(&lease.token());
      }
    }
    MemDelete(chunk);
  }
}

MessageLane::Lease* MessageLane::Acquire() {
  for (auto& slot : chunks_) {
    Chunk* chunk = slot.load(std::memory_order_acquire);
    if (chunk == nullptr) {
      Chunk* fresh = MemNew<Chunk>();
      if (fresh == nullptr) return nullptr;
      // Release publishes the chunk's leases to the acquire loads above.
      if (slot.compare_exchange_strong(chunk, fresh,
                                       std::memory_order_acq_rel)) {
        chunk = fresh;
      } else {
        MemDelete(fresh);
      }
    }
    for (Lease& lease : chunk->leases) {
      if (lease.taken_.load(std::memory_order_relaxed)) continue;
      // Acquire pairs with the release in Return: the token is ours alone.
      if (lease.taken_.exchange(true, std::memory_order_acquire)) continue;
      if (!lease.constructed_.load(std::memory_order_relaxed)) {
        new (lease.storage_) Queue::producer_token_t(queue_);
        lease.constructed_.store(true, std::memory_order_release);
      }
      if (lease.token().valid()) return &lease;
      // No memory for a producer: let a later sender try again.
      std::destroy_at(&lease.token());
      lease.constructed_.store(false, std::memory_order_relaxed);
      lease.taken_.store(false, std::memory_order_release);
      return nullptr;
    }
  }
  return nullptr;
}

void MessageLane::Return(Lease* lease) {
  lease->taken_.store(false, std::memory_order_release);
}

bool MessageLane::Enqueue(Lease* lease, Message* messages, std::size_t n) {
  tsan::BlocksReused(&queue_);
  if (n == 1) return queue_.enqueue(lease->token(), std::move(*messages));
  return queue_.enqueue_bulk(lease->token(), std::make_move_iterator(messages),
                             n);
}

}  // namespace percore
