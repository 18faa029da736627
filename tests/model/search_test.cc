// The checker checked: the search itself.

#include <cstdio>
#include <set>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "percore/tests/model/litmus.h"

namespace percore::model {
namespace {

// With and without each reduction: the same outcomes.
TEST(Search, ReductionsLoseNoOutcome) {
  std::set<std::set<std::pair<int, int>>> all;
  uint64_t executions[6];
  for (int mode = 0; mode < 6; ++mode) {
    Options options;
    options.sleep_sets = (mode & 1) != 0;
    options.remember_states = mode >= 2;
    options.compare_contents = mode >= 4;
    std::set<std::pair<int, int>> outcomes;
    const Result result = Explore(options, [&outcomes](Execution& x) {
      auto* p = x.Make<Pair>();
      x.Thread("one", [p] {
        p->x.store(1, memory_order_relaxed);
        p->y.fetch_add(2, memory_order_release);
        p->r.a = p->x.load(memory_order_relaxed) * 10 +
                 p->y.load(memory_order_relaxed) * 100 + Choose(2);
      });
      x.Thread("two", [p] {
        p->y.store(1, memory_order_release);
        p->r.b = p->y.exchange(5, memory_order_acquire) * 10;
        p->r.b += p->x.load(memory_order_relaxed);
      });
      x.Thread("three", [p] { p->x.fetch_add(1, memory_order_relaxed); });
      x.AtEnd([p, &outcomes] { outcomes.insert({p->r.a, p->r.b}); });
    });
    EXPECT_TRUE(result.Passed()) << result.failure << result.schedule;
    executions[mode] = result.executions + result.pruned;
    all.insert(outcomes);
    printf("sleep sets %d, states %d, contents %d: %zu outcomes, %s\n",
           options.sleep_sets, options.remember_states,
           options.compare_contents, outcomes.size(), result.Summary().c_str());
  }
  EXPECT_EQ(all.size(), 1u);
  EXPECT_LT(executions[5], executions[0] / 4);
}

TEST(Search, ABoundIsNotCalledComplete) {
  Options options;
  options.max_executions = 3;
  const Result result = Explore(options, [](Execution& x) {
    auto* count = x.Make<Int>(0);
    for (const char* name : {"one", "two", "three"}) {
      x.Thread(name, [count] { count->fetch_add(1, memory_order_relaxed); });
    }
  });
  EXPECT_TRUE(result.failure.empty());
  EXPECT_FALSE(result.complete);
}

TEST(Search, EverySiteIsFoundAndCanBeWeakened) {
  auto scenario = [](Execution& x) {
    struct Box {
      ModelVar<int> data{0};
      Int flag{0};
    };
    auto* box = x.Make<Box>();
    x.Thread("writer", [=] {
      box->data.Set(1);
      box->flag.store(1, memory_order_release);
    });
    x.Thread("reader", [=] {
      if (box->flag.load(memory_order_acquire) == 1) box->data.Get();
    });
  };
  const Result good = Explore({}, scenario);
  EXPECT_TRUE(good.Passed());
  ASSERT_EQ(good.sites.size(), 2u);
  for (const Site& site : good.sites) {
    Options options;
    options.weakening = Weakening{site, memory_order_relaxed};
    EXPECT_FALSE(Explore(options, scenario).failure.empty()) << SiteName(site);
  }
}

}  // namespace
}  // namespace percore::model
