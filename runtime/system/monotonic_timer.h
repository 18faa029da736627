// The clock behind evutil_monotonic_timer_*: one that never goes back.
#ifndef PERCORE_RUNTIME_SYSTEM_MONOTONIC_TIMER_H_
#define PERCORE_RUNTIME_SYSTEM_MONOTONIC_TIMER_H_

#include <sys/time.h>

namespace percore {

// One thread at a time.
class MonotonicTimer {
 public:
  enum class Kind {
    kCoarse,    // cheap, good to a scheduler tick (1 to 4 ms)
    kPrecise,   // clock_gettime(CLOCK_MONOTONIC)
    kFallback,  // the wall clock; stands still where that is set back
  };

  // Reads the wall clock; as gettimeofday(2).
  using WallClock = int (*)(timeval* tv);

  MonotonicTimer() = default;
  // With another wall clock, for tests of kFallback.
  explicit MonotonicTimer(WallClock wall_clock) : wall_clock_(wall_clock) {}

  // What the system lacks is replaced by the next in the list.
  void Configure(Kind kind);

  // The kind in use.
  Kind kind() const { return kind_; }

  // Reads the clock; its epoch is unspecified. 0, or -1 with errno.
  int Read(timeval* tv);

 private:
  int ReadFallback(timeval* tv);

  Kind kind_ = Kind::kPrecise;
  WallClock wall_clock_ = nullptr;
  // Of kFallback: what is added to the wall clock, and the last result.
  timeval adjust_{};
  timeval last_{};
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_MONOTONIC_TIMER_H_
