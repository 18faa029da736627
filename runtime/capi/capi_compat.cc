// <event2/event_compat.h>: the 1.x calls on the current base.
#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/event_struct.h>

#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/process_state.h"

namespace {

struct event_base* Current() {
  return percore::State().current_base.load(std::memory_order_acquire);
}

}  // namespace

extern "C" {

struct event_base* event_init(void) {
  struct event_base* base = event_base_new_with_config(nullptr);
  if (base == nullptr) {
    percore::LogErrx(1, "event_init: Unable to construct event_base");
  }
  percore::State().current_base.store(base, std::memory_order_release);
  return base;
}

int event_dispatch(void) { return event_loop(0); }

int event_loop(int flags) { return event_base_loop(Current(), flags); }

int event_loopexit(const struct timeval* tv) {
  return event_base_loopexit(Current(), tv);
}

int event_loopbreak(void) { return event_base_loopbreak(Current()); }

int event_once(evutil_socket_t fd, short events,
               void (*callback)(evutil_socket_t, short, void*), void* arg,
               const struct timeval* tv) {
  return event_base_once(Current(), fd, events, callback, arg, tv);
}

const char* event_get_method(void) { return event_base_get_method(Current()); }

int event_priority_init(int npriorities) {
  return event_base_priority_init(Current(), npriorities);
}

void event_set(struct event* ev, evutil_socket_t fd, short events,
               void (*callback)(evutil_socket_t, short, void*), void* arg) {
  const int result = event_assign(ev, Current(), fd, events, callback, arg);
  PERCORE_CHECK(result == 0);
}

}  // extern "C"
