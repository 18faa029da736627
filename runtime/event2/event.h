/*
 * The event loop: bases, events, and what configures them.
 *
 * An event_base runs a loop; an event is a callback for a file descriptor, a
 * signal, a time span, or nothing but a call of event_active(). Life of an
 * event:
 *
 *   event_assign/event_new --> initialised --event_add--> pending
 *   pending --ready, expired or event_active--> active --callback runs-->
 *   initialised again, or pending if EV_PERSIST
 *   event_del: from anywhere back to initialised
 *
 * Conventions. An int function returns 0, or -1 on an error; a constructor
 * returns NULL. Pointers are not NULL unless a comment allows it.
 *
 * Threads. While the loop runs, a base and its events belong to the thread that
 * runs it ("Owner thread."); outside the loop to one thread at a time. What
 * says "Any thread." works from others too, and wakes the loop if it must.
 * "Owner thread or shared base." is for any thread when the base is shared,
 * which it is if locks were installed before it was made (event2/thread.h) and
 * it lacks EVENT_BASE_FLAG_NOLOCK.
 */
#ifndef PERCORE_RUNTIME_EVENT2_EVENT_H_
#define PERCORE_RUNTIME_EVENT2_EVENT_H_

#include <event2/visibility.h>

#include <stdio.h>
#include <sys/types.h>
#ifndef _WIN32
#include <sys/time.h>
#endif

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct event;
struct event_config;

/* ---- The conditions of an event, and what its callback is told. */

#define EV_TIMEOUT 0x01  /* the timeout passed; not needed to ask for one */
#define EV_READ 0x02     /* fd readable */
#define EV_WRITE 0x04    /* fd writable */
#define EV_SIGNAL 0x08   /* the "fd" is a signal number */
#define EV_PERSIST 0x10  /* stays pending when its callback runs */
#define EV_ET 0x20       /* edge-triggered, if the backend can */
#define EV_FINALIZE 0x40 /* event_del does not wait for a running callback */
#define EV_CLOSED 0x80   /* the peer closed its side, data may be left */

/* fd is the fd or the signal number, -1 if none; what: EV_ bits. */
typedef void (*event_callback_fn)(evutil_socket_t fd, short what, void *arg);
typedef void (*event_finalize_callback_fn)(struct event *, void *);

/* ---- Before anything else is called. */

/* Tracks misuse: assigning an event that is added, using one never assigned,
   edge- and level-triggered events on one fd, blocking fds. Must be the first
   call into the library; later it ends the process. Costs an allocation for
   each event assigned. */
EVENT2_EXPORT_SYMBOL
void event_enable_debug_mode(void);

/* In debug mode: forgets an event in the caller's own memory, which is about
   to go. It may not be added. In any mode event_initialized() is then 0. */
EVENT2_EXPORT_SYMBOL
void event_debug_unassign(struct event *);

/* Frees what is global, for the sake of leak checkers. Nothing of the library
   may be used afterwards, nor from other threads during it. */
EVENT2_EXPORT_SYMBOL
void libevent_global_shutdown(void);

/* ---- Making and freeing a base. */

/* A base with the default configuration. */
EVENT2_EXPORT_SYMBOL
struct event_base *event_base_new(void);

/* A base by cfg (NULL: the default), which is only read. NULL when no backend
   is left that cfg and the environment allow; logs a warning. */
EVENT2_EXPORT_SYMBOL
struct event_base *event_base_new_with_config(const struct event_config *cfg);

/* Frees the base. Its events become not pending; those of the caller are not
   freed. Pending finalizers run. NULL: the current base of event_init().
   Owner thread, not from a callback of this base. */
EVENT2_EXPORT_SYMBOL
void event_base_free(struct event_base *eb);

/* The same without running finalizers. */
EVENT2_EXPORT_SYMBOL
void event_base_free_nofinalize(struct event_base *);

