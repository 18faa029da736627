// The one source of chance in a simulated world.
#ifndef PERCORE_RUNTIME_BACKEND_SIM_RANDOM_H_
#define PERCORE_RUNTIME_BACKEND_SIM_RANDOM_H_

#include <cstdint>

namespace percore::sim {

// splitmix64: the same numbers from the same seed, on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

  // A number below `bound`, which is not 0.
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }

  // True once in so many, on average; never if that is 0.
  bool OneIn(std::uint64_t n) { return n != 0 && Below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace percore::sim

#endif  // PERCORE_RUNTIME_BACKEND_SIM_RANDOM_H_
