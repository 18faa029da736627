// <event2/bufferevent_ssl.h> and <percore/tls.h>, one call deep.
#include <event2/bufferevent_ssl.h>
#include <percore/tls.h>

#include "percore/net/tls/tls_stream.h"

using percore::EventBase;
using percore::Stream;
using percore::TlsStream;

namespace {

constexpr ev_uint64_t kKnownFlags =
    BUFFEREVENT_SSL_DIRTY_SHUTDOWN | BUFFEREVENT_SSL_BATCH_WRITE;

// The flags before they become (flags & keep) | set.
ev_uint64_t ChangeFlags(bufferevent* bev, ev_uint64_t keep, ev_uint64_t set) {
  TlsStream* s = TlsStream::From(bev);
  if (s == nullptr) return EV_UINT64_MAX;
  percore::StreamScope scope(s);
  const ev_uint64_t before = s->flags;
  s->flags = static_cast<std::uint8_t>((before & keep) | set);
  return before;
}

}  // namespace

extern "C" {

ev_uint64_t bufferevent_ssl_get_flags(struct bufferevent* bev) {
  return ChangeFlags(bev, kKnownFlags, 0);
}

ev_uint64_t bufferevent_ssl_set_flags(struct bufferevent* bev,
                                      ev_uint64_t flags) {
  flags &= kKnownFlags;
  return flags != 0 ? ChangeFlags(bev, kKnownFlags, flags) : EV_UINT64_MAX;
}

ev_uint64_t bufferevent_ssl_clear_flags(struct bufferevent* bev,
                                        ev_uint64_t flags) {
  flags &= kKnownFlags;
  return flags != 0 ? ChangeFlags(bev, kKnownFlags & ~flags, 0) : EV_UINT64_MAX;
}

struct bufferevent* bufferevent_openssl_filter_new(
    struct event_base* base, struct bufferevent* underlying, struct ssl_st* ssl,
    enum bufferevent_ssl_state state, int options) {
  return TlsStream::NewFilter(
      EventBase::From(base),
      underlying != nullptr ? Stream::From(underlying) : nullptr, ssl, state,
      options);
}

struct bufferevent* bufferevent_openssl_socket_new(
    struct event_base* base, evutil_socket_t fd, struct ssl_st* ssl,
    enum bufferevent_ssl_state state, int options) {
  return TlsStream::NewSocket(EventBase::From(base), fd, ssl, state, options);
}

int bufferevent_openssl_get_allow_dirty_shutdown(struct bufferevent* bev) {
  const ev_uint64_t flags = bufferevent_ssl_get_flags(bev);
  if (flags == EV_UINT64_MAX) return -1;
  return (flags & BUFFEREVENT_SSL_DIRTY_SHUTDOWN) != 0 ? 1 : 0;
}

void bufferevent_openssl_set_allow_dirty_shutdown(struct bufferevent* bev,
                                                  int allow_dirty_shutdown) {
  if (allow_dirty_shutdown) {
    bufferevent_ssl_set_flags(bev, BUFFEREVENT_SSL_DIRTY_SHUTDOWN);
  } else {
    bufferevent_ssl_clear_flags(bev, BUFFEREVENT_SSL_DIRTY_SHUTDOWN);
  }
}

struct ssl_st* bufferevent_openssl_get_ssl(struct bufferevent* bufev) {
  TlsStream* s = TlsStream::From(bufev);
  return s != nullptr ? s->ssl : nullptr;
}

int bufferevent_ssl_renegotiate(struct bufferevent* bev) {
  TlsStream* s = TlsStream::From(bev);
  return s != nullptr ? s->Renegotiate() : -1;
}

unsigned long bufferevent_get_openssl_error(struct bufferevent* bev) {
  TlsStream* s = TlsStream::From(bev);
  return s != nullptr ? s->PopError() : 0;
}

int percore_bufferevent_ssl_shutdown(struct bufferevent* bev) {
  TlsStream* s = TlsStream::From(bev);
  return s != nullptr ? s->Shutdown() : -1;
}

}  // extern "C"
