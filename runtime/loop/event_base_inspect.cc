// What a base says about its events (semantics 3.15, 3.16).
#include <cinttypes>

#include "percore/runtime/loop/event_base.h"

namespace percore {
namespace {

constexpr int kInUse = EVLIST_INSERTED | EVLIST_TIMEOUT;

event* EventOf(event_callback* cb) { return reinterpret_cast<event*>(cb); }

// Only what is an event (a finalizer of one is not).
bool IsEvent(const event_callback* cb) {
  return cb->evcb_closure <= kClosurePersist;
}

}  // namespace

int EventBase::CountEvents(unsigned which) {
  Entrance entrance(this);
  int n = 0;
  if (which & EVENT_BASE_COUNT_ACTIVE) n += active_;
  if (which & EVENT_BASE_COUNT_ADDED) n += added_;
  return n;
}

int EventBase::MaxEvents(unsigned which, bool clear) {
  Entrance entrance(this);
  int n = 0;
  if (which & EVENT_BASE_COUNT_ACTIVE) {
    n += active_max_;
    if (clear) active_max_ = 0;
  }
  if (which & EVENT_BASE_COUNT_ADDED) {
    n += added_max_;
    if (clear) added_max_ = 0;
  }
  return n;
}

event* EventBase::RunningEvent() const {
  if (current_ == nullptr || !OnOwner() || !IsEvent(current_)) return nullptr;
  return EventOf(current_);
}

template <typename F>
int EventBase::ForEachLocked(F&& fn) {
  for (std::size_t fd = 0; fd < fds_.size(); ++fd) {
    for (event* ev = fds_.First(static_cast<int>(fd)); ev != nullptr;
         ev = FdTable::Next(ev)) {
      if (int stop = fn(ev)) return stop;
    }
  }
  for (event* first : signal_events_) {
    for (event* ev = first; ev != nullptr;
         ev = ev->ev_.ev_signal.ev_signal_next.le_next) {
      if (int stop = fn(ev)) return stop;
    }
  }
  // Timers that watch nothing, and negative descriptors with a timeout.
  const int stopped = timers_.ForEach([&](event* ev) {
    const bool seen = (ev->ev_evcallback.evcb_flags & EVLIST_INSERTED) &&
                      ((ev->ev_events & EV_SIGNAL) || ev->ev_fd >= 0);
    return seen ? 0 : fn(ev);
  });
  if (stopped != 0) return stopped;
  for (const ActiveQueue& queue : queues_) {
    for (event_callback* cb = queue.first(); cb != nullptr;
         cb = ActiveQueue::Next(cb)) {
      if (!IsEvent(cb) || (cb->evcb_flags & kInUse)) continue;
      if (int stop = fn(EventOf(cb))) return stop;
    }
  }
  return 0;
}

int EventBase::ForEach(event_base_foreach_event_cb fn, void* arg) {
  Entrance entrance(this);
  return ForEachLocked([&](event* ev) { return fn(c(), ev, arg); });
}

void EventBase::Dump(std::FILE* out) {
  Entrance entrance(this);
  const std::int64_t to_wall =
      (clock_ == nullptr ? RealWallNs() : clock_->WallNs()) - ReadClock();
  std::fprintf(out, "Inserted events:\n");
  ForEachLocked([&](event* ev) {
    const short flags = ev->ev_evcallback.evcb_flags;
    if (!(flags & kInUse)) return 0;
    std::fprintf(out, "  %p [%s %ld]%s%s%s%s%s%s%s", static_cast<void*>(ev),
                 (ev->ev_events & EV_SIGNAL) ? "sig" : "fd ",
                 static_cast<long>(ev->ev_fd),
                 (ev->ev_events & EV_READ) ? " Read" : "",
                 (ev->ev_events & EV_WRITE) ? " Write" : "",
                 (ev->ev_events & EV_CLOSED) ? " EOF" : "",
                 (ev->ev_events & EV_SIGNAL) ? " Signal" : "",
                 (ev->ev_events & EV_PERSIST) ? " Persist" : "",
                 (ev->ev_events & EV_ET) ? " ET" : "",
                 (flags & EVLIST_INTERNAL) ? " Internal" : "");
    if (flags & EVLIST_TIMEOUT) {
      const timeval tv = NsToTimeval(TimerQueue::Deadline(ev) + to_wall);
      std::fprintf(out, " Timeout=%ld.%06d", static_cast<long>(tv.tv_sec),
                   static_cast<int>(tv.tv_usec));
    }
    std::fputc('\n', out);
    return 0;
  });
  std::fprintf(out, "Active events:\n");
  const auto active = [out](event_callback* cb, const char* later) {
    if (!IsEvent(cb)) return;
    event* ev = EventOf(cb);
    std::fprintf(
        out, "  %p [%s %ld, priority=%d]%s%s%s%s%s active%s%s\n",
        static_cast<void*>(ev), (ev->ev_events & EV_SIGNAL) ? "sig" : "fd ",
        static_cast<long>(ev->ev_fd),
        static_cast<int>(ev->ev_evcallback.evcb_pri),
        (ev->ev_res & EV_READ) ? " Read" : "",
        (ev->ev_res & EV_WRITE) ? " Write" : "",
        (ev->ev_res & EV_CLOSED) ? " EOF" : "",
        (ev->ev_res & EV_SIGNAL) ? " Signal" : "",
        (ev->ev_res & EV_TIMEOUT) ? " Timeout" : "",
        (cb->evcb_flags & EVLIST_INTERNAL) ? " [Internal]" : "", later);
  };
  for (const ActiveQueue& queue : queues_) {
    for (event_callback* cb = queue.first(); cb != nullptr;
         cb = ActiveQueue::Next(cb)) {
      active(cb, "");
    }
  }
  for (event_callback* cb = later_.first(); cb != nullptr;
       cb = ActiveQueue::Next(cb)) {
    active(cb, " [NextTime]");
  }
}

}  // namespace percore
