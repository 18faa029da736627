// The lane of closures: moodycamel's ConcurrentQueue, with one explicit
// producer for each sender.
//
// A sender leases a producer on its first send to this mailbox and keeps it
// (a loop for its life, another thread until it exits): the queue's implicit
// producers outlive their threads and make every poll slower, so they are
// disabled. When no producer can be leased the caller sends on the control
// lane instead. First in, first out for each lease.
#ifndef PERCORE_RUNTIME_MAILBOX_MESSAGE_LANE_H_
#define PERCORE_RUNTIME_MAILBOX_MESSAGE_LANE_H_

#if __has_include(<concurrentqueue/moodycamel/concurrentqueue.h>)
#include <concurrentqueue/moodycamel/concurrentqueue.h>
#else
#include <concurrentqueue/concurrentqueue.h>
#endif

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "percore/runtime/mailbox/message.h"
#include "percore/runtime/system/memory.h"

#ifdef __SANITIZE_THREAD__
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
#endif

namespace percore {

// The queue orders the reuse of an emptied block by fences, which
// ThreadSanitizer does not see: it is told. Only from the consumer back to a
// producer; what a message carries over is checked as everywhere.
namespace tsan {
#ifdef __SANITIZE_THREAD__
inline void BlocksEmptied(void* queue) { __tsan_release(queue); }
inline void BlocksReused(void* queue) { __tsan_acquire(queue); }
#else
inline void BlocksEmptied(void*) {}
inline void BlocksReused(void*) {}
#endif
}  // namespace tsan

class MessageLane {
  struct Traits : moodycamel::ConcurrentQueueDefaultTraits {
    static constexpr std::size_t BLOCK_SIZE = 64;
    static constexpr std::size_t INITIAL_IMPLICIT_PRODUCER_HASH_SIZE = 0;
    static void* malloc(std::size_t size) { return MemAlloc(size); }
    static void free(void* p) { MemFree(p); }
  };
  using Queue = moodycamel::ConcurrentQueue<Message, Traits>;

 public:
  // One sender's producer. Used by one thread at a time.
  class Lease {
   public:
    Lease() = default;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

   private:
    friend class MessageLane;
    Queue::producer_token_t& token() {
      return *std::launder(
          reinterpret_cast<Queue::producer_token_t*>(storage_));
    }
    std::atomic<bool> taken_{false};
    std::atomic<bool> constructed_{false};
    alignas(Queue::producer_token_t) unsigned char storage_[sizeof(
        Queue::producer_token_t)];
  };

  MessageLane() : queue_(0) {}
  ~MessageLane();

  // Null when all are out or there is no memory. Any thread.
  Lease* Acquire();
  // Any thread; the caller's messages before this stay in order.
  void Return(Lease* lease);

  // Moves `n` messages in. False when there is no memory: none was moved.
  // The lease's thread.
  bool Enqueue(Lease* lease, Message* messages, std::size_t n);

  // Tests: senders are taken in an order made from `seed`. Before any send.
  void SetShuffle(std::uint64_t seed) { shuffle_ = seed; }

  // Moves up to `n` messages out. Consumer.
  std::size_t Dequeue(Message* messages, std::size_t n) {
    if (shuffle_ != 0) [[unlikely]]
      return DequeueShuffled(messages, n);
    const std::size_t taken = queue_.try_dequeue_bulk(messages, n);
    tsan::BlocksEmptied(&queue_);
    return taken;
  }

  // How many there are, if nobody is sending. Walks all producers.
  std::size_t SizeApprox() const { return queue_.size_approx(); }

 private:
  static constexpr std::size_t kChunk = 32;
  static constexpr std::size_t kChunks = 64;
  struct Chunk {
    Lease leases[kChunk];
  };

  std::size_t DequeueShuffled(Message* messages, std::size_t n);

  Queue queue_;
  std::uint64_t shuffle_ = 0;
  std::atomic<Chunk*> chunks_[kChunks] = {};
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_MAILBOX_MESSAGE_LANE_H_
