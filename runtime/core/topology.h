// Which processors this process may use, and how many of them it can keep
// busy: the affinity mask (which a cpuset narrows), and the CPU quota of its
// control groups.
#ifndef PERCORE_RUNTIME_CORE_TOPOLOGY_H_
#define PERCORE_RUNTIME_CORE_TOPOLOGY_H_

#include <string>
#include <vector>

namespace percore {

struct Topology {
  // Processor numbers of the affinity mask, ascending; never empty.
  std::vector<int> cpus;
  // CPU time a wall second may use, in thousandths of a processor, by the
  // tightest quota above us; 0: no quota.
  int quota_millis = 0;

  // How many loops to run: one for each processor, no more than the quota
  // can keep running (rounded up), at least one.
  int UsableCores() const;
  bool HasQuota() const { return quota_millis != 0; }
};

// Reads the system. `proc_self_cgroup` and `cgroup_root` are for tests.
Topology ReadTopology(const std::string& proc_self_cgroup = "/proc/self/cgroup",
                      const std::string& cgroup_root = "/sys/fs/cgroup");

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_TOPOLOGY_H_
