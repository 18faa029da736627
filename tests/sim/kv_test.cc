// The sharded key-value server, whole, under many seeds.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "gtest/gtest.h"
#include "percore/tests/sim/kv_simulation.h"

namespace percore::sim {
namespace {

// PERCORE_SIM_SEED=n runs that one alone, step by step on stderr.
std::uint64_t OneSeed() {
  const char* asked = std::getenv("PERCORE_SIM_SEED");
  return asked == nullptr ? 0 : std::strtoull(asked, nullptr, 10);
}

TEST(KvSimulationTest, AnswersAreTheModelsUnderEverySeed) {
  if (const std::uint64_t seed = OneSeed()) {
    EXPECT_EQ(RunKv(seed, {.print = true}).failure, "");
    return;
  }
  int answers = 0;
  int resets = 0;
  int hang_ups = 0;
  int drained_early = 0;
  std::uint64_t steps = 0;
  const char* more = std::getenv("PERCORE_SIM_SEEDS");
  const std::uint64_t seeds =
      more == nullptr ? 200 : std::strtoull(more, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const KvResult result = RunKv(seed);
    ASSERT_EQ(result.failure, "") << "PERCORE_SIM_SEED=" << seed;
    answers += result.answers;
    resets += result.resets;
    hang_ups += result.hang_ups;
    drained_early += result.drained_early;
    steps += result.steps;
  }
  // The seeds do what they are for.
  EXPECT_GT(answers, 10000);
  EXPECT_GT(resets, 50);
  EXPECT_GT(hang_ups, 200);
  EXPECT_GT(drained_early, 20);
  std::printf(
      "%d answers, %d resets, %d hang-ups, %d early drains, %llu steps\n",
      answers, resets, hang_ups, drained_early,
      static_cast<unsigned long long>(steps));
}

TEST(KvSimulationTest, TheSameSeedIsTheSameRun) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const KvResult once = RunKv(seed);
    const KvResult again = RunKv(seed);
    EXPECT_EQ(once.trace, again.trace) << "seed " << seed;
    EXPECT_EQ(once.steps, again.steps) << "seed " << seed;
    EXPECT_EQ(once.answers, again.answers) << "seed " << seed;
  }
}

TEST(KvSimulationTest, AnotherSeedIsAnotherRun) {
  const std::uint64_t trace = RunKv(1).trace;
  for (std::uint64_t seed = 2; seed <= 10; ++seed) {
    EXPECT_NE(RunKv(seed).trace, trace) << "seed " << seed;
  }
}

}  // namespace
}  // namespace percore::sim
