// A TLS client and server in one loop, over a socket pair: directly on the
// sockets, or as filters over socket bufferevents.

#ifndef PERCORE_TESTS_COMPAT_TLS_STREAM_H_
#define PERCORE_TESTS_COMPAT_TLS_STREAM_H_

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"
#include "percore/tests/compat/tls_certificate.h"

namespace compat {

struct TlsMode {
  StreamMode stream;
  bool filter = false;
  int version = TLS1_3_VERSION;

  std::string Name() const {
    return stream.Name() + (filter ? "_filter" : "_socket") +
           (version == TLS1_2_VERSION ? "_tls12" : "_tls13");
  }
};

inline void PrintTo(const TlsMode& mode, std::ostream* os) {
  *os << mode.Name();
}

inline std::vector<TlsMode> TlsModes() {
  std::vector<TlsMode> modes;
  for (const StreamMode& stream : FewStreamModes()) {
    for (bool filter : {false, true}) {
      modes.push_back({stream, filter, TLS1_3_VERSION});
      modes.push_back({stream, filter, TLS1_2_VERSION});
    }
  }
  return modes;
}

inline std::string TlsModeName(const testing::TestParamInfo<TlsMode>& info) {
  return info.param.Name();
}

class TlsTest : public testing::TestWithParam<TlsMode> {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    base_ = NewBase(GetParam().stream.setup);
    if (!base_ && GetParam().stream.setup.method == "io_uring") {
      GTEST_SKIP() << "SKIP: needs io_uring in the kernel";
    }
    ASSERT_NE(base_, nullptr) << GetParam().Name();
    client_ctx_ = NewClientContext(GetParam().version);
    server_ctx_ = NewServerContext();
  }
  void TearDown() override {
    client_.reset();
    server_.reset();
    if (base_) Settle();
    ERR_clear_error();
  }

  event_base* base() const { return base_.get(); }
  int options() const { return GetParam().stream.options; }
  bool Filter() const { return GetParam().filter; }
  bool Deferred() const { return options() & BEV_OPT_DEFER_CALLBACKS; }
  bool Tls13() const { return GetParam().version == TLS1_3_VERSION; }
  template <typename Done>
  bool RunUntil(Done done, int limit_ms = 5000) {
    return compat::RunUntil(base(), done, limit_ms);
  }
  void Settle() { compat::Settle(base()); }

  // Owns the SSL, the fd and what is below with CLOSE_ON_FREE in `more`.
  bufferevent* NewTls(int fd, SSL* ssl, bufferevent_ssl_state state,
                      int more = BEV_OPT_CLOSE_ON_FREE) {
    if (!Filter()) {
      return bufferevent_openssl_socket_new(base(), fd, ssl, state,
                                            options() | more);
    }
    bufferevent* under = bufferevent_socket_new(base(), fd, options() | more);
    return bufferevent_openssl_filter_new(base(), under, ssl, state,
                                          options() | more);
  }
  void StartClient(int fd) {
    client_ssl_ = SSL_new(client_ctx_.get());
    client_ = std::make_unique<Stream>(
        NewTls(fd, client_ssl_, BUFFEREVENT_SSL_CONNECTING), &client_journal_,
        "c");
  }
  void StartServer(int fd) {
    server_ssl_ = SSL_new(server_ctx_.get());
    server_ = std::make_unique<Stream>(
        NewTls(fd, server_ssl_, BUFFEREVENT_SSL_ACCEPTING), &server_journal_,
        "s");
  }
  void Start() {
    StartServer(pair_.Release(1));
    StartClient(pair_.Release(0));
  }
  bool AwaitConnected() {
    return RunUntil([&] {
      return client_->Got(BEV_EVENT_CONNECTED) &&
             server_->Got(BEV_EVENT_CONNECTED);
    });
  }
  // Handshake done, both reading, journals empty.
  void Connect() {
    Start();
    ASSERT_TRUE(AwaitConnected()) << client_journal_ << " " << server_journal_;
    client_->Enable(EV_READ);
    server_->Enable(EV_READ);
    // Session tickets of TLS 1.3 come after the handshake.
    Settle();
    client_->ClearCounts();
    server_->ClearCounts();
    client_journal_.clear();
    server_journal_.clear();
  }
  // The descriptor below.
  static int Fd(bufferevent* bev) {
    bufferevent* under = bufferevent_get_underlying(bev);
    return bufferevent_getfd(under != nullptr ? under : bev);
  }

  BasePtr base_;
  SslCtxPtr client_ctx_, server_ctx_;
  SocketPair pair_;
  StreamJournal client_journal_, server_journal_;
  SSL* client_ssl_ = nullptr;
  SSL* server_ssl_ = nullptr;
  std::unique_ptr<Stream> client_, server_;
};

}  // namespace compat

#define COMPAT_ON_EVERY_TLS_MODE(Suite)                             \
  INSTANTIATE_TEST_SUITE_P(Modes, Suite,                            \
                           testing::ValuesIn(::compat::TlsModes()), \
                           ::compat::TlsModeName)

#endif  // PERCORE_TESTS_COMPAT_TLS_STREAM_H_
