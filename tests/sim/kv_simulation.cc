#include "percore/tests/sim/kv_simulation.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "percore/examples/kv_server/server.h"
#include "percore/runtime/backend/sim/peer.h"
#include "percore/runtime/backend/sim/world.h"
#include "percore/runtime/core/runtime.h"
#include "percore/tests/examples/kv_server/random_requests.h"
#include "percore/tests/examples/kv_server/reference_model.h"

namespace percore::sim {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

class Client {
 public:
  Client(World* world, int port, int number, const KvOptions& options,
         KvResult* result)
      : world_(world),
        port_(port),
        number_(number),
        options_(options),
        result_(result),
        rounds_left_(options.rounds) {
    Connect();
  }

  bool done() const { return done_; }
  // From now on the server may close.
  void ServerDrains() { draining_ = true; }
  // Says goodbye if it has not ended.
  void Leave() { peer_->Close(); }

  // After a drain: what has come must be whole answers.
  void CheckEnd() {
    // One malformed request is two commands to the server, and only the first
    // of them may have reached it (found by seed 2598).
    if (peer_->received() == "CLIENT_ERROR bad data chunk\r\n") return;
    if (peer_->ended() && peer_->error() == 0 && !peer_->received().empty()) {
      Fail("half an answer before the end");
    }
  }

 private:
  // Each connection has keys of its own: what a broken one has done to its is
  // not known.
  void Connect() {
    const std::string name =
        std::to_string(number_) + "." + std::to_string(connections_++) + "-";
    model_ = std::make_unique<kv::ReferenceModel>();
    requests_ =
        std::make_unique<kv::RandomRequests>(kv::RandomRequests::Options{
            .seed = world_->random().Next(), .prefix = name});
    expected_.clear();
    peer_ = std::make_unique<Peer>(world_, port_);
    peer_->OnEvent([this] { OnEvent(); });
    SendRound();
  }

  void SendRound() {
    if (rounds_left_-- == 0) {
      done_ = true;
      peer_->Finish();
      return;
    }
    std::string wire;
    const std::uint64_t commands =
        1 + requests_->Below(static_cast<std::uint64_t>(options_.pipeline));
    for (std::uint64_t i = 0; i < commands; ++i) {
      const kv::Request request = requests_->Next(*model_);
      wire += request.Wire();
      expected_.push_back(model_->Apply(request, world_->WallNs() / 1'000'000));
    }
    peer_->Send(wire);
    // Some hang up on the answers, and are back at once.
    if (requests_->Below(4) == 0) {
      const std::int64_t when =
          requests_->Below(2) == 0
              ? 0
              : static_cast<std::int64_t>(requests_->Below(1'000'000));
      world_->After(when, [this, id = peer_->id()] {
        if (peer_->id() != id || done_ || peer_->ended()) return;
        peer_->Close(requests_->Below(2) == 0);
        ++result_->hang_ups;
        Connect();
      });
    }
    // Some look away for a while.
    if (requests_->Below(4) == 0) {
      peer_->SetReading(false);
      world_->After(static_cast<std::int64_t>(requests_->Below(20'000'000)),
                    [this, id = peer_->id()] {
                      if (peer_->id() == id && !peer_->ended())
                        peer_->SetReading(true);
                    });
    }
  }

  void OnEvent() {
    while (!expected_.empty()) {
      const std::size_t used =
          model_->Match(expected_.front(), peer_->received());
      if (used == std::string::npos) break;
      world_->Note("answer", number_, static_cast<std::int64_t>(used));
      peer_->Take(used);
      expected_.pop_front();
      ++result_->answers;
    }
    if (peer_->ended()) return OnEnd();
    if (!expected_.empty()) {
      const std::size_t whole = expected_.front().text.size();
      // Marks stand for numbers, which are a little longer.
      if (peer_->received().size() > whole + 4096) Fail("a wrong answer");
      return;
    }
    if (!peer_->received().empty()) return Fail("bytes that nobody asked for");
    if (!done_) SendRound();
  }

  void OnEnd() {
    if (peer_->error() == 0 && !draining_ && !done_) {
      return Fail("the server closed the connection");
    }
    if (draining_) done_ = true;
    if (done_) return;
    ++result_->resets;
    ++rounds_left_;
    // Not from the callback of the peer that this destroys.
    world_->After(0, [this] { Connect(); });
  }

  void Fail(const std::string& what) {
    done_ = true;
    if (!result_->failure.empty()) return;
    result_->failure =
        "seed " + std::to_string(world_->seed()) + ", client " +
        std::to_string(number_) + ": " + what + "\nexpected: " +
        (expected_.empty() ? "" : expected_.front().text.substr(0, 300)) +
        "\nactual: " + std::string(peer_->received().substr(0, 300));
  }

  World* const world_;
  const int port_;
  const int number_;
  const KvOptions options_;
  KvResult* const result_;
  int rounds_left_;
  int connections_ = 0;
  bool done_ = false;
  bool draining_ = false;
  std::unique_ptr<kv::ReferenceModel> model_;
  std::unique_ptr<kv::RandomRequests> requests_;
  std::deque<kv::Expected> expected_;
  std::unique_ptr<Peer> peer_;
};

}  // namespace

KvResult RunKv(std::uint64_t seed, const KvOptions& options) {
  KvResult result;
  World world(
      {.seed = seed, .faults = Faults::FromSeed(seed), .print = options.print});
  const auto fail = [&](const std::string& what) {
    if (!result.failure.empty()) return;
    result.failure = "seed " + std::to_string(seed) + ": " + what;
  };
  {
    RuntimeOptions runtime_options;
    runtime_options.cores = 1 + static_cast<int>(world.random().Below(4));
    runtime_options.executor = &world;
    Runtime runtime(runtime_options);
    kv::Server server(runtime);
    const absl::Status started = server.Start({.port = 0});
    if (!started.ok()) {
      fail(started.ToString());
      return result;
    }
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < options.clients; ++i) {
      clients.push_back(std::make_unique<Client>(&world, server.facts().port, i,
                                                 options, &result));
    }
    const auto all_done = [&] {
      return std::all_of(clients.begin(), clients.end(),
                         [](const auto& client) { return client->done(); });
    };
    result.drained_early = world.random().OneIn(4);
    if (result.drained_early) {
      const int enough = static_cast<int>(world.random().Below(60));
      world.RunUntil(3600 * kSecond,
                     [&] { return all_done() || result.answers >= enough; });
      for (auto& client : clients) client->ServerDrains();
    } else if (!world.RunUntil(3600 * kSecond, all_done)) {
      fail("clients wait in vain for " + std::to_string(result.answers) +
           " answers and more");
    }
    // Clients that look away, or wait to come back, must not hold it up.
    if (!runtime.Drain(60 * kSecond)) fail("the drain took a minute");
    world.RunFor(10 * kSecond);
    for (auto& client : clients) client->CheckEnd();
    for (auto& client : clients) client->Leave();
    world.RunFor(10 * kSecond);
  }
  if (world.network().descriptors() != 0) fail("descriptors were left open");
  result.trace = world.trace();
  result.steps = world.steps();
  return result;
}

}  // namespace percore::sim
