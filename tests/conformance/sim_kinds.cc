// The suite over sim: its sockets are simulated and its time is the World's.
#include <set>

#include "percore/runtime/backend/sim/sim_backend.h"
#include "percore/runtime/backend/sim/world.h"
#include "percore/tests/conformance/kinds.h"

namespace percore {

std::vector<const BackendKind*> ConformanceKinds() {
  return {sim::SimBackendKind()};
}

std::shared_ptr<void> ConformanceSurroundings() {
  return std::make_shared<sim::World>(sim::Options{.seed = 1});
}

std::string ConformanceSkip(const std::string& test) {
  // A World and all that waits in it are one thread's.
  static const std::set<std::string> kThreads = {
      "RingFromAnotherThreadEndsTheWait",
      "SignalEndsTheWaitWithNothingReady",
      "ChangesFromAnotherThreadHoldInTheWaitUnderWay",
      "ManyChangesFromAnotherThread",
      "AnotherThreadMayWait",
  };
  // It is for tests: its memory is not the replaceable one.
  static const std::set<std::string> kScarcity = {
      "NoMemoryAtCreation",
      "NoMemoryForAnUpdateChangesNothing",
      "NoDescriptorsAtCreation",
  };
  if (kThreads.contains(test)) return "sim is of one thread";
  if (kScarcity.contains(test)) return "sim takes memory as it likes";
  return "";
}

}  // namespace percore
