// How long a backend asks its system to wait, so that a timer never fires
// early.
#ifndef PERCORE_RUNTIME_BACKEND_WAIT_LIMIT_H_
#define PERCORE_RUNTIME_BACKEND_WAIT_LIMIT_H_

#include <cstdint>
#include <ctime>

namespace percore {

// Waits longer than this are cut; the loop waits again. Some systems misread
// very long ones (semantics 2.1).
inline constexpr std::int64_t kLongestWaitNs = 35ll * 60 * 1000 * 1000 * 1000;

// The time to ask for, in nanoseconds: whole milliseconds, rounded up, unless
// `precise`. Negative (no limit) and 0 stay.
inline std::int64_t WaitLimitNs(std::int64_t timeout_ns, bool precise) {
  constexpr std::int64_t kMs = 1000000;
  if (timeout_ns > kLongestWaitNs) return kLongestWaitNs;
  if (timeout_ns <= 0 || precise) return timeout_ns;
  return (timeout_ns + kMs - 1) / kMs * kMs;
}

// The same for calls that take a timespec. Null when there is no limit.
inline timespec* WaitLimit(std::int64_t timeout_ns, bool precise,
                           timespec* limit) {
  const std::int64_t ns = WaitLimitNs(timeout_ns, precise);
  if (ns < 0) return nullptr;
  limit->tv_sec = static_cast<time_t>(ns / 1000000000);
  limit->tv_nsec = static_cast<long>(ns % 1000000000);
  return limit;
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_BACKEND_WAIT_LIMIT_H_
