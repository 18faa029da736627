// A fast, rough clock for thresholds: the processor's counter where there is
// one that user code may read. Not comparable between machines; differences on
// one machine are converted by CyclesFor.
#ifndef PERCORE_RUNTIME_SYSTEM_CYCLES_H_
#define PERCORE_RUNTIME_SYSTEM_CYCLES_H_

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#else
#include <chrono>
#endif

namespace percore {

// Any thread, async-signal-safe.
inline std::uint64_t Cycles() {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  std::uint64_t value;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  return static_cast<std::uint64_t>(
      std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// About how many cycles `nanoseconds` are. Measured once (about 50 us).
std::uint64_t CyclesFor(std::int64_t nanoseconds);

// The other way; for at most two months.
std::uint64_t NanosecondsOf(std::uint64_t cycles);

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_CYCLES_H_
