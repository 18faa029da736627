#include "percore/net/tls/tls_buffer_event.h"

#include <utility>

namespace percore {
namespace {

// `over` makes the TLS stream over a released one.
template <typename Over>
absl::StatusOr<BufferEvent> Secure(BufferEvent below, Over over) {
  if (!below.connected()) {
    return absl::FailedPreconditionError("the stream below is not connected");
  }
  Stream* plain = below.Release();
  absl::StatusOr<bufferevent*> secure = over(plain);
  if (!secure.ok()) {
    plain->Free();
    return secure.status();
  }
  StreamHooks hooks;
  hooks.explain = &TlsError;
  hooks.shutdown = &TlsShutdown;
  return BufferEvent::Adopt(Stream::From(*secure), /*connected=*/false, hooks);
}

}  // namespace

absl::StatusOr<BufferEvent> TlsConnect(TlsContext& context, BufferEvent below,
                                       const std::string& host) {
  return Secure(std::move(below), [&](bufferevent* plain) {
    return context.ConnectOver(plain, host);
  });
}

absl::StatusOr<BufferEvent> TlsAccept(TlsContext& context, BufferEvent below) {
  return Secure(std::move(below),
                [&](bufferevent* plain) { return context.AcceptOver(plain); });
}

}  // namespace percore