/* In a child of fork(), before the base is used there: gives it a backend and
   wake-up descriptors of its own, with everything that was added. -1 when
   something could not be added again. The parent is not disturbed. */
EVENT2_EXPORT_SYMBOL
int event_reinit(struct event_base *base);

/* ---- Configuration of a base. One thread at a time. */

/* What a backend can do. */
enum event_method_feature {
  EV_FEATURE_ET = 0x01,         /* edge-triggered events */
  EV_FEATURE_O1 = 0x02,         /* cost independent of idle events */
  EV_FEATURE_FDS = 0x04,        /* any file descriptor, not only sockets */
  EV_FEATURE_EARLY_CLOSE = 0x08 /* EV_CLOSED */
};

enum event_base_config_flag {
  /* No locks for this base, even where locking is set up. */
  EVENT_BASE_FLAG_NOLOCK = 0x01,
  /* Do not look at EVENT_* environment variables to choose a backend. */
  EVENT_BASE_FLAG_IGNORE_ENV = 0x02,
  /* Windows: start the completion port from the beginning. */
  EVENT_BASE_FLAG_STARTUP_IOCP = 0x04,
  /* Ask the clock each time rather than once a turn. */
  EVENT_BASE_FLAG_NO_CACHE_TIME = 0x08,
  /* Allowed to batch changes of interest; an owned base always does, in a way
     that is safe with dup()ed descriptors. */
  EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST = 0x10,
  /* Timers better than a millisecond. */
  EVENT_BASE_FLAG_PRECISE_TIMER = 0x20,
  /* With PRECISE_TIMER: no timerfd for it. Since 2.2. */
  EVENT_BASE_FLAG_EPOLL_DISALLOW_TIMERFD = 0x40,
  /* Signals by signalfd, which blocks them in this thread; several bases can
     then have signals of their own. Since 2.2. */
  EVENT_BASE_FLAG_USE_SIGNALFD = 0x80
};

/* A configuration that asks for nothing. */
EVENT2_EXPORT_SYMBOL
struct event_config *event_config_new(void);

/* Frees it; bases made by it do not need it any more. */
EVENT2_EXPORT_SYMBOL
void event_config_free(struct event_config *cfg);

/* Never use the backend of this name ("epoll"). -1: out of memory. */
EVENT2_EXPORT_SYMBOL
int event_config_avoid_method(struct event_config *cfg, const char *method);

/* Use only backends that have all of these EV_FEATURE_ bits. Replaces what
   was required before. -1 only if cfg is NULL. */
EVENT2_EXPORT_SYMBOL
int event_config_require_features(struct event_config *cfg, int feature);

/* Adds EVENT_BASE_FLAG_ bits. -1 only if cfg is NULL. */
EVENT2_EXPORT_SYMBOL
int event_config_set_flag(struct event_config *cfg, int flag);

/* Windows: how many threads the completion port shall serve. -1 only if cfg
   is NULL. */
EVENT2_EXPORT_SYMBOL
int event_config_set_num_cpus_hint(struct event_config *cfg, int cpus);

/* Look for new events after max_interval (NULL: no limit) or max_callbacks
   (negative: no limit) spent on active ones, of priority min_priority (below
   0: 0) and less urgent. Checked after each callback. Always 0. */
EVENT2_EXPORT_SYMBOL
int event_config_set_max_dispatch_interval(struct event_config *cfg,
                                           const struct timeval *max_interval,
                                           int max_callbacks, int min_priority);

/* ---- Facts about the library and a base. */

/* The libevent API version the library speaks: "2.1.12-stable", 0x02010c00.
   percore_get_version() (percore/percore.h) is percore's own. */
EVENT2_EXPORT_SYMBOL
const char *event_get_version(void);
EVENT2_EXPORT_SYMBOL
ev_uint32_t event_get_version_number(void);

