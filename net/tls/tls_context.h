// TlsContext: what TLS connections have in common, the C++ door.
//
// Keys, certificates, whom to trust, protocols; it makes the streams. It is not
// part of the drop-in libraries: those leave contexts to the program.
//
//   auto context = percore::TlsContext::Client({});
//   auto stream = context->Connect(base, fd, "example.org");
//   bufferevent_setcb(*stream, ...);
//   ...
//   if (what & BEV_EVENT_ERROR) LOG(ERROR) << percore::TlsError(stream);
//
// Any thread; connections of one context may be on many cores. Errors are
// absl::Status with OpenSSL's reasons: kNotFound for a missing file,
// kInvalidArgument for what OpenSSL does not take, kResourceExhausted.
#ifndef PERCORE_NET_TLS_TLS_CONTEXT_H_
#define PERCORE_NET_TLS_TLS_CONTEXT_H_

#include <event2/bufferevent.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace percore {

struct TlsIdentity {
  // PEM files: the certificate with its chain, and its key. Empty: none.
  std::string certificate_file;
  std::string key_file;
};

struct TlsClientOptions {
  TlsIdentity identity;  // for servers that ask
  // Whom to believe: a PEM file, or a folder as openssl rehash makes it. Both
  // empty: the system's.
  std::string ca_file;
  std::string ca_path;
  // False: anybody may pose as the server. For tests.
  bool verify_peer = true;
  // Whether the certificate must be for the name connected to.
  bool verify_host = true;
  std::vector<std::string> alpn;  // preferred first: {"h2", "http/1.1"}
  bool resume_sessions = true;
  int min_version = TLS1_2_VERSION;
  // Hands keys to the kernel where it and OpenSSL can.
  bool kernel_tls = false;
};

struct TlsServerOptions {
  TlsIdentity identity;  // required
  enum class ClientCertificate { kNone, kRequested, kRequired };
  ClientCertificate client_certificate = ClientCertificate::kNone;
  std::string client_ca_file;  // who may have signed it
  // Preferred first; a client that offers none of these goes on without.
  std::vector<std::string> alpn;
  bool resume_sessions = true;
  int min_version = TLS1_2_VERSION;
  bool kernel_tls = false;
};

class TlsContext {
 public:
  static absl::StatusOr<TlsContext> Client(const TlsClientOptions& options);
  static absl::StatusOr<TlsContext> Server(const TlsServerOptions& options);

  TlsContext(TlsContext&&) noexcept;
  TlsContext& operator=(TlsContext&&) noexcept;
  ~TlsContext();

  // A stream that owns `fd` (-1: by bufferevent_socket_connect or setfd, later)
  // and begins the handshake. `host`: a name, sent to the server and looked
  // for in its certificate, or an address. `options` as for
  // bufferevent_socket_new; BEV_OPT_CLOSE_ON_FREE is added. On an error `fd`
  // stays the caller's. Owner thread of `base`.
  absl::StatusOr<bufferevent*> Connect(event_base* base, evutil_socket_t fd,
                                       const std::string& host,
                                       int options = 0);
  absl::StatusOr<bufferevent*> Accept(event_base* base, evutil_socket_t fd,
                                      int options = 0);
  // The same over another stream, which becomes the new one's.
  absl::StatusOr<bufferevent*> ConnectOver(bufferevent* below,
                                           const std::string& host,
                                           int options = 0);
  absl::StatusOr<bufferevent*> AcceptOver(bufferevent* below, int options = 0);

  // OpenSSL's, for what is not offered here.
  SSL_CTX* ssl_ctx() const;

 private:
  class Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  absl::StatusOr<SSL*> NewClientSsl(const std::string& host) const;

  std::unique_ptr<Impl> impl_;
};

// --- Of one stream; owner thread --------------------------------------------

// Why it failed, from its event callback: what is kept of OpenSSL's reasons,
// which are taken, and what was wrong with the peer's certificate. Ok: nothing
// is known. kUnauthenticated: the certificate; kUnavailable: the connection
// was cut.
absl::Status TlsError(bufferevent* stream);
// What ALPN agreed on, or "".
std::string TlsProtocol(bufferevent* stream);
bool TlsSessionReused(bufferevent* stream);
// "TLSv1.3", or "" for other streams.
std::string_view TlsVersion(bufferevent* stream);
// Ends the sending direction with close_notify, after the output; see
// <percore/tls.h>.
absl::Status TlsShutdown(bufferevent* stream);

}  // namespace percore

#endif  // PERCORE_NET_TLS_TLS_CONTEXT_H_
