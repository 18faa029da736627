/*
 * Tagged elements in an evbuffer: a tag, a length, and that many bytes.
 *
 * The format is libevent's, byte for byte. The functions that marshal append
 * to the buffer; out of memory they add nothing. Those that unmarshal take
 * from its front and return -1 for what is malformed, cut short or tagged
 * otherwise; the tag, the header or the element may be consumed by then.
 *
 * Threads: as the evbuffer's.
 */
#ifndef PERCORE_PROTO_EVENT2_TAG_H_
#define PERCORE_PROTO_EVENT2_TAG_H_

#include <event2/visibility.h>

#include <sys/types.h>
#ifndef _WIN32
#include <sys/time.h>
#endif

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evbuffer;

/* Nothing to do; of old programs. */
EVENT2_EXPORT_SYMBOL
void evtag_init(void);

/* Consumes tag and length; the length. -1 also when fewer bytes follow or
   it is above INT_MAX. ptag may be NULL. */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_header(struct evbuffer *evbuf, ev_uint32_t *ptag);

/* Adds an element of the len bytes at data. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal(struct evbuffer *evbuf, ev_uint32_t tag, const void *data,
                   ev_uint32_t len);

/* Adds an element of all that is in data, which is then empty. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal_buffer(struct evbuffer *evbuf, ev_uint32_t tag,
                          struct evbuffer *data);

/* Add an integer, which is no element. */
EVENT2_EXPORT_SYMBOL
void evtag_encode_int(struct evbuffer *evbuf, ev_uint32_t number);
EVENT2_EXPORT_SYMBOL
void evtag_encode_int64(struct evbuffer *evbuf, ev_uint64_t number);

/* Add an element of one integer. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal_int(struct evbuffer *evbuf, ev_uint32_t tag,
                       ev_uint32_t integer);
EVENT2_EXPORT_SYMBOL
void evtag_marshal_int64(struct evbuffer *evbuf, ev_uint32_t tag,
                         ev_uint64_t integer);

/* Adds an element of the string's bytes without the NUL. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal_string(struct evbuffer *buf, ev_uint32_t tag,
                          const char *string);

/* Adds an element of seconds and microseconds, of 32 bits each: the rest of
   the seconds is cut off. */
EVENT2_EXPORT_SYMBOL
void evtag_marshal_timeval(struct evbuffer *evbuf, ev_uint32_t tag,
                           struct timeval *tv);

/* Moves the payload of the first element to the end of dst; its length. */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal(struct evbuffer *src, ev_uint32_t *ptag,
                    struct evbuffer *dst);

/* The first element's tag, which stays; its bytes. ptag may be NULL. */
EVENT2_EXPORT_SYMBOL
int evtag_peek(struct evbuffer *evbuf, ev_uint32_t *ptag);

/* The length of the whole first element, and of its payload alone; neither
   need be there yet. 0, or -1. */
EVENT2_EXPORT_SYMBOL
int evtag_peek_length(struct evbuffer *evbuf, ev_uint32_t *plength);
EVENT2_EXPORT_SYMBOL
int evtag_payload_length(struct evbuffer *evbuf, ev_uint32_t *plength);

/* Drops the first element. 0, or -1. */
EVENT2_EXPORT_SYMBOL
int evtag_consume(struct evbuffer *evbuf);

/* An element of an integer, tagged need_tag; the bytes of the integer. */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_int(struct evbuffer *evbuf, ev_uint32_t need_tag,
                        ev_uint32_t *pinteger);
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_int64(struct evbuffer *evbuf, ev_uint32_t need_tag,
                          ev_uint64_t *pinteger);

/* An element of exactly len bytes. 0, or -1. */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_fixed(struct evbuffer *src, ev_uint32_t need_tag,
                          void *data, size_t len);

/* The payload with a NUL after it; the caller frees it. 0, or -1. */
EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_string(struct evbuffer *evbuf, ev_uint32_t need_tag,
                           char **pstring);

EVENT2_EXPORT_SYMBOL
int evtag_unmarshal_timeval(struct evbuffer *evbuf, ev_uint32_t need_tag,
                            struct timeval *ptv);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_PROTO_EVENT2_TAG_H_ */
