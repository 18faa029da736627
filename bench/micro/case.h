// What one benchmark worker runs: a case, a piece of work that one library
// does, measured sample by sample.
//
// The same workload ("chain", 1000 pipes, 1 active) has a case for each
// library, written to do the same work; the table in rows.cc says which
// workloads are compared and what the ratio must be.

#ifndef PERCORE_BENCH_MICRO_CASE_H_
#define PERCORE_BENCH_MICRO_CASE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace percore::bench {

struct EventApi;

// Who does the work. kEvent2 is any library with libevent's interface: Debian's
// libevent or percore.
enum class Family { kEvent2, kLibuv, kLibev, kAsio, kRaw };

// A kind of work and its sizes.
struct Workload {
  std::string kind;  // as in "chain"
  int size = 0;      // descriptors, timers, producers, peers: by the kind
  int detail = 0;    // active pipes and the like: by the kind

  auto operator<=>(const Workload&) const = default;
};

class Case {
 public:
  virtual ~Case() = default;

  // Does one sample. The result has one figure for each metric of the kind:
  // CPU time in nanoseconds for one operation, set-up not counted.
  virtual std::vector<double> Run() = 0;

  // Operations of the last Run() for each metric, to turn counts (system
  // calls, instructions) into counts per operation.
  virtual double operations() const = 0;
};

// Makes the case; `api` is null except for Family::kEvent2.
using CaseFactory =
    std::function<std::unique_ptr<Case>(const Workload&, const EventApi* api)>;

// The factories by kind and family.
class CaseRegistry {
 public:
  void Add(const std::string& kind, Family family, CaseFactory factory) {
    factories_[{kind, family}] = std::move(factory);
  }

  // Null when no such case was built in (its header was absent, or the family
  // has nothing comparable).
  const CaseFactory* Find(const std::string& kind, Family family) const {
    auto found = factories_.find({kind, family});
    return found == factories_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::pair<std::string, Family>, CaseFactory> factories_;
};

// How a timer case samples a population of `pending`: a window of `batch`
// timers, `repeats` times over, so that a sample is some milliseconds.
struct TimerSample {
  explicit TimerSample(int pending)
      : batch(pending < 20000 ? pending : 20000), repeats(60000 / batch) {}
  int batch;
  int repeats;
};

// A factory for cases of class C, constructed from (workload, api).
template <typename C>
CaseFactory MakerOf() {
  return [](const Workload& work, const EventApi* api) {
    return std::make_unique<C>(work, api);
  };
}

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_CASE_H_
