// <event2/listener.h>, one call deep.
#include <event2/listener.h>
#include <percore/percore.h>

#include "percore/net/listener/listener.h"
#include "percore/runtime/loop/event_base.h"

using percore::EventBase;
using percore::Listener;

extern "C" {

struct evconnlistener* evconnlistener_new(struct event_base* base,
                                          evconnlistener_cb cb, void* ptr,
                                          unsigned flags, int backlog,
                                          evutil_socket_t fd) {
  Listener* listener =
      Listener::New(EventBase::From(base), cb, ptr, flags, backlog, fd);
  return listener != nullptr ? listener->c() : nullptr;
}

struct evconnlistener* evconnlistener_new_bind(struct event_base* base,
                                               evconnlistener_cb cb, void* ptr,
                                               unsigned flags, int backlog,
                                               const struct sockaddr* sa,
                                               int socklen) {
  Listener* listener =
      Listener::NewBind(EventBase::From(base), cb, ptr, flags, backlog, sa,
                        static_cast<socklen_t>(socklen));
  return listener != nullptr ? listener->c() : nullptr;
}

void evconnlistener_free(struct evconnlistener* lev) {
  Listener::From(lev)->Free();
}

int evconnlistener_enable(struct evconnlistener* lev) {
  return Listener::From(lev)->Enable();
}

int evconnlistener_disable(struct evconnlistener* lev) {
  return Listener::From(lev)->Disable();
}

struct event_base* evconnlistener_get_base(struct evconnlistener* lev) {
  return Listener::From(lev)->base()->c();
}

evutil_socket_t evconnlistener_get_fd(struct evconnlistener* lev) {
  return Listener::From(lev)->fd();
}

void evconnlistener_set_cb(struct evconnlistener* lev, evconnlistener_cb cb,
                           void* arg) {
  Listener::From(lev)->SetCallback(cb, arg);
}

void evconnlistener_set_error_cb(struct evconnlistener* lev,
                                 evconnlistener_errorcb errorcb) {
  Listener::From(lev)->SetErrorCallback(errorcb);
}

int percore_listener_set_nodelay(struct evconnlistener* listener, int on) {
  return Listener::From(listener)->SetNodelay(on != 0);
}

}  // extern "C"
