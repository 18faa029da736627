#include "percore/bench/micro/producers.h"

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "percore/bench/micro/cores.h"
#include "percore/bench/micro/cpu_clock.h"

namespace percore::bench {

Producers::Producers(int count, Exchange exchange,
                     std::function<void(int)> send, std::function<void()> hold)
    : exchange_(exchange), send_(std::move(send)), hold_(std::move(hold)) {
  for (int i = 0; i < count; ++i) {
    workers_.push_back(std::make_unique<Worker>());
  }
  for (int i = 0; i < count; ++i) {
    workers_[static_cast<size_t>(i)]->thread =
        std::thread([this, i] { Work(i); });
  }
}

Producers::~Producers() {
  stop_ = true;
  for (auto& worker : workers_) worker->go.Raise();
  for (auto& worker : workers_) worker->thread.join();
}

void Producers::Work(int number) {
  Worker& worker = *workers_[static_cast<size_t>(number)];
  PinTo(SenderCore());
  for (;;) {
    worker.go.Wait();
    if (stop_) return;
    const double start = ThreadCpu();
    send_(number);
    sending_ns_ += static_cast<int64_t>(ThreadCpu() - start);
    sent_.Raise();
  }
}

void Producers::Hold() {
  held_.Raise();
  release_.Wait();
  drain_start_ = ThreadCpu();
}

void Producers::BurstConsumed(Worker* worker) {
  worker->consumed = 0;
  if (--bursts_left_ > 0) return;
  if (exchange_ == kPhased) draining_ns_ += ThreadCpu() - drain_start_;
  finished_.Raise();
}

void Producers::Round() {
  bursts_left_ = count();
  if (exchange_ == kPhased) {
    hold_();
    held_.Wait();
  }
  for (auto& worker : workers_) worker->go.Raise();
  for (int i = 0; i < count(); ++i) sent_.Wait();
  if (exchange_ == kPhased) release_.Raise();
  finished_.Wait();
}

std::vector<double> Producers::Run(int bursts) {
  const int rounds = bursts / count();
  sending_ns_ = 0;
  draining_ns_ = 0;
  const double start = ProcessCpu();
  for (int i = 0; i < rounds; ++i) Round();
  const double all = ProcessCpu() - start;
  const double sending = static_cast<double>(sending_ns_);
  const double spent = exchange_ == kPhased ? sending + draining_ns_ : all;
  const double items = static_cast<double>(rounds) * count() * kBurst;
  return {spent / items, sending / items};
}

}  // namespace percore::bench
