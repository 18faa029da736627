// TLS as a BufferEvent.
//
//   BufferEvent plain = *BufferEvent::Socket(CurrentBase());
//   ... co_await plain.Connect("example.org", 443) ...
//   BufferEvent secure = *TlsConnect(context, std::move(plain), "example.org");
//   absl::Status status = co_await secure.AwaitConnected();
//
// AwaitConnected waits for the handshake, and says why it failed
// (Unauthenticated: the certificate). Shutdown sends close_notify; a
// connection that is cut without it is no end of the stream but an error.
// Owner thread.
#ifndef PERCORE_NET_TLS_TLS_BUFFER_EVENT_H_
#define PERCORE_NET_TLS_TLS_BUFFER_EVENT_H_

#include <string>

#include "absl/status/statusor.h"
#include "percore/net/stream/buffer_event.h"
#include "percore/net/tls/tls_context.h"

namespace percore {

// Over a connected stream of any kind, which it owns from now on, also when
// this fails. `host` as for TlsContext::Connect.
absl::StatusOr<BufferEvent> TlsConnect(TlsContext& context, BufferEvent below,
                                       const std::string& host);
absl::StatusOr<BufferEvent> TlsAccept(TlsContext& context, BufferEvent below);

}  // namespace percore

#endif  // PERCORE_NET_TLS_TLS_BUFFER_EVENT_H_
