// examples/kv_server as it is, on all its cores, in one simulated world: many
// clients with random commands, each compared with the reference model.
#ifndef PERCORE_TESTS_SIM_KV_SIMULATION_H_
#define PERCORE_TESTS_SIM_KV_SIMULATION_H_

#include <cstdint>
#include <string>

namespace percore::sim {

struct KvOptions {
  int clients = 6;
  int rounds = 4;
  int pipeline = 12;  // commands of one client before it looks for answers
  bool print = false;
};

struct KvResult {
  // What was wrong; empty: nothing.
  std::string failure;
  std::uint64_t trace = 0;
  std::uint64_t steps = 0;
  int answers = 0;  // that were compared
  int resets = 0;   // connections that broke
  int hang_ups = 0;
  bool drained_early = false;
};

// Everything else is chosen by the seed: cores, faults, whether the server is
// drained under the clients.
KvResult RunKv(std::uint64_t seed, const KvOptions& options = {});

}  // namespace percore::sim

#endif  // PERCORE_TESTS_SIM_KV_SIMULATION_H_
