// A small random sequence, the same in every worker, so that both sides of a
// pair get the same deadlines in the same order.

#ifndef PERCORE_BENCH_MICRO_CHANCE_H_
#define PERCORE_BENCH_MICRO_CHANCE_H_

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace percore::bench {

class Chance {
 public:
  // Uniform in [0, limit), by xorshift; limit > 0.
  uint32_t Below(uint32_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<uint32_t>((state_ >> 32) * limit >> 32);
  }

  // 0 to size-1 in random order.
  std::vector<int> Permutation(int size) {
    std::vector<int> order(static_cast<size_t>(size));
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[Below(static_cast<uint32_t>(i))]);
    }
    return order;
  }

 private:
  uint64_t state_ = 0x9e3779b97f4a7c15u;
};

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_CHANCE_H_
