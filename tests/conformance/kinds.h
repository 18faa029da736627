// Which backends the conformance suite runs over, and what they need around
// them: every backend of this machine, or sim. One is linked.
#ifndef PERCORE_TESTS_CONFORMANCE_KINDS_H_
#define PERCORE_TESTS_CONFORMANCE_KINDS_H_

#include <memory>
#include <string>
#include <vector>

#include "percore/runtime/backend/backend.h"

namespace percore {

std::vector<const BackendKind*> ConformanceKinds();

// What has to live around one test's backend; null: nothing.
std::shared_ptr<void> ConformanceSurroundings();

// Why this test says nothing of these backends; empty: it does.
std::string ConformanceSkip(const std::string& test);

}  // namespace percore

#endif  // PERCORE_TESTS_CONFORMANCE_KINDS_H_
