#include "percore/runtime/timer/timer_queue.h"

#include <algorithm>

namespace percore {
namespace {

// To say when to wake, this many events of a slot are looked at.
constexpr int kLookedAt = 16;

// Sorted at once, in an array on the stack.
constexpr std::size_t kSorted = 512;

struct Due {
  std::int64_t deadline_ns;
  std::uint64_t order;
  event* ev;

  bool operator<(const Due& other) const {
    return deadline_ns != other.deadline_ns ? deadline_ns < other.deadline_ns
                                            : order < other.order;
  }
};

}  // namespace

bool TimerQueue::FindFirst(SlotInUse* first) {
  for (std::size_t level = 0; level < kLevels; ++level) {
    std::uint64_t& used = used_[level];
    for (; used != 0; used &= used - 1) {
      const auto slot = static_cast<std::size_t>(std::countr_zero(used));
      if (slots_[level][slot] == nullptr) continue;
      const std::size_t shift = level * kDigitBits;
      const Tick above = tick_ >> shift >> kDigitBits << kDigitBits;
      *first = {level, slot, (above | static_cast<Tick>(slot)) << shift};
      return true;
    }
  }
  return false;
}

void TimerQueue::FindWake() {
  wake_is_old_ = false;
  SlotInUse first;
  if (!FindFirst(&first)) {
    wake_ns_ = look_ns_ = kNever;
    return;
  }
  look_ns_ = first.start << kTickBits;
  // Of the current tick all must be known: its start is past.
  int left = first.level == 0 ? std::numeric_limits<int>::max() : kLookedAt;
  // Those pushed later than the slot's end may come after what is behind it.
  std::int64_t wake = EndOf(LastOf(first));
  for (event* ev = slots_[first.level][first.slot]; ev != nullptr;
       ev = Next(ev)) {
    if (left-- == 0) {
      wake = look_ns_;
      break;
    }
    wake = std::min(wake, Deadline(ev));
  }
  // What was known before holds too.
  wake_ns_ = std::max(wake_ns_, wake);
}

// Moves some that are due into due_: those of one slot, which are still in the
// processor's cache when they are taken. False: none is left, and `now_ns` is
// the current time.
bool TimerQueue::FindDue(std::int64_t now_ns) {
  const Tick now = TickOf(now_ns);
  for (SlotInUse first; FindFirst(&first) && first.start <= now;) {
    tick_ = first.start;
    event* list = slots_[first.level][first.slot];
    slots_[first.level][first.slot] = nullptr;
    used_[first.level] &= ~(std::uint64_t{1} << first.slot);
    const std::int64_t end_ns = EndOf(LastOf(first));
    if (first.level == 0 || end_ns <= now_ns) {
      TakeDue(list, first.level, std::min(now_ns, end_ns));
      if (due_ != nullptr) return true;
    } else {
      PlaceAll(list);
    }
    // What is left in the current tick is due within it.
    if (first.level == 0 && first.start == now) break;
  }
  if (now > tick_) tick_ = now;
  FindWake();
  return false;
}

// Makes due_ of those in a slot's list that are due by `until_ns`. The latest
// is the first of a list, so turning it around sorts it if deadlines grew.
void TimerQueue::TakeDue(event* list, std::size_t level,
                         std::int64_t until_ns) {
  event* due = nullptr;
  while (event* ev = list) {
    const bool is_due = Deadline(ev) <= until_ns;
    if (is_due && due != nullptr && Before(due, ev)) break;
    list = Next(ev);
    if (!is_due) {
      Place(ev);
      continue;
    }
    Next(ev) = due;
    due = ev;
  }
  if (list != nullptr) {
    while (event* ev = due) {
      due = Next(ev);
      Next(ev) = list;
      list = ev;
    }
    due = SortDue(list, level, until_ns);
  }
  event** link = &due_;
  for (event* ev = due; ev != nullptr; ev = Next(ev)) {
    Link(ev) = link;
    link = &Next(ev);
  }
  due_ = due;
}

// A list of those in `list` that are due by `until_ns`, in order. If it is long
// and of a higher level, all go to the levels below instead.
event* TimerQueue::SortDue(event* list, std::size_t level,
                           std::int64_t until_ns) {
  Due found[kSorted];
  event* bins[48];  // bin i: nothing, or 2^i runs merged into one list
  std::size_t bins_used = 0;
  do {
    std::size_t n = 0;
    while (event* ev = list) {
      if (n == kSorted) break;
      list = Next(ev);
      if (Deadline(ev) > until_ns) {
        Place(ev);
      } else {
        found[n++] = {Deadline(ev), Order(ev), ev};
      }
    }
    if (level != 0 && list != nullptr) {
      for (std::size_t i = 0; i < n; ++i) Place(found[i].ev);
      PlaceAll(list);
      return nullptr;
    }
    std::sort(found, found + n);
    event* run = nullptr;
    event** end = &run;
    for (std::size_t i = 0; i < n; ++i) {
      *end = found[i].ev;
      end = &Next(found[i].ev);
    }
    *end = nullptr;
    std::size_t bin = 0;
    for (; bin < bins_used && bins[bin] != nullptr; ++bin) {
      run = Merge(bins[bin], run);
      bins[bin] = nullptr;
    }
    bins[bin] = run;
    if (bin == bins_used) ++bins_used;
  } while (list != nullptr);
  event* due = nullptr;
  for (std::size_t i = 0; i < bins_used; ++i) due = Merge(bins[i], due);
  return due;
}

void TimerQueue::PlaceAll(event* list) {
  while (event* ev = list) {
    list = Next(ev);
    Place(ev);
  }
}

event* TimerQueue::Merge(event* a, event* b) {
  event* merged = nullptr;
  event** tail = &merged;
  while (a != nullptr && b != nullptr) {
    event*& less = Before(a, b) ? a : b;
    *tail = less;
    tail = &Next(less);
    less = *tail;
  }
  *tail = a != nullptr ? a : b;
  return merged;
}

}  // namespace percore
