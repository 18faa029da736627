// The pending timeouts of one loop, earliest first.
//
// A hierarchical wheel of lists that run through the events themselves, so
// nothing is ever allocated and adding cannot fail. A tick is about four
// microseconds. Level 0 has a slot for each of the 64 ticks around now, level
// 1 one for each of the next 64 groups of 64 ticks, and so on up to the end of
// time: an event stands at the level of the highest digit (of six bits) in
// which its tick differs from the current one. So all of a level comes before
// all of the next, and within a level the first slot in use comes first.
//
//   - adding and removing are a few stores, however many are pending;
//   - pushing a deadline later is a store into the event: it stays in a slot
//     that comes too early, and is moved on when that slot comes up;
//   - when a slot comes up its events go to the levels below, and those of a
//     tick that is over are sorted and taken.
// Order is exact: by deadline, then in the order of Add and Move.
//
// Owner thread (the base's lock in a shared base). Fields used of the event:
// ev_timeout_pos (deadline, order among equals) and ev_timeout (the list).
#ifndef PERCORE_RUNTIME_TIMER_TIMER_QUEUE_H_
#define PERCORE_RUNTIME_TIMER_TIMER_QUEUE_H_

#include <event2/event_struct.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

namespace percore {

class TimerQueue {
 public:
  static constexpr std::int64_t kNever =
      std::numeric_limits<std::int64_t>::max();

  // What event_assign does for the fields above.
  static void Init(event* ev) {
    new (&ev->ev_timeout) Links{nullptr, nullptr};
    ev->ev_timeout_pos.ev_percore_ = {0, 0};
  }
  static bool Queued(event* ev) { return Link(ev) != nullptr; }
  // Nanoseconds on the loop's monotonic clock. Requires Queued.
  static std::int64_t Deadline(const event* ev) {
    return ev->ev_timeout_pos.ev_percore_.deadline_;
  }

  // Requires that it is not queued.
  void Add(event* ev, std::int64_t deadline_ns) {
    SetKey(ev, deadline_ns);
    if (live_++ == 0) wake_ns_ = look_ns_ = kNever;
    Place(ev);
  }

  // Another deadline. Requires Queued.
  void Move(event* ev, std::int64_t deadline_ns) {
    const bool stays = deadline_ns >= Deadline(ev);
    SetKey(ev, deadline_ns);
    if (stays) return;
    Unlink(ev);
    Place(ev);
  }

  // Requires Queued.
  void Remove(event* ev) {
    Unlink(ev);
    Link(ev) = nullptr;
    --live_;
    if (Deadline(ev) <= wake_ns_) wake_is_old_ = true;
  }

  // No event is due before this; kNever when empty. It may be earlier than
  // the earliest deadline, when that was pushed later or many events are in
  // its slot: whoever waits until then calls PopDue and looks again.
  std::int64_t Earliest() {
    if (live_ == 0) return kNever;
    if (wake_is_old_) [[unlikely]]
      FindWake();
    return wake_ns_;
  }

  // Takes the earliest event if its deadline is at most `now_ns`; null if
  // there is none. To be called until it says so. `now_ns` never falls.
  event* PopDue(std::int64_t now_ns) {
    for (;;) {
      if (due_ == nullptr) {
        if (now_ns < look_ns_) {
          if (TickOf(now_ns) > tick_) tick_ = TickOf(now_ns);
          return nullptr;
        }
        if (!FindDue(now_ns)) return nullptr;
      }
      event* ev = due_;
      Unlink(ev);
      if (Deadline(ev) > now_ns) [[unlikely]] {
        Place(ev);  // pushed later since it was found
        continue;
      }
      Link(ev) = nullptr;
      --live_;
      return ev;
    }
  }

  std::size_t size() const { return live_; }

  // Calls fn(event*) for each queued event, in no order; stops when it
  // returns non-zero and returns that. fn must not change the queue.
  template <typename F>
  int ForEach(F&& fn) const {
    for (const auto& level : slots_) {
      for (event* first : level) {
        if (int stop = ForEachOf(first, fn)) return stop;
      }
    }
    return ForEachOf(due_, fn);
  }

