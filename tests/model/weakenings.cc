#include "percore/tests/model/weakenings.h"

#include <cstdio>
#include <set>

namespace percore::model {

std::vector<Weakening> WeakeningsOf(const Site& site) {
  const Kind kind = static_cast<Kind>(site.kind);
  switch (static_cast<std::memory_order>(site.order)) {
    case std::memory_order_relaxed:
      return {};
    case std::memory_order_consume:
    case std::memory_order_acquire:
    case std::memory_order_release:
      return {{site, std::memory_order_relaxed}};
    case std::memory_order_acq_rel:
      return {{site, std::memory_order_acquire},
              {site, std::memory_order_release}};
    case std::memory_order_seq_cst:
      if (kind == Kind::kLoad || site.failure) {
        return {{site, std::memory_order_acquire}};
      }
      if (kind == Kind::kStore) return {{site, std::memory_order_release}};
      return {{site, std::memory_order_acq_rel}};
  }
  return {};
}

std::vector<WeakeningOutcome> TryAllWeakenings(
    const std::vector<Scenario>& scenarios, std::string_view skipped) {
  std::set<Site> sites;
  for (const Scenario& scenario : scenarios) {
    const Result result = Explore(scenario.options, scenario.body);
    printf("%-28s %s\n", scenario.name, result.Summary().c_str());
    if (!result.Passed()) {
      printf("FAILED: %s%s", result.failure.c_str(), result.schedule.c_str());
      return {};
    }
    sites.insert(result.sites.begin(), result.sites.end());
  }
  std::vector<WeakeningOutcome> outcomes;
  for (const Site& site : sites) {
    if (std::string_view(site.file).ends_with(skipped)) continue;
    for (const Weakening& weakening : WeakeningsOf(site)) {
      WeakeningOutcome outcome = {weakening, "", ""};
      for (const Scenario& scenario : scenarios) {
        Options options = scenario.options;
        options.weakening = weakening;
        outcome.failure = Explore(options, scenario.body).failure;
        outcome.scenario = scenario.name;
        if (!outcome.failure.empty()) break;
      }
      printf("%-52s %s%s%.60s\n", WeakeningName(weakening).c_str(),
             outcome.failure.empty() ? "NOT FOUND" : outcome.scenario,
             outcome.failure.empty() ? "" : ": ", outcome.failure.c_str());
      outcomes.push_back(outcome);
    }
  }
  return outcomes;
}

std::map<std::string, int> NotFound(
    const std::vector<WeakeningOutcome>& outcomes) {
  std::map<std::string, int> missed;
  for (const WeakeningOutcome& outcome : outcomes) {
    if (outcome.failure.empty()) ++missed[WeakeningKey(outcome.weakening)];
  }
  return missed;
}

std::string WeakeningKey(const Weakening& weakening) {
  const Site& site = weakening.site;
  const size_t slash = site.file.rfind('/');
  return site.file.substr(slash == std::string::npos ? 0 : slash + 1) + " " +
         KindName(static_cast<Kind>(site.kind)) +
         (site.failure ? " (failure) " : " ") +
         OrderName(static_cast<std::memory_order>(site.order)) + " -> " +
         OrderName(weakening.to);
}

}  // namespace percore::model
