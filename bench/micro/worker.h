// One case in a process of its own.
//
// Two libraries with libevent's names cannot live well in one process, a
// library's heap must not be fragmented by the one before it, and a crash must
// cost one row. So each side of a comparison is a forked worker that waits for
// orders; while it waits it costs no CPU.

#ifndef PERCORE_BENCH_MICRO_WORKER_H_
#define PERCORE_BENCH_MICRO_WORKER_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "percore/bench/micro/case.h"

namespace percore::bench {

// Files of one library with the event2 interface.
struct LibraryFiles {
  std::string core;
  std::string pthreads;
};

// Does a worker's work in this process: loads `files` (unless null), and makes
// the case. Null, with `*error` set, when that fails.
std::unique_ptr<Case> MakeCase(const CaseFactory& factory,
                               const Workload& workload,
                               const LibraryFiles* files, std::string* error);

class Worker {
 public:
  // `files` is null for families other than kEvent2. `core` binds the worker
  // to a core; negative leaves it free.
  Worker(const CaseFactory& factory, const Workload& workload,
         const LibraryFiles* files, int core);
  // Ends the process.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // One sample: a figure for each metric. Empty when the worker could not do
  // it; error() then says why.
  std::vector<double> Sample();

  const std::string& error() const { return error_; }

 private:
  bool Receive(void* data, size_t size);

  pid_t pid_ = -1;
  int channel_ = -1;
  std::string error_;
};

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_WORKER_H_