/* The same of these headers, as macros. */
#define LIBEVENT_VERSION EVENT__VERSION
#define LIBEVENT_VERSION_NUMBER EVENT__NUMERIC_VERSION

/* sizeof(struct event) as the library has it, for programs that allocate
   events without event_struct.h. */
EVENT2_EXPORT_SYMBOL
size_t event_get_struct_event_size(void);

/* Names of the backends compiled in, best first, NULL at the end. The array
   is the library's; the next call frees it. */
EVENT2_EXPORT_SYMBOL
const char **event_get_supported_methods(void);

/* The name of the backend in use, static. Any thread. */
EVENT2_EXPORT_SYMBOL
const char *event_base_get_method(const struct event_base *eb);

/* How this base gets signals: "signal" or "signalfd_signal". Since 2.2. */
EVENT2_EXPORT_SYMBOL
const char *event_base_get_signal_method(const struct event_base *eb);

/* The EV_FEATURE_ bits of the backend in use. Any thread. */
EVENT2_EXPORT_SYMBOL
int event_base_get_features(const struct event_base *base);

/* What to count; the bits add up. */
#define EVENT_BASE_COUNT_ACTIVE 1U  /* callbacks due to run */
#define EVENT_BASE_COUNT_VIRTUAL 2U /* reasons to run on without an event */
#define EVENT_BASE_COUNT_ADDED 4U   /* pending: each fd, signal and timeout */

/* Counts the base's events, without the library's own. An event counts once
   for each thing it is: inserted, waiting for a time, active. Owner thread or
   shared base. */
EVENT2_EXPORT_SYMBOL
int event_base_get_num_events(struct event_base *eb, unsigned int flags);

/* The most there were since the start or the last clearing; clears the chosen
   counters if `clear`. Owner thread or shared base. */
EVENT2_EXPORT_SYMBOL
int event_base_get_max_events(struct event_base *eb, unsigned int flags,
                              int clear);

/* The number of priorities. eb NULL: of the current base. */
EVENT2_EXPORT_SYMBOL
int event_base_get_npriorities(struct event_base *eb);

/* Writes all pending and active events to output, for people. Owner thread or
   shared base. */
EVENT2_EXPORT_SYMBOL
void event_base_dump_events(struct event_base *base, FILE *output);

typedef int (*event_base_foreach_event_cb)(const struct event_base *,
                                           const struct event *, void *);

/* Calls fn once for each pending or active event, the library's own too. fn
   may not change events or the base. Stops at the first result that is not 0
   and returns it; -1 if base or fn is NULL. Owner thread or shared base. */
EVENT2_EXPORT_SYMBOL
int event_base_foreach_event(struct event_base *base,
                             event_base_foreach_event_cb fn, void *arg);

/* ---- Running the loop. */

#define EVLOOP_ONCE 0x01             /* wait, run what is active, return */
#define EVLOOP_NONBLOCK 0x02         /* run what is active now, do not wait */
#define EVLOOP_NO_EXIT_ON_EMPTY 0x04 /* run on without pending events */

/* event_base_loop(base, 0). */
EVENT2_EXPORT_SYMBOL
int event_base_dispatch(struct event_base *base);

/* Runs the loop in this thread. 1: nothing left to wait for; 0: told to stop
   (loopexit, loopbreak, or the flags); -1: the backend failed, or the loop is
   running already. */
EVENT2_EXPORT_SYMBOL
int event_base_loop(struct event_base *eb, int flags);

/* Stops the loop after tv, by a timer; NULL: when the callbacks now active
   have run. Any thread. */
EVENT2_EXPORT_SYMBOL
int event_base_loopexit(struct event_base *eb, const struct timeval *tv);

/* Stops the loop after the callback that runs now; the rest stays active.
   Without effect on a loop not yet entered. -1 if eb is NULL. Any thread. */
EVENT2_EXPORT_SYMBOL
int event_base_loopbreak(struct event_base *eb);

