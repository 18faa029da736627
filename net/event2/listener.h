/*
 * Listeners: a callback for each connection that a listening socket accepts.
 *
 * Conventions. An int function returns 0, or -1 on an error; a constructor
 * returns NULL. Pointers are not NULL unless a comment allows it.
 *
 * Threads. A listener belongs to the thread of its base's loop ("Owner
 * thread.", which every function here is). With LEV_OPT_THREADSAFE calls may
 * come from any thread. Callbacks run without the listener's lock.
 */
#ifndef PERCORE_NET_EVENT2_LISTENER_H_
#define PERCORE_NET_EVENT2_LISTENER_H_

#include <event2/visibility.h>

#include <event2/event.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct evconnlistener;
struct sockaddr;

/* A connection: the socket, which is now the callback's, and the peer's
   address, which lives only during the call. It may disable or free the
   listener. */
typedef void (*evconnlistener_cb)(struct evconnlistener *, evutil_socket_t,
                                  struct sockaddr *, int socklen, void *);

/* accept() failed (EVUTIL_SOCKET_ERROR()), and not just for one connection:
   the process has no more descriptors, for one. */
typedef void (*evconnlistener_errorcb)(struct evconnlistener *, void *);

/* Accepted sockets are blocking. */
#define LEV_OPT_LEAVE_SOCKETS_BLOCKING (1u << 0)
/* Freeing the listener closes its socket. */
#define LEV_OPT_CLOSE_ON_FREE (1u << 1)
/* Close-on-exec, for accepted sockets and one made by new_bind. */
#define LEV_OPT_CLOSE_ON_EXEC (1u << 2)
/* SO_REUSEADDR, so that a port just left can be bound again. */
#define LEV_OPT_REUSEABLE (1u << 3)
/* The listener has a lock. Locks must be installed (event2/thread.h). */
#define LEV_OPT_THREADSAFE (1u << 4)
/* Made disabled. */
#define LEV_OPT_DISABLED (1u << 5)
/* The system reports a connection when it has data (TCP_DEFER_ACCEPT). */
#define LEV_OPT_DEFERRED_ACCEPT (1u << 6)
/* SO_REUSEPORT: several sockets share the port. */
#define LEV_OPT_REUSEABLE_PORT (1u << 7)
/* An IPv6 socket does not take IPv4 connections (IPV6_V6ONLY). */
#define LEV_OPT_BIND_IPV6ONLY (1u << 8)
/* An IPv6 socket takes IPv4 connections too. Since 2.2. */
#define LEV_OPT_BIND_IPV4_AND_IPV6 (1u << 9)

/* A listener on fd, which is bound. backlog: of listen(), negative: 128, 0: fd
   listens already. flags: LEV_OPT_ bits; those of the socket have no effect on
   an fd handed in. cb may be NULL until set later; nothing is accepted until
   then. NULL: fd stays open. */
EVENT2_EXPORT_SYMBOL
struct evconnlistener *evconnlistener_new(struct event_base *base,
                                          evconnlistener_cb cb, void *ptr,
                                          unsigned flags, int backlog,
                                          evutil_socket_t fd);

/* Makes the socket, binds it to sa and listens; backlog 0 fails. It has
   SO_KEEPALIVE, and for TCP also TCP_NODELAY, which accepted sockets inherit
   and percore_listener_set_nodelay() (<percore/percore.h>) turns off. NULL:
   errno. */
EVENT2_EXPORT_SYMBOL
struct evconnlistener *evconnlistener_new_bind(struct event_base *base,
                                               evconnlistener_cb cb, void *ptr,
                                               unsigned flags, int backlog,
                                               const struct sockaddr *sa,
                                               int socklen);

/* Stops and frees it, after a callback under way has returned. */
EVENT2_EXPORT_SYMBOL
void evconnlistener_free(struct evconnlistener *lev);

/* Begin and stop accepting. */
EVENT2_EXPORT_SYMBOL
int evconnlistener_enable(struct evconnlistener *lev);
EVENT2_EXPORT_SYMBOL
int evconnlistener_disable(struct evconnlistener *lev);

EVENT2_EXPORT_SYMBOL
struct event_base *evconnlistener_get_base(struct evconnlistener *lev);

/* The listening socket. */
EVENT2_EXPORT_SYMBOL
evutil_socket_t evconnlistener_get_fd(struct evconnlistener *lev);

/* Another callback; an enabled listener that had none begins to accept. */
EVENT2_EXPORT_SYMBOL
void evconnlistener_set_cb(struct evconnlistener *lev, evconnlistener_cb cb,
                           void *arg);

/* Told of errors with the argument of cb; NULL: they are logged. */
EVENT2_EXPORT_SYMBOL
void evconnlistener_set_error_cb(struct evconnlistener *lev,
                                 evconnlistener_errorcb errorcb);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_NET_EVENT2_LISTENER_H_ */
