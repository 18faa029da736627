// Records: how many a turn makes, in what pieces they may come, and what of
// them the limits count.
#include "percore/net/tls/tls_stream.h"
#include "percore/tests/net/tls/tls_peers.h"

namespace percore {
namespace {

using testing_tls::RecordTypes;

class TlsIoTest : public testing_tls::TlsPeersTest {};

// 32 messages of one turn are one record.
TEST_F(TlsIoTest, OutputOfATurnIsOneRecord) {
  ConnectClient();
  for (int i = 0; i < 32; ++i) stream_->Put(std::string(64, 'a'));
  Turn();
  const std::string bytes = peer_->Arrived();
  EXPECT_EQ(RecordTypes(bytes), "23");
  peer_->Feed(bytes);
  peer_->Step();
  EXPECT_EQ(peer_->got(), std::string(2048, 'a'));
  EXPECT_EQ(stream_->OutputSize(), 0u);
}

// 100 KB in small pieces: full records, and the rest.
TEST_F(TlsIoTest, RecordsAreFull) {
  ConnectClient();
  std::string sent;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(100, static_cast<char>('a' + i % 26));
    sent += piece;
    stream_->Put(piece);
  }
  std::string bytes;
  for (int i = 0; i < 20; ++i) {
    Turn();
    bytes += peer_->Arrived();
  }
  EXPECT_EQ(RecordTypes(bytes), "23 23 23 23 23 23 23");
  peer_->Feed(bytes);
  peer_->Step();
  EXPECT_TRUE(peer_->got() == sent);
}

// Our last message of the handshake leaves with what the callback writes.
TEST_F(TlsIoTest, FirstRequestGoesWithFinished) {
  StartClient();
  stream_->OnEvent([&] { stream_->Put("request"); });
  Turn();
  peer_->Step();  // the server's messages
  Turn();
  EXPECT_EQ(journal_, "s:CONNECTED s:write");
  peer_->Step();
  EXPECT_EQ(peer_->got(), "request");
}

TEST_F(TlsIoTest, RecordsMayComeByteByByte) {
  ConnectClient();
  peer_->Write("first");
  peer_->Write("second");
  for (const char byte : peer_->Made()) {
    peer_->Send(std::string(1, byte));
    Turn();
  }
  EXPECT_EQ(stream_->Take(), "firstsecond");
  EXPECT_EQ(journal_, "s:read s:read");
}

TEST_F(TlsIoTest, ManyRecordsAreOneCallback) {
  ConnectClient();
  for (int i = 0; i < 20; ++i) peer_->Write("piece");
  peer_->Send(peer_->Made());
  Turn();
  EXPECT_EQ(journal_, "s:read");
  EXPECT_EQ(stream_->InputSize(), 100u);
}

// semantics 11.6: the bytes on the wire
TEST_F(TlsIoTest, LimitsCountRecordBytes) {
  ConnectClient();
  ev_token_bucket_cfg* config =
      ev_token_bucket_cfg_new(1 << 20, 1 << 20, 1 << 20, 1 << 20, nullptr);
  ASSERT_EQ(bufferevent_set_rate_limit(*stream_, config), 0);
  const ev_ssize_t read = bufferevent_get_read_limit(*stream_);
  const ev_ssize_t write = bufferevent_get_write_limit(*stream_);
  peer_->Write("0123456789");
  const std::string made = peer_->Made();
  peer_->Send(made);
  Turn();
  EXPECT_EQ(read - bufferevent_get_read_limit(*stream_),
            static_cast<ev_ssize_t>(made.size()));
  stream_->Put("0123456789");
  Turn();
  EXPECT_EQ(write - bufferevent_get_write_limit(*stream_),
            static_cast<ev_ssize_t>(peer_->Arrived().size()));
  bufferevent_set_rate_limit(*stream_, nullptr);
  ev_token_bucket_cfg_free(config);
}

// No more than the bucket holds leaves in a tick; the rest later.
TEST_F(TlsIoTest, ALimitHoldsRecordsBack) {
  ConnectClient();
  const timeval tick = {0, 10000};
  ev_token_bucket_cfg* config =
      ev_token_bucket_cfg_new(1000, 1000, 1000, 1000, &tick);
  ASSERT_EQ(bufferevent_set_rate_limit(*stream_, config), 0);
  stream_->Put(std::string(5000, 'l'));
  Turn();
  EXPECT_LE(peer_->Arrived().size(), 1000u);
  // The clock must move: a tick is 10 ms.
  stream_->Free();
  ev_token_bucket_cfg_free(config);
}

TEST_F(TlsIoTest, ALimitLetsEverythingThroughInTime) {
  ConnectClient();
  const timeval tick = {0, 1000};
  ev_token_bucket_cfg* config =
      ev_token_bucket_cfg_new(1000, 1000, 1000, 1000, &tick);
  ASSERT_EQ(bufferevent_set_rate_limit(*stream_, config), 0);
  stream_->Put(std::string(20000, 'l'));
  // Waits for about 20 ticks of 1 ms: the limit is in real time.
  EXPECT_TRUE(compat::RunUntil(base(), [&] {
    peer_->Step();
    return peer_->got().size() == 20000;
  }));
  stream_->Free();
  ev_token_bucket_cfg_free(config);
}

// Encrypted is not sent: the write callback waits for the system.
TEST_F(TlsIoTest, WriteCallbackWhenTheSystemHasIt) {
  ConnectClient();
  const std::string volume(4 << 20, 'v');
  stream_->Put(volume);
  Turns();
  EXPECT_EQ(stream_->writes(), 0);
  EXPECT_GT(stream_->OutputSize(), 0u);
  for (int i = 0; i < 2000 && stream_->writes() == 0; ++i) {
    peer_->Step();
    Turn();
  }
  EXPECT_EQ(stream_->writes(), 1);
  peer_->Step();
  EXPECT_EQ(peer_->got().size(), volume.size());
}

// What is decrypted already needs no readiness.
TEST_F(TlsIoTest, HeldBackDataComesWhenReadingIsEnabled) {
  ConnectClient();
  // Without a callback: one that leaves the input full is called again at once.
  bufferevent_setcb(*stream_, nullptr, nullptr, nullptr, nullptr);
  bufferevent_setwatermark(*stream_, EV_READ, 0, 10);
  peer_->Write(std::string(25, 'x'));
  peer_->Send(peer_->Made());
  Turns();
  EXPECT_EQ(stream_->InputSize(), 10u);
  EXPECT_EQ(stream_->Take(), std::string(10, 'x'));
  Turns();
  EXPECT_EQ(stream_->Take(), std::string(10, 'x'));
  Turns();
  EXPECT_EQ(stream_->Take(), std::string(5, 'x'));
}

// A key update that asks for one is answered before our next data (RFC 8446,
// section 4.6.3), in the same write.
TEST_F(TlsIoTest, KeyUpdateIsAnswered) {
  ConnectClient();
  ASSERT_EQ(SSL_key_update(peer_->ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
  peer_->Write("new keys");
  peer_->Send(peer_->Made());
  Turns();
  EXPECT_EQ(stream_->Take(), "new keys");
  stream_->Put("mine too");
  Turns();
  const std::string bytes = peer_->Arrived();
  EXPECT_EQ(RecordTypes(bytes), "23 23");
  peer_->Feed(bytes);
  peer_->Step();
  EXPECT_EQ(peer_->got(), "mine too");
}

// semantics 13.8
TEST_F(TlsIoTest, DataDuringARenegotiationIsNotLost) {
  UseVersion(TLS1_2_VERSION);
  SSL_CTX_set_options(server_ctx_.get(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  ConnectClient();
  stream_->Disable(EV_READ);
  ASSERT_EQ(bufferevent_ssl_renegotiate(*stream_), 0);
  // Sent before the server knows of it.
  peer_->Write("crossing");
  peer_->Send(peer_->Made());
  Turns();
  stream_->Enable(EV_READ);
  for (int i = 0; i < 10 && stream_->events() == 0; ++i) {
    peer_->Step();
    Turn();
  }
  EXPECT_TRUE(stream_->Got(BEV_EVENT_CONNECTED)) << journal_;
  EXPECT_EQ(stream_->Take(), "crossing");
}

// A stream that is let go leaves an SSL that still works, with the bytes that
// had arrived.
TEST_F(TlsIoTest, TheSslGoesOnAlone) {
  ConnectClient(0);
  bufferevent_setcb(*stream_, nullptr, nullptr, nullptr, nullptr);
  bufferevent_setwatermark(*stream_, EV_READ, 0, 3);
  peer_->Write("abc");
  peer_->Write("def");
  peer_->Send(peer_->Made());
  Turns();
  EXPECT_EQ(stream_->Take(), "abc");
  stream_->Free();
  char text[8];
  EXPECT_EQ(SSL_read(ssl_, text, sizeof(text)), 3);
  EXPECT_EQ(std::string(text, 3), "def");
  EXPECT_EQ(SSL_write(ssl_, "alone", 5), 5);
  peer_->Step();
  EXPECT_EQ(peer_->got(), "alone");
  EXPECT_EQ(SSL_get_fd(ssl_), pair_[0]);
  SSL_free(ssl_);
}

}  // namespace
}  // namespace percore
