// The memory that this process holds.

#ifndef PERCORE_BENCH_MICRO_RESIDENT_H_
#define PERCORE_BENCH_MICRO_RESIDENT_H_

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

namespace percore::bench {

struct Resident {
  double heap = 0;      // bytes that malloc has given out, by its own count
  double resident = 0;  // bytes of the process in memory

  static Resident Now() {
    Resident now;
    const struct mallinfo2 heap = mallinfo2();
    now.heap = static_cast<double>(heap.uordblks + heap.hblkhd);
    if (FILE* file = fopen("/proc/self/statm", "r")) {
      long all = 0;
      long pages = 0;
      if (fscanf(file, "%ld %ld", &all, &pages) == 2) {
        now.resident = static_cast<double>(pages * sysconf(_SC_PAGESIZE));
      }
      fclose(file);
    }
    return now;
  }
};

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_RESIDENT_H_
