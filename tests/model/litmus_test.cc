// The checker checked: classic shapes whose outcomes are known.

#include <cstdio>
#include <set>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "percore/tests/model/explorer.h"
#include "percore/tests/model/model_atomics.h"

namespace percore::model {
namespace {

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

// --- spin lock ---

Result SpinLock(memory_order acquire, memory_order release) {
  struct Shared {
    Int locked{0};
    ModelVar<int> count{0};
  };
  return Explore({}, [=](Execution& x) {
    auto* s = x.Make<Shared>();
    for (const char* name : {"one", "two", "three"}) {
      x.Thread(name, [=] {
        while (s->locked.exchange(1, acquire) != 0) ModelAtomics::Pause();
        s->count.Set(s->count.Get() + 1);
        s->locked.store(0, release);
      });
    }
    x.AtEnd([s] { Check(s->count.Get() == 3, "mutual exclusion"); });
  });
}

TEST(Litmus, SpinLock) {
  const Result good = SpinLock(memory_order_acquire, memory_order_release);
  EXPECT_TRUE(good.Passed()) << good.failure << good.schedule;
  printf("spin lock: %s\n", good.Summary().c_str());
  EXPECT_FALSE(SpinLock(memory_order_relaxed, memory_order_release).Passed());
  EXPECT_FALSE(SpinLock(memory_order_acquire, memory_order_relaxed).Passed());
}

TEST(Litmus, SpinningForWhatNeverComesIsADeadlock) {
  const Result result = Explore({}, [](Execution& x) {
    auto* flag = x.Make<Int>(0);
    x.Thread("waiter", [flag] {
      while (flag->load(memory_order_acquire) != 2) ModelAtomics::Pause();
    });
    x.Thread("pulse", [flag] {
      flag->store(1, memory_order_release);
      flag->store(0, memory_order_release);
    });
  });
  EXPECT_NE(result.failure.find("deadlock"), std::string::npos);
}

TEST(Litmus, ALoopWithoutPauseIsReported) {
  const Result result = Explore({}, [](Execution& x) {
    auto* flag = x.Make<Int>(0);
    x.Thread("waiter", [flag] {
      while (flag->load(memory_order_acquire) == 0) {
      }
    });
  });
  EXPECT_NE(result.failure.find("loop without end"), std::string::npos);
}

// --- Treiber push, take all ---

struct Node {
  ModelVar<Node*> next{nullptr};
  ModelVar<int> value{0};
};

Result Treiber(memory_order push, memory_order take) {
  struct Shared {
    ModelAtomic<Node*> head{nullptr};
    int taken = 0;
  };
  return Explore({}, [=](Execution& x) {
    auto* s = x.Make<Shared>();
    auto producer = [=](int value) {
      Node* node = New<Node>();
      node->value.Set(value);
      Node* head = s->head.load(memory_order_relaxed);
      do {
        node->next.Set(head);
      } while (!s->head.compare_exchange_weak(head, node, push,
                                              memory_order_relaxed));
    };
    auto drain = [=] {
      Node* node = s->head.exchange(nullptr, take);
      while (node != nullptr) {
        s->taken |= node->value.Get();
        Node* next = node->next.Get();
        Delete(node);
        node = next;
      }
    };
    x.Thread("one", [=] {
      producer(1);
      producer(2);
    });
    x.Thread("two", [=] { producer(4); });
    x.Thread("owner", [=] {
      drain();
      drain();
    });
    x.AtEnd([=] {
      drain();
      Check(s->taken == 7, "a node was lost");
    });
  });
}

TEST(Litmus, TreiberStack) {
  const Result good = Treiber(memory_order_release, memory_order_acquire);
  EXPECT_TRUE(good.Passed()) << good.failure << good.schedule;
  printf("treiber: %s\n", good.Summary().c_str());
  EXPECT_FALSE(Treiber(memory_order_relaxed, memory_order_acquire).Passed());
  EXPECT_FALSE(Treiber(memory_order_release, memory_order_relaxed).Passed());
}

// --- sleep and wake ---

// The owner announces that it will sleep and looks again; the producer gives
// work and looks whether the owner sleeps.
Result SleepWake(bool look_again, memory_order order) {
  struct Shared {
    Int work{0};
    Int asleep{0};
    Doorbell bell;
  };
  return Explore({}, [=](Execution& x) {
    auto* s = x.Make<Shared>();
    x.Thread("producer", [=] {
      s->work.store(
          1, order == memory_order_seq_cst ? order : memory_order_release);
      if (s->asleep.load(order) != 0) s->bell.Ring();
    });
    x.Thread("owner", [=] {
      if (s->work.load(order) != 0) return;
      s->asleep.store(
          1, order == memory_order_seq_cst ? order : memory_order_release);
      if (look_again && s->work.load(order) != 0) return;
      s->bell.Wait();
    });
  });
}

TEST(Litmus, SleepNeedsTheSecondLookAndSeqCst) {
  const Result good = SleepWake(true, memory_order_seq_cst);
  EXPECT_TRUE(good.Passed()) << good.failure << good.schedule;
  const Result blind = SleepWake(false, memory_order_seq_cst);
  EXPECT_NE(blind.failure.find("deadlock"), std::string::npos);
  EXPECT_NE(blind.failure.find("owner"), std::string::npos);
  EXPECT_NE(SleepWake(true, memory_order_acquire).failure.find("deadlock"),
            std::string::npos);
}

// --- lifetime ---

Result ReferenceCount(memory_order drop) {
  struct Counted {
    Int references{2};
    ModelVar<int> value{0};
    Int used{0};
  };
  return Explore({}, [=](Execution& x) {
    auto* counted = New<Counted>();
    for (const char* name : {"one", "two"}) {
      x.Thread(name, [=] {
        counted->used.fetch_add(1, memory_order_relaxed);
        if (counted->references.fetch_sub(1, drop) == 1) Delete(counted);
      });
    }
  });
}

TEST(Litmus, ReferenceCountNeedsAcqRel) {
  const Result good = ReferenceCount(memory_order_acq_rel);
  EXPECT_TRUE(good.Passed()) << good.failure << good.schedule;
  for (const memory_order weak :
       {memory_order_relaxed, memory_order_release, memory_order_acquire}) {
    const Result bad = ReferenceCount(weak);
    EXPECT_NE(bad.failure.find("destroyed"), std::string::npos) << bad.failure;
  }
}

TEST(Litmus, UseAfterFreeAndLeakAreReported) {
  const Result used = Explore({}, [](Execution& x) {
    auto* box = New<Pair>();
    auto* gone = x.Make<Int>(0);
    x.Thread("owner", [=] {
      Delete(box);
      gone->store(1, memory_order_release);
    });
    x.Thread("late", [=] {
      if (gone->load(memory_order_acquire) == 1) {
        box->x.store(1, memory_order_relaxed);
      }
    });
  });
  EXPECT_NE(used.failure.find("used after it was destroyed"), std::string::npos)
      << used.failure;
  const Result leaked =
      Explore({}, [](Execution& x) { x.Thread("only", [] { New<Pair>(); }); });
  EXPECT_NE(leaked.failure.find("never deleted"), std::string::npos);
}

TEST(Litmus, UnpublishedObjectIsARace) {
  auto run = [](memory_order publish) {
    return Explore({}, [publish](Execution& x) {
      auto* slot = x.Make<ModelAtomic<Int*>>(nullptr);
      x.Thread("maker", [=] { slot->store(New<Int>(7), publish); });
      x.Thread("user", [=] {
        Int* made = slot->load(memory_order_acquire);
        if (made != nullptr) made->load(memory_order_relaxed);
      });
      x.AtEnd([=] { Delete(slot->load(memory_order_relaxed)); });
    });
  };
  EXPECT_TRUE(run(memory_order_release).Passed());
  EXPECT_NE(run(memory_order_relaxed).failure.find("construction"),
            std::string::npos);
}

// --- the search itself ---

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
