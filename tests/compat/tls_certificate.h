// Keys and certificates made while the test runs, and contexts with them.

#ifndef PERCORE_TESTS_COMPAT_TLS_CERTIFICATE_H_
#define PERCORE_TESTS_COMPAT_TLS_CERTIFICATE_H_

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace compat {

struct FreeSslCtx {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
};
using SslCtxPtr = std::unique_ptr<SSL_CTX, FreeSslCtx>;

// A P-256 key and a certificate that it signs itself.
class Identity {
 public:
  explicit Identity(const std::string& name) : key_(EVP_EC_gen("P-256")) {
    cert_ = X509_new();
    X509_set_version(cert_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert_), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert_), 24 * 3600);
    X509_NAME* subject = X509_get_subject_name(cert_);
    X509_NAME_add_entry_by_txt(
        subject, "CN", MBSTRING_ASC,
        reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(cert_, subject);
    X509_set_pubkey(cert_, key_);
    EXPECT_GT(X509_sign(cert_, key_, EVP_sha256()), 0);
  }
  ~Identity() {
    X509_free(cert_);
    EVP_PKEY_free(key_);
  }
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  X509* cert() const { return cert_; }
  void Use(SSL_CTX* ctx) const {
    EXPECT_EQ(SSL_CTX_use_certificate(ctx, cert_), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(ctx, key_), 1);
  }
  // The peer must have this certificate.
  void Demand(SSL_CTX* ctx) const {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert_);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       nullptr);
  }

 private:
  EVP_PKEY* key_;
  X509* cert_ = nullptr;
};

inline const Identity& ServerIdentity() {
  static const Identity identity("server.test");
  return identity;
}
inline const Identity& ClientIdentity() {
  static const Identity identity("client.test");
  return identity;
}

// The client trusts the server's certificate and nothing else. `version`: 0 or
// the only one allowed.
inline SslCtxPtr NewClientContext(int version = 0) {
  SslCtxPtr ctx(SSL_CTX_new(TLS_client_method()));
  ServerIdentity().Demand(ctx.get());
  SSL_CTX_set_min_proto_version(ctx.get(), version);
  SSL_CTX_set_max_proto_version(ctx.get(), version);
  return ctx;
}
inline SslCtxPtr NewServerContext() {
  SslCtxPtr ctx(SSL_CTX_new(TLS_server_method()));
  ServerIdentity().Use(ctx.get());
  return ctx;
}

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_TLS_CERTIFICATE_H_
