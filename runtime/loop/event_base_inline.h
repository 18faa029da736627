// What every event_add, event_del, event_active and callback goes through,
// inline in the files of the loop. Only they include this.
//
// `plain` says that EventBase::Plain() held: no lock, no debug mode, no mail.
// Where it is a constant the checks for those are not even compiled.
#ifndef PERCORE_RUNTIME_LOOP_EVENT_BASE_INLINE_H_
#define PERCORE_RUNTIME_LOOP_EVENT_BASE_INLINE_H_

#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/observe/debug_table.h"
#include "percore/runtime/observe/log.h"

namespace percore {

inline void EventBase::CountAdded(const event_callback* cb, int by) {
  if (cb->evcb_flags & EVLIST_INTERNAL) [[unlikely]]
    return;
  added_ += by;
  if (by > 0 && added_ > added_max_) added_max_ = added_;
}

inline void EventBase::CountActive(const event_callback* cb, int by) {
  active_ += by;
  if (by > 0 && active_ > active_max_) active_max_ = active_;
  CountAdded(cb, by);
}

inline void EventBase::QueueActive(event_callback* cb) {
  if (cb->evcb_flags & EVLIST_ACTIVE) return;
  cb->evcb_flags = static_cast<short>(cb->evcb_flags | EVLIST_ACTIVE);
  CountActive(cb, +1);
  PERCORE_CHECK(cb->evcb_pri < queues_.size());
  queues_[cb->evcb_pri].PushBack(cb);
}

inline void EventBase::UnqueueActive(event_callback* cb) {
  cb->evcb_flags = static_cast<short>(cb->evcb_flags & ~EVLIST_ACTIVE);
  CountActive(cb, -1);
  queues_[cb->evcb_pri].Remove(cb);
}

inline void EventBase::QueueLater(event_callback* cb) {
  cb->evcb_flags = static_cast<short>(cb->evcb_flags | EVLIST_ACTIVE_LATER);
  CountActive(cb, +1);
  later_.PushBack(cb);
}

inline void EventBase::UnqueueLater(event_callback* cb) {
  cb->evcb_flags = static_cast<short>(cb->evcb_flags & ~EVLIST_ACTIVE_LATER);
  CountActive(cb, -1);
  later_.Remove(cb);
}

inline bool EventBase::BreakRequested() {
  if (mailbox_->HasControlBits()) [[unlikely]]
    ApplyControl(mailbox_->TakeControlBits());
  return break_ || stop_;
}

inline void EventBase::AddDeadline(event* ev, std::int64_t deadline_ns) {
  short& flags = ev->ev_evcallback.evcb_flags;
  // A call that is queued only for the old timeout is off: semantics 3.1.
  if ((flags & EVLIST_ACTIVE) && (ev->ev_res & EV_TIMEOUT)) [[unlikely]] {
    if (ev->ev_events & EV_SIGNAL) {
      if (current_ == &ev->ev_evcallback) remaining_calls_ = 0;
    }
    UnqueueActive(&ev->ev_evcallback);
  }
  if (flags & EVLIST_TIMEOUT) {
    timers_.Move(ev, deadline_ns);
  } else {
    timers_.Add(ev, deadline_ns);
    flags = static_cast<short>(flags | EVLIST_TIMEOUT);
    CountAdded(&ev->ev_evcallback, +1);
  }
}

inline std::int64_t EventBase::IntervalOf(const timeval& timeout) const {
  if (static_cast<std::uint64_t>(timeout.tv_usec) < 1000000) [[likely]] {
    return TimevalToNs(timeout);
  }
  return UnusualIntervalOf(timeout);
}

[[gnu::always_inline]] inline int EventBase::AddInline(event* ev,
                                                       const timeval* timeout,
                                                       bool plain) {
  if (!plain) DebugCheckAssigned("event_add", ev);
  short& flags = ev->ev_evcallback.evcb_flags;
  if (flags & EVLIST_FINALIZING) [[unlikely]]
    return -1;
  if ((ev->ev_events & EV_SIGNAL) && !plain) AwaitCallbackEnd(ev);

  if ((ev->ev_events & (EV_READ | EV_WRITE | EV_CLOSED | EV_SIGNAL)) &&
      !(flags & (EVLIST_INSERTED | EVLIST_ACTIVE | EVLIST_ACTIVE_LATER))) {
    if (InsertWatch(ev) != 0) return -1;
    flags = static_cast<short>(flags | EVLIST_INSERTED);
    CountAdded(&ev->ev_evcallback, +1);
  }
  if (timeout != nullptr) {
    const std::int64_t interval = IntervalOf(*timeout);
    if (ev->ev_evcallback.evcb_closure == kClosurePersist) {
      ev->ev_.ev_percore_.interval_ = interval;
    }
    AddDeadline(ev, NowNs() + interval);
  }
  if (!plain) {
    WakeIfForeign();
    DebugNoteAdd(ev);
  }
  return 0;
}

[[gnu::always_inline]] inline void EventBase::DelInline(event* ev, bool plain) {
  short& flags = ev->ev_evcallback.evcb_flags;
  if (current_ == &ev->ev_evcallback) remaining_calls_ = 0;  // semantics 3.3
  if (flags & EVLIST_TIMEOUT) {
    timers_.Remove(ev);
    flags = static_cast<short>(flags & ~EVLIST_TIMEOUT);
    CountAdded(&ev->ev_evcallback, -1);
  }
  if (flags & EVLIST_ACTIVE) {
    UnqueueActive(&ev->ev_evcallback);
  } else if (flags & EVLIST_ACTIVE_LATER) {
    UnqueueLater(&ev->ev_evcallback);
  }
  if (flags & EVLIST_INSERTED) {
    flags = static_cast<short>(flags & ~EVLIST_INSERTED);
    CountAdded(&ev->ev_evcallback, -1);
    RemoveWatch(ev);
  }
  if (!plain) DebugNoteDel(ev);
}

[[gnu::always_inline]] inline void EventBase::ActivateInline(event* ev,
                                                             int result,
                                                             short ncalls,
                                                             bool plain) {
  const short flags = ev->ev_evcallback.evcb_flags;
  const short bits = static_cast<short>(result);
  if (flags & (EVLIST_FINALIZING | EVLIST_ACTIVE | EVLIST_ACTIVE_LATER))
      [[unlikely]] {
    if (flags & EVLIST_FINALIZING) return;
    ev->ev_res = static_cast<short>(ev->ev_res | bits);
    if (flags & EVLIST_ACTIVE) return;
    UnqueueLater(&ev->ev_evcallback);
  } else {
    ev->ev_res = bits;
  }
  // semantics 1.4
  if (ev->ev_evcallback.evcb_pri < running_priority_) continue_ = true;
  if (ev->ev_events & EV_SIGNAL) [[unlikely]] {
    if (!plain) AwaitCallbackEnd(ev);
    ev->ev_.ev_signal.ev_ncalls = ncalls;
  }
  QueueActive(&ev->ev_evcallback);
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_LOOP_EVENT_BASE_INLINE_H_
