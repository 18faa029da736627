#include "percore/tests/conformance/kinds.h"

namespace percore {

std::vector<const BackendKind*> ConformanceKinds() {
  std::vector<const BackendKind*> kinds;
  for (const BackendKind* kind = BackendKinds(); kind->name != nullptr;
       ++kind) {
    kinds.push_back(kind);
  }
  return kinds;
}

std::shared_ptr<void> ConformanceSurroundings() { return nullptr; }

std::string ConformanceSkip(const std::string&) { return ""; }

}  // namespace percore