 private:
  static constexpr int kTickBits = 12;  // of nanoseconds in a tick
  static constexpr unsigned kDigitBits = 6;
  static constexpr std::size_t kSlots = std::size_t{1} << kDigitBits;
  static constexpr std::size_t kLevels =
      9;  // 54 bits of ticks: more than there are
  using Tick = std::int64_t;

  struct SlotInUse {
    std::size_t level;
    std::size_t slot;
    Tick start;
  };

  // Where libevent keeps the deadline. A touch, the most common call for
  // events with timeouts, does not come near it.
  struct Links {
    event* next;
    event** link;  // what points here; null: not queued
  };
  static_assert(sizeof(Links) <= sizeof(timeval));

  static Links* LinksOf(event* ev) {
    return reinterpret_cast<Links*>(&ev->ev_timeout);
  }
  static event*& Next(event* ev) { return LinksOf(ev)->next; }
  static event**& Link(event* ev) { return LinksOf(ev)->link; }
  static Tick TickOf(std::int64_t ns) { return ns >> kTickBits; }
  // The last nanosecond of it.
  static std::int64_t EndOf(Tick tick) {
    return (tick << kTickBits) + ((1 << kTickBits) - 1);
  }
  static Tick LastOf(const SlotInUse& slot) {
    return slot.start + (Tick{1} << slot.level * kDigitBits) - 1;
  }
  static std::uint64_t Order(const event* ev) {
    return ev->ev_timeout_pos.ev_percore_.order_;
  }
  static bool Before(const event* a, const event* b) {
    return Deadline(a) != Deadline(b) ? Deadline(a) < Deadline(b)
                                      : Order(a) < Order(b);
  }
  template <typename F>
  static int ForEachOf(event* first, F&& fn) {
    for (event* ev = first; ev != nullptr; ev = Next(ev)) {
      if (int stop = fn(ev)) return stop;
    }
    return 0;
  }

  void SetKey(event* ev, std::int64_t deadline_ns) {
    ev->ev_timeout_pos.ev_percore_.deadline_ = deadline_ns;
    ev->ev_timeout_pos.ev_percore_.order_ = next_order_++;
  }
  static void Unlink(event* ev) {
    event* next = Next(ev);
    *Link(ev) = next;
    if (next != nullptr) Link(next) = Link(ev);
  }

  // Into the slot for its deadline; what is past stands with the current tick.
  void Place(event* ev) {
    const std::int64_t deadline = Deadline(ev);
    const Tick tick = TickOf(deadline) > tick_ ? TickOf(deadline) : tick_;
    const auto differ = static_cast<std::uint64_t>(tick ^ tick_) | (kSlots - 1);
    const auto level =
        static_cast<unsigned>(std::bit_width(differ) - 1) / kDigitBits;
    const unsigned shift = level * kDigitBits;
    const auto slot = static_cast<std::size_t>(tick >> shift) & (kSlots - 1);
    const std::int64_t start_ns = tick >> shift << shift << kTickBits;
    if (start_ns < look_ns_) look_ns_ = start_ns;
    if (deadline < wake_ns_) wake_ns_ = deadline;
    used_[level] |= std::uint64_t{1} << slot;
    event** head = &slots_[level][slot];
    event* old = *head;
    Next(ev) = old;
    Link(ev) = head;
    if (old != nullptr) Link(old) = &Next(ev);
    *head = ev;
  }

  bool FindFirst(SlotInUse* first);
  void FindWake();
  bool FindDue(std::int64_t now_ns);
  void TakeDue(event* list, std::size_t level, std::int64_t until_ns);
  event* SortDue(event* list, std::size_t level, std::int64_t until_ns);
  void PlaceAll(event* list);
  static event* Merge(event* a, event* b);

  std::int64_t wake_ns_ = kNever;  // no deadline is before this
  std::int64_t look_ns_ = kNever;  // no slot in use starts before this
  Tick tick_ = 0;                  // the current one
  std::size_t live_ = 0;
  event* due_ = nullptr;  // found due and not yet taken, in order
  std::uint64_t next_order_ = 0;
  bool wake_is_old_ = false;  // a later time may be known
  // Slots that may hold something. Removing the last event leaves the bit.
  std::uint64_t used_[kLevels] = {};
  event* slots_[kLevels][kSlots] = {};
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_TIMER_TIMER_QUEUE_H_
