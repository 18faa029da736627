/*
 * Buffered streams: a file descriptor (or another stream) with an input and an
 * output evbuffer, and callbacks when there is something to read, when all is
 * written, and when the stream's state changes.
 *
 * What arrives is in the input buffer when the read callback is called; what
 * is put into the output buffer is written by the loop. Kinds: socket, pair
 * (two ends in memory), filter (over another stream), and TLS
 * (event2/bufferevent_ssl.h).
 *
 * Conventions. An int function returns 0, or -1 on an error; a constructor
 * returns NULL. Sizes are bytes. Pointers are not NULL unless a comment allows
 * it. A function that a kind of stream does not have fails.
 *
 * Threads. A stream belongs to the thread of its base's loop ("Owner thread.",
 * which every function here is). With BEV_OPT_THREADSAFE each call takes the
 * stream's lock and may come from any thread; callbacks run with the lock
 * held, except with BEV_OPT_UNLOCK_CALLBACKS.
 */
#ifndef PERCORE_NET_EVENT2_BUFFEREVENT_H_
#define PERCORE_NET_EVENT2_BUFFEREVENT_H_

#include <event2/visibility.h>

#include <sys/types.h>
#ifndef _WIN32
#include <sys/time.h>
#endif

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bufferevent;
struct event_base;
struct evbuffer;
struct evdns_base;
struct sockaddr;

/* ---- What an event callback is told. */

#define BEV_EVENT_READING 0x01   /* it happened while reading */
#define BEV_EVENT_WRITING 0x02   /* it happened while writing */
#define BEV_EVENT_EOF 0x10       /* the peer ended the stream */
#define BEV_EVENT_ERROR 0x20     /* an error: EVUTIL_SOCKET_ERROR() */
#define BEV_EVENT_TIMEOUT 0x40   /* the time of set_timeouts passed */
#define BEV_EVENT_CONNECTED 0x80 /* the connect asked for is done */

/* Read: the input buffer holds at least the read low watermark. Write: the
   output buffer is down to the write low watermark. */
typedef void (*bufferevent_data_cb)(struct bufferevent *bev, void *ctx);

/* what: BEV_EVENT_ bits. The direction that ended, failed or timed out is
   disabled before the call. */
typedef void (*bufferevent_event_cb)(struct bufferevent *bev, short what,
                                     void *ctx);

enum bufferevent_options {
  /* Freeing the stream closes its fd, or frees the stream below. */
  BEV_OPT_CLOSE_ON_FREE = (1 << 0),
  /* The stream and its buffers have a lock. Locks must be installed
     (event2/thread.h). */
  BEV_OPT_THREADSAFE = (1 << 1),
  /* Callbacks run from the loop, not in the call that causes them. */
  BEV_OPT_DEFER_CALLBACKS = (1 << 2),
  /* Callbacks run without the lock; only with BEV_OPT_DEFER_CALLBACKS. */
  BEV_OPT_UNLOCK_CALLBACKS = (1 << 3)
};

/* ---- Socket streams. */

/* A stream on fd, a connected non-blocking socket, or -1: set later. Writing
   is enabled, reading is not. options: BEV_OPT_ bits. base may be NULL: the
   current one. NULL: the options, or out of memory. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_socket_new(struct event_base *base,
                                           evutil_socket_t fd, int options);

/* Connects to addr, making the socket when the stream has no fd. addr NULL: fd
   is connecting already. Then BEV_EVENT_CONNECTED or BEV_EVENT_ERROR is
   reported, always from the loop. -1: it failed at once; a socket made here
   is closed again. A TCP socket made here has TCP_NODELAY, which setsockopt()
   turns off; one handed in is left as it is. */
EVENT2_EXPORT_SYMBOL
int bufferevent_socket_connect(struct bufferevent *bufev,
                               const struct sockaddr *addr, int socklen);

/* Looks up hostname and connects to it; family: AF_INET, AF_INET6, AF_UNSPEC.
   evdns_base NULL: the look-up blocks. The addresses are tried in turn until
   one answers (libevent tries only the first). A look-up that fails is a
   BEV_EVENT_ERROR and bufferevent_socket_get_dns_error(). What is written
   meanwhile is sent after the connect. -1: family or port cannot be. */
EVENT2_EXPORT_SYMBOL
int bufferevent_socket_connect_hostname(struct bufferevent *bufev,
                                        struct evdns_base *evdns_base,
                                        int family, const char *hostname,
                                        int port);

/* The same; hints_in gives family, flags, socktype and protocol of the
   look-up. Since 2.2. */
EVENT2_EXPORT_SYMBOL
int bufferevent_socket_connect_hostname_hints(
    struct bufferevent *bufev, struct evdns_base *evdns_base,
    const struct evutil_addrinfo *hints_in, const char *hostname, int port);

