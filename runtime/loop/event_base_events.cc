// Events: assigned, added, activated, deleted, finalized.
#include <fcntl.h>

#include <cerrno>

#include "percore/runtime/loop/event_base_inline.h"

namespace percore {
namespace {

constexpr short kIoEvents = EV_READ | EV_WRITE | EV_CLOSED;
constexpr short kWatchEvents = kIoEvents | EV_SIGNAL;

short& Flags(event* ev) { return ev->ev_evcallback.evcb_flags; }
short Flags(const event* ev) { return ev->ev_evcallback.evcb_flags; }
void SetFlag(short* flags, int bits) {
  *flags = static_cast<short>(*flags | bits);
}
void ClearFlag(short* flags, int bits) {
  *flags = static_cast<short>(*flags & ~bits);
}

// semantics 7.5. EBADF is left to event_add.
void DebugCheckNonBlocking(evutil_socket_t fd) {
  if (!DebugModeOn() || fd < 0) return;
  const int flags = fcntl(fd, F_GETFL, nullptr);
  if (flags >= 0) PERCORE_CHECK(flags & O_NONBLOCK);
}

}  // namespace

int EventBase::Assign(event* ev, EventBase* base, evutil_socket_t fd,
                      short events, event_callback_fn callback, void* arg) {
  DebugModeTooLate();
  if (base == nullptr) {
    base = From(State().current_base.load(std::memory_order_acquire));
  }
  if (arg == SelfArgument()) arg = ev;
  if (!(events & EV_SIGNAL)) DebugCheckNonBlocking(fd);
  DebugCheckNotAdded("event_assign", ev);

  ev->ev_base = base == nullptr ? nullptr : base->c();
  ev->ev_evcallback.evcb_cb_union.evcb_callback = callback;
  ev->ev_evcallback.evcb_arg = arg;
  ev->ev_fd = fd;
  ev->ev_events = events;
  ev->ev_res = 0;
  ev->ev_evcallback.evcb_flags = EVLIST_INIT;
  ev->ev_evcallback.evcb_active_next.tqe_next = nullptr;
  ev->ev_evcallback.evcb_active_next.tqe_prev = nullptr;
  ev->ev_mail_pending_ = 0;
  ev->ev_.ev_percore_.interval_ = 0;
  ev->ev_.ev_percore_.mail_next_ = nullptr;
  TimerQueue::Init(ev);
  FdTable::Init(ev);

  if (events & EV_SIGNAL) {
    if (events & kIoEvents) {
      LogWarnx(
          "event_assign: EV_SIGNAL is not compatible with EV_READ, "
          "EV_WRITE or EV_CLOSED");
      return -1;
    }
    ev->ev_evcallback.evcb_closure = kClosureSignal;
  } else if (events & EV_PERSIST) {
    ev->ev_evcallback.evcb_closure = kClosurePersist;
  } else {
    ev->ev_evcallback.evcb_closure = kClosureEvent;
  }
  // The middle one: semantics 1.6.
  ev->ev_evcallback.evcb_pri =
      base == nullptr ? 0 : static_cast<ev_uint8_t>(base->priorities() / 2);
  DebugNoteAssign(ev);
  return 0;
}

int EventBase::AddUntil(event* ev, const timeval& timeout,
                        std::int64_t deadline_ns) {
  Entrance entrance(this);
  if (AddInline(ev, &timeout, /*plain=*/false) < 0) return -1;
  AddDeadline(ev, deadline_ns);
  return 0;
}

int EventBase::Adopt(event* ev) {
  if (Flags(ev) != EVLIST_INIT) return -1;
  // Activated from another thread: it stands in its old base's mailbox.
  if (PendingWord(ev).load(std::memory_order_relaxed) != 0) return -1;
  DebugCheckAssigned("event_base_set", ev);
  FdTable::Init(ev);  // what another base knew of it means nothing here
  ev->ev_base = c();
  ev->ev_evcallback.evcb_pri = static_cast<ev_uint8_t>(priorities() / 2);
  return 0;
}

// A common timeout carries its place in the upper bits (event_base_time.cc).
std::int64_t EventBase::UnusualIntervalOf(const timeval& timeout) const {
  if ((timeout.tv_usec & 0xf0000000) == 0x50000000) {
    const std::size_t index =
        static_cast<std::size_t>(timeout.tv_usec & 0x0ff00000) >> 20;
    if (index < common_timeouts_.size() &&
        common_timeouts_[index]->tv_usec == timeout.tv_usec) {
      timeval plain = timeout;
      plain.tv_usec &= 0x000fffff;
      return TimevalToNs(plain);
    }
  }
  return TimevalToNs(timeout);
}

void EventBase::AwaitCallbackEnd(event* ev) {
  while (current_ == &ev->ev_evcallback && IsForeign()) {
    ++current_waiters_;
    lock_.Wait();
  }
}

int EventBase::Add(event* ev, const timeval* timeout) {
  if (Plain()) [[likely]]
    return AddInline(ev, timeout, /*plain=*/true);
  Entrance entrance(this);
  CheckOwner("event_add", ev);
  return AddInline(ev, timeout, /*plain=*/false);
}

int EventBase::Del(event* ev, DelWait wait) {
  if (Plain() && PendingWord(ev).load(std::memory_order_relaxed) == 0)
      [[likely]] {
    if (!(ev->ev_evcallback.evcb_flags & EVLIST_FINALIZING)) {
      DelInline(ev, /*plain=*/true);
    }
    return 0;
  }
  Entrance entrance(this);
  CheckOwner("event_del", ev);
  DebugCheckAssigned("event_del", ev);
  // An activation that has marked the event but not yet pushed it is a
  // few instructions away, on another thread.
  while (PendingWord(ev).load(std::memory_order_relaxed) != 0) {
    DrainActivations();
    RealAtomics::Pause();
  }
  if (Flags(ev) & EVLIST_FINALIZING) return 0;
  DelLocked(ev);
  if (wait == DelWait::kAlways ||
      (wait == DelWait::kUnlessFinalize && !(ev->ev_events & EV_FINALIZE))) {
    AwaitCallbackEnd(ev);
  }
  WakeIfForeign();
  return 0;
}

void EventBase::DelLocked(event* ev) { DelInline(ev, /*plain=*/false); }

void EventBase::Activate(event* ev, int result, short ncalls) {
  if (OnOwner()) [[likely]] {
    if (plain_) [[likely]] {
      ActivateInline(ev, result, ncalls, /*plain=*/true);
      return;
    }
    DebugCheckAssigned("event_active", ev);
    BaseLockGuard guard(&lock_);
    ActivateLocked(ev, result, ncalls);
    return;
  }
  DebugCheckAssigned("event_active", ev);
  mailbox_->SendActivation(
      ev, static_cast<short>(result),
      (ev->ev_events & EV_SIGNAL) ? ncalls : static_cast<short>(0));
}

void EventBase::ActivateLocked(event* ev, int result, short ncalls) {
  ActivateInline(ev, result, ncalls, /*plain=*/false);
}

int EventBase::InsertWatch(event* ev) {
  if (ev->ev_events & kIoEvents) {
    // A negative number is counted but watched by nobody: semantics 3.8.
    if (ev->ev_fd < 0) return 0;
    const int error = fds_.Insert(backend_, ev, DebugModeOn());
    if (error != 0) {
      errno = error;
      // The others have been explained by the table.
      if (error != EMFILE && error != EINVAL) {
        LogWarn("%s: cannot watch fd %d", backend_->name(),
                static_cast<int>(ev->ev_fd));
        errno = error;
      }
      return -1;
    }
    if (IsForeign()) fds_.FlushFd(backend_, ev->ev_fd);
    return 0;
  }
  return WatchSignal(ev);
}

void EventBase::RemoveWatch(event* ev) {
  if (ev->ev_events & kIoEvents) {
    if (ev->ev_fd < 0) return;
    fds_.Remove(ev);
    if (IsForeign()) fds_.FlushFd(backend_, ev->ev_fd);
  } else if (ev->ev_events & EV_SIGNAL) {
    UnwatchSignal(ev);
  }
}

int EventBase::RemoveTimer(event* ev) {
  Entrance entrance(this);
  CheckOwner("event_remove_timer", ev);
  DebugCheckAssigned("event_remove_timer", ev);
  if (Flags(ev) & EVLIST_TIMEOUT) {
    timers_.Remove(ev);
    ClearFlag(&Flags(ev), EVLIST_TIMEOUT);
    CountAdded(&ev->ev_evcallback, -1);
    WakeIfForeign();
  }
  if (!(ev->ev_events & EV_SIGNAL)) ev->ev_.ev_percore_.interval_ = 0;
  return 0;
}

void EventBase::ActivateFd(evutil_socket_t fd, short events) {
  Entrance entrance(this);
  if (fd < 0) return;
  event* next;
  if (events & EV_TIMEOUT) {
    for (event* ev = fds_.First(fd); ev != nullptr; ev = FdTable::Next(ev)) {
      if (Flags(ev) & EVLIST_TIMEOUT) ActivateLocked(ev, EV_TIMEOUT, 1);
    }
    WakeIfForeign();
    return;
  }
  const short wanted = static_cast<short>(events & kIoEvents);
  for (event* ev = fds_.First(fd); ev != nullptr; ev = next) {
    next = FdTable::Next(ev);
    if (ev->ev_events & wanted) {
      ActivateLocked(ev, ev->ev_events & events, 1);
    }
  }
  WakeIfForeign();
}

void EventBase::ActivateSignal(int number) {
  Entrance entrance(this);
  if (number < 0 || number >= kSignalNumbers) return;
  for (event* ev = signal_events_[number]; ev != nullptr;
       ev = ev->ev_.ev_signal.ev_signal_next.le_next) {
    ActivateLocked(ev, EV_SIGNAL, 1);
  }
  WakeIfForeign();
}

int EventBase::Pending(const event* ev, short events, timeval* when) {
  Entrance entrance(this);
  DebugCheckAssigned("event_pending", ev);
  int flags = 0;
  if (Flags(ev) & EVLIST_INSERTED) flags |= ev->ev_events & kWatchEvents;
  if (Flags(ev) & (EVLIST_ACTIVE | EVLIST_ACTIVE_LATER)) flags |= ev->ev_res;
  if (Flags(ev) & EVLIST_TIMEOUT) flags |= EV_TIMEOUT;
  // Marked by another thread whose push is still to come.
  const PendingActivation mail{
      PendingWord(const_cast<event*>(ev)).load(std::memory_order_acquire)};
  if (mail.pending()) flags |= mail.result();
  events = static_cast<short>(events & (EV_TIMEOUT | kWatchEvents));
  if (when != nullptr && (flags & events & EV_TIMEOUT)) {
    const std::int64_t wall =
        (clock_ == nullptr ? RealWallNs() : clock_->WallNs());
    *when = NsToTimeval(TimerQueue::Deadline(ev) - ReadClock() + wall);
  }
  return flags & events;
}

int EventBase::SetPriority(event* ev, int priority) {
  Entrance entrance(this);
  DebugCheckAssigned("event_priority_set", ev);
  if (Flags(ev) & EVLIST_ACTIVE) return -1;
  if (priority < 0 || priority >= priorities()) return -1;
  ev->ev_evcallback.evcb_pri = static_cast<ev_uint8_t>(priority);
  return 0;
}

int EventBase::Finalize(event* ev, event_finalize_callback_fn callback,
                        bool free) {
  Entrance entrance(this);
  CheckOwner("event_finalize", ev);
  while (PendingWord(ev).load(std::memory_order_relaxed) != 0) {
    DrainActivations();
    RealAtomics::Pause();
  }
  return FinalizeLocked(ev, callback, free);
}

int EventBase::FinalizeLocked(event* ev, event_finalize_callback_fn callback,
                              bool free) {
  if (!(Flags(ev) & EVLIST_FINALIZING)) DelLocked(ev);
  ev->ev_evcallback.evcb_closure =
      free ? kClosureEventFinalizeFree : kClosureEventFinalize;
  ev->ev_evcallback.evcb_cb_union.evcb_evfinalize = callback;
  // The finalizer runs even from within the event's own callback, later.
  ActivateLocked(ev, EV_FINALIZE, 1);
  SetFlag(&Flags(ev), EVLIST_FINALIZING);
  WakeIfForeign();
  return 0;
}

}  // namespace percore
