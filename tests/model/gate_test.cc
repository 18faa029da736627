// The gate and the mailbox's life, explored in every schedule: no lost wake-up,
// no lost or doubled message, no use after close, fair draining; and every
// seeded fault is found.

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

template <class P>
void OwnerBody(Base<P>* base, const Shape& shape, Fault fault) {
  const int expected = shape.producers * shape.sends;
  MailboxModel<P>* mailbox = base->mailbox;
  const uint32_t stop = shape.stop ? 1u << kStop : 0;
  while (shape.stop ? (base->ledger.run & stop) == 0
                    : mailbox->ran() < expected) {
    const int before = mailbox->ran();
    mailbox->Turn(base->bell, fault, shape.most);
    Check(mailbox->ran() - before <= shape.most, "a turn beyond its mark");
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
  const uint32_t all = ((1u << (shape.producers * shape.sends)) - 1) |
                       (shape.stop ? 1u << kStop : 0);
  Check((ledger.run | ledger.dropped) == all, "a lost message");
  Check((ledger.accepted | ledger.refused) == all, "a send without answer");
  Check((ledger.accepted & ledger.last_drop) == 0,
        "an accepted message that the owner never saw");
  // A refused message may still have run: the owner can take it from the lane,
  // and close, before its sender's Notify, which then says closed. "Closed"
  // promises only that nobody drains any more.
  Check(ledger.rings <= ledger.sleeps_announced,
        "more wake-ups than announced sleeps");
  int last[kMaxThreads] = {-1, -1, -1, -1, -1, -1, -1, -1};
  for (int i = 0; i < ledger.ran; ++i) {
    const int id = ledger.order[i];
    const int sender = id == kStop ? kMaxThreads - 1 : id / shape.sends;
    Check(last[sender] < id, "a sender's messages out of order");
    last[sender] = id;
  }
}

template <class P = ModelAtomics>
Scenario MailboxScenario(const char* name, Shape shape,
                         Fault fault = Fault::kNone) {
  return {name, [shape, fault](Execution& x) {
            auto* base = x.Make<Base<P>>();
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
  Options o; if (getenv("MAXE")) o.max_executions = atoi(getenv("MAXE"));
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
