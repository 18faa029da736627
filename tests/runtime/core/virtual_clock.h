// A clock that stands still until a loop has nothing left to do but wait for
// its next timer. For one loop: with several, one that idles would run ahead
// of the others' work.
#ifndef PERCORE_TESTS_RUNTIME_CORE_VIRTUAL_CLOCK_H_
#define PERCORE_TESTS_RUNTIME_CORE_VIRTUAL_CLOCK_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "percore/runtime/system/clock.h"

namespace percore {

class VirtualClock : public Clock {
 public:
  std::int64_t MonotonicNs() override { return now_.load(); }
  std::int64_t WallNs() override { return now_.load() + kEpochNs; }
  void Advance(std::int64_t deadline_ns) override {
    std::int64_t now = now_.load();
    while (now < deadline_ns && !now_.compare_exchange_weak(now, deadline_ns)) {
    }
  }

  // Since the clock was made.
  std::chrono::nanoseconds elapsed() const {
    return std::chrono::nanoseconds(now_.load() - kStartNs);
  }

 private:
  static constexpr std::int64_t kStartNs = 1'000'000'000;
  static constexpr std::int64_t kEpochNs = 1'700'000'000'000'000'000;
  std::atomic<std::int64_t> now_{kStartNs};
};

}  // namespace percore

#endif  // PERCORE_TESTS_RUNTIME_CORE_VIRTUAL_CLOCK_H_
