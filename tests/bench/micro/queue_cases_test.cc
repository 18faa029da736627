#include <gtest/gtest.h>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/producers.h"

namespace percore::bench {
namespace {

// The peer's own protocol of sleep and wake-up is the one that could hang: it
// must end, with both figures, in either way of exchange.
TEST(QueueBurst, EveryItemArrives) {
  const CaseRegistry registry = AllCases();
  const CaseFactory* factory = registry.Find("burst", Family::kRaw);
  ASSERT_NE(factory, nullptr);
  for (const Exchange exchange : {kPhased, kLive}) {
    // Making the case runs it once; four senders, to have it short: each round
    // is a dozen sleeps and wake-ups, slow where the machine is busy.
    const std::unique_ptr<Case> work =
        (*factory)({"burst", 4, exchange}, nullptr);
    const std::vector<double> figures = work->Run();
    ASSERT_EQ(figures.size(), 2u);
    EXPECT_GT(figures[0], 0);
    EXPECT_GT(figures[1], 0);
    EXPECT_GE(figures[0], figures[1] * 0.99);
  }
}

}  // namespace
}  // namespace percore::bench
