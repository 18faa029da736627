#include "percore/bench/micro/rows.h"

#include <gtest/gtest.h>

#include <set>

#include "percore/bench/micro/cases.h"

namespace percore::bench {
namespace {

// A row without a case would be a comparison that nobody makes.
TEST(Rows, EachHasACaseForTheEvent2Interface) {
  const CaseRegistry registry = AllCases();
  for (const bool full : {false, true}) {
    for (const Row& row : AllRows(full)) {
      EXPECT_NE(registry.Find(row.workload.kind, Family::kEvent2), nullptr)
          << row.name;
      for (const Limit& limit : row.limits) {
        if (limit.workload.kind.empty()) continue;
        EXPECT_NE(registry.Find(limit.workload.kind, Family::kEvent2), nullptr)
            << row.name << ": " << limit.name;
      }
    }
  }
}

// The report and --rows go by the name; --rows separates names by commas.
TEST(Rows, NamesAreUniqueAndHaveNoComma) {
  std::set<std::string> names;
  for (const Row& row : AllRows(false)) {
    EXPECT_EQ(row.name.find(','), std::string::npos) << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
  }
}

// Rows of one workload share one measurement only if they are neighbours.
TEST(Rows, OfOneWorkloadAreNeighbours) {
  std::set<Workload> seen;
  const std::vector<Row> rows = AllRows(false);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && rows[i].workload == rows[i - 1].workload) continue;
    EXPECT_TRUE(seen.insert(rows[i].workload).second) << rows[i].name;
  }
}

TEST(Rows, AimIsAtLeastMust) {
  for (const Row& row : AllRows(false)) {
    EXPECT_GE(row.aim, row.must) << row.name;
  }
}

// The limits that need no package are always there.
TEST(Rows, TheRawPeersAreBuiltIn) {
  const CaseRegistry registry = AllCases();
  EXPECT_NE(registry.Find("chain", Family::kRaw), nullptr);
  EXPECT_NE(registry.Find("burst", Family::kRaw), nullptr);
  EXPECT_NE(registry.Find("ping_pong", Family::kRaw), nullptr);
}

}  // namespace
}  // namespace percore::bench
