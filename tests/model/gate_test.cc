// The gate and the mailbox's life, explored in every schedule: no lost wake-up,
// no lost or doubled message, no use after close, fair draining; and every
// seeded fault is found.

#include <bit>
#include <cstdio>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "gtest/gtest.h"
#include "percore/tests/model/explorer.h"
#include "percore/tests/model/mailbox_model.h"
#include "percore/tests/model/model_atomics.h"
#include "percore/tests/model/weakenings.h"

namespace percore::model {
namespace {

// Close's look at the ringers always says "none": a Close that does not wait.
struct BlindAtomics : ModelAtomics {
  template <class T>
  class Atomic : public ModelAtomic<T> {
   public:
    using ModelAtomic<T>::ModelAtomic;
    T load(std::memory_order order, const std::source_location& where =
                                        std::source_location::current()) const {
      const T value = ModelAtomic<T>::load(order, where);
      if constexpr (std::is_same_v<T, std::uint32_t>) return value & 7;
      return value;
    }
  };
};

struct Shape {
  int producers = 2;
  int sends = 1;      // of each producer
  int most = 99;      // messages that a turn runs
  bool stop = false;  // a closer ends the owner, whatever was received
};

// Message ids: producer p's n-th is p * sends + n; the closer's is kStop.
constexpr int kStop = 7;

template <class P>
struct Base {
  Ledger ledger;
  Doorbell* bell;
  MailboxModel<P>* mailbox;
  bool stopped = false;
};

constexpr uint32_t AllMail(const Shape& shape) {
  return ((1u << (shape.producers * shape.sends)) - 1) |
         (shape.stop ? 1u << kStop : 0);
}

template <class P>
void OwnerBody(Base<P>* base, const Shape& shape, Fault fault) {
  MailboxModel<P>* mailbox = base->mailbox;
  const Ledger& ledger = base->ledger;
  mailbox->SetDoorbell(base->bell);
  const uint32_t awaited = shape.stop ? 1u << kStop : AllMail(shape);
  while ((ledger.run & awaited) != awaited) {
    const int before = std::popcount(ledger.run);
    mailbox->Turn(fault, shape.most);
    Check(std::popcount(ledger.run) - before <= shape.most,
          "a turn beyond its mark");
  }
  if (fault != Fault::kNoClose) mailbox->Close();
  Delete(base->bell);
  if (fault == Fault::kFreeAtClose) {
    Delete(mailbox);
  } else {
    mailbox->Release();
  }
}

void CheckLedger(const Ledger& ledger, const Shape& shape) {
  Check(ledger.settled() == AllMail(shape), "a lost message");
  Check((ledger.accepted | ledger.refused) == AllMail(shape),
        "a send without answer");
  Check((ledger.accepted & ledger.late) == 0,
        "an accepted message that the owner never saw");
  // A refused message may still have run: the owner can take it from the lane,
  // and close, before its sender's Notify, which then says closed. "Closed"
  // promises only that nobody drains any more.
}

template <class P = ModelAtomics>
Scenario MailboxScenario(const char* name, Shape shape,
                         Fault fault = Fault::kNone) {
  return {name, [shape, fault](Execution& x) {
            auto* base = x.Make<Base<P>>();
            base->ledger.sends = shape.sends;
            base->bell = New<Doorbell>();
            base->mailbox = New<MailboxModel<P>>(
                shape.producers + (shape.stop ? 1 : 0), &base->ledger);
            static const char* const kNames[] = {"producer 0", "producer 1",
                                                 "producer 2"};
            for (int p = 0; p < shape.producers; ++p) {
              x.Thread(kNames[p], [base, p, shape, fault] {
                for (int n = 0; n < shape.sends; ++n) {
                  base->mailbox->Send(p * shape.sends + n, fault);
                }
                base->mailbox->Release();
              });
            }
            if (shape.stop) {
              x.Thread("closer", [base] {
                base->mailbox->Send(kStop);
                base->mailbox->Release();
              });
            }
            x.Thread("owner",
                     [base, shape, fault] { OwnerBody(base, shape, fault); });
            x.AtEnd([base, shape] { CheckLedger(base->ledger, shape); });
          }};
}

// Three threads make many schedules: there compare_exchange neither fails for
// no reason nor reads an old store when it fails. Smaller scenarios have both.
Scenario Larger(Scenario scenario) {
  scenario.options.spurious_failures = 0;
  scenario.options.stale_failures = false;
  return scenario;
}

const Shape kTwoSends = {.producers = 1, .sends = 2};
const Shape kMarkOfOne = {.producers = 1, .sends = 2, .most = 1};
const Shape kTwoProducers = {.producers = 2};
const Shape kCloser = {.producers = 1, .stop = true};

std::vector<Scenario> Scenarios() {
  return {
      MailboxScenario("one producer, two sends", kTwoSends),
      MailboxScenario("a mark of one", kMarkOfOne),
      Larger(MailboxScenario("two producers", kTwoProducers)),
      Larger(MailboxScenario("one producer, closer", kCloser)),
  };
}

TEST(Gate, EverySchedule) {
  for (const Scenario& scenario : Scenarios()) {
    const Result result = Explore(scenario.options, scenario.body);
    printf("%-28s %s\n", scenario.name, result.Summary().c_str());
    EXPECT_TRUE(result.Passed())
        << scenario.name << ": " << result.failure << result.schedule;
  }
}

// Too many schedules to see all of them in a test's time: a bounded search,
// which claims nothing but that it found no fault.
TEST(Gate, TwoProducersAndCloserBounded) {
  Scenario scenario = Larger(
      MailboxScenario("two producers, closer", {.producers = 2, .stop = true}));
  scenario.options.max_executions = 50'000;
  const Result result = Explore(scenario.options, scenario.body);
  printf("%-28s %s\n", scenario.name, result.Summary().c_str());
  EXPECT_EQ(result.failure, "") << result.schedule;
}

// --- seeded faults of the procedure ---

void ExpectFound(const Scenario& scenario, const char* failure) {
  const Result result = Explore(scenario.options, scenario.body);
  EXPECT_NE(result.failure.find(failure), std::string::npos)
      << scenario.name << ": wanted \"" << failure << "\", found \""
      << result.failure << "\" (" << result.Summary() << ")";
}

TEST(GateFault, MailFlagClearedAfterDraining) {
  ExpectFound(MailboxScenario("late clear", kTwoSends, Fault::kClearAfterDrain),
              "deadlock");
}

TEST(GateFault, SleepWithoutSecondLook) {
  ExpectFound(MailboxScenario("no recheck", kTwoSends, Fault::kNoRecheck),
              "deadlock");
  ExpectFound(MailboxScenario("unarmed", kTwoSends, Fault::kNoAnnouncement),
              "deadlock");
}

TEST(GateFault, NotifyBeforePublish) {
  ExpectFound(MailboxScenario("notify first", kTwoSends, Fault::kNotifyFirst),
              "deadlock");
}

TEST(GateFault, RingerForgetsTheDoorbell) {
  ExpectFound(MailboxScenario("no ring", kTwoSends, Fault::kNoRing),
              "deadlock");
}

TEST(GateFault, MailLeftBehindWithoutAWord) {
  ExpectFound(MailboxScenario("no word", kMarkOfOne, Fault::kNoLeaveMail),
              "deadlock");
}

// The doorbell dies under a ringer's hands.
TEST(GateFault, FreedWhileTheRingerRings) {
  ExpectFound(MailboxScenario("no close", kCloser, Fault::kNoClose),
              "doorbell");
  ExpectFound(MailboxScenario("late ring", kTwoSends, Fault::kRingAfterEnd),
              "data race");
  ExpectFound(MailboxScenario<BlindAtomics>("close without waiting", kCloser),
              "data race");
}

TEST(GateFault, MailboxFreedWhileHandlesNameIt) {
  ExpectFound(MailboxScenario("free at close", kCloser, Fault::kFreeAtClose),
              "destroyed");
}

// --- seeded faults of the orderings ---

TEST(GateFault, EveryWeakenedOrdering) {
  // What the protocol does not need, by proof of the search. PrepareSleep's
  // acquire: if it finds mail, TakeMail acquires before the lanes are read.
  // Close's two steps: AwaitRingers ends with an acquire of the same word, and
  // all notifications are in its release sequence.
  const std::map<std::string, int> spare = {
      {"gate.h fetch_and acq_rel -> acquire", 1},  // Close
      {"gate.h fetch_and acq_rel -> release", 1},  // Close
      {"gate.h fetch_or acq_rel -> acquire", 1},   // Close
      {"gate.h fetch_or acq_rel -> release", 2},   // Close, PrepareSleep
  };
  const auto outcomes = TryAllWeakenings(
      {MailboxScenario("one producer, two sends", kTwoSends),
       Larger(MailboxScenario("one producer, closer", kCloser))});
  EXPECT_GE(outcomes.size(), 16u);
  EXPECT_EQ(NotFound(outcomes), spare);
}

}  // namespace
}  // namespace percore::model
