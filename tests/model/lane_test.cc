// Activations, explored in every schedule: an event is in the lane at most
// once, no activation is lost, what the activator did is seen by the callback,
// and the node's plain link is never touched by two threads at once.

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "percore/runtime/mailbox/gate.h"
#include "percore/runtime/mailbox/intrusive_lane.h"
#include "percore/runtime/mailbox/pending_word.h"
#include "percore/tests/model/explorer.h"
#include "percore/tests/model/model_atomics.h"
#include "percore/tests/model/weakenings.h"

namespace percore::model {
namespace {

// What of struct event the lane touches.
struct Node {
  ModelAtomic<uint32_t> pending{0};
  ModelVar<Node*> link{nullptr};
};

struct NodeTraits {
  using Node = model::Node;
  static Node* Next(Node* node) { return node->link.Get(); }
  static void SetNext(Node* node, Node* next) { node->link.Set(next); }
};

enum class LaneFault {
  kNone,
  kLinkAfterTake,  // the owner reads the link after it cleared the word
  kAlwaysPush,     // the producer pushes though the event is pending
  kNoClear,        // the owner does not clear the word
  kClearLate,      // the owner clears the word after the callback
};

// The work that activations announce: a producer sets its own variable, then
// activates; the callback reads those whose bit it got.
struct Shared {
  Node events[2];
  ModelVar<int> work[2];
  IntrusiveLane<NodeTraits, ModelAtomics> lane;
  Gate<ModelAtomics> gate;
  Doorbell bell;
  uint32_t seen[2] = {0, 0};
};

void Activate(Shared* s, int event, short result, short ncalls,
              LaneFault fault) {
  Node* node = &s->events[event];
  const bool push = MarkActivation(node->pending, result, ncalls);
  if (push || fault == LaneFault::kAlwaysPush) s->lane.Push(node);
  if (s->gate.Notify() == Gate<ModelAtomics>::Notified::kRing) {
    s->bell.Ring();
    s->gate.EndRing();
  }
}

void RunCallbacks(Shared* s, LaneFault fault) {
  Node* node = s->lane.TakeAll();
  while (node != nullptr) {
    Node* next =
        fault == LaneFault::kLinkAfterTake ? nullptr : node->link.Get();
    const int event = static_cast<int>(node - s->events);
    PendingActivation got = {};
    if (fault == LaneFault::kNoClear || fault == LaneFault::kClearLate) {
      got.bits = node->pending.load(std::memory_order_acquire);
    } else {
      got = TakeActivation(node->pending);
    }
    Check(got.pending(), "in the lane without being pending");
    for (int producer = 0; producer < 2; ++producer) {
      if ((got.result() >> producer & 1) == 0) continue;
      Check(s->work[producer].Get() == 1, "activated before the work");
    }
    s->seen[event] |= static_cast<uint16_t>(got.result());
    if (fault == LaneFault::kClearLate) TakeActivation(node->pending);
    if (fault == LaneFault::kLinkAfterTake) next = node->link.Get();
    node = next;
  }
}

void Owner(Shared* s, uint32_t expected0, uint32_t expected1, LaneFault fault) {
  while ((s->seen[0] & expected0) != expected0 ||
         (s->seen[1] & expected1) != expected1) {
    if (s->gate.TakeMail()) {
      RunCallbacks(s, fault);
    } else if (s->gate.PrepareSleep()) {
      s->bell.Wait();
      if (s->gate.Awake()) RunCallbacks(s, fault);
    }
  }
}

// Two threads activate the same event; the second perhaps as a signal with a
// count.
Scenario OneEvent(const char* name, short ncalls,
                  LaneFault fault = LaneFault::kNone) {
  return {name, [ncalls, fault](Execution& x) {
            auto* s = x.Make<Shared>();
            x.Thread("one", [s, fault] {
              s->work[0].Set(1);
              Activate(s, 0, 1, 0, fault);
            });
            x.Thread("two", [s, ncalls, fault] {
              s->work[1].Set(1);
              Activate(s, 0, 2, ncalls, fault);
            });
            x.Thread("owner", [s, fault] { Owner(s, 3, 0, fault); });
          }};
}

// One thread activates two events, the first again: a node that the owner has
// taken is pushed once more at the same address.
Scenario Again(const char* name, LaneFault fault = LaneFault::kNone) {
  return {name, [fault](Execution& x) {
            auto* s = x.Make<Shared>();
            x.Thread("one", [s, fault] {
              s->work[0].Set(1);
              Activate(s, 0, 1, 0, fault);
              Activate(s, 1, 1, 0, fault);
              Activate(s, 0, 4, 0, fault);
            });
            x.Thread("owner", [s, fault] { Owner(s, 5, 1, fault); });
          }};
}

std::vector<Scenario> Scenarios() {
  return {
      Again("an event again"),
      OneEvent("two threads, one event", 0),
      OneEvent("two threads, with a count", 1),
  };
}

TEST(Lane, ActivationsInEverySchedule) {
  for (const Scenario& scenario : Scenarios()) {
    const Result result = Explore(scenario.options, scenario.body);
    printf("%-28s %s\n", scenario.name, result.Summary().c_str());
    EXPECT_TRUE(result.Passed())
        << scenario.name << ": " << result.failure << result.schedule;
  }
}

// --- seeded faults ---

void ExpectFound(const Scenario& scenario, const char* failure) {
  const Result result = Explore(scenario.options, scenario.body);
  EXPECT_NE(result.failure.find(failure), std::string::npos)
      << scenario.name << ": wanted \"" << failure << "\", found \""
      << result.failure << "\" (" << result.Summary() << ")";
}

TEST(LaneFault, LinkReadAfterTheWordIsCleared) {
  ExpectFound(Again("late link", LaneFault::kLinkAfterTake), "data race");
}

TEST(LaneFault, PushedWhilePending) {
  ExpectFound(Again("always push", LaneFault::kAlwaysPush),
              "in the lane without being pending");
}

TEST(LaneFault, WordNeverCleared) {
  ExpectFound(Again("no clear", LaneFault::kNoClear), "deadlock");
}

TEST(LaneFault, WordClearedAfterTheCallback) {
  ExpectFound(OneEvent("late clear", 0, LaneFault::kClearLate), "deadlock");
}

TEST(LaneFault, EveryWeakenedOrdering) {
  // The gate's own are gate_test's.
  const auto outcomes = TryAllWeakenings(Scenarios(), "/gate.h");
  EXPECT_GE(outcomes.size(), 8u);
  EXPECT_EQ(NotFound(outcomes), (std::map<std::string, int>{}));
}

}  // namespace
}  // namespace percore::model
