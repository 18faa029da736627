// Where threads run. Cross-thread cases put the consumer on one core and every
// sender on the other: left to the scheduler, one run in five has them share a
// core and the figures fall into two heaps.

#ifndef PERCORE_BENCH_MICRO_CORES_H_
#define PERCORE_BENCH_MICRO_CORES_H_

#include <sched.h>

#include <cstddef>

namespace percore::bench {

// The cores that the process was allowed at its start.
inline const cpu_set_t& AllowedCores() {
  static const cpu_set_t allowed = [] {
    cpu_set_t set;
    sched_getaffinity(0, sizeof(set), &set);
    return set;
  }();
  return allowed;
}

inline int FirstCore() {
  int core = 0;
  while (!CPU_ISSET(static_cast<size_t>(core), &AllowedCores())) ++core;
  return core;
}

// The same as FirstCore() where there is one only.
inline int LastCore() {
  int core = CPU_SETSIZE - 1;
  while (!CPU_ISSET(static_cast<size_t>(core), &AllowedCores())) --core;
  return core;
}

inline int SenderCore() { return FirstCore(); }
inline int ConsumerCore() { return LastCore(); }

// Binds the calling thread to one core.
inline void PinTo(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  sched_setaffinity(0, sizeof(set), &set);
}

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_CORES_H_