/* The EVUTIL_EAI_ code of the last look-up, 0 if it did not fail. */
EVENT2_EXPORT_SYMBOL
int bufferevent_socket_get_dns_error(struct bufferevent *bev);

/* Moves a socket stream to another base. -1: another kind, or in use. */
EVENT2_EXPORT_SYMBOL
int bufferevent_base_set(struct event_base *base, struct bufferevent *bufev);

EVENT2_EXPORT_SYMBOL
struct event_base *bufferevent_get_base(struct bufferevent *bev);

/* The priority of the stream's events and deferred callbacks. -1: a pair or a
   filter, the base has no such priority, or the stream is active. */
EVENT2_EXPORT_SYMBOL
int bufferevent_priority_set(struct bufferevent *bufev, int pri);
EVENT2_EXPORT_SYMBOL
int bufferevent_get_priority(const struct bufferevent *bufev);

/* Ends the stream: from here on no callback begins, output not yet written is
   lost. Its memory, buffers and fd (BEV_OPT_CLOSE_ON_FREE) go when no call of
   it is under way: at the end of the loop's pass, or at once if the loop does
   not run. */
EVENT2_EXPORT_SYMBOL
void bufferevent_free(struct bufferevent *bufev);

/* The callbacks and their argument; each may be NULL, as may the outputs of
   getcb. */
EVENT2_EXPORT_SYMBOL
void bufferevent_setcb(struct bufferevent *bufev, bufferevent_data_cb readcb,
                       bufferevent_data_cb writecb,
                       bufferevent_event_cb eventcb, void *cbarg);
EVENT2_EXPORT_SYMBOL
void bufferevent_getcb(struct bufferevent *bufev,
                       bufferevent_data_cb *readcb_ptr,
                       bufferevent_data_cb *writecb_ptr,
                       bufferevent_event_cb *eventcb_ptr, void **cbarg_ptr);

/* Gives the stream another fd (-1: none); the old one is not closed. A connect
   or look-up under way is given up. -1: a pair or a filter. */
EVENT2_EXPORT_SYMBOL
int bufferevent_setfd(struct bufferevent *bufev, evutil_socket_t fd);

/* The same, and closes the old one. Since 2.2. */
EVENT2_EXPORT_SYMBOL
int bufferevent_replacefd(struct bufferevent *bufev, evutil_socket_t fd);

/* The fd, or -1. */
EVENT2_EXPORT_SYMBOL
evutil_socket_t bufferevent_getfd(struct bufferevent *bufev);

/* The stream below a filter, or NULL. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_get_underlying(struct bufferevent *bufev);

/* ---- Data. */

/* Appends a copy of the data, or all of buf, to the output. */
EVENT2_EXPORT_SYMBOL
int bufferevent_write(struct bufferevent *bufev, const void *data, size_t size);
EVENT2_EXPORT_SYMBOL
int bufferevent_write_buffer(struct bufferevent *bufev, struct evbuffer *buf);

/* Takes up to size bytes out of the input: the number of bytes. */
EVENT2_EXPORT_SYMBOL
size_t bufferevent_read(struct bufferevent *bufev, void *data, size_t size);

/* Moves all of the input to the end of buf. */
EVENT2_EXPORT_SYMBOL
int bufferevent_read_buffer(struct bufferevent *bufev, struct evbuffer *buf);

/* The stream's buffers, which it owns. The end of the input and the front of
   the output are frozen: only the stream changes them. */
EVENT2_EXPORT_SYMBOL
struct evbuffer *bufferevent_get_input(struct bufferevent *bufev);
EVENT2_EXPORT_SYMBOL
struct evbuffer *bufferevent_get_output(struct bufferevent *bufev);

/* ---- Directions, timeouts, watermarks. */

/* event: EV_READ, EV_WRITE or both. */
EVENT2_EXPORT_SYMBOL
int bufferevent_enable(struct bufferevent *bufev, short event);
EVENT2_EXPORT_SYMBOL
int bufferevent_disable(struct bufferevent *bufev, short event);
EVENT2_EXPORT_SYMBOL
short bufferevent_get_enabled(struct bufferevent *bufev);

/* How long the stream may read nothing while reading is enabled, and write
   nothing while there is output; NULL or zero: for ever. Then the direction is
   disabled and BEV_EVENT_TIMEOUT reported. */
EVENT2_EXPORT_SYMBOL
int bufferevent_set_timeouts(struct bufferevent *bufev,
                             const struct timeval *timeout_read,
                             const struct timeval *timeout_write);

