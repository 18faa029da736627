// Google Benchmark over the cases of one library with the event2 interface:
// for profiling, and for watching one figure while working on it. Ratios come
// from the program `micro`, which interleaves the two sides.
//
//   event2_benchmark --library=DIR [--benchmark_filter=...]
//
// The time shown is CPU time of one operation.

#include <benchmark/benchmark.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/rows.h"
#include "percore/bench/micro/worker.h"

namespace percore::bench {
namespace {

// One iteration is one sample of the row's case; its time is reported as if
// it had been a single operation.
void RunRow(benchmark::State& state, const Row& row,
            const CaseRegistry& registry, const LibraryFiles& files) {
  std::string error;
  const CaseFactory* factory =
      registry.Find(row.workload.kind, Family::kEvent2);
  const std::unique_ptr<Case> work =
      MakeCase(*factory, row.workload, &files, &error);
  if (work == nullptr) {
    state.SkipWithError(error.c_str());
    return;
  }
  for (auto _ : state) {
    state.SetIterationTime(work->Run()[static_cast<size_t>(row.metric)] * 1e-9);
  }
  state.counters["operations_per_sample"] = work->operations();
}

int Main(int argc, char** argv) {
  LibraryFiles files;
  for (int i = 1; i < argc; ++i) {
    if (strncmp(argv[i], "--library=", 10) != 0) continue;
    const std::string directory = argv[i] + 10;
    files = {directory + "/libevent_core-2.1.so.7",
             directory + "/libevent_pthreads-2.1.so.7"};
    for (int j = i; j + 1 < argc; ++j) argv[j] = argv[j + 1];
    --argc;
  }
  if (files.core.empty()) {
    fprintf(stderr, "--library=DIR is needed\n");
    return 2;
  }
  rlimit descriptors;
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);

  const CaseRegistry registry = AllCases();
  for (const Row& row : AllRows(false)) {
    benchmark::RegisterBenchmark(
        row.name.c_str(),
        [row, &registry, &files](benchmark::State& state) {
          RunRow(state, row, registry, files);
        })
        ->UseManualTime()
        ->Iterations(10);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace percore::bench

int main(int argc, char** argv) { return percore::bench::Main(argc, argv); }
