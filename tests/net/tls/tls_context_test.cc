// TlsContext: who is believed, what is agreed, and how failures read.
#include "percore/net/tls/tls_context.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <string>
#include <utility>

#include "percore/net/tls/tls_session_cache.h"
#include "percore/tests/net/tls/tls_peers.h"

namespace percore {
namespace {

std::string InTempFolder(const std::string& name) {
  return testing::TempDir() + "/" + name;
}

// A certificate for `san` ("DNS:a.test,IP:127.0.0.1") in PEM files.
TlsIdentity MakeIdentity(const std::string& name, const std::string& san) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = X509_new();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
  X509_NAME_add_entry_by_txt(
      X509_get_subject_name(cert), "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(cert, X509_get_subject_name(cert));
  X509_set_pubkey(cert, key);
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, san.c_str());
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
  EXPECT_GT(X509_sign(cert, key, EVP_sha256()), 0);
  TlsIdentity identity;
  identity.certificate_file = InTempFolder(name + ".crt");
  identity.key_file = InTempFolder(name + ".key");
  std::FILE* file = std::fopen(identity.certificate_file.c_str(), "w");
  PEM_write_X509(file, cert);
  std::fclose(file);
  file = std::fopen(identity.key_file.c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(cert);
  EVP_PKEY_free(key);
  return identity;
}

const TlsIdentity& ServerFiles() {
  static const TlsIdentity identity =
      MakeIdentity("server", "DNS:server.test,IP:127.0.0.1");
  return identity;
}
const TlsIdentity& ClientFiles() {
  static const TlsIdentity identity = MakeIdentity("client", "DNS:client.test");
  return identity;
}

class TlsContextTest : public testing::Test {
 protected:
  TlsContextTest() : base_(event_base_new()) {
    client_options_.ca_file = ServerFiles().certificate_file;
    server_options_.identity = ServerFiles();
  }
  ~TlsContextTest() override {
    client_.reset();
    server_.reset();
    Turns();
  }
  void Turns() {
    for (int i = 0; i < 8; ++i) {
      event_base_loop(base_.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
  }
  void MakeContexts() {
    auto client = TlsContext::Client(client_options_);
    auto server = TlsContext::Server(server_options_);
    ASSERT_TRUE(client.ok()) << client.status();
    ASSERT_TRUE(server.ok()) << server.status();
    client_context_ = std::make_unique<TlsContext>(*std::move(client));
    server_context_ = std::make_unique<TlsContext>(*std::move(server));
  }
  // Until both have heard something.
  void Handshake(const std::string& host, bool over = false) {
    client_.reset();
    server_.reset();
    client_journal_.clear();
    server_journal_.clear();
    status_ = absl::OkStatus();
    compat::SocketPair pair;
    auto make = [&](bool is_client, int fd) -> absl::StatusOr<bufferevent*> {
      if (!over) {
        return is_client ? client_context_->Connect(base_.get(), fd, host)
                         : server_context_->Accept(base_.get(), fd);
      }
      bufferevent* below =
          bufferevent_socket_new(base_.get(), fd, BEV_OPT_CLOSE_ON_FREE);
      return is_client ? client_context_->ConnectOver(below, host)
                       : server_context_->AcceptOver(below);
    };
    auto client = make(true, pair[0]);
    auto server = make(false, pair[1]);
    ASSERT_TRUE(client.ok()) << client.status();
    ASSERT_TRUE(server.ok()) << server.status();
    pair.Release(0);
    pair.Release(1);
    client_ = std::make_unique<compat::Stream>(*client, &client_journal_, "c");
    server_ = std::make_unique<compat::Stream>(*server, &server_journal_, "s");
    client_->OnEvent([this] {
      if (client_->last_event() & BEV_EVENT_ERROR) status_ = TlsError(*client_);
    });
    client_->Enable(EV_READ);
    server_->Enable(EV_READ);
    ASSERT_TRUE(compat::RunUntil(base_.get(), [&] {
      return client_->events() > 0 && server_->events() > 0;
    }));
    Turns();
  }
  void ExpectRefused(const std::string& reason) {
    EXPECT_EQ(client_journal_, "c:ERROR|R");
    EXPECT_EQ(status_.code(), absl::StatusCode::kUnauthenticated) << status_;
    EXPECT_NE(std::string(status_.message()).find(reason), std::string::npos)
        << status_;
  }

  compat::BasePtr base_;
  TlsClientOptions client_options_;
  TlsServerOptions server_options_;
  std::unique_ptr<TlsContext> client_context_, server_context_;
  std::unique_ptr<compat::Stream> client_, server_;
  compat::StreamJournal client_journal_, server_journal_;
  absl::Status status_;
};

TEST_F(TlsContextTest, ConnectsToTheNameInTheCertificate) {
  MakeContexts();
  for (bool over : {false, true}) {
    Handshake("server.test", over);
    EXPECT_EQ(client_journal_, "c:CONNECTED") << status_;
    EXPECT_EQ(TlsVersion(*client_), "TLSv1.3");
    EXPECT_STREQ(SSL_get_servername(bufferevent_openssl_get_ssl(*server_),
                                    TLSEXT_NAMETYPE_host_name),
                 "server.test");
    client_->Put("hello");
    ASSERT_TRUE(compat::RunUntil(base_.get(),
                                 [&] { return server_->InputSize() == 5; }));
  }
}

TEST_F(TlsContextTest, ConnectsToAnAddressInTheCertificate) {
  MakeContexts();
  Handshake("127.0.0.1");
  EXPECT_EQ(client_journal_, "c:CONNECTED") << status_;
  // RFC 6066, section 3
  EXPECT_EQ(SSL_get_servername(bufferevent_openssl_get_ssl(*server_),
                               TLSEXT_NAMETYPE_host_name),
            nullptr);
}

TEST_F(TlsContextTest, RefusesAnotherName) {
  MakeContexts();
  Handshake("other.test");
  ExpectRefused("hostname mismatch");
  Handshake("127.0.0.2");
  ExpectRefused("IP address mismatch");
}

TEST_F(TlsContextTest, RefusesAnUnknownSigner) {
  client_options_.ca_file = ClientFiles().certificate_file;
  MakeContexts();
  Handshake("server.test");
  ExpectRefused("self-signed certificate");
  // The system knows it no better.
  client_options_.ca_file.clear();
  MakeContexts();
  Handshake("server.test");
  ExpectRefused("self-signed certificate");
}

TEST_F(TlsContextTest, VerificationCanBeTurnedOff) {
  client_options_.verify_host = false;
  MakeContexts();
  Handshake("other.test");
  EXPECT_EQ(client_journal_, "c:CONNECTED");
  client_options_.verify_peer = false;
  client_options_.ca_file.clear();
  MakeContexts();
  Handshake("");
  EXPECT_EQ(client_journal_, "c:CONNECTED");
}

TEST_F(TlsContextTest, ANameIsNeededToVerifyIt) {
  MakeContexts();
  EXPECT_EQ(client_context_->Connect(base_.get(), -1, "").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(server_context_->Connect(base_.get(), -1, "x").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(TlsContextTest, Alpn) {
  client_options_.alpn = {"h2", "http/1.1"};
  server_options_.alpn = {"http/1.1", "h2"};
  MakeContexts();
  Handshake("server.test");
  EXPECT_EQ(TlsProtocol(*client_), "http/1.1");  // the server's preference
  EXPECT_EQ(TlsProtocol(*server_), "http/1.1");
  client_options_.alpn = {"spdy/1"};
  MakeContexts();
  Handshake("server.test");
  EXPECT_EQ(client_journal_, "c:CONNECTED");
  EXPECT_EQ(TlsProtocol(*client_), "");
  client_options_.alpn = {""};
  EXPECT_EQ(TlsContext::Client(client_options_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(TlsContextTest, ResumesSessions) {
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SCOPED_TRACE(version);
    MakeContexts();
    SSL_CTX_set_max_proto_version(client_context_->ssl_ctx(), version);
    Handshake("server.test");
    EXPECT_FALSE(TlsSessionReused(*client_));
    Handshake("server.test");
    EXPECT_TRUE(TlsSessionReused(*client_));
    EXPECT_TRUE(TlsSessionReused(*server_));
    // Sessions are a host's own.
    Handshake("127.0.0.1");
    EXPECT_FALSE(TlsSessionReused(*client_));
  }
}

TEST_F(TlsContextTest, ResumptionCanBeTurnedOff) {
  client_options_.resume_sessions = false;
  MakeContexts();
  Handshake("server.test");
  Handshake("server.test");
  EXPECT_FALSE(TlsSessionReused(*client_));
  client_options_.resume_sessions = true;
  server_options_.resume_sessions = false;
  MakeContexts();
  Handshake("server.test");
  Handshake("server.test");
  EXPECT_FALSE(TlsSessionReused(*client_));
}

TEST_F(TlsContextTest, ClientCertificates) {
  using Demand = TlsServerOptions::ClientCertificate;
  server_options_.client_certificate = Demand::kRequired;
  server_options_.client_ca_file = ClientFiles().certificate_file;
  client_options_.identity = ClientFiles();
  MakeContexts();
  Handshake("server.test");
  EXPECT_EQ(server_journal_, "s:CONNECTED");
  X509* cert = SSL_get1_peer_certificate(bufferevent_openssl_get_ssl(*server_));
  EXPECT_NE(cert, nullptr);
  X509_free(cert);

  client_options_.identity = TlsIdentity();
  MakeContexts();
  Handshake("server.test");
  EXPECT_EQ(server_journal_, "s:ERROR|R");
  const absl::Status status = TlsError(*server_);
  EXPECT_NE(status.message().find("peer did not return a certificate"),
            std::string::npos)
      << status;

  server_options_.client_certificate = Demand::kRequested;
  MakeContexts();
  Handshake("server.test");
  EXPECT_EQ(server_journal_, "s:CONNECTED");
}

TEST_F(TlsContextTest, FilesThatCannotBeUsed) {
  server_options_.identity.certificate_file = InTempFolder("absent.crt");
  EXPECT_EQ(TlsContext::Server(server_options_).status().code(),
            absl::StatusCode::kNotFound);
  const std::string empty = InTempFolder("empty.crt");
  std::fclose(std::fopen(empty.c_str(), "w"));
  server_options_.identity.certificate_file = empty;
  const absl::Status status = TlsContext::Server(server_options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("no start line"), std::string::npos)
      << status;
  server_options_.identity.certificate_file = ServerFiles().certificate_file;
  server_options_.identity.key_file = ClientFiles().key_file;
  const absl::Status mixed = TlsContext::Server(server_options_).status();
  EXPECT_NE(mixed.message().find("key values mismatch"), std::string::npos)
      << mixed;
  client_options_.ca_file = empty;
  EXPECT_FALSE(TlsContext::Client(client_options_).ok());
}

TEST_F(TlsContextTest, AnOrderlyEnd) {
  MakeContexts();
  Handshake("server.test");
  EXPECT_TRUE(TlsShutdown(*client_).ok());
  EXPECT_FALSE(TlsShutdown(*client_).ok());
  ASSERT_TRUE(compat::RunUntil(base_.get(),
                               [&] { return server_->Got(BEV_EVENT_EOF); }));
  EXPECT_TRUE(TlsError(*server_).ok());
}

TEST_F(TlsContextTest, ACutReadsAsUnavailable) {
  MakeContexts();
  Handshake("server.test");
  server_.reset();
  ASSERT_TRUE(compat::RunUntil(base_.get(),
                               [&] { return client_->Got(BEV_EVENT_ERROR); }));
  EXPECT_EQ(status_.code(), absl::StatusCode::kUnavailable) << status_;
}

// Streams may outlive what made them.
TEST_F(TlsContextTest, ContextsMayGoFirst) {
  server_options_.alpn = {"h2"};
  MakeContexts();
  Handshake("server.test");
  client_context_.reset();
  server_context_.reset();
  client_->Put("still here");
  EXPECT_TRUE(compat::RunUntil(base_.get(),
                               [&] { return server_->InputSize() == 10; }));
}

TEST(TlsSessionCacheTest, IsBounded) {
  TlsSessionCache cache(3);
  SSL_CTX* ctx = SSL_CTX_new(TLS_client_method());
  for (int i = 0; i < 10; ++i) {
    SSL* ssl = SSL_new(ctx);
    cache.Offer(ssl, "host" + std::to_string(i));
    SSL_SESSION* session = SSL_SESSION_new();
    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION);
    const unsigned char id[] = "id";
    SSL_SESSION_set1_id(session, id, 2);
    cache.Keep(ssl, session);
    SSL_SESSION_free(session);
    SSL_free(ssl);
  }
  EXPECT_EQ(cache.size(), 3u);
  SSL_CTX_free(ctx);
}

}  // namespace
}  // namespace percore