/* events: EV_READ, EV_WRITE or both. Read: lowmark is the least input that the
   read callback is called for; at highmark reading stops until the input is
   drained (0: never). Write: the write callback is called when the output is
   down to lowmark; highmark is for filters, what the stream below takes. */
EVENT2_EXPORT_SYMBOL
void bufferevent_setwatermark(struct bufferevent *bufev, short events,
                              size_t lowmark, size_t highmark);

/* events: EV_READ or EV_WRITE, not both (-1). The outputs may be NULL. */
EVENT2_EXPORT_SYMBOL
int bufferevent_getwatermark(struct bufferevent *bufev, short events,
                             size_t *lowmark, size_t *highmark);

/* ---- Locks and references. */

/* Hold the stream's lock over several calls, and keep it alive meanwhile. Any
   thread. */
EVENT2_EXPORT_SYMBOL
void bufferevent_lock(struct bufferevent *bufev);
EVENT2_EXPORT_SYMBOL
void bufferevent_unlock(struct bufferevent *bufev);

/* A stream is freed with its last reference; bufferevent_free() drops the one
   it was made with. decref: 1 if it was the last, otherwise 0. Any thread. */
EVENT2_EXPORT_SYMBOL
void bufferevent_incref(struct bufferevent *bufev);
EVENT2_EXPORT_SYMBOL
int bufferevent_decref(struct bufferevent *bufev);

/* ---- Flushing and triggering. */

enum bufferevent_flush_mode {
  BEV_NORMAL = 0,  /* as the stream would by itself */
  BEV_FLUSH = 1,   /* all there is, watermarks or not */
  BEV_FINISHED = 2 /* the same, and no more will come */
};

/* iotype: EV_READ, EV_WRITE or both. Filter: passes data through, 1 if there
   was any. Pair: moves data to or from the partner; BEV_FINISHED reports EOF
   to it. Socket and TLS: 0, nothing to do. -1: not possible. */
EVENT2_EXPORT_SYMBOL
int bufferevent_flush(struct bufferevent *bufev, short iotype,
                      enum bufferevent_flush_mode mode);

enum bufferevent_trigger_options {
  BEV_TRIG_IGNORE_WATERMARKS = (1 << 16),
  BEV_TRIG_DEFER_CALLBACKS = BEV_OPT_DEFER_CALLBACKS
};

/* Calls the read callback (EV_READ) and the write callback (EV_WRITE) if the
   watermarks let it. options: BEV_TRIG_ bits. */
EVENT2_EXPORT_SYMBOL
void bufferevent_trigger(struct bufferevent *bufev, short iotype, int options);

/* Calls the event callback with what. */
EVENT2_EXPORT_SYMBOL
void bufferevent_trigger_event(struct bufferevent *bufev, short what,
                               int options);

/* ---- Filters. */

enum bufferevent_filter_result {
  BEV_OK = 0,        /* something was put into dst */
  BEV_NEED_MORE = 1, /* nothing can be made of src until more comes */
  BEV_ERROR = 2      /* the data is bad */
};

/* Takes data out of src and puts what it becomes into dst: at most dst_limit
   bytes, -1: any number. */
typedef enum bufferevent_filter_result (*bufferevent_filter_cb)(
    struct evbuffer *src, struct evbuffer *dst, ev_ssize_t dst_limit,
    enum bufferevent_flush_mode mode, void *ctx);

/* A stream over underlying, whose callbacks it takes over. A filter that is
   NULL passes data unchanged. free_context(ctx) is called with the end of the
   stream; both may be NULL. With BEV_OPT_CLOSE_ON_FREE underlying becomes the
   filter's. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_filter_new(struct bufferevent *underlying,
                                           bufferevent_filter_cb input_filter,
                                           bufferevent_filter_cb output_filter,
                                           int options,
                                           void (*free_context)(void *),
                                           void *ctx);

/* ---- Pairs. */

/* Two streams: what one writes the other reads. Callbacks are always
   deferred; both ends share a lock and are freed one by one. */
EVENT2_EXPORT_SYMBOL
int bufferevent_pair_new(struct event_base *base, int options,
                         struct bufferevent *pair[2]);

/* The other end. NULL: not a pair, or it has been freed. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_pair_get_partner(struct bufferevent *bev);

/* ---- Rate limits: how many bytes a tick. */

struct ev_token_bucket_cfg;
struct bufferevent_rate_limit_group;

#define EV_RATE_LIMIT_MAX EV_SSIZE_MAX /* no limit */

/* rate: bytes a tick in the long run; burst: the most in one tick. tick_len
   NULL: a second. NULL: a rate of 0 or above its burst, one above
   EV_RATE_LIMIT_MAX, a tick below a millisecond, or out of memory. */
