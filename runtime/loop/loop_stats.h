// What a loop counts about itself. Plain counters of the owner; a snapshot is
// taken on the owner (Runtime asks each loop by mail).
#ifndef PERCORE_RUNTIME_LOOP_LOOP_STATS_H_
#define PERCORE_RUNTIME_LOOP_LOOP_STATS_H_

#include <array>
#include <atomic>
#include <cstdint>

namespace percore {

// Counts of values by powers of two: bucket i counts [2^(i-1), 2^i), bucket 0
// counts zero.
struct Histogram {
  static constexpr int kBuckets = 40;
  std::array<std::uint64_t, kBuckets> counts{};

  void Add(std::uint64_t value) {
    int bucket = value == 0 ? 0 : 64 - __builtin_clzll(value);
    if (bucket >= kBuckets) bucket = kBuckets - 1;
    ++counts[static_cast<std::size_t>(bucket)];
  }
  std::uint64_t Total() const {
    std::uint64_t n = 0;
    for (std::uint64_t c : counts) n += c;
    return n;
  }
  // The upper end of the bucket in which the given share (0 to 1) is reached.
  std::uint64_t Quantile(double share) const;
};

struct LoopStats {
  std::uint64_t turns = 0;
  std::uint64_t callbacks = 0;  // of events and deferred callbacks
  std::uint64_t messages_run = 0;
  std::uint64_t messages_posted = 0;
  std::uint64_t message_batches = 0;
  std::uint64_t waits = 0;             // turns that announced sleep
  std::uint64_t wakeups_sent = 0;      // doorbells rung for this loop
  std::uint64_t wakeups_received = 0;  // sleeps that ended with mail
  std::uint64_t wakeups_spurious = 0;  // sleeps that ended with nothing at all
  std::uint64_t timers_expired = 0;
  std::uint64_t stale_reports = 0;  // of registrations that were gone
  std::uint64_t backend_rebuilds = 0;
  std::uint64_t once_failures = 0;  // foreign once-events not watchable
  std::uint64_t mail_left = 0;      // drains that stopped at their mark
  std::uint64_t overflowed_messages = 0;
  // With timing on, in nanoseconds:
  std::uint64_t busy_ns = 0;
  std::uint64_t waiting_ns = 0;
  Histogram callback_ns;
  Histogram mail_depth;  // messages found by a drain that found some
  // From a send to its run: of the first message of each batch that left its
  // sender together (one sent from outside a loop is a batch by itself).
  Histogram mail_delay_ns;
};

// A thread that watches loops for stalls, and sleeps while none has anything
// to do.
struct StallWatch {
  // Set by the watcher before it sleeps without limit; the loop that turns it
  // off wakes the watcher.
  std::atomic<bool> asleep{false};
  void (*wake)(StallWatch* self) = nullptr;
};

// What the loop is doing, for a watching thread (the stall detector).
// Written by the owner with relaxed stores; a turn costs it two of them.
struct LoopProgress {
  // Cycles() when the running callback or message began; 0: in the backend.
  std::atomic<std::uint64_t> began{0};
  // Its function.
  std::atomic<const void*> what{nullptr};
  // Who watches, or null. Set before the loop runs.
  StallWatch* watch = nullptr;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_LOOP_LOOP_STATS_H_
