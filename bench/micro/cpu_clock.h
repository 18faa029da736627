// CPU time, user and system, in nanoseconds.

#ifndef PERCORE_BENCH_MICRO_CPU_CLOCK_H_
#define PERCORE_BENCH_MICRO_CPU_CLOCK_H_

#include <time.h>

namespace percore::bench {

inline double ClockNanoseconds(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// Of all threads of this process.
inline double ProcessCpu() {
  return ClockNanoseconds(CLOCK_PROCESS_CPUTIME_ID);
}

// Of the calling thread.
inline double ThreadCpu() { return ClockNanoseconds(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_CPU_CLOCK_H_
