// <event2/event.h>: events.
#include <event2/event.h>
#include <event2/event_struct.h>

#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/observe/debug_table.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"

using percore::DelWait;
using percore::EventBase;

namespace {

EventBase* BaseOf(const event* ev) { return EventBase::From(ev->ev_base); }

// An event that was never given a base: said, and refused.
EventBase* BaseOrWarn(const event* ev, const char* call) {
  if (ev->ev_base == nullptr) {
    percore::LogWarnx("%s: event has no event_base set.", call);
  }
  return BaseOf(ev);
}

}  // namespace

extern "C" {

int event_assign(struct event* ev, struct event_base* base, evutil_socket_t fd,
                 short events, event_callback_fn callback, void* arg) {
  return EventBase::Assign(ev, EventBase::From(base), fd, events, callback,
                           arg);
}

struct event* event_new(struct event_base* base, evutil_socket_t fd,
                        short events, event_callback_fn callback, void* arg) {
  auto* ev = static_cast<event*>(percore::MemAlloc(sizeof(event)));
  if (ev == nullptr) return nullptr;
  if (event_assign(ev, base, fd, events, callback, arg) < 0) {
    percore::MemFree(ev);
    return nullptr;
  }
  return ev;
}

void event_free(struct event* ev) {
  // Without a base it is not pending: never given one, or its base is gone.
  if (ev->ev_base != nullptr) event_del(ev);
  percore::DebugForget(ev);
  percore::MemFree(ev);
}

void event_debug_unassign(struct event* ev) {
  percore::DebugCheckNotAdded("event_debug_unassign", ev);
  percore::DebugForget(ev);
  ev->ev_evcallback.evcb_flags =
      static_cast<short>(ev->ev_evcallback.evcb_flags & ~EVLIST_INIT);
}

int event_add(struct event* ev, const struct timeval* timeout) {
  EventBase* base = BaseOrWarn(ev, "event_add");
  return base == nullptr ? -1 : base->Add(ev, timeout);
}

int event_del(struct event* ev) {
  EventBase* base = BaseOrWarn(ev, "event_del");
  return base == nullptr ? -1 : base->Del(ev, DelWait::kUnlessFinalize);
}

int event_del_noblock(struct event* ev) {
  EventBase* base = BaseOrWarn(ev, "event_del_noblock");
  return base == nullptr ? -1 : base->Del(ev, DelWait::kNever);
}

int event_del_block(struct event* ev) {
  EventBase* base = BaseOrWarn(ev, "event_del_block");
  return base == nullptr ? -1 : base->Del(ev, DelWait::kAlways);
}

int event_remove_timer(struct event* ev) {
  EventBase* base = BaseOrWarn(ev, "event_remove_timer");
  return base == nullptr ? -1 : base->RemoveTimer(ev);
}

void event_active(struct event* ev, int res, short ncalls) {
  if (EventBase* base = BaseOrWarn(ev, "event_active")) {
    base->Activate(ev, res, ncalls);
  }
}

int event_pending(const struct event* ev, short events, struct timeval* tv) {
  EventBase* base = BaseOrWarn(ev, "event_pending");
  return base == nullptr ? 0 : base->Pending(ev, events, tv);
}

int event_finalize(unsigned, struct event* ev, event_finalize_callback_fn cb) {
  EventBase* base = BaseOrWarn(ev, "event_finalize");
  return base == nullptr ? -1 : base->Finalize(ev, cb, /*free=*/false);
}

int event_free_finalize(unsigned, struct event* ev,
                        event_finalize_callback_fn cb) {
  EventBase* base = BaseOrWarn(ev, "event_free_finalize");
  return base == nullptr ? -1 : base->Finalize(ev, cb, /*free=*/true);
}

int event_priority_set(struct event* ev, int priority) {
  return BaseOf(ev)->SetPriority(ev, priority);
}

int event_base_set(struct event_base* base, struct event* ev) {
  return EventBase::From(base)->Adopt(ev);
}

int event_base_once(struct event_base* base, evutil_socket_t fd, short events,
                    event_callback_fn callback, void* arg,
                    const struct timeval* tv) {
  if (base == nullptr) return -1;
  return EventBase::From(base)->Once(fd, events, callback, arg, tv);
}

void event_base_active_by_fd(struct event_base* base, evutil_socket_t fd,
                             short events) {
  EventBase::From(base)->ActivateFd(fd, events);
}

void event_base_active_by_signal(struct event_base* base, int sig) {
  EventBase::From(base)->ActivateSignal(sig);
}

int event_initialized(const struct event* ev) {
  return (ev->ev_evcallback.evcb_flags & EVLIST_INIT) != 0;
}

evutil_socket_t event_get_fd(const struct event* ev) {
  percore::DebugCheckAssigned("event_get_fd", ev);
  return ev->ev_fd;
}

struct event_base* event_get_base(const struct event* ev) {
  percore::DebugCheckAssigned("event_get_base", ev);
  return ev->ev_base;
}

short event_get_events(const struct event* ev) {
  percore::DebugCheckAssigned("event_get_events", ev);
  return ev->ev_events;
}

event_callback_fn event_get_callback(const struct event* ev) {
  percore::DebugCheckAssigned("event_get_callback", ev);
  return ev->ev_evcallback.evcb_cb_union.evcb_callback;
}

void* event_get_callback_arg(const struct event* ev) {
  percore::DebugCheckAssigned("event_get_callback_arg", ev);
  return ev->ev_evcallback.evcb_arg;
}

int event_get_priority(const struct event* ev) {
  percore::DebugCheckAssigned("event_get_priority", ev);
  return ev->ev_evcallback.evcb_pri;
}

void event_get_assignment(const struct event* ev, struct event_base** base_out,
                          evutil_socket_t* fd_out, short* events_out,
                          event_callback_fn* callback_out, void** arg_out) {
  percore::DebugCheckAssigned("event_get_assignment", ev);
  if (base_out != nullptr) *base_out = ev->ev_base;
  if (fd_out != nullptr) *fd_out = ev->ev_fd;
  if (events_out != nullptr) *events_out = ev->ev_events;
  if (callback_out != nullptr) {
    *callback_out = ev->ev_evcallback.evcb_cb_union.evcb_callback;
  }
  if (arg_out != nullptr) *arg_out = ev->ev_evcallback.evcb_arg;
}

size_t event_get_struct_event_size(void) { return sizeof(struct event); }

void* event_self_cbarg(void) { return percore::SelfArgument(); }

}  // extern "C"
