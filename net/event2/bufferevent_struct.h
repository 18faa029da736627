/*
 * Layout of struct bufferevent, for old programs that read its members.
 *
 * The offsets are those of libevent 2.1.12 on LP64 Linux (392 bytes), checked
 * by tests/compat/abi_test. It is the head of a larger object: only the library
 * makes one. The members may be read in the owner's thread; nothing but the
 * functions of event2/bufferevent.h may write them.
 */
#ifndef PERCORE_NET_EVENT2_BUFFEREVENT_STRUCT_H_
#define PERCORE_NET_EVENT2_BUFFEREVENT_STRUCT_H_

#include <event2/event-config.h>

#include <sys/types.h>
#ifndef _WIN32
#include <sys/time.h>
#endif

/* struct event is embedded. */
#include <event2/event_struct.h>
#include <event2/util.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What bufferevent_setwatermark() set, bytes. */
struct event_watermark {
  size_t low;
  size_t high;
};

/* What a kind of stream does; the library's. */
struct bufferevent_ops;

struct bufferevent {
  struct event_base *ev_base;
  const struct bufferevent_ops *be_ops;

  /* The fd's events of a socket stream, otherwise timers. */
  struct event ev_read;
  struct event ev_write;

  struct evbuffer *input;
  struct evbuffer *output;

  struct event_watermark wm_read;
  struct event_watermark wm_write;

  bufferevent_data_cb readcb;
  bufferevent_data_cb writecb;
  bufferevent_event_cb errorcb; /* the event callback */
  void *cbarg;

  struct timeval timeout_read;
  struct timeval timeout_write;

  short enabled; /* EV_READ, EV_WRITE */
};

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_NET_EVENT2_BUFFEREVENT_STRUCT_H_ */
