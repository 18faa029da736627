// Time for loops: nanoseconds on a monotonic clock, and the wall.
//
// Loops read time through a Clock, so that tests and `sim` can supply their
// own. The real one is read directly when none is given.
#ifndef PERCORE_RUNTIME_SYSTEM_CLOCK_H_
#define PERCORE_RUNTIME_SYSTEM_CLOCK_H_

#include <sys/time.h>

#include <cstdint>
#include <ctime>

namespace percore {

class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back. Any thread that runs a loop on this clock.
  virtual std::int64_t MonotonicNs() = 0;
  // Since 1970.
  virtual std::int64_t WallNs() = 0;
  // Whether waiting in the kernel makes this clock advance. If not, a loop
  // that has nothing to do calls Advance instead of sleeping.
  virtual bool IsReal() const { return false; }
  // Moves the clock on to `deadline_ns`.
  virtual void Advance(std::int64_t deadline_ns) = 0;
};

inline std::int64_t RealMonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// The same clock at its last tick: up to 10 ms behind, for a fifth of the cost.
inline std::int64_t CoarseMonotonicNs() {
  timespec now;
#ifdef CLOCK_MONOTONIC_COARSE
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
  clock_gettime(CLOCK_MONOTONIC, &now);
#endif
  return static_cast<std::int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

inline std::int64_t RealWallNs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// Saturating: a timeval far out of range is the end (or the start) of time.
inline std::int64_t TimevalToNs(const timeval& tv) {
  constexpr std::int64_t kLimit = INT64_MAX / 4 / 1000000000;
  if (static_cast<std::uint64_t>(tv.tv_sec) < kLimit &&
      static_cast<std::uint64_t>(tv.tv_usec) < 1000000) [[likely]] {
    return static_cast<std::int64_t>(tv.tv_sec) * 1000000000 +
           tv.tv_usec * 1000;
  }
  if (tv.tv_sec > kLimit) return INT64_MAX / 4;
  if (tv.tv_sec < -kLimit) return -(INT64_MAX / 4);
  const std::int64_t usec_limit = INT64_MAX / 8 / 1000;
  std::int64_t usec = tv.tv_usec;
  if (usec > usec_limit) usec = usec_limit;
  if (usec < -usec_limit) usec = -usec_limit;
  return static_cast<std::int64_t>(tv.tv_sec) * 1000000000 + usec * 1000;
}

inline timeval NsToTimeval(std::int64_t ns) {
  std::int64_t usec = ns / 1000;
  timeval tv;
  tv.tv_sec = static_cast<decltype(tv.tv_sec)>(usec / 1000000);
  tv.tv_usec = static_cast<decltype(tv.tv_usec)>(usec % 1000000);
  if (tv.tv_usec < 0) {
    tv.tv_usec += 1000000;
    --tv.tv_sec;
  }
  return tv;
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_CLOCK_H_
