// The backend of a simulated base: readiness is what the World says, and a
// wait is the World's to give turns to others.
//
// Level- and edge-triggered over simulated sockets. A descriptor that is not
// simulated (a pipe, an eventfd) is asked by poll(2) whenever the World looks;
// an edge is then a change from not ready to ready.
#ifndef PERCORE_RUNTIME_BACKEND_SIM_SIM_BACKEND_H_
#define PERCORE_RUNTIME_BACKEND_SIM_SIM_BACKEND_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <unordered_map>

#include "percore/runtime/backend/backend.h"
#include "percore/runtime/backend/sim/world.h"

namespace percore::sim {

inline constexpr int kSimFeatures = kFeatureEdgeTriggered | kFeatureEarlyClose;

class SimBackend final : public Backend {
 public:
  SimBackend(World* world, const BackendOptions& options);
  ~SimBackend() override;

  const char* name() const override { return "sim"; }
  int features() const override { return kSimFeatures; }
  int Update(int fd, std::uint32_t generation, Interest before,
             Interest now) override;
  int Wait(std::int64_t timeout_ns, ReadyList* ready) override;
  void Ring() override { rung_.store(true, std::memory_order_release); }

  // The number is about to be closed: as the kernel, it forgets it.
  void Forget(int fd);

 private:
  struct Entry {
    int fd;
    std::uint32_t generation;
    Interest interest;
    Socket* socket;  // null: not simulated
    // What an edge-triggered watcher has been told.
    std::uint64_t read_told = 0;
    std::uint64_t write_told = 0;
    Interest told = 0;  // not simulated
  };

  Interest ReadyNow(Entry* entry) const;
  void Told(Entry* entry, Interest what) const;
  bool AnyReady();
  void Report(ReadyList* ready);

  World* const world_;
  const bool precise_;
  std::atomic<bool> rung_{false};
  // In the order of registration, which a replay repeats; numbers need not.
  std::map<std::uint64_t, Entry> entries_;
  std::unordered_map<int, std::uint64_t> place_;
  std::uint64_t next_place_ = 0;
};

// For BaseConfig::backend: of the thread's World.
const BackendKind* SimBackendKind();

}  // namespace percore::sim

#endif  // PERCORE_RUNTIME_BACKEND_SIM_SIM_BACKEND_H_
