/*
 * percore's extensions to libevent's API, for C programs.
 *
 * A base made by event_base_new() or by a runtime is the same thing; all of
 * <event2/event.h> works on both. Errors are -1 with errno set, unless said
 * otherwise.
 */
#ifndef PERCORE_RUNTIME_PERCORE_PERCORE_H_
#define PERCORE_RUNTIME_PERCORE_PERCORE_H_

#include <event2/util.h>
#include <event2/visibility.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct event_config;
struct evconnlistener;
struct percore_runtime;

/* percore's own version, "0.1.0"; event_get_version() names the libevent API
   that is spoken. Static storage. Any thread. */
EVENT2_EXPORT_SYMBOL const char *percore_get_version(void);

/* Asks for one backend by name ("epoll", "io_uring", "poll", ...), also one
   that is never chosen by itself. NULL: back to the order of preference. The
   environment's PERCORE_METHOD does the same for configurations that name
   none. 0, or -1 without memory. */
EVENT2_EXPORT_SYMBOL int percore_config_set_method(struct event_config *cfg,
                                                   const char *method);

/* What became of a posted function. */
enum percore_post_result {
  PERCORE_POSTED = 0,
  PERCORE_FULL = -1,   /* the mailbox is bounded and at its bound */
  PERCORE_CLOSED = -2, /* the base is being freed or its runtime stopped */
  PERCORE_NO_MEMORY = -3
};

/* Runs fn(arg) once in the loop of `base`, soon. Any thread, as long as the
   base is not freed meanwhile; posts of one thread run in their order. Posted
   from a callback of another loop, it leaves at the end of that loop's turn.
   Memory is taken when a thread (or a loop) posts to a base for the first
   time, and when more is waiting there than ever before; it is kept until the
   base is freed and used again, so that otherwise nothing is allocated. If the
   base is freed first, fn is not run. Returns a percore_post_result. */
EVENT2_EXPORT_SYMBOL int percore_post(struct event_base *base,
                                      void (*fn)(void *), void *arg);

/* A loop's counters since it was made. Times are in nanoseconds and need
   percore_base_set_timing(base, 1). */
struct percore_stats {
  size_t size; /* set to sizeof(struct percore_stats) before the call */
  ev_uint64_t turns;
  ev_uint64_t callbacks;
  ev_uint64_t messages_run;
  ev_uint64_t messages_posted;
  ev_uint64_t waits;
  ev_uint64_t wakeups_sent;
  ev_uint64_t wakeups_received;
  ev_uint64_t wakeups_spurious;
  ev_uint64_t timers_expired;
  ev_uint64_t stale_reports;
  ev_uint64_t backend_rebuilds;
  ev_uint64_t busy_ns;
  ev_uint64_t waiting_ns;
  /* Mail, measured while timing is on. How many posted functions a turn that
     found some found waiting; and how long one waited from percore_post() to
     its run, of the first of each batch (posts of a loop leave in batches;
     any other post is one). As the upper end of the power of two in which
     half, or 99 in 100, of them lie; 0: none was measured. */
  ev_uint64_t mail_depth_median;
  ev_uint64_t mail_depth_99;
  ev_uint64_t mail_delays; /* measured ones */
  ev_uint64_t mail_delay_median_ns;
  ev_uint64_t mail_delay_99_ns;
};

/* 0, or -1 when `size` is too small to be one we know (one that ends with
   waiting_ns is). On the thread that runs
   the loop, or while nobody does; any thread for a locked base. */
EVENT2_EXPORT_SYMBOL int percore_base_get_stats(struct event_base *base,
                                                struct percore_stats *stats);

/* Measures each callback and each wait from now on, or stops doing so. Threads
   as above. */
EVENT2_EXPORT_SYMBOL void percore_base_set_timing(struct event_base *base,
                                                  int on);

/* TCP_NODELAY of the connections that a listener will accept. It is on for a
   socket that evconnlistener_new_bind() made, and left alone on one that
   evconnlistener_new() was given. 0, or -1 (not TCP). Any thread. */
