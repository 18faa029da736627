/*
 * Layout of struct event, for programs that embed one and for event_assign.
 *
 * The sizes and offsets are those of libevent 2.1.12 on LP64 Linux (128 bytes):
 * a binary built against libevent's headers hands us exactly these bytes.
 * tests/compat/abi_test checks each of them. Members whose names end in an
 * underscore belong to the library; a program reads none of the others
 * either, and uses the event_get_*() accessors.
 *
 * event_assign() initialises every member and never reads what was there.
 */
#ifndef PERCORE_RUNTIME_EVENT2_EVENT_STRUCT_H_
#define PERCORE_RUNTIME_EVENT2_EVENT_STRUCT_H_

#include <event2/event-config.h>
#include <event2/util.h>
#include <event2/visibility.h>
#include <sys/time.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of event_callback.evcb_flags. */
#define EVLIST_TIMEOUT 0x01      /* has a pending timeout */
#define EVLIST_INSERTED 0x02     /* watches an fd or a signal */
#define EVLIST_SIGNAL 0x04       /* never set; kept for programs naming it */
#define EVLIST_ACTIVE 0x08       /* in an active queue */
#define EVLIST_INTERNAL 0x10     /* the library's own: keeps no loop alive */
#define EVLIST_ACTIVE_LATER 0x20 /* activated for the next turn */
#define EVLIST_FINALIZING 0x40   /* being finalized: inert */
#define EVLIST_INIT 0x80         /* event_assign has been called */
#define EVLIST_ALL 0xff

/* The BSD queue heads and links, where the system has not defined them. */
#ifndef TAILQ_ENTRY
#define PERCORE_DEFINED_TAILQ_ENTRY_
#define TAILQ_ENTRY(type)   \
  struct {                  \
    struct type *tqe_next;  \
    struct type **tqe_prev; \
  }
#endif
#ifndef TAILQ_HEAD
#define PERCORE_DEFINED_TAILQ_HEAD_
#define TAILQ_HEAD(name, type) \
  struct name {                \
    struct type *tqh_first;    \
    struct type **tqh_last;    \
  }
#endif
#ifndef LIST_ENTRY
#define PERCORE_DEFINED_LIST_ENTRY_
#define LIST_ENTRY(type)   \
  struct {                 \
    struct type *le_next;  \
    struct type **le_prev; \
  }
#endif
#ifndef LIST_HEAD
#define PERCORE_DEFINED_LIST_HEAD_
#define LIST_HEAD(name, type) \
  struct name {               \
    struct type *lh_first;    \
  }
#endif

struct event;
struct event_base;

/* What can stand in an active queue: an event, or a callback of the library. */
struct event_callback {
  TAILQ_ENTRY(event_callback) evcb_active_next;
  short evcb_flags;
  ev_uint8_t evcb_pri; /* 0 is most urgent */
  ev_uint8_t evcb_closure;
  /* Which member holds is told by evcb_closure. */
  union {
    void (*evcb_callback)(evutil_socket_t, short, void *);
    void (*evcb_selfcb)(struct event_callback *, void *);
    void (*evcb_evfinalize)(struct event *, void *);
    void (*evcb_cbfinalize)(struct event_callback *, void *);
  } evcb_cb_union;
  void *evcb_arg;
};

struct event {
  struct event_callback ev_evcallback;

  union {
    TAILQ_ENTRY(event) ev_next_with_common_timeout;
    int min_heap_idx;
    struct {
      ev_int64_t deadline_; /* on the monotonic clock, nanoseconds */
      ev_uint64_t order_;   /* among equal deadlines */
    } ev_percore_;
  } ev_timeout_pos;
  evutil_socket_t ev_fd;
  /* Activations from other threads: the pending bit and the result flags.
     Atomic; lives in what libevent leaves as padding. */
  ev_uint32_t ev_mail_pending_;

  struct event_base *ev_base;

  union {
    struct {
      LIST_ENTRY(event) ev_io_next;
      struct timeval ev_timeout;
    } ev_io;
    struct {
      LIST_ENTRY(event) ev_signal_next;
      short ev_ncalls;
      short *ev_pncalls;
    } ev_signal;
    struct {
      LIST_ENTRY(event) unused_;
      ev_int64_t interval_;     /* of a persistent timeout, nanoseconds */
      struct event *mail_next_; /* link of the activation lane */
    } ev_percore_;
  } ev_;

  short ev_events;
  short ev_res; /* result flags handed to the callback */
  /* Holds the links of the timer queue's list. */
  struct timeval ev_timeout;
};

TAILQ_HEAD(event_list, event);
LIST_HEAD(event_dlist, event);

#ifdef PERCORE_DEFINED_TAILQ_ENTRY_
#undef TAILQ_ENTRY
#undef PERCORE_DEFINED_TAILQ_ENTRY_
#endif
#ifdef PERCORE_DEFINED_TAILQ_HEAD_
#undef TAILQ_HEAD
#undef PERCORE_DEFINED_TAILQ_HEAD_
#endif
#ifdef PERCORE_DEFINED_LIST_ENTRY_
#undef LIST_ENTRY
#undef PERCORE_DEFINED_LIST_ENTRY_
#endif
#ifdef PERCORE_DEFINED_LIST_HEAD_
#undef LIST_HEAD
#undef PERCORE_DEFINED_LIST_HEAD_
#endif

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_RUNTIME_EVENT2_EVENT_STRUCT_H_ */
