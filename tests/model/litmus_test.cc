// The checker checked: classic shapes whose outcomes are known.

#include <string>

#include "gtest/gtest.h"
#include "percore/tests/model/litmus.h"

namespace percore::model {
namespace {

// --- message passing ---

Result MessagePassing(memory_order store, memory_order load) {
  struct Box {
    ModelVar<int> data{0};
    Int flag{0};
  };
  return Explore({}, [=](Execution& x) {
    auto* box = x.Make<Box>();
    x.Thread("writer", [=] {
      box->data.Set(1);
      box->flag.store(1, store);
    });
    x.Thread("reader", [=] {
      if (box->flag.load(load) == 0) return;
      Check(box->data.Get() == 1, "flag without data");
    });
  });
}

TEST(Litmus, MessagePassingNeedsReleaseAndAcquire) {
  const Result good =
      MessagePassing(memory_order_release, memory_order_acquire);
  EXPECT_TRUE(good.Passed()) << good.failure << good.schedule;
  EXPECT_GE(good.executions, 2u);
  for (const auto& [store, load] :
       {std::pair{memory_order_relaxed, memory_order_acquire},
        std::pair{memory_order_release, memory_order_relaxed}}) {
    const Result bad = MessagePassing(store, load);
    EXPECT_NE(bad.failure.find("data race"), std::string::npos) << bad.failure;
    EXPECT_NE(bad.schedule.find("flag"), 0u);
  }
}

TEST(Litmus, MessagePassingByFences) {
  auto run = [](memory_order release, memory_order acquire) {
    struct Box {
      ModelVar<int> data{0};
      Int flag{0};
    };
    return Explore({}, [=](Execution& x) {
      auto* box = x.Make<Box>();
      x.Thread("writer", [=] {
        box->data.Set(1);
        ModelAtomics::Fence(release);
        box->flag.store(1, memory_order_relaxed);
      });
      x.Thread("reader", [=] {
        if (box->flag.load(memory_order_relaxed) == 0) return;
        ModelAtomics::Fence(acquire);
        Check(box->data.Get() == 1, "flag without data");
      });
    });
  };
  EXPECT_TRUE(run(memory_order_release, memory_order_acquire).Passed());
  EXPECT_FALSE(run(memory_order_relaxed, memory_order_acquire).Passed());
  EXPECT_FALSE(run(memory_order_release, memory_order_relaxed).Passed());
}

// --- store buffering ---

Outcomes StoreBuffering(memory_order store, memory_order load) {
  return TwoThreads(
      [=](Pair& p) {
        p.x.store(1, store);
        p.r.a = p.y.load(load);
      },
      [=](Pair& p) {
        p.y.store(1, store);
        p.r.b = p.x.load(load);
      });
}

TEST(Litmus, StoreBufferingIsForbiddenOnlyBySeqCst) {
  const Outcomes weak = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const Outcomes strong = {{0, 1}, {1, 0}, {1, 1}};
  EXPECT_EQ(StoreBuffering(memory_order_release, memory_order_acquire), weak);
  EXPECT_EQ(StoreBuffering(memory_order_seq_cst, memory_order_acquire), weak);
  EXPECT_EQ(StoreBuffering(memory_order_seq_cst, memory_order_seq_cst), strong);
}

TEST(Litmus, StoreBufferingWithSeqCstFences) {
  const Outcomes strong = {{0, 1}, {1, 0}, {1, 1}};
  EXPECT_EQ(TwoThreads(
                [](Pair& p) {
                  p.x.store(1, memory_order_relaxed);
                  ModelAtomics::Fence(memory_order_seq_cst);
                  p.r.a = p.y.load(memory_order_relaxed);
                },
                [](Pair& p) {
                  p.y.store(1, memory_order_relaxed);
                  ModelAtomics::Fence(memory_order_seq_cst);
                  p.r.b = p.x.load(memory_order_relaxed);
                }),
            strong);
}

// --- load buffering, coherence, modification order ---

TEST(Litmus, LoadBufferingOutOfThinAirIsNotModelled) {
  // C++ allows (1, 1) for relaxed; RC11 and this checker do not (memory.h).
  const Outcomes expected = {{0, 0}, {0, 1}, {1, 0}};
  EXPECT_EQ(TwoThreads(
                [](Pair& p) {
                  p.r.a = p.y.load(memory_order_relaxed);
                  p.x.store(1, memory_order_relaxed);
                },
                [](Pair& p) {
                  p.r.b = p.x.load(memory_order_relaxed);
                  p.y.store(1, memory_order_relaxed);
                }),
            expected);
}

TEST(Litmus, CoherenceOfReads) {
  const Outcomes seen = TwoThreads(
      [](Pair& p) {
        p.x.store(1, memory_order_relaxed);
        p.x.store(2, memory_order_relaxed);
      },
      [](Pair& p) {
        p.r.a = p.x.load(memory_order_relaxed);
        p.r.b = p.x.load(memory_order_relaxed);
      });
  const Outcomes expected = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}};
  EXPECT_EQ(seen, expected);
}

