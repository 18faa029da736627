/*
 * The evbuffer calls of libevent 1.x, on top of those of event2/buffer.h.
 *
 * New programs use evbuffer_readln(), evbuffer_add_cb() and evbuffer_search().
 * Owner thread, as there.
 */
#ifndef PERCORE_NET_EVENT2_BUFFER_COMPAT_H_
#define PERCORE_NET_EVENT2_BUFFER_COMPAT_H_

#include <event2/visibility.h>

#include <sys/types.h>

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evbuffer;

/* evbuffer_readln(buffer, NULL, EVBUFFER_EOL_ANY): the caller frees it. */
EVENT2_EXPORT_SYMBOL
char *evbuffer_readline(struct evbuffer *buffer);

/* Called after a change of the length. */
typedef void (*evbuffer_cb)(struct evbuffer *buffer, size_t old_len,
                            size_t new_len, void *arg);

/* Makes cb the buffer's only callback, NULL: it has none. Removes those of
   evbuffer_add_cb() too. -1: out of memory. */
EVENT2_EXPORT_SYMBOL
int evbuffer_setcb(struct evbuffer *buffer, evbuffer_cb cb, void *cbarg);

/* The first place of the len bytes of what, in one piece, or NULL. Valid
   until the buffer changes. */
EVENT2_EXPORT_SYMBOL
unsigned char *evbuffer_find(struct evbuffer *buffer, const unsigned char *what,
                             size_t len);

/* The number of bytes, and all of them in one piece. */
#define EVBUFFER_LENGTH(x) evbuffer_get_length(x)
#define EVBUFFER_DATA(x) evbuffer_pullup((x), -1)

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_NET_EVENT2_BUFFER_COMPAT_H_ */
