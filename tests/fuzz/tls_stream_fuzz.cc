// A TLS stream whose peer says anything: bytes of the input are steps of a
// connection whose other end is OpenSSL over memory; records are changed, cut,
// repeated, dropped and mixed with garbage on their way. Nothing may be read
// past its end (sanitizers), what arrives must be a beginning of what was
// written, and after an error nothing more may.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <percore/tls.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <string_view>

#include "tests/fuzz/driver.h"

namespace {

SSL_CTX* ServerContext() {
  SSL_CTX* ctx = SSL_CTX_new(TLS_server_method());
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(cert), 0);
  X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
  X509_set_pubkey(cert, key);
  X509_sign(cert, key, EVP_sha256());
  SSL_CTX_use_certificate(ctx, cert);
  SSL_CTX_use_PrivateKey(ctx, key);
  X509_free(cert);
  EVP_PKEY_free(key);
  SSL_CTX_set_options(ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  return ctx;
}

struct Globals {
  event_base* base = event_base_new();
  SSL_CTX* server = ServerContext();
  SSL_CTX* client = SSL_CTX_new(TLS_client_method());
};

Globals& Shared() {
  static Globals* const globals = [] {
    std::signal(SIGPIPE, SIG_IGN);
    return new Globals;
  }();
  return *globals;
}

class Connection {
 public:
  Connection(bool we_serve, bool over, int version) {
    int fds[2];
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    fd_ = fds[1];
    Globals& g = Shared();
    SSL* ssl = SSL_new(we_serve ? g.server : g.client);
    SSL_set_max_proto_version(ssl, version);
    const auto state =
        we_serve ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING;
    stream_ =
        over
            ? bufferevent_openssl_filter_new(
                  g.base,
                  bufferevent_socket_new(g.base, fds[0], BEV_OPT_CLOSE_ON_FREE),
                  ssl, state, BEV_OPT_CLOSE_ON_FREE)
            : bufferevent_openssl_socket_new(g.base, fds[0], ssl, state,
                                             BEV_OPT_CLOSE_ON_FREE);
    FUZZ_CHECK(stream_ != nullptr);
    bufferevent_setcb(stream_, &OnRead, nullptr, &OnEvent, this);
    bufferevent_enable(stream_, EV_READ | EV_WRITE);
    peer_ = SSL_new(we_serve ? g.client : g.server);
    SSL_set_bio(peer_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (we_serve) {
      SSL_set_connect_state(peer_);
    } else {
      SSL_set_accept_state(peer_);
    }
  }
  ~Connection() {
    if (stream_ != nullptr) bufferevent_free(stream_);
    Turn();
    SSL_free(peer_);
    if (fd_ >= 0) close(fd_);
    ERR_clear_error();
  }

  void Turn() { event_base_loop(Shared().base, EVLOOP_ONCE | EVLOOP_NONBLOCK); }
  // The peer takes what we sent, and makes its answers.
  void PeerStep() {
    char block[16384];
    ssize_t n;
    while (fd_ >= 0 && (n = read(fd_, block, sizeof(block))) > 0) {
      BIO_write(SSL_get_rbio(peer_), block, static_cast<int>(n));
    }
    SSL_do_handshake(peer_);
    if (SSL_is_init_finished(peer_)) {
      while (SSL_read(peer_, block, sizeof(block)) > 0) {
      }
    }
    ERR_clear_error();
    BIO* out = SSL_get_wbio(peer_);
    const std::size_t made = BIO_ctrl_pending(out);
    const std::size_t had = queued_.size();
    queued_.resize(had + made);
    if (made != 0) {
      BIO_read(out, queued_.data() + had, static_cast<int>(made));
    }
  }
  void PeerWrites(std::string_view text) {
    if (!SSL_is_init_finished(peer_)) return;
    if (SSL_write(peer_, text.data(), static_cast<int>(text.size())) > 0) {
      written_ += text;
    }
    PeerStep();
  }
  // Sends `n` bytes of what is queued.
  void Deliver(std::size_t n) {
    if (n > queued_.size()) n = queued_.size();
    Send(queued_.substr(0, n));
    queued_.erase(0, n);
  }
  void Send(std::string_view bytes) {
    if (fd_ < 0) return;
    const ssize_t sent = write(fd_, bytes.data(), bytes.size());
    static_cast<void>(sent);
    Turn();
  }
  void Cut() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    Turn();
  }
  void FreeStream() {
    bufferevent_free(stream_);
    stream_ = nullptr;
    Turn();
  }

  bufferevent* stream() { return stream_; }
  SSL* peer() { return peer_; }
  std::string& queued() { return queued_; }

