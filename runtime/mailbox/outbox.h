// What a loop has to say to other loops, gathered during one turn.
//
// A message posted from a loop's callback waits here, so that a turn costs
// each target one step into its queue and one look at its gate, however many
// messages it sends. An outbox is flushed at 16 messages, at the end of the
// turn, before the loop sleeps or returns, and after a callback that ran
// longer than 100 us. Order to one target is kept.
//
// Owner thread of the sending loop. Which loop that is, is told by Current(),
// which the loop sets while it runs; it follows the executor (executor.h).
#ifndef PERCORE_RUNTIME_MAILBOX_OUTBOX_H_
#define PERCORE_RUNTIME_MAILBOX_OUTBOX_H_

#include <cstdint>

#include "percore/runtime/mailbox/mailbox.h"

namespace percore {

class Outboxes {
 public:
  static constexpr std::size_t kBatch = 16;

  Outboxes() = default;
  Outboxes(const Outboxes&) = delete;
  Outboxes& operator=(const Outboxes&) = delete;
  // Flushes, and returns the leases.
  ~Outboxes();

  // Those of the loop that runs on this thread, or null.
  static Outboxes* Current();
  // Sets them and returns the previous ones, to be restored.
  static Outboxes* SetCurrent(Outboxes* outboxes);

  // Takes the message, or answers why not (then it is as it was).
  SendResult Post(Mailbox* target, Message&& message);

  bool empty() const { return waiting_ == 0; }

  // When the oldest waiting message was posted, in cycles of the time-stamp
  // counter; for the 100 us rule. Requires !empty().
  std::uint64_t oldest() const { return oldest_; }

  // Sends everything. A target that has closed meanwhile loses what waited.
  void Flush();

  // Messages taken so far, and batches that they went in.
  std::uint64_t posted() const { return posted_; }
  std::uint64_t batches() const { return batches_; }

 private:
  struct Box {
    Mailbox* target;  // a reference is held
    MessageLane::Lease* lease;
    std::size_t count;
    Message messages[kBatch];
  };

  Box* Find(Mailbox* target);
  void FlushBox(Box* box);
  void Drop(std::size_t index);

  PodVector<Box*> boxes_;
  Box* last_ = nullptr;
  std::size_t waiting_ = 0;
  std::uint64_t oldest_ = 0;
  std::uint64_t posted_ = 0;
  std::uint64_t batches_ = 0;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_MAILBOX_OUTBOX_H_
