// Seeds every ordering fault that a set of scenarios can have, one at a time.

#ifndef PERCORE_TESTS_MODEL_WEAKENINGS_H_
#define PERCORE_TESTS_MODEL_WEAKENINGS_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "percore/tests/model/explorer.h"
#include "percore/tests/model/operation.h"

namespace percore::model {

struct Scenario {
  const char* name;
  std::function<void(Execution&)> body;
  Options options = {};
};

struct WeakeningOutcome {
  Weakening weakening;
  std::string failure;  // the first found, "" if every scenario passed
  const char* scenario = "";
};

// Every way to take one step down from the order that `site` asks for: acquire
// and release lose everything, the double orders lose one half.
std::vector<Weakening> WeakeningsOf(const Site& site);

// Explores every scenario as it is, which must pass, then under each weakening
// of each site that they met, until one scenario fails. Sites in files whose
// name ends with `skipped` are left alone. Prints a line for each. Empty if a
// scenario fails by itself.
std::vector<WeakeningOutcome> TryAllWeakenings(
    const std::vector<Scenario>& scenarios, std::string_view skipped = "?");

// How many weakenings of each kind no scenario noticed, by WeakeningKey().
std::map<std::string, int> NotFound(
    const std::vector<WeakeningOutcome>& outcomes);

// What the code asks for: "gate.h fetch_sub release -> relaxed". Lines and
// columns are left out, so that a list of these survives an edit; two sites of
// one file may share it.
std::string WeakeningKey(const Weakening& weakening);

}  // namespace percore::model

#endif  // PERCORE_TESTS_MODEL_WEAKENINGS_H_
