#include "percore/runtime/system/monotonic_timer.h"

#include <ctime>

namespace percore {
namespace {

int ReadClock(clockid_t clock, timeval* tv) {
  timespec ts;
  if (clock_gettime(clock, &ts) != 0) return -1;
  tv->tv_sec = ts.tv_sec;
  tv->tv_usec = static_cast<suseconds_t>(ts.tv_nsec / 1000);
  return 0;
}

bool Works(clockid_t clock) {
  timespec ts;
  return clock_gettime(clock, &ts) == 0;
}

}  // namespace

void MonotonicTimer::Configure(Kind kind) {
  adjust_ = {};
  last_ = {};
  kind_ = kind;
#ifdef CLOCK_MONOTONIC_COARSE
  if (kind_ == Kind::kCoarse && Works(CLOCK_MONOTONIC_COARSE)) return;
#endif
  if (kind_ == Kind::kCoarse) kind_ = Kind::kPrecise;
  if (kind_ == Kind::kPrecise && !Works(CLOCK_MONOTONIC)) {
    kind_ = Kind::kFallback;
  }
}

int MonotonicTimer::Read(timeval* tv) {
  switch (kind_) {
    case Kind::kCoarse:
#ifdef CLOCK_MONOTONIC_COARSE
      return ReadClock(CLOCK_MONOTONIC_COARSE, tv);
#endif
    case Kind::kPrecise:
      return ReadClock(CLOCK_MONOTONIC, tv);
    case Kind::kFallback:
      break;
  }
  return ReadFallback(tv);
}

int MonotonicTimer::ReadFallback(timeval* tv) {
  timeval now;
  const int result =
      wall_clock_ != nullptr ? wall_clock_(&now) : gettimeofday(&now, nullptr);
  if (result != 0) return -1;
  timeradd(&now, &adjust_, &now);
  if (timercmp(&now, &last_, <)) {
    // The wall clock was set back: go on from the last result.
    timeval missing;
    timersub(&last_, &now, &missing);
    timeradd(&adjust_, &missing, &adjust_);
    now = last_;
  }
  last_ = now;
  *tv = now;
  return 0;
}

}  // namespace percore