/* After the callback that runs now, look for new events before the rest of
   the active ones. -1 if eb is NULL. Any thread. */
EVENT2_EXPORT_SYMBOL
int event_base_loopcontinue(struct event_base *eb);

/* Whether loopexit or loopbreak stopped the loop; until it is entered again.
   Any thread. */
EVENT2_EXPORT_SYMBOL
int event_base_got_exit(struct event_base *eb);
EVENT2_EXPORT_SYMBOL
int event_base_got_break(struct event_base *eb);

#define EVENT_MAX_PRIORITIES 256

/* Sets the number of priorities, 1 to EVENT_MAX_PRIORITIES - 1; events get
   the middle one when they are assigned. -1 when out of range or when events
   are active. Owner thread. */
EVENT2_EXPORT_SYMBOL
int event_base_priority_init(struct event_base *eb, int npriorities);

/* ---- Time. */

/* Reads the base's monotonic clock itself. -1 if a pointer is NULL or the
   clock fails. */
EVENT2_EXPORT_SYMBOL
int event_gettime_monotonic(struct event_base *base, struct timeval *tp);

/* The wall clock as of the beginning of this turn when in a callback, and now
   otherwise. base may be NULL: the current base. Owner thread. */
EVENT2_EXPORT_SYMBOL
int event_base_gettimeofday_cached(struct event_base *base, struct timeval *tv);

/* Makes "the beginning of this turn" now; for long callbacks. -1 only when
   there is no base. Owner thread. */
EVENT2_EXPORT_SYMBOL
int event_base_update_cache_time(struct event_base *base);

/* A marked copy of duration for event_add(): events with that timeout go into
   a queue of their own, cheap when there are very many. The same pointer for
   the same duration, valid as long as the base. NULL: out of memory, or more
   than 256 durations. Owner thread or shared base. */
EVENT2_EXPORT_SYMBOL
const struct timeval *event_base_init_common_timeout(
    struct event_base *base, const struct timeval *duration);

/* ---- Log, fatal errors, memory: global; set before threads start. */

#define EVENT_LOG_DEBUG 0
#define EVENT_LOG_MSG 1
#define EVENT_LOG_WARN 2
#define EVENT_LOG_ERR 3
/* The names before 2.0.19. */
#define _EVENT_LOG_DEBUG EVENT_LOG_DEBUG
#define _EVENT_LOG_MSG EVENT_LOG_MSG
#define _EVENT_LOG_WARN EVENT_LOG_WARN
#define _EVENT_LOG_ERR EVENT_LOG_ERR

typedef void (*event_log_cb)(int severity, const char *msg);

/* Where messages go; NULL: to stderr. cb may not call the library. */
EVENT2_EXPORT_SYMBOL
void event_set_log_callback(event_log_cb cb);

typedef void (*event_fatal_cb)(int err);

/* Called for an error the library cannot go on from. It should not return; if
   it does, or there is none, the process exits with err (or aborts, for an
   assertion that failed). */
EVENT2_EXPORT_SYMBOL
void event_set_fatal_callback(event_fatal_cb cb);

#define EVENT_DBG_ALL 0xffffffffu
#define EVENT_DBG_NONE 0

/* Which debug messages are logged: a mask, by default EVENT_DBG_NONE. */
EVENT2_EXPORT_SYMBOL
void event_enable_debug_logging(ev_uint32_t which);

/* The functions that allocate all that the library allocates from here on;
   NULL: libc's. realloc_fn(NULL, n) allocates, with malloc's alignment. They
   are called from every thread that uses the library. Call it first of all:
   memory is freed by the function then set. */
EVENT2_EXPORT_SYMBOL
void event_set_mem_functions(void *(*malloc_fn)(size_t sz),
                             void *(*realloc_fn)(void *ptr, size_t sz),
                             void (*free_fn)(void *ptr));
#define EVENT_SET_MEM_FUNCTIONS_IMPLEMENTED

