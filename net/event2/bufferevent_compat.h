/*
 * The bufferevent calls and names of libevent 1.x.
 *
 * New programs use those of event2/bufferevent.h. Owner thread, as there.
 */
#ifndef PERCORE_NET_EVENT2_BUFFEREVENT_COMPAT_H_
#define PERCORE_NET_EVENT2_BUFFEREVENT_COMPAT_H_

#include <event2/visibility.h>

#include <event2/util.h>

#include <event2/bufferevent.h>

#ifdef __cplusplus
extern "C" {
#endif

#define evbuffercb bufferevent_data_cb
#define everrorcb bufferevent_event_cb

/* A socket stream with these callbacks, on the current base of event_init() or
   the one bufferevent_base_set() gives it afterwards. */
EVENT2_EXPORT_SYMBOL
struct bufferevent *bufferevent_new(evutil_socket_t fd, evbuffercb readcb,
                                    evbuffercb writecb, everrorcb errorcb,
                                    void *cbarg);

/* bufferevent_set_timeouts() in whole seconds; 0: none. */
EVENT2_EXPORT_SYMBOL
void bufferevent_settimeout(struct bufferevent *bufev, int timeout_read,
                            int timeout_write);

#define EVBUFFER_READ BEV_EVENT_READING
#define EVBUFFER_WRITE BEV_EVENT_WRITING
#define EVBUFFER_EOF BEV_EVENT_EOF
#define EVBUFFER_ERROR BEV_EVENT_ERROR
#define EVBUFFER_TIMEOUT BEV_EVENT_TIMEOUT

#define EVBUFFER_INPUT(x) bufferevent_get_input(x)
#define EVBUFFER_OUTPUT(x) bufferevent_get_output(x)

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_NET_EVENT2_BUFFEREVENT_COMPAT_H_ */
