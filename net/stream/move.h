// Moving a live stream to the base of another core, unseen by its callbacks.
//
// The whole stack moves as one: a filter or TLS stream with all below it, asked
// for at its top. On the source, at the end of the loop's pass (so that no
// callback of any layer is on the stack), or at once when no loop runs:
//   1. what is queued for it is taken back and remembered;
//   2. its events are deleted, their deadlines kept, the descriptor's interest
//      taken out of the source's kernel set;
//   3. it leaves its rate group for the twin of that group on the target;
//   4. a note with it goes to the target's mailbox.
// On the target, when the note is run:
//   5. its events join the target's base, with the time they had left, and what
//      was queued is queued again.
// Bytes in its buffers, in the kernel and in a TLS object stay where they are:
// none is lost, doubled or reordered. Pointers to the stream stay valid. From
// the end of step 4 on it is the target's, and no other thread may touch it.
//
// Errors of Stream::MoveTo, with which nothing has changed:
//   EBUSY      a connect or a look-up is under way, or a move
//   ENOTSUP    one half of a pair; a base that threads share (it needs no
//   move);
//              a stream that a BufferEvent holds
//   EPERM      a layer of a stack that is not its top
//   ECANCELED  the target's base is gone
//   ENOMEM
// After 0 it can still stay where it is: when the target closes meanwhile.
#ifndef PERCORE_NET_STREAM_MOVE_H_
#define PERCORE_NET_STREAM_MOVE_H_

#include "percore/net/stream/stream.h"

namespace percore {

class StreamMove {
 public:
  static int Start(Stream* top, EventBase* target);

 private:
  struct Layer {
    Stream* stream;
    bool deferred;
    bool flushing;
    // Of the two events and of the limit's tick.
    struct Kept {
      bool inserted;
      std::int64_t deadline_ns;
      timeval interval;
      int priority;
    } read, write, refill;
  };

  static void AtEndOfPass(event_callback* cb, void* arg);
  static void OnTarget(ControlNode* node, bool closed);
  void Depart();
  void Arrive(EventBase* base);
  void Orphan();
  void Finish();
  Layer::Kept Take(event* ev, const timeval& timeout);
  static void Put(EventBase* base, event* ev, const Layer::Kept& kept);

  static constexpr int kMostLayers = 8;

  ControlNode node_;
  event_callback at_end_;
  EventBase* source_ = nullptr;
  EventBase* target_ = nullptr;
  // Keeps the target's mailbox for the note.
  MailboxRef mailbox_;
  int count_ = 0;
  Layer layers_[kMostLayers] = {};

  template <typename T, typename... Args>
  friend T* MemNew(Args&&...) noexcept;
  template <typename T>
  friend void MemDelete(T*) noexcept;
};

}  // namespace percore

#endif  // PERCORE_NET_STREAM_MOVE_H_