/* ---- Making events. */

/* Initialises *ev, whatever it held; it may not be added. fd: a descriptor, a
   signal number with EV_SIGNAL, or -1. base NULL: the current one. -1: the
   flags exclude each other (EV_SIGNAL and READ, WRITE or CLOSED). Another
   thread may not use ev meanwhile. */
EVENT2_EXPORT_SYMBOL
int event_assign(struct event *ev, struct event_base *base, evutil_socket_t fd,
                 short events, event_callback_fn callback, void *callback_arg);

/* The same in memory of the library. NULL: out of memory, or the flags.
   Free it with event_free(). */
EVENT2_EXPORT_SYMBOL
struct event *event_new(struct event_base *base, evutil_socket_t fd,
                        short events, event_callback_fn callback,
                        void *callback_arg);

/* event_del(), then frees what event_new() made. As event_del(). */
EVENT2_EXPORT_SYMBOL
void event_free(struct event *);

/* As callback_arg, it stands for the event itself. */
EVENT2_EXPORT_SYMBOL
void *event_self_cbarg(void);

/* Moves an event that was assigned, and nothing since, to another base. Its
   priority becomes the middle one there. -1: in another state. */
EVENT2_EXPORT_SYMBOL
int event_base_set(struct event_base *eb, struct event *ev);

/* Priority 0 is the most urgent. -1: the event is active, or there is no such
   priority. Owner thread. */
EVENT2_EXPORT_SYMBOL
int event_priority_set(struct event *ev, int priority);

/* Runs callback once, for the condition or after timeout, whichever is first;
   EV_TIMEOUT without timeout: as soon as possible. Cannot be taken back; the
   memory is the base's. -1: EV_SIGNAL or EV_PERSIST, no condition, out of
   memory, or base is NULL. Any thread. */
EVENT2_EXPORT_SYMBOL
int event_base_once(struct event_base *base, evutil_socket_t fd, short events,
                    event_callback_fn callback, void *arg,
                    const struct timeval *timeout);

/* Makes ev inert without waiting for its callback: at once no more than
   event_assign() is possible, and the loop calls cb(ev, callback_arg) when
   nothing uses ev any more. flags: 0. Owner thread or shared base. */
EVENT2_EXPORT_SYMBOL
int event_finalize(unsigned flags, struct event *ev,
                   event_finalize_callback_fn cb);

/* The same, and frees ev after cb. */
EVENT2_EXPORT_SYMBOL
int event_free_finalize(unsigned flags, struct event *ev,
                        event_finalize_callback_fn cb);

/* ---- Pending, active. */

/* Makes ev pending. timeout: relative; NULL leaves a timeout that runs as it
   is. Adding again replaces the timeout, and takes back a call that only the
   old timeout had made due. -1: ev is being finalized, or the backend does
   not take the fd (errno). Owner thread or shared base. */
EVENT2_EXPORT_SYMBOL
int event_add(struct event *ev, const struct timeval *timeout);

/* Stops the timeout only. Owner thread or shared base. */
EVENT2_EXPORT_SYMBOL
int event_remove_timer(struct event *ev);

/* Makes ev neither pending nor active. From a thread other than the loop's
   (shared base) it waits until a callback that runs has returned, unless ev
   has EV_FINALIZE. 0 also if there was nothing to do. */
EVENT2_EXPORT_SYMBOL
int event_del(struct event *ev);
/* The same: never waits. */
EVENT2_EXPORT_SYMBOL
int event_del_noblock(struct event *ev);
/* The same: waits with EV_FINALIZE too. */
EVENT2_EXPORT_SYMBOL
int event_del_block(struct event *ev);

/* Makes ev active: its callback gets res (EV_ bits, or what the program
   likes). ncalls counts only for signals. Any thread. */
EVENT2_EXPORT_SYMBOL
void event_active(struct event *ev, int res, short ncalls);

