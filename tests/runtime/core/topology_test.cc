#include "percore/runtime/core/topology.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace percore {
namespace {

class TopologyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/topologyXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void Write(const std::string& path, const std::string& text) {
    for (std::size_t at = root_.size() + 1;
         (at = (root_ + path).find('/', at)) != std::string::npos; ++at) {
      mkdir((root_ + path).substr(0, at).c_str(), 0755);
    }
    std::ofstream(root_ + path) << text;
  }
  Topology Read(const std::string& groups) {
    Write("/self", groups);
    return ReadTopology(root_ + "/self", root_);
  }
  std::string root_;
};

TEST_F(TopologyTest, TheAffinityMaskCounts) {
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  const Topology topology = Read("0::/\n");
  EXPECT_EQ(static_cast<int>(topology.cpus.size()), CPU_COUNT(&set));
  EXPECT_EQ(topology.quota_millis, 0);
  EXPECT_EQ(topology.UsableCores(), CPU_COUNT(&set));
}

TEST_F(TopologyTest, TheTightestQuotaOfVersion2Counts) {
  Write("/a/b/cpu.max", "max 100000\n");
  Write("/a/cpu.max", "150000 100000\n");
  Write("/cpu.max", "max 100000\n");
  const Topology topology = Read("0::/a/b\n");
  EXPECT_EQ(topology.quota_millis, 1500);
  EXPECT_TRUE(topology.HasQuota());
  EXPECT_LE(topology.UsableCores(), 2);
}

TEST_F(TopologyTest, LessThanOneProcessorIsOneLoop) {
  Write("/x/cpu.max", "20000 100000\n");
  EXPECT_EQ(Read("0::/x\n").UsableCores(), 1);
}

TEST_F(TopologyTest, Version1HasItsOwnFiles) {
  Write("/cpu/g/cpu.cfs_quota_us", "50000\n");
  Write("/cpu/g/cpu.cfs_period_us", "100000\n");
  const Topology topology = Read("3:cpu,cpuacct:/g\n2:memory:/other\n");
  EXPECT_EQ(topology.quota_millis, 500);
}

TEST_F(TopologyTest, NoLimitAndNonsenseAreNoQuota) {
  Write("/n/cpu.max", "garbage\n");
  Write("/cpu/n/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(Read("0::/n\n3:cpu:/n\nnonsense\n").quota_millis, 0);
}

}  // namespace
}  // namespace percore
