#include "percore/net/tls/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "percore/net/tls/tls_session_cache.h"
#include "percore/net/tls/tls_stream.h"

namespace percore {
namespace {

std::string ReasonText(unsigned long error) {
  char text[256];
  ERR_error_string_n(error, text, sizeof(text));
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : text;
}

// Of OpenSSL's queue, which is empty after.
absl::Status OpenSslStatus(absl::StatusCode code, std::string_view what) {
  std::string text(what);
  const char* separator = ": ";
  while (const unsigned long error = ERR_get_error()) {
    absl::StrAppend(&text, separator, ReasonText(error));
    separator = "; ";
  }
  return absl::Status(code, text);
}

absl::Status CheckFile(const std::string& file) {
  if (access(file.c_str(), R_OK) == 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(file, ": cannot be read"));
}

absl::Status UseIdentity(SSL_CTX* ctx, const TlsIdentity& identity) {
  for (const std::string* file :
       {&identity.certificate_file, &identity.key_file}) {
    if (absl::Status status = CheckFile(*file); !status.ok()) return status;
  }
  if (SSL_CTX_use_certificate_chain_file(
          ctx, identity.certificate_file.c_str()) != 1) {
    return OpenSslStatus(absl::StatusCode::kInvalidArgument,
                         identity.certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(ctx, identity.key_file.c_str(),
                                  SSL_FILETYPE_PEM) != 1) {
    return OpenSslStatus(absl::StatusCode::kInvalidArgument, identity.key_file);
  }
  return absl::OkStatus();
}

// The list as the protocol has it: a length before each name.
absl::StatusOr<std::string> AlpnWire(const std::vector<std::string>& names) {
  std::string wire;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > 255) {
      return absl::InvalidArgumentError(
          absl::StrCat("ALPN name of ", name.size(), " bytes"));
    }
    wire += static_cast<char>(name.size());
    wire += name;
  }
  if (wire.size() > 65535) {
    return absl::InvalidArgumentError("ALPN names are too long together");
  }
  return wire;
}

bool IsAddress(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

class TlsContext::Impl {
 public:
  explicit Impl(const SSL_METHOD* method) : ctx(SSL_CTX_new(method)) {
    if (ctx != nullptr) SSL_CTX_set_app_data(ctx, this);
  }
  ~Impl() {
    if (ctx == nullptr) return;
    // Connections may outlive this.
    SSL_CTX_set_app_data(ctx, nullptr);
    SSL_CTX_sess_set_new_cb(ctx, nullptr);
    SSL_CTX_set_alpn_select_cb(ctx, nullptr, nullptr);
    SSL_CTX_free(ctx);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Common(int min_version, bool kernel_tls) {
    if (SSL_CTX_set_min_proto_version(ctx, min_version) != 1) {
      return OpenSslStatus(absl::StatusCode::kInvalidArgument, "min_version");
    }
    if (kernel_tls) SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
    return absl::OkStatus();
  }

  static int SelectAlpn(SSL*, const unsigned char** out,
                        unsigned char* out_size, const unsigned char* offered,
                        unsigned offered_size, void* arg) {
    const auto* self = static_cast<Impl*>(arg);
    const int result = SSL_select_next_proto(
        const_cast<unsigned char**>(out), out_size,
        reinterpret_cast<const unsigned char*>(self->alpn.data()),
        static_cast<unsigned>(self->alpn.size()), offered, offered_size);
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK
                                            : SSL_TLSEXT_ERR_NOACK;
  }

  SSL_CTX* ctx;
  bool is_client = false;
  bool verify_host = true;
  std::string alpn;
  std::unique_ptr<TlsSessionCache> sessions;  // of a client that resumes
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::TlsContext(TlsContext&&) noexcept = default;
TlsContext& TlsContext::operator=(TlsContext&&) noexcept = default;
TlsContext::~TlsContext() = default;

SSL_CTX* TlsContext::ssl_ctx() const { return impl_->ctx; }

absl::StatusOr<TlsContext> TlsContext::Client(const TlsClientOptions& options) {
  ERR_clear_error();
  auto impl = std::make_unique<Impl>(TLS_client_method());
  SSL_CTX* ctx = impl->ctx;
  if (ctx == nullptr) {
    return OpenSslStatus(absl::StatusCode::kResourceExhausted, "SSL_CTX_new");
  }
  impl->is_client = true;
  impl->verify_host = options.verify_peer && options.verify_host;
  absl::Status status = impl->Common(options.min_version, options.kernel_tls);
  if (!status.ok()) return status;
  if (!options.identity.certificate_file.empty()) {
    status = UseIdentity(ctx, options.identity);
    if (!status.ok()) return status;
  }
  if (options.verify_peer) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
    if (!options.ca_file.empty()) {
      status = CheckFile(options.ca_file);
      if (!status.ok()) return status;
    }
    const bool own = !options.ca_file.empty() || !options.ca_path.empty();
    const auto name = [](const std::string& s) {
      return s.empty() ? nullptr : s.c_str();
    };
    if ((own ? SSL_CTX_load_verify_locations(ctx, name(options.ca_file),
                                             name(options.ca_path))
             : SSL_CTX_set_default_verify_paths(ctx)) != 1) {
      return OpenSslStatus(absl::StatusCode::kInvalidArgument,
                           own ? "trusted certificates" : "system's trust");
    }
  }
  absl::StatusOr<std::string> alpn = AlpnWire(options.alpn);
  if (!alpn.ok()) return alpn.status();
  if (!alpn->empty() &&
      SSL_CTX_set_alpn_protos(
          ctx, reinterpret_cast<const unsigned char*>(alpn->data()),
          static_cast<unsigned>(alpn->size())) != 0) {
    return OpenSslStatus(absl::StatusCode::kInvalidArgument, "ALPN");
  }
  if (options.resume_sessions) {
    impl->sessions = std::make_unique<TlsSessionCache>();
    SSL_CTX_set_session_cache_mode(
        ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, [](SSL* ssl, SSL_SESSION* session) {
      auto* self =
          static_cast<Impl*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      if (self != nullptr) self->sessions->Keep(ssl, session);
      return 0;  // the reference stays OpenSSL's
    });
  }
  return TlsContext(std::move(impl));
}

absl::StatusOr<TlsContext> TlsContext::Server(const TlsServerOptions& options) {
  ERR_clear_error();
  auto impl = std::make_unique<Impl>(TLS_server_method());
  SSL_CTX* ctx = impl->ctx;
  if (ctx == nullptr) {
    return OpenSslStatus(absl::StatusCode::kResourceExhausted, "SSL_CTX_new");
  }
  absl::Status status = impl->Common(options.min_version, options.kernel_tls);
  if (status.ok()) status = UseIdentity(ctx, options.identity);
  if (!status.ok()) return status;
  using Demand = TlsServerOptions::ClientCertificate;
  if (options.client_certificate != Demand::kNone) {
    int mode = SSL_VERIFY_PEER;
    if (options.client_certificate == Demand::kRequired) {
      mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(ctx, mode, nullptr);
    status = CheckFile(options.client_ca_file);
    if (!status.ok()) return status;
    const char* file = options.client_ca_file.c_str();
    if (SSL_CTX_load_verify_locations(ctx, file, nullptr) != 1) {
      return OpenSslStatus(absl::StatusCode::kInvalidArgument, file);
    }
    SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(file));
  }
  absl::StatusOr<std::string> alpn = AlpnWire(options.alpn);
  if (!alpn.ok()) return alpn.status();
  if (!alpn->empty()) {
    impl->alpn = *std::move(alpn);
    SSL_CTX_set_alpn_select_cb(ctx, &Impl::SelectAlpn, impl.get());
  }
  if (options.resume_sessions) {
    // Sessions of a server that asks for certificates need a context's name.
    static constexpr unsigned char kName[] = "percore";
    SSL_CTX_set_session_id_context(ctx, kName, sizeof(kName) - 1);
  } else {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
  }
  return TlsContext(std::move(impl));
}

// --- Streams ----------------------------------------------------------------

absl::StatusOr<SSL*> TlsContext::NewClientSsl(const std::string& host) const {
  ERR_clear_error();
  if (!impl_->is_client) {
    return absl::FailedPreconditionError("the context is a server's");
  }
  if (host.empty() && impl_->verify_host) {
    return absl::InvalidArgumentError("no host name to verify");
  }
  SSL* ssl = SSL_new(impl_->ctx);
  bool good = ssl != nullptr;
  if (good && !host.empty()) {
    if (IsAddress(host)) {
      // An address is no server name (RFC 6066, section 3).
      if (impl_->verify_host) {
        good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl),
                                             host.c_str()) == 1;
      }
    } else {
      good = SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
      if (good && impl_->verify_host) {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        good = SSL_set1_host(ssl, host.c_str()) == 1;
      }
    }
    if (good && impl_->sessions != nullptr) impl_->sessions->Offer(ssl, host);
  }
  if (good) return ssl;
  SSL_free(ssl);
  return OpenSslStatus(absl::StatusCode::kInvalidArgument, host);
}

namespace {

absl::StatusOr<bufferevent*> Made(TlsStream* s) {
  if (s == nullptr) return absl::ResourceExhaustedError("no TLS stream");
  return s;
}

absl::StatusOr<SSL*> NewServerSsl(SSL_CTX* ctx) {
  ERR_clear_error();
  SSL* ssl = SSL_new(ctx);
  if (ssl != nullptr) return ssl;
  return OpenSslStatus(absl::StatusCode::kResourceExhausted, "SSL_new");
}

}  // namespace

absl::StatusOr<bufferevent*> TlsContext::Connect(event_base* base,
                                                 evutil_socket_t fd,
                                                 const std::string& host,
                                                 int options) {
  absl::StatusOr<SSL*> ssl = NewClientSsl(host);
  if (!ssl.ok()) return ssl.status();
  return Made(TlsStream::NewSocket(EventBase::From(base), fd, *ssl,
                                   BUFFEREVENT_SSL_CONNECTING,
                                   options | BEV_OPT_CLOSE_ON_FREE));
}

absl::StatusOr<bufferevent*> TlsContext::Accept(event_base* base,
                                                evutil_socket_t fd,
                                                int options) {
  absl::StatusOr<SSL*> ssl = NewServerSsl(impl_->ctx);
  if (!ssl.ok()) return ssl.status();
  return Made(TlsStream::NewSocket(EventBase::From(base), fd, *ssl,
                                   BUFFEREVENT_SSL_ACCEPTING,
                                   options | BEV_OPT_CLOSE_ON_FREE));
}

absl::StatusOr<bufferevent*> TlsContext::ConnectOver(bufferevent* below,
                                                     const std::string& host,
                                                     int options) {
  absl::StatusOr<SSL*> ssl = NewClientSsl(host);
  if (!ssl.ok()) return ssl.status();
  return Made(TlsStream::NewFilter(nullptr, Stream::From(below), *ssl,
                                   BUFFEREVENT_SSL_CONNECTING,
                                   options | BEV_OPT_CLOSE_ON_FREE));
}

absl::StatusOr<bufferevent*> TlsContext::AcceptOver(bufferevent* below,
                                                    int options) {
  absl::StatusOr<SSL*> ssl = NewServerSsl(impl_->ctx);
  if (!ssl.ok()) return ssl.status();
  return Made(TlsStream::NewFilter(nullptr, Stream::From(below), *ssl,
                                   BUFFEREVENT_SSL_ACCEPTING,
                                   options | BEV_OPT_CLOSE_ON_FREE));
}

// --- Of one stream ----------------------------------------------------------

absl::Status TlsError(bufferevent* stream) {
  TlsStream* s = TlsStream::From(stream);
  if (s == nullptr) return absl::InvalidArgumentError("not a TLS stream");
  std::string text;
  bool cut = false;
  while (const unsigned long error = s->PopError()) {
    cut |= ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    absl::StrAppend(&text, text.empty() ? "" : "; ", ReasonText(error));
  }
  const long verified = SSL_get_verify_result(s->ssl);
  if (verified != X509_V_OK && !text.empty()) {
    absl::StrAppend(&text, ": ", X509_verify_cert_error_string(verified));
    return absl::UnauthenticatedError(text);
  }
  if (text.empty()) return absl::OkStatus();
  return cut ? absl::UnavailableError(text) : absl::AbortedError(text);
}

std::string TlsProtocol(bufferevent* stream) {
  TlsStream* s = TlsStream::From(stream);
  if (s == nullptr) return "";
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(s->ssl, &name, &size);
  return std::string(reinterpret_cast<const char*>(name), size);
}

bool TlsSessionReused(bufferevent* stream) {
  TlsStream* s = TlsStream::From(stream);
  return s != nullptr && SSL_session_reused(s->ssl) == 1;
}

std::string_view TlsVersion(bufferevent* stream) {
  TlsStream* s = TlsStream::From(stream);
  return s != nullptr ? SSL_get_version(s->ssl) : "";
}

absl::Status TlsShutdown(bufferevent* stream) {
  TlsStream* s = TlsStream::From(stream);
  if (s == nullptr) return absl::InvalidArgumentError("not a TLS stream");
  if (s->Shutdown() == 0) return absl::OkStatus();
  return absl::FailedPreconditionError("the stream is not open");
}

}  // namespace percore
