#include "percore/bench/micro/comparison.h"

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace percore::bench {
namespace {

// These run threads of their own, which must be free to use both cores.
bool UsesThreads(const Workload& workload) {
  static const std::set<std::string> kinds = {"already_active", "burst", "post",
                                              "ping_pong"};
  return kinds.count(workload.kind) != 0;
}

struct Side {
  Family family;
  Workload workload;
  bool ours;
  std::unique_ptr<Worker> worker = nullptr;
  std::vector<std::vector<double>> samples = {};  // by metric

  std::vector<double> Metric(int metric) const {
    const size_t at = static_cast<size_t>(metric);
    return at < samples.size() ? samples[at] : std::vector<double>();
  }
};

class Comparison {
 public:
  Comparison(const CaseRegistry& registry, const Options& options)
      : registry_(registry), options_(options) {}

  // The side that does this work; started at the first call for it. Null when
  // no such case was built in.
  Side* Get(Family family, const Workload& workload, bool ours) {
    for (Side& side : sides_) {
      if (side.family == family && side.workload == workload &&
          side.ours == ours) {
        return &side;
      }
    }
    const CaseFactory* factory = registry_.Find(workload.kind, family);
    if (factory == nullptr) return nullptr;
    const LibraryFiles* files =
        family != Family::kEvent2 ? nullptr
                                  : (ours ? &options_.ours : &options_.theirs);
    sides_.push_back({family, workload, ours});
    sides_.back().worker = std::make_unique<Worker>(
        *factory, workload, files, UsesThreads(workload) ? -1 : options_.core);
    return &sides_.back();
  }

  void Run() {
    // The first sample of each warms it up and is not kept.
    for (int pair = -1; pair < options_.pairs; ++pair) {
      for (Side& side : sides_) {
        const std::vector<double> figures = side.worker->Sample();
        if (pair < 0) continue;
        side.samples.resize(figures.size());
        for (size_t i = 0; i < figures.size(); ++i) {
          side.samples[i].push_back(figures[i]);
        }
      }
    }
  }

 private:
  const CaseRegistry& registry_;
  const Options& options_;
  std::deque<Side> sides_;  // Pointers to sides stay good.
};

void JudgeLimit(const Side* peer, const std::vector<double>& ours, int metric,
                LimitResult* result) {
  if (peer == nullptr) return;
  const std::vector<double> theirs = peer->Metric(metric);
  if (theirs.size() != ours.size() || theirs.empty()) return;
  result->ns = QuartilesOf(theirs).median;
  result->ratio = QuartilesOf(PairwiseRatio(theirs, ours));
  result->met = result->ratio.median >= result->limit.at_least - kTolerance;
}

RowResult Judge(const Row& row, const Side& theirs, const Side& ours) {
  RowResult result;
  result.row = row;
  const std::vector<double> their_costs = theirs.Metric(row.metric);
  const std::vector<double> our_costs = ours.Metric(row.metric);
  if (their_costs.empty())
    result.error = "libevent: " + theirs.worker->error() + " ";
  if (our_costs.empty()) result.error += "percore: " + ours.worker->error();
  result.theirs_ns = QuartilesOf(their_costs).median;
  result.ours_ns = QuartilesOf(our_costs).median;
  result.ratio = QuartilesOf(PairwiseRatio(their_costs, our_costs));
  const bool measured = result.error.empty();
  result.must_met = measured && result.ratio.median >= row.must - kTolerance;
  result.aim_met = measured && result.ratio.median >= row.aim - kTolerance;
  result.most_met =
      measured && (row.most_ns == 0 || result.ours_ns <= row.most_ns);
  return result;
}

}  // namespace

std::vector<RowResult> Compare(const std::vector<Row>& rows,
                               const CaseRegistry& registry,
                               const Options& options) {
  Comparison comparison(registry, options);
  const Workload& workload = rows.front().workload;
  Side* theirs = comparison.Get(Family::kEvent2, workload, false);
  Side* ours = comparison.Get(Family::kEvent2, workload, true);
  const auto peer = [&](const Limit& limit) -> Side* {
    if (!options.peers) return nullptr;
    const bool own = limit.family == Family::kEvent2;
    return comparison.Get(
        limit.family, limit.workload.kind.empty() ? workload : limit.workload,
        own);
  };
  for (const Row& row : rows) {
    for (const Limit& limit : row.limits) peer(limit);
  }
  comparison.Run();
  std::vector<RowResult> results;
  for (const Row& row : rows) {
    RowResult result = Judge(row, *theirs, *ours);
    for (const Limit& limit : row.limits) {
      LimitResult judged = {limit};
      JudgeLimit(peer(limit), ours->Metric(row.metric), row.metric, &judged);
      result.limits.push_back(std::move(judged));
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace percore::bench