 private:
  static void OnRead(bufferevent* stream, void* arg) {
    auto* self = static_cast<Connection*>(arg);
    FUZZ_CHECK(!self->failed_);
    evbuffer* input = bufferevent_get_input(stream);
    char block[4096];
    int n;
    while ((n = evbuffer_remove(input, block, sizeof(block))) > 0) {
      self->got_.append(block, static_cast<std::size_t>(n));
    }
    FUZZ_CHECK(self->written_.starts_with(self->got_));
  }
  static void OnEvent(bufferevent*, short what, void* arg) {
    auto* self = static_cast<Connection*>(arg);
    if ((what & BEV_EVENT_ERROR) && (what & BEV_EVENT_READING)) {
      FUZZ_CHECK(!self->failed_);
      self->failed_ = true;
    }
  }

  int fd_;
  bufferevent* stream_;
  SSL* peer_;
  std::string queued_, written_, got_;
  bool failed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t mode = data[0];
  Connection c((mode & 1) != 0, (mode & 2) != 0,
               mode & 4 ? TLS1_2_VERSION : TLS1_3_VERSION);
  if (mode & 8) {
    // The handshake as it should be.
    for (int i = 0; i < 6; ++i) {
      c.Turn();
      c.PeerStep();
      c.Deliver(c.queued().size());
    }
  }
  for (std::size_t i = 1; i + 1 < size && c.stream() != nullptr; i += 2) {
    const std::uint8_t n = data[i + 1];
    std::string& queued = c.queued();
    switch (data[i] % 16) {
      case 0:
        c.Turn();
        c.PeerStep();
        break;
      case 1:
        c.Deliver(n);
        break;
      case 2:
        c.Deliver(queued.size());
        break;
      case 3:
        if (!queued.empty()) queued[n % queued.size()] ^= 0x41;
        break;
      case 4:
        queued.erase(0, n);
        break;
      case 5:
        queued = queued.substr(0, n) + queued;
        break;
      case 6:
        c.Send(std::string_view(reinterpret_cast<const char*>(data + i),
                                size - i < n ? size - i : n));
        break;
      case 7:
        c.PeerWrites(std::string(std::size_t{n} * 100 + 1, 'p'));
        break;
      case 8:
        bufferevent_write(c.stream(), data, size);
        c.Turn();
        break;
      case 9:
        SSL_shutdown(c.peer());
        c.PeerStep();
        break;
      case 10:
        percore_bufferevent_ssl_shutdown(c.stream());
        break;
      case 11:
        bufferevent_setwatermark(c.stream(), EV_READ, 0, n);
        break;
      case 12:
        SSL_key_update(c.peer(), SSL_KEY_UPDATE_REQUESTED);
        c.PeerWrites("after");
        break;
      case 13:
        if (bufferevent_get_enabled(c.stream()) & EV_READ) {
          bufferevent_disable(c.stream(), EV_READ);
        } else {
          bufferevent_enable(c.stream(), EV_READ);
        }
        c.Turn();
        break;
      case 14:
        bufferevent_ssl_renegotiate(c.stream());
        c.Turn();
        break;
      default:
        if (n < 64) {
          c.FreeStream();
        } else {
          c.Cut();
        }
        break;
    }
  }
  return 0;
}

namespace percore::fuzz {

Corpus TheCorpus() {
  Corpus corpus;
  corpus.seeds = {
      std::string_view("\0", 1),
      // A server's handshake step by step; then data both ways, and the end.
      std::string_view("\1\0\0\2\0\0\0\2\0\7\3\2\0\10\0\0\0\11\0\2\0", 21),
      std::string_view("\0\0\0\2\0\0\0\2\0\7\3\2\0\10\0\0\0\11\0\2\0", 21),
      "\x08\x07\x05\x02\x01\x08\x01\x0a\x01\x02\x02",
      "\x0a\x07\x05\x01\x30\x01\xff\x08\x01\x09\x01\x02\x02",
      "\x0d\x07\x05\x0e\x01\x02\x01\x07\x05\x02\x02",
      "\x0b\x0c\x05\x02\x01\x08\x01\x0c\x05\x02\x02",
      "\x08\x07\x20\x03\x10\x02\x01",
      "\x08\x0b\x10\x07\x20\x02\x01\x0d\x01\x0d\x01",
      "\x08\x07\x20\x02\x01\x0f\xff",
      "\x08\x07\x20\x0f\x01",
      "\x00\x06\x20HTTP/1.1 400 Bad Request\r\n\r\n",
  };
  corpus.tokens = {
      "\x01\x05",  // a piece
      "\x02\x01",  // everything
      "\x03\x07",  // changed
      "\x07\x09",  // data
      "\x0c\x01",
      "\x0e\x01",
      "\x0d\x01",
      "\x09\x01",
      "\x0a\x01",
      "\x0f\xff",
      "\x06\x05\x15\x03\x03\x02\x02\x28",  // an alert without protection
      "\x06\x05\x17\x03\x03\xff\xff",      // a record that is too long
  };
  corpus.max_size = 64;
  return corpus;
}

}  // namespace percore::fuzz
