// The gate and the mailbox's life, explored in every schedule: no lost wake-up,
// no lost or doubled message, no use after close, fair draining; and every
// seeded fault is found.

#include <bit>
#include <cstdio>
#include <set>
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
    T load(std::memory_order order,
           const std::source_location& where =
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
  const uint32_t awaited = shape.stop ? 1u << kStop : AllMail(shape);
  while ((ledger.run & awaited) != awaited) {
    const int before = std::popcount(ledger.run);
    mailbox->Turn(base->bell, fault, shape.most);
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
                  base->mailbox->Send(p * shape.sends + n, base->bell, fault);
                }
                base->mailbox->Release();
              });
            }
            if (shape.stop) {
              x.Thread("closer", [base] {
                base->mailbox->Send(kStop, base->bell);
                base->mailbox->Release();
              });
            }
            x.Thread("owner",
                     [base, shape, fault] { OwnerBody(base, shape, fault); });
            x.AtEnd([base, shape] { CheckLedger(base->ledger, shape); });
          }};
}

std::vector<Scenario> Scenarios() {
  return {
      MailboxScenario("one producer, two sends", {.producers = 1, .sends = 2}),
      MailboxScenario("two producers", {.producers = 2, .sends = 1}),
      MailboxScenario("one producer, closer", {.producers = 1, .stop = true}),
      MailboxScenario("a mark of one",
                      {.producers = 1, .sends = 2, .most = 1}),
  };
}

void ExpectPass(const Scenario& scenario) {
  Options o=scenario.options; if (getenv("MAXE")) o.max_executions = atoi(getenv("MAXE")); if (getenv("SPUR")) o.spurious_failures=atoi(getenv("SPUR")); if (getenv("STALE")) o.stale_failures=atoi(getenv("STALE"));
  const Result result = Explore(o, scenario.body);
  printf("%-28s %s\n", scenario.name, result.Summary().c_str());
  EXPECT_TRUE(result.Passed()) << scenario.name << ": " << result.failure
                               << result.schedule;
}

TEST(Gate, SmallScenariosInEverySchedule) {
  for (const Scenario& scenario : Scenarios()) ExpectPass(scenario);
}

TEST(Gate, TwoProducersAndCloser) {
  ExpectPass(MailboxScenario("two producers, closer",
                             {.producers = 2, .sends = 1, .stop = true}));
}

}  // namespace
}  // namespace percore::model
