#include "percore/bench/micro/statistics.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace percore::bench {

Quartiles QuartilesOf(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const auto at = [&samples](double fraction) {
    const double place = fraction * static_cast<double>(samples.size() - 1);
    const size_t below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, samples.size() - 1);
    const double part = place - static_cast<double>(below);
    return samples[below] + part * (samples[above] - samples[below]);
  };
  return {at(0.25), at(0.5), at(0.75)};
}

std::vector<double> PairwiseRatio(const std::vector<double>& above,
                                  const std::vector<double>& below) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(above.size(), below.size()); ++i) {
    ratios.push_back(above[i] / below[i]);
  }
  return ratios;
}

}  // namespace percore::bench
