// The checker checked: small algorithms, right and with an ordering too weak.

#include <string>

#include "gtest/gtest.h"
#include "percore/tests/model/litmus.h"

namespace percore::model {
namespace {

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

}  // namespace
}  // namespace percore::model
