#include "percore/runtime/timer/timer_queue.h"

#include <algorithm>

namespace percore {
namespace {

constexpr std::size_t kArity = 4;
constexpr std::size_t kFewEntries = 64;

auto& Position(event* ev) { return ev->ev_timeout_pos.ev_percore_; }

}  // namespace

bool TimerQueue::Grow() {
  if (heap_.size() >= kNoSlot) return false;
  if (heap_.size() == heap_.capacity() && !heap_.Reserve(heap_.size() + 1)) {
    return false;
  }
  return free_slot_ != kNoSlot || slots_.size() < slots_.capacity() ||
         slots_.Reserve(slots_.size() + 1);
}

void TimerQueue::Set(event* ev, std::int64_t deadline_ns) {
  auto& at = Position(ev);
  const std::uint32_t seq = next_seq_++;
  ev->ev_timeout.tv_sec = deadline_ns;
  if (at.slot_ >= 0) {
    if (deadline_ns >= at.armed_) {
      at.seq_ = seq;
      return;
    }
    // Earlier than the heap knows: leave a hole there, and queue anew.
    slots_[static_cast<std::uint32_t>(at.slot_)] = 0;
    --live_;
  }
  Push(ev, deadline_ns, seq);
}

void TimerQueue::Push(event* ev, std::int64_t key, std::uint32_t seq) {
  std::uint32_t slot = free_slot_;
  if (slot != kNoSlot) {
    free_slot_ = static_cast<std::uint32_t>(slots_[slot] >> 1);
    slots_[slot] = reinterpret_cast<Slot>(ev);
  } else {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.PushReserved(reinterpret_cast<Slot>(ev));
  }
  auto& at = Position(ev);
  at.slot_ = static_cast<int>(slot);
  at.seq_ = seq;
  at.armed_ = key;
  ++live_;
  const Entry entry{key, seq, slot};
  heap_.PushReserved(entry);
  SiftUp(heap_.size() - 1, entry);
}

void TimerQueue::Remove(event* ev) {
  auto& at = Position(ev);
  const auto slot = static_cast<std::uint32_t>(at.slot_);
  at.slot_ = -1;
  --live_;
  if (heap_.size() != 0 && heap_[heap_.size() - 1].slot == slot) {
    // The last leaf: added and removed at once, as one-shot waits do.
    heap_.Truncate(heap_.size() - 1);
    FreeSlot(slot);
    return;
  }
  slots_[slot] = 0;
  if (heap_.size() > kFewEntries && live_ < heap_.size() / 2) Compact();
}

std::int64_t TimerQueue::Earliest() {
  while (!heap_.empty()) {
    if (Occupant(heap_[0].slot) != nullptr) return heap_[0].key;
    FreeSlot(heap_[0].slot);
    DropTop();
  }
  return kNever;
}

event* TimerQueue::PopDue(std::int64_t now_ns) {
  while (!heap_.empty() && heap_[0].key <= now_ns) {
    const Entry top = heap_[0];
    event* ev = Occupant(top.slot);
    if (ev == nullptr) {
      FreeSlot(top.slot);
      DropTop();
      continue;
    }
    auto& at = Position(ev);
    const std::int64_t deadline = Deadline(ev);
    if (deadline != top.key || at.seq_ != top.seq) {
      // Pushed later since: now its entry moves to where it belongs.
      at.armed_ = deadline;
      SiftDown(0, Entry{deadline, at.seq_, top.slot});
      continue;
    }
    at.slot_ = -1;
    --live_;
    FreeSlot(top.slot);
    DropTop();
    return ev;
  }
  return nullptr;
}

void TimerQueue::FreeSlot(std::uint32_t slot) {
  slots_[slot] = static_cast<Slot>(free_slot_) << 1 | 1;
  free_slot_ = slot;
}

void TimerQueue::DropTop() {
  const Entry last = heap_[heap_.size() - 1];
  heap_.Truncate(heap_.size() - 1);
  if (!heap_.empty()) SiftDown(0, last);
}

void TimerQueue::SiftUp(std::size_t at, Entry entry) {
  Entry* heap = heap_.data();
  while (at > 0) {
    const std::size_t parent = (at - 1) / kArity;
    if (!Before(entry, heap[parent])) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = entry;
}

void TimerQueue::SiftDown(std::size_t at, Entry entry) {
  Entry* heap = heap_.data();
  const std::size_t n = heap_.size();
  for (;;) {
    const std::size_t first = at * kArity + 1;
    if (first >= n) break;
    const std::size_t end = std::min(first + kArity, n);
    std::size_t least = first;
    for (std::size_t child = first + 1; child < end; ++child) {
      if (Before(heap[child], heap[least])) least = child;
    }
    if (!Before(heap[least], entry)) break;
    heap[at] = heap[least];
    at = least;
  }
  heap[at] = entry;
}

void TimerQueue::Compact() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < heap_.size(); ++i) {
    const Entry entry = heap_[i];
    if (Occupant(entry.slot) == nullptr) {
      FreeSlot(entry.slot);
      continue;
    }
    // The key as it is: the event itself is not touched.
    heap_[kept++] = entry;
  }
  heap_.Truncate(kept);
  if (kept < 2) return;
  for (std::size_t i = (kept - 2) / kArity + 1; i-- > 0;) {
    SiftDown(i, heap_[i]);
  }
}

}  // namespace percore