TEST(Litmus, TwoPlusTwoWrites) {
  // Both first writes may win: the modification order is not that of execution.
  Outcomes outcomes;
  auto run = [&outcomes](memory_order order) {
    outcomes.clear();
    return Explore({}, [&outcomes, order](Execution& x) {
      auto* p = x.Make<Pair>();
      x.Thread("first", [p, order] {
        p->x.store(1, order);
        p->y.store(2, order);
      });
      x.Thread("second", [p, order] {
        p->y.store(1, order);
        p->x.store(2, order);
      });
      x.AtEnd([p, &outcomes] {
        outcomes.insert(
            {p->x.load(memory_order_relaxed), p->y.load(memory_order_relaxed)});
      });
    });
  };
  EXPECT_TRUE(run(memory_order_release).Passed());
  EXPECT_EQ(outcomes, (Outcomes{{1, 1}, {1, 2}, {2, 1}, {2, 2}}));
  EXPECT_TRUE(run(memory_order_seq_cst).Passed());
  EXPECT_EQ(outcomes, (Outcomes{{1, 2}, {2, 1}, {2, 2}}));
}

// Independent reads of independent writes: (1,0) and (1,0) by two readers.
bool SeenInOppositeOrder(memory_order store, memory_order load) {
  struct State {
    Int x{0};
    Int y{0};
    int r[4] = {};
  };
  bool opposite = false;
  const Result result = Explore({}, [&](Execution& e) {
    auto* s = e.Make<State>();
    e.Thread("x", [=] { s->x.store(1, store); });
    e.Thread("y", [=] { s->y.store(1, store); });
    e.Thread("xy", [=] {
      s->r[0] = s->x.load(load);
      s->r[1] = s->y.load(load);
    });
    e.Thread("yx", [=] {
      s->r[2] = s->y.load(load);
      s->r[3] = s->x.load(load);
    });
    e.AtEnd([s, &opposite] {
      const int* r = s->r;
      if (r[0] == 1 && r[1] == 0 && r[2] == 1 && r[3] == 0) opposite = true;
    });
  });
  EXPECT_TRUE(result.Passed()) << result.failure;
  return opposite;
}

TEST(Litmus, IndependentReadsOfIndependentWrites) {
  EXPECT_TRUE(SeenInOppositeOrder(memory_order_release, memory_order_acquire));
  EXPECT_FALSE(SeenInOppositeOrder(memory_order_seq_cst, memory_order_seq_cst));
}

// --- read-modify-writes ---

TEST(Litmus, IncrementsAreNotLost) {
  const Result result = Explore({}, [](Execution& x) {
    auto* count = x.Make<Int>(0);
    for (const char* name : {"one", "two", "three"}) {
      x.Thread(name, [count] { count->fetch_add(1, memory_order_relaxed); });
    }
    x.AtEnd([count] {
      Check(count->load(memory_order_relaxed) == 3, "an increment was lost");
    });
  });
  EXPECT_TRUE(result.Passed()) << result.failure << result.schedule;
  const Result torn = Explore({}, [](Execution& x) {
    auto* count = x.Make<Int>(0);
    for (const char* name : {"one", "two"}) {
      x.Thread(name, [count] {
        count->store(count->load(memory_order_relaxed) + 1,
                     memory_order_relaxed);
      });
    }
    x.AtEnd([count] {
      Check(count->load(memory_order_relaxed) == 2, "an increment was lost");
    });
  });
  EXPECT_NE(torn.failure.find("an increment was lost"), std::string::npos);
}

Result ReleaseSequence(bool read_modify_write) {
  struct Box {
    ModelVar<int> data{0};
    Int flag{0};
  };
  return Explore({}, [=](Execution& x) {
    auto* box = x.Make<Box>();
    x.Thread("writer", [=] {
      box->data.Set(1);
      box->flag.store(1, memory_order_release);
    });
    x.Thread("middle", [=] {
      if (read_modify_write) {
        box->flag.fetch_add(1, memory_order_relaxed);
      } else if (box->flag.load(memory_order_relaxed) == 1) {
        box->flag.store(2, memory_order_relaxed);
      }
    });
    x.Thread("reader", [=] {
      if (box->flag.load(memory_order_acquire) == 2) box->data.Get();
    });
  });
}

TEST(Litmus, OnlyReadModifyWritesContinueAReleaseSequence) {
  EXPECT_TRUE(ReleaseSequence(true).Passed());
  EXPECT_NE(ReleaseSequence(false).failure.find("data race"),
            std::string::npos);
}

TEST(Litmus, WeakCompareExchangeFailsSpuriously) {
  Outcomes outcomes;
  for (const bool weak : {true, false}) {
    const Result result = Explore({}, [&](Execution& x) {
      auto* p = x.Make<Pair>();
      x.Thread("only", [=] {
        int expected = 0;
        p->r.a = weak;
        p->r.b = weak ? p->x.compare_exchange_weak(expected, 1)
                      : p->x.compare_exchange_strong(expected, 1);
      });
      x.AtEnd([p, &outcomes] { outcomes.insert({p->r.a, p->r.b}); });
    });
    EXPECT_TRUE(result.Passed()) << result.failure;
  }
  EXPECT_EQ(outcomes, (Outcomes{{0, 1}, {1, 0}, {1, 1}}));
}

}  // namespace
}  // namespace percore::model
