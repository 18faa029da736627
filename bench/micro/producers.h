// Threads that send in bursts to one consumer: the shape that all cross-thread
// cases have, whatever the library.

#ifndef PERCORE_BENCH_MICRO_PRODUCERS_H_
#define PERCORE_BENCH_MICRO_PRODUCERS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "percore/bench/micro/wait.h"

namespace percore::bench {

// Workload::detail of the kinds "burst" and "post".
//
// kPhased: the consumer is held while the producers send, and drains when they
// have finished. The cost is the CPU time that the producers spend in sending
// and the consumer in draining: no wake-up, no contention with the other
// side, the same in every run.
// kLive: both sides at once, as in a running program; the cost is all CPU time
// of the process. It depends on how the threads happen to meet.
enum Exchange { kPhased = 0, kLive = 1 };

// `count` threads on SenderCore(). In each round every one of them calls
// send(its number), which sends kBurst items, and then sleeps until the
// consumer has told Consumed() of all of them; so the queue is bounded and
// nobody spins.
class Producers {
 public:
  static constexpr int kBurst = 1000;

  // `hold` makes the consumer's thread call Hold(), through the library under
  // test; it is only called in kPhased.
  Producers(int count, Exchange exchange, std::function<void(int)> send,
            std::function<void()> hold);
  ~Producers();
  Producers(const Producers&) = delete;
  Producers& operator=(const Producers&) = delete;

  // Consumer's thread: blocks it until the producers have sent.
  void Hold();

  // Consumer's thread: an item of producer `from` has arrived.
  void Consumed(int from) {
    Worker& worker = *workers_[static_cast<size_t>(from)];
    if (++worker.consumed == kBurst) BurstConsumed(&worker);
  }

  // Does bursts / count rounds. Returns {CPU time by the rule of the exchange,
  // CPU time of the producers while they send}, each for one item.
  std::vector<double> Run(int bursts);

 private:
  struct Worker {
    std::thread thread;
    Flag go;
    int consumed = 0;  // Consumer's thread only.
  };

  int count() const { return static_cast<int>(workers_.size()); }
  void BurstConsumed(Worker* worker);
  void Work(int number);
  void Round();

  const Exchange exchange_;
  const std::function<void(int)> send_;
  const std::function<void()> hold_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Flag sent_;               // By each producer, at the end of its burst.
  Flag held_;               // By the consumer.
  Flag release_;            // To the consumer.
  Flag finished_;           // By the consumer, after the last burst of a round.
  int bursts_left_ = 0;     // Consumer's thread while a round is on.
  double drain_start_ = 0;  // Consumer's thread.
  double draining_ns_ = 0;  // Consumer's thread while a round is on.
  std::atomic<int64_t> sending_ns_ = 0;
  std::atomic<bool> stop_ = false;
};

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_PRODUCERS_H_
