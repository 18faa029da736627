/*
 * The first API: calls without a base, on the one made last by event_init().
 *
 * For programs of libevent 1.x. They work on one global "current" base and so
 * on one thread; new code names its base. Each is its event_base_ sibling on
 * that base and has its results; before event_init() there is none, which the
 * functions do not survive.
 */
#ifndef PERCORE_RUNTIME_EVENT2_EVENT_COMPAT_H_
#define PERCORE_RUNTIME_EVENT2_EVENT_COMPAT_H_

#include <event2/visibility.h>

#include <sys/types.h>
#ifndef _WIN32
#include <sys/time.h>
#endif

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event;
struct event_base;

/* Makes a base and makes it the current one; freeing it leaves none current.
   Failure ends the process. */
EVENT2_EXPORT_SYMBOL
struct event_base *event_init(void);

/* event_base_dispatch(). */
EVENT2_EXPORT_SYMBOL
int event_dispatch(void);

/* event_base_loop(). */
EVENT2_EXPORT_SYMBOL
int event_loop(int flags);

/* event_base_loopexit(). */
EVENT2_EXPORT_SYMBOL
int event_loopexit(const struct timeval *tv);

/* event_base_loopbreak(). */
EVENT2_EXPORT_SYMBOL
int event_loopbreak(void);

/* event_base_once(). */
EVENT2_EXPORT_SYMBOL
int event_once(evutil_socket_t fd, short events,
               void (*callback)(evutil_socket_t, short, void *), void *arg,
               const struct timeval *timeout);

/* event_base_get_method(). */
EVENT2_EXPORT_SYMBOL
const char *event_get_method(void);

/* event_base_priority_init(). */
EVENT2_EXPORT_SYMBOL
int event_priority_init(int npriorities);

/* event_assign() with the current base, which may also be set later with
   event_base_set(). Flags that event_assign() refuses end the process. */
EVENT2_EXPORT_SYMBOL
void event_set(struct event *ev, evutil_socket_t fd, short events,
               void (*callback)(evutil_socket_t, short, void *), void *arg);

#define evtimer_set(ev, cb, arg) event_set((ev), -1, 0, (cb), (arg))
#define evsignal_set(ev, x, cb, arg) \
  event_set((ev), (x), EV_SIGNAL | EV_PERSIST, (cb), (arg))

/* Names older still. */
#define timeout_set(ev, cb, arg) event_set((ev), -1, 0, (cb), (arg))
#define timeout_add(ev, tv) event_add((ev), (tv))
#define timeout_del(ev) event_del(ev)
#define timeout_pending(ev, tv) event_pending((ev), EV_TIMEOUT, (tv))
#define timeout_initialized(ev) event_initialized(ev)

#define signal_set(ev, x, cb, arg) \
  event_set((ev), (x), EV_SIGNAL | EV_PERSIST, (cb), (arg))
#define signal_add(ev, tv) event_add((ev), (tv))
#define signal_del(ev) event_del(ev)
#define signal_pending(ev, tv) event_pending((ev), EV_SIGNAL, (tv))
#define signal_initialized(ev) event_initialized(ev)

#define EVENT_FD(ev) ((int)event_get_fd(ev))
#define EVENT_SIGNAL(ev) event_get_signal(ev)

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_RUNTIME_EVENT2_EVENT_COMPAT_H_ */
