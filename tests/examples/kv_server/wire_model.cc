#include "percore/tests/examples/kv_server/wire_model.h"

#include <chrono>
#include <string_view>
#include <thread>
#include <vector>

#include "percore/tests/examples/kv_server/random_requests.h"
#include "percore/tests/examples/kv_server/reference_model.h"
#include "percore/tests/examples/kv_server/tcp_client.h"

namespace percore::kv {
namespace {

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Where two answers part, with what is around it.
std::string Difference(std::string_view expected, std::string_view actual) {
  size_t at = 0;
  while (at < expected.size() && at < actual.size() &&
         expected[at] == actual[at]) {
    ++at;
  }
  const size_t from = at < 60 ? 0 : at - 60;
  return "\nat " + std::to_string(at) +
         "\nexpected: " + std::string(expected.substr(from, 200)) +
         "\nactual: " + std::string(actual.substr(from, 200));
}

std::string RunClient(int port, const WireModelOptions& options, int number) {
  const std::string who = "seed " + std::to_string(options.seed) + ", client " +
                          std::to_string(number) + ": ";
  TcpClient client(port);
  if (!client.connected()) return who + "cannot connect";
  ReferenceModel model;
  RandomRequests requests({.seed = options.seed * 1000 + uint64_t(number),
                           .prefix = std::to_string(options.seed) + "c" +
                                     std::to_string(number) + "-",
                           .huge_one_in = options.huge_one_in});
  for (int round = 0; round < options.rounds; ++round) {
    std::string wire;
    std::vector<Expected> expected;
    std::vector<std::string> lines;
    const uint64_t commands = 1 + requests.Below(uint64_t(options.pipeline));
    for (uint64_t i = 0; i < commands; ++i) {
      const Request request = requests.Next(model);
      lines.push_back(request.Wire());
      wire += lines.back();
      expected.push_back(model.Apply(request, NowMs()));
    }
    size_t next = 0;
    const bool all = client.Exchange(wire, [&](std::string_view received) {
      size_t used = 0;
      while (next < expected.size()) {
        const size_t matched =
            model.Match(expected[next], received.substr(used));
        if (matched == std::string::npos) break;
        used += matched;
        ++next;
      }
      client.Take(used);
      return next == expected.size();
    });
    if (!all) {
      return who + lines[next].substr(0, 300) +
             Difference(expected[next].text, client.received());
    }
    if (!client.received().empty()) {
      return who + "unasked: " + std::string(client.received().substr(0, 300));
    }
  }
  return "";
}

}  // namespace

std::string RunWireModel(int port, const WireModelOptions& options) {
  std::vector<std::string> differences(size_t(options.connections));
  std::vector<std::thread> clients;
  for (int i = 0; i < options.connections; ++i) {
    clients.emplace_back(
        [&, i] { differences[size_t(i)] = RunClient(port, options, i); });
  }
  for (std::thread& client : clients) client.join();
  for (const std::string& difference : differences) {
    if (!difference.empty()) return difference;
  }
  return "";
}

}  // namespace percore::kv
