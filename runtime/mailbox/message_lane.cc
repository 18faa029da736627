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

// Between senders there is no order to rely on: any of them may come first, and
// any number of its messages.
std::size_t MessageLane::DequeueShuffled(Message* messages, std::size_t n) {
  const auto below = [this](std::size_t bound) {
    shuffle_ = shuffle_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<std::size_t>(shuffle_ >> 33) % bound;
  };
  std::size_t senders = 0;
  const auto each = [this](auto&& fn) {
    for (auto& slot : chunks_) {
      Chunk* chunk = slot.load(std::memory_order_acquire);
      if (chunk == nullptr) break;
      for (Lease& lease : chunk->leases) {
        if (lease.constructed_.load(std::memory_order_acquire)) fn(lease);
      }
    }
  };
  each([&senders](Lease&) { ++senders; });
  if (senders == 0 || n == 0) return 0;
  const std::size_t first = below(senders);
  n = 1 + below(n);
  std::size_t taken = 0;
  for (int round = 0; round < 2 && taken == 0; ++round) {
    std::size_t at = 0;
    each([&](Lease& lease) {
      const bool behind = at++ >= first;
      if (taken == 0 && behind == (round == 0)) {
        taken =
            queue_.try_dequeue_bulk_from_producer(lease.token(), messages, n);
      }
    });
  }
  tsan::BlocksEmptied(&queue_);
  return taken;
}

bool MessageLane::Enqueue(Lease* lease, Message* messages, std::size_t n) {
  tsan::BlocksReused(&queue_);
  if (n == 1) return queue_.enqueue(lease->token(), std::move(*messages));
  return queue_.enqueue_bulk(lease->token(), std::make_move_iterator(messages),
                             n);
}

}  // namespace percore
