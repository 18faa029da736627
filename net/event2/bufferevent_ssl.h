/*
 * Streams with TLS, by OpenSSL: on a socket, or over any other stream.
 *
 * The program makes and configures the SSL object; the stream does handshake,
 * reading and writing. It sends no close_notify by itself: SSL_shutdown()
 * before bufferevent_free() does. Everything else is as in
 * event2/bufferevent.h, its conventions and threads too.
 */
#ifndef PERCORE_NET_EVENT2_BUFFEREVENT_SSL_H_
#define PERCORE_NET_EVENT2_BUFFEREVENT_SSL_H_

#include <event2/visibility.h>

#include <event2/util.h>

#include <event2/bufferevent.h>

#ifdef __cplusplus
extern "C" {
#endif

/* OpenSSL's SSL. */
struct ssl_st;

/* Where the handshake is when the stream is made. */
enum bufferevent_ssl_state {
  BUFFEREVENT_SSL_OPEN = 0,       /* done */
  BUFFEREVENT_SSL_CONNECTING = 1, /* we are the client */
  BUFFEREVENT_SSL_ACCEPTING = 2   /* we are the server */
};

/* Flags of a TLS stream. Since 2.2. */
#define BUFFEREVENT_SSL_DIRTY_SHUTDOWN 1 /* as set_allow_dirty_shutdown */
#define BUFFEREVENT_SSL_BATCH_WRITE 2    /* join small pieces of output */

/* The flags, and the flags as they were before some are set or cleared.
   EV_UINT64_MAX: not a TLS stream, or none of the flags is known. Since 2.2. */
EVENT2_EXPORT_SYMBOL
ev_uint64_t bufferevent_ssl_get_flags(struct bufferevent *bev);
EVENT2_EXPORT_SYMBOL
ev_uint64_t bufferevent_ssl_set_flags(struct bufferevent *bev,
                                      ev_uint64_t flags);
EVENT2_EXPORT_SYMBOL
ev_uint64_t bufferevent_ssl_clear_flags(struct bufferevent *bev,
                                        ev_uint64_t flags);

/* TLS over underlying, whose callbacks it takes over. BEV_OPT_CLOSE_ON_FREE:
   ssl and underlying become the stream's; ssl is freed on an error too. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_openssl_filter_new(
    struct event_base *base, struct bufferevent *underlying, struct ssl_st *ssl,
    enum bufferevent_ssl_state state, int options);

/* TLS on fd; -1: the one ssl has, or set later, or by a connect, after which
   the handshake begins and BEV_EVENT_CONNECTED is reported once, for both.
   BEV_OPT_CLOSE_ON_FREE: ssl and fd become the stream's; ssl is freed on an
   error too. NULL: ssl has another fd, or out of memory. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_openssl_socket_new(
    struct event_base *base, evutil_socket_t fd, struct ssl_st *ssl,
    enum bufferevent_ssl_state state, int options);

/* Whether a connection that ends without close_notify is an end
   (BEV_EVENT_EOF) rather than an error; at first it is an error. get: -1 if
   this is not a TLS stream. */
EVENT2_EXPORT_SYMBOL
int bufferevent_openssl_get_allow_dirty_shutdown(struct bufferevent *bev);
EVENT2_EXPORT_SYMBOL
void bufferevent_openssl_set_allow_dirty_shutdown(struct bufferevent *bev,
                                                  int allow_dirty_shutdown);

/* The SSL object, or NULL. Still the stream's. */
EVENT2_EXPORT_SYMBOL
struct ssl_st *bufferevent_openssl_get_ssl(struct bufferevent *bufev);

/* A new handshake on an open stream; TLS 1.2 and older. */
EVENT2_EXPORT_SYMBOL
int bufferevent_ssl_renegotiate(struct bufferevent *bev);

/* Takes one error of OpenSSL, the newest first; the last three are kept. 0:
   no more. For ERR_error_string(). */
EVENT2_EXPORT_SYMBOL
unsigned long bufferevent_get_openssl_error(struct bufferevent *bev);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_NET_EVENT2_BUFFEREVENT_SSL_H_ */
