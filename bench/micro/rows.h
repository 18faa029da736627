// The rows of the performance table: which workloads are compared, and what
// each comparison has to show.

#ifndef PERCORE_BENCH_MICRO_ROWS_H_
#define PERCORE_BENCH_MICRO_ROWS_H_

#include <string>
#include <vector>

#include "percore/bench/micro/case.h"

namespace percore::bench {

// Another measure that a row is held against.
struct Limit {
  std::string name;     // as printed: "libev", "raw epoll", "without timeouts"
  Family family;        // kEvent2: percore itself, on another workload
  double at_least = 1;  // its cost divided by ours; 0: only shown
  Workload workload;    // empty kind: the row's own
};

struct Row {
  std::string name;
  Workload workload;
  int metric = 0;   // which figure of the case
  double must = 0;  // libevent's cost divided by ours; 0: no such gate
  double aim = 0;
  double most_ns = 0;  // what our own cost may be at most; 0: no such gate
  std::vector<Limit> limits = {};
};

// The part of buffers, streams and connections.
void AddNetRows(std::vector<Row>* rows);

// In the order of the table. `full` takes whole populations where the short
// run takes a part (expiry of 1e6 timers).
std::vector<Row> AllRows(bool full);

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_ROWS_H_
