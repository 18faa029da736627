#include "percore/runtime/system/cycles.h"

#include <atomic>
#include <ctime>

namespace percore {
namespace {

std::int64_t Monotonic() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// Cycles in 1024 ns.
std::uint64_t Measure() {
  const std::int64_t from = Monotonic();
  const std::uint64_t first = Cycles();
  std::int64_t to;
  do {
    to = Monotonic();
  } while (to - from < 50000);
  const std::uint64_t cycles = Cycles() - first;
  const std::uint64_t rate =
      cycles * 1024 / static_cast<std::uint64_t>(to - from);
  return rate == 0 ? 1 : rate;
}

std::atomic<std::uint64_t> rate{0};

std::uint64_t Rate() {
  std::uint64_t r = rate.load(std::memory_order_relaxed);
  if (r == 0) {
    r = Measure();
    rate.store(r, std::memory_order_relaxed);
  }
  return r;
}

}  // namespace

std::uint64_t CyclesFor(std::int64_t nanoseconds) {
  return static_cast<std::uint64_t>(nanoseconds) * Rate() / 1024;
}

std::uint64_t NanosecondsOf(std::uint64_t cycles) {
  return cycles * 1024 / Rate();
}

}  // namespace percore
