// The pending timeouts of one loop, earliest first.
//
// A 4-ary heap of (deadline, sequence, slot) entries; a slot names the event.
// Moving an entry in the heap touches no event, and an event knows only its
// slot, so:
//   - adding is a push (for deadlines that grow, no moves at all);
//   - pushing a deadline later is one store into the event: the entry keeps
//     the earlier key and is re-keyed when it comes to the top;
//   - removing empties the slot; the entry is dropped when it comes to the
//     top, or when half of the heap is such entries and it is rebuilt.
// Order is exact: by deadline, then in the order of Set().
//
// Owner thread (the base's lock in a shared base). Fields used of the event:
// ev_timeout_pos (slot, sequence, key in the heap) and ev_timeout (deadline).
#ifndef PERCORE_RUNTIME_TIMER_TIMER_QUEUE_H_
#define PERCORE_RUNTIME_TIMER_TIMER_QUEUE_H_

#include <event2/event_struct.h>

#include <cstdint>
#include <limits>

#include "percore/runtime/system/memory.h"

namespace percore {

class TimerQueue {
 public:
  static constexpr std::int64_t kNever =
      std::numeric_limits<std::int64_t>::max();

  // What event_assign does for the fields above.
  static void Init(event* ev) { ev->ev_timeout_pos.ev_percore_.slot_ = -1; }
  static bool Queued(const event* ev) {
    return ev->ev_timeout_pos.ev_percore_.slot_ >= 0;
  }
  // Nanoseconds on the loop's monotonic clock. Requires Queued.
  static std::int64_t Deadline(const event* ev) {
    return ev->ev_timeout.tv_sec;
  }

  // Room for one Set(). False when there is no memory; nothing changed.
  [[nodiscard]] bool Reserve() {
    if (heap_.size() < heap_.capacity() &&
        (free_slot_ != kNoSlot || slots_.size() < slots_.capacity())) {
      return true;
    }
    return Grow();
  }

  // Queues the event, or moves its deadline. Requires Reserve() before.
  void Set(event* ev, std::int64_t deadline_ns);

  // Requires Queued.
  void Remove(event* ev);

  // No event is due before this; kNever when empty. It may be earlier than
  // the earliest deadline, when that was pushed later: whoever waits until
  // then looks again, at most once for each interval of such an event.
  std::int64_t Earliest();

  // Takes the earliest event if its deadline is at most `now_ns`; null if
  // there is none.
  event* PopDue(std::int64_t now_ns);

  std::size_t size() const { return live_; }

  // Calls fn(event*) for each queued event, in no order; stops when it
  // returns non-zero and returns that. fn must not change the queue.
  template <typename F>
  int ForEach(F&& fn) const {
    for (const Entry& entry : heap_) {
      event* ev = Occupant(entry.slot);
      if (ev == nullptr) continue;
      if (int stop = fn(ev)) return stop;
    }
    return 0;
  }

 private:
  struct Entry {
    std::int64_t key;
    std::uint32_t seq;
    std::uint32_t slot;
  };
  // What a slot holds: an event; 0: removed, its entry is still in the heap;
  // odd: free, the next free slot in the upper bits.
  using Slot = std::uintptr_t;
  static constexpr std::uint32_t kNoSlot = 0x7fffffff;

  static bool Before(const Entry& a, const Entry& b) {
    return a.key != b.key ? a.key < b.key
                          : static_cast<std::int32_t>(a.seq - b.seq) < 0;
  }
  event* Occupant(std::uint32_t slot) const {
    const Slot s = slots_[slot];
    return (s & 1) ? nullptr : reinterpret_cast<event*>(s);
  }
  bool Grow();
  void Push(event* ev, std::int64_t key, std::uint32_t seq);
  void FreeSlot(std::uint32_t slot);
  void SiftUp(std::size_t at, Entry entry);
  void SiftDown(std::size_t at, Entry entry);
  void DropTop();
  void Compact();

  PodVector<Entry> heap_;
  PodVector<Slot> slots_;
  std::uint32_t free_slot_ = kNoSlot;
  std::uint32_t next_seq_ = 0;
  std::size_t live_ = 0;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_TIMER_TIMER_QUEUE_H_