/* Which of these EV_ bits ev is pending or active for. tv, if not NULL: the
   wall-clock time it expires, set only when EV_TIMEOUT is in the result.
   Owner thread or shared base. */
EVENT2_EXPORT_SYMBOL
int event_pending(const struct event *ev, short events, struct timeval *tv);

/* Activates the events pending on fd for these conditions; with EV_TIMEOUT
   those that have a timeout, as if it had passed, and no others. Owner thread
   or shared base. */
EVENT2_EXPORT_SYMBOL
void event_base_active_by_fd(struct event_base *base, evutil_socket_t fd,
                             short events);

/* Activates the events pending on the signal. Owner thread or shared base. */
EVENT2_EXPORT_SYMBOL
void event_base_active_by_signal(struct event_base *base, int sig);

/* The event whose callback runs now, or NULL. Owner thread. */
EVENT2_EXPORT_SYMBOL
struct event *event_base_get_running_event(struct event_base *base);

/* ---- What an event was assigned. Any thread that may use ev. */

/* 1 if ev was assigned; for memory that was zeroed, not for garbage. */
EVENT2_EXPORT_SYMBOL
int event_initialized(const struct event *ev);

/* The fd or signal number, -1 if none. */
EVENT2_EXPORT_SYMBOL
evutil_socket_t event_get_fd(const struct event *ev);
#define event_get_signal(ev) ((int)event_get_fd(ev))

EVENT2_EXPORT_SYMBOL
struct event_base *event_get_base(const struct event *ev);

/* The EV_ bits given to event_assign(). */
EVENT2_EXPORT_SYMBOL
short event_get_events(const struct event *ev);

EVENT2_EXPORT_SYMBOL
event_callback_fn event_get_callback(const struct event *ev);

/* With event_self_cbarg(), the event. */
EVENT2_EXPORT_SYMBOL
void *event_get_callback_arg(const struct event *ev);

EVENT2_EXPORT_SYMBOL
int event_get_priority(const struct event *ev);

/* All of it at once; outputs may be NULL. */
EVENT2_EXPORT_SYMBOL
void event_get_assignment(const struct event *event,
                          struct event_base **base_out, evutil_socket_t *fd_out,
                          short *events_out, event_callback_fn *callback_out,
                          void **arg_out);

/* ---- Shorter names: timers, signals, events that are only activated. */

#define evtimer_assign(ev, b, cb, arg) \
  event_assign((ev), (b), -1, 0, (cb), (arg))
#define evtimer_new(b, cb, arg) event_new((b), -1, 0, (cb), (arg))
#define evtimer_add(ev, tv) event_add((ev), (tv))
#define evtimer_del(ev) event_del(ev)
#define evtimer_pending(ev, tv) event_pending((ev), EV_TIMEOUT, (tv))
#define evtimer_initialized(ev) event_initialized(ev)

#define evsignal_assign(ev, b, x, cb, arg) \
  event_assign((ev), (b), (x), EV_SIGNAL | EV_PERSIST, (cb), (arg))
#define evsignal_new(b, x, cb, arg) \
  event_new((b), (x), EV_SIGNAL | EV_PERSIST, (cb), (arg))
#define evsignal_add(ev, tv) event_add((ev), (tv))
#define evsignal_del(ev) event_del(ev)
#define evsignal_pending(ev, tv) event_pending((ev), EV_SIGNAL, (tv))
#define evsignal_initialized(ev) event_initialized(ev)

#define evuser_new(b, cb, arg) event_new((b), -1, 0, (cb), (arg))
#define evuser_del(ev) event_del(ev)
#define evuser_pending(ev, tv) event_pending((ev), 0, (tv))
#define evuser_initialized(ev) event_initialized(ev)
#define evuser_trigger(ev) event_active((ev), 0, 0)

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_RUNTIME_EVENT2_EVENT_H_ */
