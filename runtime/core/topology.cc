#include "percore/runtime/core/topology.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

namespace percore {
namespace {

std::vector<int> AffinityCpus() {
  std::vector<int> cpus;
  // Machines with more processors than a cpu_set_t holds answer EINVAL.
  for (int count = 1024; count <= 1 << 20; count *= 2) {
    const auto free_set = [](cpu_set_t* s) { CPU_FREE(s); };
    const std::unique_ptr<cpu_set_t, decltype(free_set)> owner(
        CPU_ALLOC(static_cast<std::size_t>(count)), free_set);
    cpu_set_t* set = owner.get();
    if (set == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(count));
    CPU_ZERO_S(size, set);
    const bool ok = sched_getaffinity(0, size, set) == 0;
    for (int cpu = 0; ok && cpu < count; ++cpu) {
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), size, set)) {
        cpus.push_back(cpu);
      }
    }
    if (ok) break;
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

// "max 100000" or "150000 100000"; 0 when there is no limit.
int MillisOfCpuMax(const std::string& text) {
  std::istringstream in(text);
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0) return 0;
  const double q = std::strtod(quota.c_str(), nullptr);
  return q <= 0 ? 0 : std::max(1, static_cast<int>(q * 1000 / period));
}

std::string FirstLine(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

void Tighten(int* millis, int other) {
  if (other != 0 && (*millis == 0 || other < *millis)) *millis = other;
}

// Every group from `path` up to the root may have a quota.
template <typename Read>
void WalkUp(std::string path, int* millis, Read&& read) {
  for (;;) {
    Tighten(millis, read(path));
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || path.empty()) return;
    path.resize(slash);
  }
}

int QuotaMillis(const std::string& proc_self_cgroup, const std::string& root) {
  int millis = 0;
  std::ifstream in(proc_self_cgroup);
  std::string line;
  while (std::getline(in, line)) {
    // hierarchy:controllers:path
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (controllers.empty()) {  // version 2
      WalkUp(path, &millis, [&](const std::string& p) {
        return MillisOfCpuMax(FirstLine(root + p + "/cpu.max"));
      });
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      WalkUp(path, &millis, [&](const std::string& p) {
        const std::string dir = root + "/cpu" + p;
        const std::string quota = FirstLine(dir + "/cpu.cfs_quota_us");
        const std::string period = FirstLine(dir + "/cpu.cfs_period_us");
        return quota.empty() || quota[0] == '-'
                   ? 0
                   : MillisOfCpuMax(quota + " " + period);
      });
    }
  }
  return millis;
}

}  // namespace

int Topology::UsableCores() const {
  int n = static_cast<int>(cpus.size());
  if (quota_millis != 0) n = std::min(n, (quota_millis + 999) / 1000);
  return std::max(n, 1);
}

Topology ReadTopology(const std::string& proc_self_cgroup,
                      const std::string& cgroup_root) {
  Topology topology;
  topology.cpus = AffinityCpus();
  topology.quota_millis = QuotaMillis(proc_self_cgroup, cgroup_root);
  return topology;
}

}  // namespace percore
