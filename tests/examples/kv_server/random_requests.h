// A seeded stream of commands, legal and not, for the model tests.

#ifndef PERCORE_TESTS_EXAMPLES_KV_SERVER_RANDOM_REQUESTS_H_
#define PERCORE_TESTS_EXAMPLES_KV_SERVER_RANDOM_REQUESTS_H_

#include <cstdint>
#include <random>
#include <string>

#include "percore/tests/examples/kv_server/reference_model.h"

namespace percore::kv {

class RandomRequests {
 public:
  struct Options {
    uint64_t seed = 1;
    std::string prefix = "k";  // of every key: a client's own part of the map
    int keys = 40;
    // Expiry within seconds: only where the test moves the clock.
    bool virtual_time = false;
    bool flush_all = false;
    // One value in so many is around the 1 MiB limit. 0: none.
    int huge_one_in = 0;
  };

  explicit RandomRequests(const Options& options)
      : options_(options), random_(options.seed) {}

  // `model` gives cas its unique numbers.
  Request Next(const ReferenceModel& model);

  // A number below `bound`.
  uint64_t Below(uint64_t bound) { return random_() % bound; }

 private:
  std::string Key();
  std::string Value();
  int64_t Exptime();

  Options options_;
  std::mt19937_64 random_;
};

}  // namespace percore::kv

#endif  // PERCORE_TESTS_EXAMPLES_KV_SERVER_RANDOM_REQUESTS_H_