EVENT2_EXPORT_SYMBOL int percore_listener_set_nodelay(
    struct evconnlistener *listener, int on);

/* --- A loop on each core ------------------------------------------------- */

/* What a runtime is made from; zeroed means the defaults. */
struct percore_runtime_options {
  size_t size;        /* sizeof(struct percore_runtime_options) */
  int cores;          /* 0: all usable ones (affinity, cpuset, CPU quota) */
  int no_pinning;     /* leave the threads where the system puts them */
  const char *method; /* backend by name, or NULL */
  const char *name;   /* of the threads: "NAME/0"; NULL: "percore" */
  ev_uint64_t mailbox_bound; /* most messages waiting in one; 0: no bound */
};

/* A stopped runtime with one base for each core; `options` may be NULL. NULL
   with errno set when bases cannot be made. Any thread. */
EVENT2_EXPORT_SYMBOL struct percore_runtime *percore_runtime_new(
    const struct percore_runtime_options *options);

/* How many cores it has. Any thread. */
EVENT2_EXPORT_SYMBOL int percore_runtime_cores(
    const struct percore_runtime *runtime);

/* The base of a core, owned by the runtime; NULL out of range. Add events to
   it before percore_runtime_start(), or on its own thread. Any thread. */
EVENT2_EXPORT_SYMBOL struct event_base *percore_runtime_base(
    struct percore_runtime *runtime, int core);

/* Starts the threads. 0, or -1 with errno set; then none runs. */
EVENT2_EXPORT_SYMBOL int percore_runtime_start(struct percore_runtime *runtime);

/* Asks every loop to end after its turn; does not wait. Any thread, and
   async-signal-safe. */
EVENT2_EXPORT_SYMBOL void percore_runtime_stop(struct percore_runtime *runtime);

/* Waits until the threads have ended. Not from a core. */
EVENT2_EXPORT_SYMBOL void percore_runtime_join(struct percore_runtime *runtime);

/* Stops, joins and frees. Not from a core. NULL is ignored. */
EVENT2_EXPORT_SYMBOL void percore_runtime_free(struct percore_runtime *runtime);

/* Runs fn(arg) on a core; as percore_post. Any thread. */
EVENT2_EXPORT_SYMBOL int percore_runtime_post(struct percore_runtime *runtime,
                                              int core, void (*fn)(void *),
                                              void *arg);

/* The core of `runtime` that the caller runs on, or -1. Any thread. */
EVENT2_EXPORT_SYMBOL int percore_runtime_current_core(
    const struct percore_runtime *runtime);

/* ---- Streams. */

struct bufferevent;
struct bufferevent_rate_limit_group;

/* Moves a live stream to another base, with its pending input and output, the
   time its timeouts have left, its rate limits and its TLS state: no byte is
   lost, doubled or reordered, and bev stays valid. It leaves when the loop has
   ended its pass over the active callbacks (from its own callback, therefore,
   after that has returned), at once when no loop runs. From then on it belongs
   to the target's thread. A filter moves with all below it.
   0, or -1 with errno set and nothing changed: EBUSY (connecting, looking a
   name up, moving), ENOTSUP (one half of a pair; a base that threads share;
   a stream that a C++ BufferEvent holds),
   EPERM (another stream is over it: move that), ECANCELED (the target has
   ended), ENOMEM. Owner thread of bev; the target may be any. */
EVENT2_EXPORT_SYMBOL int percore_bufferevent_move(struct bufferevent *bev,
                                                  struct event_base *target);

/* Whether sockets that bev makes to connect get TCP_NODELAY (they do until it
   is turned off); a socket that it has made is changed too. Owner thread. */
EVENT2_EXPORT_SYMBOL void percore_bufferevent_set_nodelay(
    struct bufferevent *bev, int on);

/* Makes two groups of two bases stand for each other: a member that moves to
   the other base goes on in the group of that base. While both are empty. */
EVENT2_EXPORT_SYMBOL void percore_rate_limit_group_make_twins(
    struct bufferevent_rate_limit_group *one,
    struct bufferevent_rate_limit_group *other);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_RUNTIME_PERCORE_PERCORE_H_ */
