// Quartiles of a set of samples.

#ifndef PERCORE_BENCH_MICRO_STATISTICS_H_
#define PERCORE_BENCH_MICRO_STATISTICS_H_

#include <vector>

namespace percore::bench {

struct Quartiles {
  double low = 0;
  double median = 0;
  double high = 0;
};

// Between two samples the value is interpolated. All zero for an empty set.
Quartiles QuartilesOf(std::vector<double> samples);

// above[i] / below[i], pair by pair; the sets are of one size.
std::vector<double> PairwiseRatio(const std::vector<double>& above,
                                  const std::vector<double>& below);

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_STATISTICS_H_
