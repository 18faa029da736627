// Measures rows: all sides of a workload in one interleaved run.

#ifndef PERCORE_BENCH_MICRO_COMPARISON_H_
#define PERCORE_BENCH_MICRO_COMPARISON_H_

#include <string>
#include <vector>

#include "percore/bench/micro/case.h"
#include "percore/bench/micro/rows.h"
#include "percore/bench/micro/statistics.h"
#include "percore/bench/micro/worker.h"

namespace percore::bench {

// A ratio is met when the median is within this of it.
inline constexpr double kTolerance = 0.05;

struct LimitResult {
  Limit limit;
  double ns = 0;     // the peer's median cost; 0 when it was not measured
  Quartiles ratio;   // the peer's cost divided by ours
  bool met = false;  // true as well where nothing is demanded
};

struct RowResult {
  Row row;
  std::string error;  // a side that failed, and why; empty when none did
  double theirs_ns = 0;
  double ours_ns = 0;
  Quartiles ratio;  // libevent's cost divided by ours
  bool must_met = false;
  bool aim_met = false;
  bool most_met = false;
  std::vector<LimitResult> limits;
};

struct Options {
  LibraryFiles theirs;
  LibraryFiles ours;
  int pairs = 21;
  bool peers = true;
  int core = 0;  // where single-threaded workers run
};

// Measures `rows`, all of one workload, and judges them.
std::vector<RowResult> Compare(const std::vector<Row>& rows,
                               const CaseRegistry& registry,
                               const Options& options);

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_COMPARISON_H_