EVENT2_EXPORT_SYMBOL
struct ev_token_bucket_cfg *ev_token_bucket_cfg_new(
    size_t read_rate, size_t read_burst, size_t write_rate, size_t write_burst,
    const struct timeval *tick_len);

/* Frees it; no stream may still use it. */
EVENT2_EXPORT_SYMBOL
void ev_token_bucket_cfg_free(struct ev_token_bucket_cfg *cfg);

/* Limits this stream. cfg stays the caller's and must outlive its use; NULL:
   no limit. */
EVENT2_EXPORT_SYMBOL
int bufferevent_set_rate_limit(struct bufferevent *bev,
                               struct ev_token_bucket_cfg *cfg);

/* A limit for many streams together. cfg is copied. */
EVENT2_EXPORT_SYMBOL
struct bufferevent_rate_limit_group *bufferevent_rate_limit_group_new(
    struct event_base *base, const struct ev_token_bucket_cfg *cfg);

/* Another limit, copied. -1: cfg or group is NULL. */
EVENT2_EXPORT_SYMBOL
int bufferevent_rate_limit_group_set_cfg(struct bufferevent_rate_limit_group *,
                                         const struct ev_token_bucket_cfg *);

/* The least bytes a member gets in a tick; at first 64, at most the rate. -1:
   above EV_SSIZE_MAX. */
EVENT2_EXPORT_SYMBOL
int bufferevent_rate_limit_group_set_min_share(
    struct bufferevent_rate_limit_group *, size_t);

/* Frees a group without members. */
EVENT2_EXPORT_SYMBOL
void bufferevent_rate_limit_group_free(struct bufferevent_rate_limit_group *);

/* Joins the group, leaving the one before. */
EVENT2_EXPORT_SYMBOL
int bufferevent_add_to_rate_limit_group(struct bufferevent *bev,
                                        struct bufferevent_rate_limit_group *g);
EVENT2_EXPORT_SYMBOL
int bufferevent_remove_from_rate_limit_group(struct bufferevent *bev);

/* The most bytes read or written at once before other streams have their
   turn; at first 16384, which 0 and more than EV_SSIZE_MAX restore. */
EVENT2_EXPORT_SYMBOL
int bufferevent_set_max_single_read(struct bufferevent *bev, size_t size);
EVENT2_EXPORT_SYMBOL
int bufferevent_set_max_single_write(struct bufferevent *bev, size_t size);
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_max_single_read(struct bufferevent *bev);
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_max_single_write(struct bufferevent *bev);

/* What is left of this stream's own limit in this tick, negative if it is
   overdrawn; EV_SSIZE_MAX without a limit. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_read_limit(struct bufferevent *bev);
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_write_limit(struct bufferevent *bev);

/* The most it may read or write now, by all limits; never negative. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_max_to_read(struct bufferevent *bev);
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_get_max_to_write(struct bufferevent *bev);

/* The limit set, or NULL. */
EVENT2_EXPORT_SYMBOL
const struct ev_token_bucket_cfg *bufferevent_get_token_bucket_cfg(
    const struct bufferevent *bev);

/* What is left of the group's limit in this tick. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_rate_limit_group_get_read_limit(
    struct bufferevent_rate_limit_group *);
EVENT2_EXPORT_SYMBOL
ev_ssize_t bufferevent_rate_limit_group_get_write_limit(
    struct bufferevent_rate_limit_group *);

/* Charges decr bytes moved elsewhere; negative: gives them back. The stream
   must have a limit. */
EVENT2_EXPORT_SYMBOL
int bufferevent_decrement_read_limit(struct bufferevent *bev, ev_ssize_t decr);
EVENT2_EXPORT_SYMBOL
int bufferevent_decrement_write_limit(struct bufferevent *bev, ev_ssize_t decr);
EVENT2_EXPORT_SYMBOL
int bufferevent_rate_limit_group_decrement_read(
    struct bufferevent_rate_limit_group *, ev_ssize_t);
EVENT2_EXPORT_SYMBOL
int bufferevent_rate_limit_group_decrement_write(
    struct bufferevent_rate_limit_group *, ev_ssize_t);

/* The bytes of all members since the start or the last reset; outputs may be
   NULL. */
EVENT2_EXPORT_SYMBOL
void bufferevent_rate_limit_group_get_totals(
    struct bufferevent_rate_limit_group *grp, ev_uint64_t *total_read_out,
    ev_uint64_t *total_written_out);
EVENT2_EXPORT_SYMBOL
void bufferevent_rate_limit_group_reset_totals(
    struct bufferevent_rate_limit_group *grp);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_NET_EVENT2_BUFFEREVENT_H_ */
