// The limit of the cross-thread cases: a bare moodycamel::ConcurrentQueue with
// one producer token for each thread, without any loop.

#include <concurrentqueue/concurrentqueue.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/cores.h"
#include "percore/bench/micro/producers.h"
#include "percore/bench/micro/wait.h"

namespace percore::bench {
namespace {

// Kind "burst". In kPhased the consumer sleeps on a semaphore until the burst
// is over: the bare queue. In kLive a producer looks after each item whether
// the consumer sleeps, and then wakes it: the least that a mailbox must do.
class QueueBurst : public Case {
 public:
  QueueBurst(const Workload& work, const EventApi*)
      : exchange_(static_cast<Exchange>(work.detail)),
        producers_(
            work.size, exchange_, [this](int number) { Send(number); },
            [this] { Wake(); }) {
    for (int i = 0; i < work.size; ++i) {
      tokens_.push_back(std::make_unique<moodycamel::ProducerToken>(queue_));
    }
    consumer_ = std::thread([this] { Consume(); });
    Run();
  }
  ~QueueBurst() override {
    quit_ = true;
    bell_.Raise();
    consumer_.join();
  }

  std::vector<double> Run() override { return producers_.Run(kBursts); }
  double operations() const override { return kBursts * Producers::kBurst; }

 private:
  static constexpr int kBursts = 120;

  void Wake() { bell_.Raise(); }

  void Send(int number) {
    const auto& token = *tokens_[static_cast<size_t>(number)];
    for (int i = 0; i < Producers::kBurst; ++i) {
      queue_.enqueue(token, number);
      if (exchange_ == kPhased) continue;
      // Pairs with the fence in Sleep(): either the consumer sees the item or
      // this thread sees it asleep.
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (asleep_.load(std::memory_order_relaxed) &&
          asleep_.exchange(false, std::memory_order_acq_rel)) {
        bell_.Raise();
      }
    }
  }

  void Consume() {
    PinTo(ConsumerCore());
    moodycamel::ConsumerToken token(queue_);
    while (!quit_) {
      if (exchange_ == kPhased) {
        bell_.Wait();
        if (quit_) return;
        producers_.Hold();
        TakeAll(&token);
      } else if (!TakeAll(&token)) {
        Sleep(&token);
      }
    }
  }

  void Sleep(moodycamel::ConsumerToken* token) {
    asleep_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    // Who takes the flag down owes a Raise(), so that must be waited for.
    if (TakeAll(token) && asleep_.exchange(false, std::memory_order_acq_rel)) {
      return;
    }
    bell_.Wait();
  }

  // True when there was anything.
  bool TakeAll(moodycamel::ConsumerToken* token) {
    bool any = false;
    int items[64];
    while (const size_t n = queue_.try_dequeue_bulk(*token, items, 64)) {
      any = true;
      for (size_t i = 0; i < n; ++i) producers_.Consumed(items[i]);
    }
    return any;
  }

  const Exchange exchange_;
  moodycamel::ConcurrentQueue<int> queue_;
  std::vector<std::unique_ptr<moodycamel::ProducerToken>> tokens_;
  Flag bell_;
  std::atomic<bool> asleep_ = false;
  std::atomic<bool> quit_ = false;
  std::thread consumer_;
  Producers producers_;
};

}  // namespace

void AddQueueCases(CaseRegistry* registry) {
  registry->Add("burst", Family::kRaw, MakerOf<QueueBurst>());
}

}  // namespace percore::bench
