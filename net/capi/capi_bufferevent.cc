// <event2/bufferevent.h> and <event2/bufferevent_compat.h>, one call deep.
#include <event2/bufferevent.h>
#include <event2/bufferevent_compat.h>

#include <climits>

#include "percore/net/stream/connect.h"
#include "percore/net/stream/filter_stream.h"
#include "percore/net/stream/pair_stream.h"
#include "percore/net/stream/socket_stream.h"
#include "percore/net/stream/stream.h"
#include "percore/runtime/system/sockets.h"

using percore::Buffer;
using percore::EventBase;
using percore::Stream;

namespace {

std::size_t SingleLimit(std::size_t size) {
  return size > EV_SSIZE_MAX ? 0 : size;
}

ev_ssize_t ReportedLimit(std::size_t size) {
  return static_cast<ev_ssize_t>(size != 0 ? size
                                           : percore::kDefaultSingleLimit);
}

}  // namespace

extern "C" {

struct bufferevent* bufferevent_socket_new(struct event_base* base,
                                           evutil_socket_t fd, int options) {
  return percore::NewSocketStream(EventBase::From(base), fd, options);
}

int bufferevent_socket_connect(struct bufferevent* bufev,
                               const struct sockaddr* addr, int socklen) {
  return percore::ConnectSocket(Stream::From(bufev), addr, socklen);
}

int bufferevent_socket_connect_hostname(struct bufferevent* bufev,
                                        struct evdns_base* evdns_base,
                                        int family, const char* hostname,
                                        int port) {
  struct evutil_addrinfo hints = {};
  hints.ai_family = family;
  hints.ai_protocol = IPPROTO_TCP;
  hints.ai_socktype = SOCK_STREAM;
  return bufferevent_socket_connect_hostname_hints(bufev, evdns_base, &hints,
                                                   hostname, port);
}

int bufferevent_socket_connect_hostname_hints(
    struct bufferevent* bufev, struct evdns_base* evdns_base,
    const struct evutil_addrinfo* hints_in, const char* hostname, int port) {
  return percore::ConnectState::ByName(Stream::From(bufev), *hints_in, hostname,
                                       port);
}

int bufferevent_socket_get_dns_error(struct bufferevent* bev) {
  return Stream::From(bev)->dns_error;
}

int bufferevent_base_set(struct event_base* base, struct bufferevent* bufev) {
  return Stream::From(bufev)->SetBase(EventBase::From(base));
}

struct event_base* bufferevent_get_base(struct bufferevent* bev) {
  return bev->ev_base;
}

int bufferevent_priority_set(struct bufferevent* bufev, int pri) {
  return Stream::From(bufev)->SetPriority(pri);
}

int bufferevent_get_priority(const struct bufferevent* bufev) {
  return Stream::From(bufev)->Priority();
}

void bufferevent_free(struct bufferevent* bufev) {
  Stream::From(bufev)->Free();
}

void bufferevent_setcb(struct bufferevent* bufev, bufferevent_data_cb readcb,
                       bufferevent_data_cb writecb,
                       bufferevent_event_cb eventcb, void* cbarg) {
  Stream::From(bufev)->SetCallbacks(readcb, writecb, eventcb, cbarg);
}

void bufferevent_getcb(struct bufferevent* bufev,
                       bufferevent_data_cb* readcb_ptr,
                       bufferevent_data_cb* writecb_ptr,
                       bufferevent_event_cb* eventcb_ptr, void** cbarg_ptr) {
  if (readcb_ptr != nullptr) *readcb_ptr = bufev->readcb;
  if (writecb_ptr != nullptr) *writecb_ptr = bufev->writecb;
  if (eventcb_ptr != nullptr) *eventcb_ptr = bufev->errorcb;
  if (cbarg_ptr != nullptr) *cbarg_ptr = bufev->cbarg;
}

int bufferevent_setfd(struct bufferevent* bufev, evutil_socket_t fd) {
  return Stream::From(bufev)->SetFd(fd);
}

int bufferevent_replacefd(struct bufferevent* bufev, evutil_socket_t fd) {
  Stream* s = Stream::From(bufev);
  const evutil_socket_t old = s->Fd();
  const int result = s->SetFd(fd);
  if (result == 0 && old >= 0) return percore::CloseSocket(old);
  return result;
}

evutil_socket_t bufferevent_getfd(struct bufferevent* bufev) {
  return Stream::From(bufev)->Fd();
}

struct bufferevent* bufferevent_get_underlying(struct bufferevent* bufev) {
  return Stream::From(bufev)->Underlying();
}

int bufferevent_write(struct bufferevent* bufev, const void* data,
                      size_t size) {
  return Stream::From(bufev)->output_buffer.Add(data, size) ? 0 : -1;
}

int bufferevent_write_buffer(struct bufferevent* bufev, struct evbuffer* buf) {
  return Stream::From(bufev)->output_buffer.Take(Buffer::From(buf)) ? 0 : -1;
}

size_t bufferevent_read(struct bufferevent* bufev, void* data, size_t size) {
  const int n = Stream::From(bufev)->input_buffer.Remove(data, size);
  return n < 0 ? 0 : static_cast<size_t>(n);
}

int bufferevent_read_buffer(struct bufferevent* bufev, struct evbuffer* buf) {
  return Buffer::From(buf)->Take(&Stream::From(bufev)->input_buffer) ? 0 : -1;
}

struct evbuffer* bufferevent_get_input(struct bufferevent* bufev) {
  return bufev->input;
}

struct evbuffer* bufferevent_get_output(struct bufferevent* bufev) {
  return bufev->output;
}

int bufferevent_enable(struct bufferevent* bufev, short event) {
  return Stream::From(bufev)->Enable(event);
}

int bufferevent_disable(struct bufferevent* bufev, short event) {
  return Stream::From(bufev)->Disable(event);
}

short bufferevent_get_enabled(struct bufferevent* bufev) {
  percore::LeafGuard leaf(Stream::From(bufev));
  return bufev->enabled;
}

int bufferevent_set_timeouts(struct bufferevent* bufev,
                             const struct timeval* timeout_read,
                             const struct timeval* timeout_write) {
  return Stream::From(bufev)->SetTimeouts(timeout_read, timeout_write);
}

void bufferevent_setwatermark(struct bufferevent* bufev, short events,
                              size_t lowmark, size_t highmark) {
  Stream::From(bufev)->SetWatermark(events, lowmark, highmark);
}

int bufferevent_getwatermark(struct bufferevent* bufev, short events,
                             size_t* lowmark, size_t* highmark) {
  if (events != EV_READ && events != EV_WRITE) return -1;
  percore::LeafGuard leaf(Stream::From(bufev));
  const event_watermark& mark =
      events == EV_READ ? bufev->wm_read : bufev->wm_write;
  if (lowmark != nullptr) *lowmark = mark.low;
  if (highmark != nullptr) *highmark = mark.high;
  return 0;
}

void bufferevent_lock(struct bufferevent* bufev) {
  Stream::From(bufev)->Lock();
}

void bufferevent_unlock(struct bufferevent* bufev) {
  Stream::From(bufev)->Unlock();
}

void bufferevent_incref(struct bufferevent* bufev) {
  Stream::From(bufev)->Ref();
}

int bufferevent_decref(struct bufferevent* bufev) {
  return Stream::From(bufev)->Unref() ? 1 : 0;
}

int bufferevent_flush(struct bufferevent* bufev, short iotype,
                      enum bufferevent_flush_mode mode) {
  return Stream::From(bufev)->Flush(iotype, mode);
}

void bufferevent_trigger(struct bufferevent* bufev, short iotype, int options) {
  Stream::From(bufev)->Trigger(iotype, options);
}

void bufferevent_trigger_event(struct bufferevent* bufev, short what,
                               int options) {
  Stream::From(bufev)->TriggerEvent(what, options);
}

struct bufferevent* bufferevent_filter_new(struct bufferevent* underlying,
                                           bufferevent_filter_cb input_filter,
                                           bufferevent_filter_cb output_filter,
                                           int options,
                                           void (*free_context)(void*),
                                           void* ctx) {
  if (underlying == nullptr) return nullptr;
  return percore::NewFilter(Stream::From(underlying), input_filter,
                            output_filter, options, free_context, ctx);
}

int bufferevent_pair_new(struct event_base* base, int options,
                         struct bufferevent* pair[2]) {
  Stream* ends[2];
  if (percore::NewPair(EventBase::From(base), options, ends) < 0) return -1;
  pair[0] = ends[0];
  pair[1] = ends[1];
  return 0;
}

struct bufferevent* bufferevent_pair_get_partner(struct bufferevent* bev) {
  return percore::PairPartner(Stream::From(bev));
}

int bufferevent_set_max_single_read(struct bufferevent* bev, size_t size) {
  Stream::From(bev)->max_single_read = SingleLimit(size);
  return 0;
}

int bufferevent_set_max_single_write(struct bufferevent* bev, size_t size) {
  Stream::From(bev)->max_single_write = SingleLimit(size);
  return 0;
}

ev_ssize_t bufferevent_get_max_single_read(struct bufferevent* bev) {
  return ReportedLimit(Stream::From(bev)->max_single_read);
}

ev_ssize_t bufferevent_get_max_single_write(struct bufferevent* bev) {
  return ReportedLimit(Stream::From(bev)->max_single_write);
}

// --- <event2/bufferevent_compat.h> ------------------------------------------

struct bufferevent* bufferevent_new(evutil_socket_t fd, evbuffercb readcb,
                                    evbuffercb writecb, everrorcb errorcb,
                                    void* cbarg) {
  Stream* s = percore::NewSocketStream(nullptr, fd, 0);
  if (s != nullptr) s->SetCallbacks(readcb, writecb, errorcb, cbarg);
  return s;
}

void bufferevent_settimeout(struct bufferevent* bufev, int timeout_read,
                            int timeout_write) {
  const timeval read = {timeout_read, 0};
  const timeval write = {timeout_write, 0};
  Stream::From(bufev)->SetTimeouts(timeout_read > 0 ? &read : nullptr,
                                   timeout_write > 0 ? &write : nullptr);
}

}  // extern "C"
