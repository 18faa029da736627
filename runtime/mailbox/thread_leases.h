// The producers that a thread outside any loop holds, one for each mailbox it
// has sent to. Returned when the thread exits, or when a mailbox has closed.
#ifndef PERCORE_RUNTIME_MAILBOX_THREAD_LEASES_H_
#define PERCORE_RUNTIME_MAILBOX_THREAD_LEASES_H_

#include "percore/runtime/mailbox/message_lane.h"

namespace percore {

class Mailbox;

class ThreadLeases {
 public:
  // The calling thread's lease of `mailbox`; null when none can be had.
  static MessageLane::Lease* For(Mailbox* mailbox);
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_MAILBOX_THREAD_LEASES_H_
