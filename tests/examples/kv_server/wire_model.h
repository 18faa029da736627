// The model test over sockets: many clients, each with keys of its own, send
// pipelines of random commands; every answer is compared with the model's.

#ifndef PERCORE_TESTS_EXAMPLES_KV_SERVER_WIRE_MODEL_H_
#define PERCORE_TESTS_EXAMPLES_KV_SERVER_WIRE_MODEL_H_

#include <cstdint>
#include <string>

namespace percore::kv {

struct WireModelOptions {
  uint64_t seed = 1;  // also in every key: one for each run on a server
  int connections = 16;
  int rounds = 10;
  int pipeline = 40;    // commands of one client before it looks for answers
  int huge_one_in = 0;  // as RandomRequests has it
};

// The first difference, with the seed; empty: none. Uses a thread for each
// connection.
std::string RunWireModel(int port, const WireModelOptions& options);

}  // namespace percore::kv

#endif  // PERCORE_TESTS_EXAMPLES_KV_SERVER_WIRE_MODEL_H_
