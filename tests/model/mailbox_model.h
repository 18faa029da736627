// A whole mailbox, small: the product's gate, intrusive lane and pending word
// over the checker's atomics, with a producer and an owner that go through the
// steps that runtime/mailbox prescribes.
//
// Each step that a seeded fault leaves out or displaces is a Fault, so that the
// right procedure and the wrong one differ by exactly that.

#ifndef PERCORE_TESTS_MODEL_MAILBOX_MODEL_H_
#define PERCORE_TESTS_MODEL_MAILBOX_MODEL_H_

#include <cstdint>

#include "percore/runtime/mailbox/gate.h"
#include "percore/runtime/mailbox/intrusive_lane.h"
#include "percore/tests/model/explorer.h"
#include "percore/tests/model/model_atomics.h"

namespace percore::model {

enum class Fault {
  kNone,
  kClearAfterDrain,  // the owner takes the mail flag after the lanes
  kNoRecheck,        // the owner sleeps though PrepareSleep refused
  kNoAnnouncement,   // the owner sleeps without PrepareSleep
  kNotifyFirst,      // the producer notifies before it publishes
  kNoRing,           // the producer forgets the doorbell
  kRingAfterEnd,     // the producer rings after EndRing
  kNoClose,          // the owner destroys the doorbell without Close
  kFreeAtClose,      // the owner frees the mailbox that handles still name
  kNoLeaveMail,      // the owner leaves mail behind without a word
};

// A closure on its way. Freed by whoever ran or refused it.
struct Mail {
  ModelVar<Mail*> next{nullptr};
  ModelVar<int> id{0};
};

struct MailTraits {
  using Node = Mail;
  static Mail* Next(Mail* mail) { return mail->next.Get(); }
  static void SetNext(Mail* mail, Mail* next) { mail->next.Set(next); }
};

// What became of message `id`, bit id of each. Bookkeeping of the test, no part
// of the protocol.
struct Ledger {
  uint32_t accepted = 0;      // the sender was told so
  uint32_t refused = 0;       // the sender was told: closed
  uint32_t run = 0;           // by the owner
  uint32_t dropped = 0;       // destroyed unrun by the owner
  uint32_t late = 0;          // destroyed unrun by the last handle
  bool ring_allowed = false;  // the owner announced sleep since the last ring
  int sends = 1;              // message id is the id / sends -th sender's
  uint32_t settled() const { return run | dropped | late; }
};

template <class P>
class MailboxModel {
 public:
  // One reference for the owner and one for each producer.
  MailboxModel(int producers, Ledger* ledger)
      : references_(producers + 1), ledger_(ledger) {
    references_.Name("references");
  }

  // What the last handle finds in the lane dies with the mailbox.
  ~MailboxModel() {
    for (Mail* mail = lane_.TakeAll(); mail != nullptr;) {
      Mail* next = mail->next.Get();
      Settle(mail, &ledger_->late);
      mail = next;
    }
  }

  // Owner, before its first sleep.
  void SetDoorbell(Doorbell* bell) {
    gate_.AwaitRingers();
    doorbell_.Set(bell);
  }

  // Producer.
  void Send(int id, Fault fault = Fault::kNone) {
    Mail* mail = New<Mail>();
    mail->id.Set(id);
    if (fault != Fault::kNotifyFirst) lane_.Push(mail);
    const auto notified = gate_.Notify();
    if (fault == Fault::kNotifyFirst) lane_.Push(mail);
    if (notified == Gate<P>::Notified::kRing) {
      Check(ledger_->ring_allowed, "a second wake-up for one sleep");
      ledger_->ring_allowed = false;
      if (fault == Fault::kRingAfterEnd) gate_.EndRing();
      if (fault != Fault::kNoRing) doorbell_.Get()->Ring();
      if (fault != Fault::kRingAfterEnd) gate_.EndRing();
    }
    (notified == Gate<P>::Notified::kClosed ? ledger_->refused
                                            : ledger_->accepted) |= 1u << id;
  }

  // Producer and owner: gives a reference back.
  void Release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) Delete(this);
  }

  // Owner: one turn that runs at most `most` messages, asleep before if there
  // is nothing to do.
  void Turn(Fault fault = Fault::kNone, int most = 99) {
    if (fault == Fault::kClearAfterDrain) {
      if (gate_.HasMail()) {
        Drain(most, fault);
        gate_.TakeMail();
        return;
      }
    } else if (gate_.TakeMail()) {
      Drain(most, fault);
      return;
    }
    if (fault != Fault::kNoAnnouncement) {
      ledger_->ring_allowed = true;
      if (!gate_.PrepareSleep() && fault != Fault::kNoRecheck) return;
    }
    doorbell_.Get()->Wait();
    if (gate_.Awake()) Drain(most, fault);
  }

  // Owner: refuses what comes, destroys what is there.
  void Close() {
    gate_.Close();
    doorbell_.Set(nullptr);
    Mail* mail = left_ != nullptr ? left_ : lane_.TakeAll();
    while (mail != nullptr) {
      Mail* next = mail->next.Get();
      Settle(mail, &ledger_->dropped);
      mail = next;
    }
    left_ = nullptr;
  }

 private:
  void Settle(Mail* mail, uint32_t* bits) {
    const int id = mail->id.Get();
    const uint32_t bit = 1u << id;
    const uint32_t settled = ledger_->settled();
    Check((settled & bit) == 0, "a doubled message");
    const uint32_t earlier =
        (bit - 1) & ~((1u << (id / ledger_->sends * ledger_->sends)) - 1);
    Check((settled & earlier) == earlier, "a sender's messages out of order");
    *bits |= bit;
    Delete(mail);
  }

  // The mark is the content of the lane on entry.
  void Drain(int most, Fault fault) {
    if (left_ == nullptr) left_ = lane_.TakeAll();
    for (; left_ != nullptr && most > 0; --most) {
      Mail* mail = left_;
      left_ = mail->next.Get();
      Settle(mail, &ledger_->run);
    }
    if (fault == Fault::kNoLeaveMail) return;
    if (left_ != nullptr || !lane_.Empty()) gate_.LeaveMail();
  }

  ModelAtomic<int> references_;
  ModelVar<Doorbell*> doorbell_{nullptr};
  Gate<P> gate_;
  IntrusiveLane<MailTraits, P> lane_;
  Mail* left_ = nullptr;  // taken from the lane, beyond the mark; owner
  Ledger* const ledger_;
};

}  // namespace percore::model

#endif  // PERCORE_TESTS_MODEL_MAILBOX_MODEL_H_
