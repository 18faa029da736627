// Ends: our close_notify, the peer's, and none.
#include <percore/tls.h>

#include "percore/net/tls/tls_stream.h"
#include "percore/tests/net/tls/tls_peers.h"

namespace percore {
namespace {

class TlsShutdownTest : public testing_tls::TlsPeersTest {};

TEST_F(TlsShutdownTest, OutputThenCloseNotify) {
  ConnectClient();
  stream_->Put("last words");
  EXPECT_EQ(percore_bufferevent_ssl_shutdown(*stream_), 0);
  EXPECT_EQ(percore_bufferevent_ssl_shutdown(*stream_), -1);
  Turns();
  EXPECT_EQ(journal_, "s:EOF|W s:write");
  EXPECT_EQ(stream_->Enabled() & EV_WRITE, 0);
  peer_->Step();
  EXPECT_EQ(peer_->got(), "last words");
  EXPECT_TRUE(peer_->Ended());
  // The other direction is open still.
  peer_->Write("answer");
  SSL_shutdown(peer_->ssl());
  peer_->Send(peer_->Made());
  Turns();
  EXPECT_EQ(stream_->Take(), "answer");
  EXPECT_EQ(stream_->last_event(), BEV_EVENT_EOF | BEV_EVENT_READING);
}

TEST_F(TlsShutdownTest, MayBeFreedNext) {
  ConnectClient();
  stream_->Put("bye");
  EXPECT_EQ(percore_bufferevent_ssl_shutdown(*stream_), 0);
  stream_->Free();
  peer_->Step();
  EXPECT_EQ(peer_->got(), "bye");
  EXPECT_TRUE(peer_->Ended());
}

// More than the system takes: told when the last byte is out.
TEST_F(TlsShutdownTest, WaitsForALargeOutput) {
  ConnectClient();
  stream_->Put(std::string(4 << 20, 'v'));
  EXPECT_EQ(percore_bufferevent_ssl_shutdown(*stream_), 0);
  Turns();
  EXPECT_EQ(stream_->events(), 0);
  for (int i = 0; i < 2000 && stream_->events() == 0; ++i) {
    peer_->Step();
    Turn();
  }
  peer_->Step();
  EXPECT_EQ(stream_->last_event(), BEV_EVENT_EOF | BEV_EVENT_WRITING);
  EXPECT_EQ(peer_->got().size(), std::size_t{4} << 20);
  EXPECT_TRUE(peer_->Ended());
}

TEST_F(TlsShutdownTest, NotBeforeTheHandshake) {
  StartClient();
  EXPECT_EQ(percore_bufferevent_ssl_shutdown(*stream_), -1);
  bufferevent* plain = bufferevent_socket_new(base(), -1, 0);
  EXPECT_EQ(percore_bufferevent_ssl_shutdown(plain), -1);
  bufferevent_free(plain);
}

// The program's own SSL_shutdown, then free: as with libevent (13.4).
TEST_F(TlsShutdownTest, ByOpenSslThenFree) {
  ConnectClient();
  SSL_shutdown(ssl_);
  stream_->Free();
  peer_->Step();
  EXPECT_TRUE(peer_->Ended());
}

// After the peer's end we may still answer.
TEST_F(TlsShutdownTest, AnswerAfterThePeersEnd) {
  ConnectClient();
  SSL_shutdown(peer_->ssl());
  peer_->Send(peer_->Made());
  Turns();
  EXPECT_EQ(journal_, "s:EOF|R");
  stream_->Put("late");
  Turns();
  peer_->Feed(peer_->Arrived());
  char text[8];
  EXPECT_EQ(SSL_read(peer_->ssl(), text, sizeof(text)), 4);
}

// semantics 13.3, 13.9
TEST_F(TlsShutdownTest, ACutIsExplained) {
  ConnectClient();
  pair_.Close(1);
  Turns();
  EXPECT_EQ(journal_, "s:ERROR|R");
  EXPECT_EQ(ERR_GET_REASON(bufferevent_get_openssl_error(*stream_)),
            SSL_R_UNEXPECTED_EOF_WHILE_READING);
  EXPECT_EQ(bufferevent_get_openssl_error(*stream_), 0u);
}

// Data and end in one read: data first, and the end when reading goes on.
TEST_F(TlsShutdownTest, EndIsToldToAReaderThatPaused) {
  ConnectClient();
  stream_->OnRead([&] { stream_->Disable(EV_READ); });
  peer_->Write("data");
  SSL_shutdown(peer_->ssl());
  peer_->Send(peer_->Made());
  Turns();
  EXPECT_EQ(journal_, "s:read");
  stream_->Enable(EV_READ);
  Turns();
  EXPECT_EQ(journal_, "s:read s:EOF|R");
}

TEST_F(TlsShutdownTest, GarbageIsAnErrorWithAReason) {
  ConnectClient();
  peer_->Send("this is no record of TLS at all");
  Turns();
  EXPECT_EQ(journal_, "s:ERROR|R");
  EXPECT_EQ(ERR_GET_LIB(bufferevent_get_openssl_error(*stream_)), ERR_LIB_SSL);
}

// The alert that says why is sent before the program hears of it.
TEST_F(TlsShutdownTest, AlertLeavesBeforeFree) {
  client_ctx_.reset(SSL_CTX_new(TLS_client_method()));
  compat::ClientIdentity().Demand(client_ctx_.get());
  StartClient();
  stream_->OnEvent([&] { stream_->Free(); });
  for (int i = 0; i < 4; ++i) {
    Turn();
    if (i < 3) peer_->Step();
  }
  EXPECT_EQ(journal_, "s:ERROR|R");
  peer_->Feed(peer_->Arrived());
  ERR_clear_error();
  char text[8];
  if (SSL_do_handshake(peer_->ssl()) > 0) {
    EXPECT_LE(SSL_read(peer_->ssl(), text, sizeof(text)), 0);
  }
  // Also when the step above has seen it.
  EXPECT_FALSE(SSL_is_init_finished(peer_->ssl()));
}

TEST_F(TlsShutdownTest, ErrorStackKeepsTheNewestThree) {
  ConnectClient();
  TlsStream* s = TlsStream::From(*stream_);
  for (unsigned long error = 1; error <= 5; ++error) s->PushError(error);
  EXPECT_EQ(bufferevent_get_openssl_error(*stream_), 5u);
  EXPECT_EQ(bufferevent_get_openssl_error(*stream_), 4u);
  EXPECT_EQ(bufferevent_get_openssl_error(*stream_), 3u);
  EXPECT_EQ(bufferevent_get_openssl_error(*stream_), 0u);
}

}  // namespace
}  // namespace percore
