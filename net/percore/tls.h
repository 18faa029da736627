/*
 * percore's extension to <event2/bufferevent_ssl.h>, for C programs. Linked
 * with libevent_openssl.
 */
#ifndef PERCORE_NET_PERCORE_TLS_H_
#define PERCORE_NET_PERCORE_TLS_H_

#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bufferevent;

/* Ends the sending direction in order: what is in the output is sent, then
   TLS's close_notify. When it has gone out, writing is disabled and the event
   callback gets BEV_EVENT_EOF|BEV_EVENT_WRITING; then, or when nothing was in
   the output, the stream may be freed without loss. Data still arrives until
   the peer's own end, BEV_EVENT_EOF|BEV_EVENT_READING. -1: not a TLS stream,
   its handshake is not done, or it has ended. Threads as bufferevent_flush().
 */
EVENT2_EXPORT_SYMBOL
int percore_bufferevent_ssl_shutdown(struct bufferevent *bev);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_NET_PERCORE_TLS_H_ */
