#include "percore/runtime/mailbox/thread_leases.h"

#include "percore/runtime/mailbox/mailbox.h"

namespace percore {
namespace {

struct Held {
  Mailbox* mailbox;
  MessageLane::Lease* lease;
};

// Trivial, so that a send from a later thread_local's destructor works too:
// the closer below empties it and marks it.
struct Cache {
  PodVector<Held> held;
  bool exiting = false;

  ~Cache() {
    exiting = true;
    for (const Held& h : held) Release(h);
    held.Release();
  }

  static void Release(const Held& h) {
    h.mailbox->messages_if_any()->Return(h.lease);
    h.mailbox->Unref();
  }

  MessageLane::Lease* Find(Mailbox* mailbox) {
    for (std::size_t i = 0; i < held.size(); ++i) {
      if (held[i].mailbox == mailbox) return held[i].lease;
    }
    return nullptr;
  }

  // Mailboxes that closed since are let go before a new one is taken in.
  void Sweep() {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < held.size(); ++i) {
      if (held[i].mailbox->IsClosed()) {
        Release(held[i]);
      } else {
        held[kept++] = held[i];
      }
    }
    held.Truncate(kept);
  }
};

thread_local Cache cache;

}  // namespace

MessageLane::Lease* ThreadLeases::For(Mailbox* mailbox) {
  if (MessageLane::Lease* lease = cache.Find(mailbox)) return lease;
  if (cache.exiting) return nullptr;
  cache.Sweep();
  MessageLane* lane = mailbox->messages();
  if (lane == nullptr) return nullptr;
  if (!cache.held.Reserve(cache.held.size() + 1)) return nullptr;
  MessageLane::Lease* lease = lane->Acquire();
  if (lease == nullptr) return nullptr;
  mailbox->Ref();
  cache.held.PushReserved({mailbox, lease});
  return lease;
}

}  // namespace percore
