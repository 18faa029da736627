// The smallest scenarios: two threads over two zeroed atomics.
#ifndef PERCORE_TESTS_MODEL_LITMUS_H_
#define PERCORE_TESTS_MODEL_LITMUS_H_

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "percore/tests/model/explorer.h"
#include "percore/tests/model/model_atomics.h"

namespace percore::model {

using std::memory_order;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;
using Outcomes = std::set<std::pair<int, int>>;
using Int = ModelAtomic<int>;

// The results that two threads report, as plain memory: each has its own.
struct Registers {
  int a = -1;
  int b = -1;
};

struct Pair {
  Int x{0};
  Int y{0};
  Registers r;
};

// Runs two threads over two zeroed atomics; all outcomes of (r.a, r.b).
template <class First, class Second>
Outcomes TwoThreads(First first, Second second) {
  Outcomes outcomes;
  const Result result = Explore({}, [&](Execution& x) {
    auto* pair = x.Make<Pair>();
    x.Thread("first", [pair, &first] { first(*pair); });
    x.Thread("second", [pair, &second] { second(*pair); });
    x.AtEnd([pair, &outcomes] { outcomes.insert({pair->r.a, pair->r.b}); });
  });
  EXPECT_TRUE(result.Passed()) << result.failure << result.schedule;
  return outcomes;
}

}  // namespace percore::model

#endif  // PERCORE_TESTS_MODEL_LITMUS_H_
