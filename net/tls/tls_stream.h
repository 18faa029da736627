// TLS streams, by OpenSSL: on a socket, or over another stream.
//
// This room turns the plain text of a Stream into records and back. It knows
// sockets, the stream below, and OpenSSL; configuration of contexts is not its
// business (tls_context.h, or the program's own SSL_CTX).
//
//   tls_wire       the BIO: where OpenSSL's records come from and go to
//   tls_handshake  from the start, or a new descriptor, to CONNECTED
//   tls_io         plain text in and out
//   tls_shutdown   ends: close_notify both ways, cut connections, errors
//   tls_stream     the kind, its making and its ties to the loop
//
// Records are collected: what a turn writes is encrypted at its end, small
// pieces joined into records of up to 16 KiB, and goes out by one write; one
// read takes up to 64 KiB of records. Since OpenSSL talks to memory only, it
// never waits to write, except with kernel TLS (tls_wire.h).
//
// Threads: as of Stream; what calls OpenSSL holds the outer lock.
#ifndef PERCORE_NET_TLS_TLS_STREAM_H_
#define PERCORE_NET_TLS_TLS_STREAM_H_

#include <event2/bufferevent_ssl.h>
#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>

#include "percore/net/stream/stream.h"
#include "percore/net/tls/tls_wire.h"

namespace percore {

inline constexpr int kTlsErrorsKept = 3;  // semantics 13.9

struct TlsStream : Stream {
  SSL* ssl;
  TlsWire* wire;  // holds a reference
  Stream* below;  // null: on a socket; else holds a reference
  evbuffer_cb_entry* below_output;

  bufferevent_ssl_state original;  // where a new descriptor starts again
  bufferevent_ssl_state state;
  std::uint8_t flags;  // BUFFEREVENT_SSL_*

  bool renegotiating : 1;     // told CONNECTED when it is done
  bool write_wants_read : 1;  // OpenSSL must read before it can write
  bool wants_writable : 1;    // kernel TLS: OpenSSL waits for room
  bool failed : 1;            // nothing more until a new descriptor
  bool read_ended : 1;        // the end of input was told
  bool untold_progress : 1;   // encrypted, the write callback not yet due
  bool closing : 1;           // Shutdown was called
  bool close_sent : 1;        // close_notify is encrypted
  bool close_told : 1;

  // A write that must be repeated with the same length (semantics 13.6).
  std::size_t retry_size;

  int error_count;
  unsigned long errors[kTlsErrorsKept];

  // Null if `b` is no TLS stream.
  static TlsStream* From(bufferevent* b) {
    Stream* s = Stream::From(b);
    return b != nullptr && s->kind() == StreamKind::kTls
               ? static_cast<TlsStream*>(s)
               : nullptr;
  }

  // TLS on `fd`, or on the one that `ssl` has if it is -1; as
  // bufferevent_openssl_socket_new.
  static TlsStream* NewSocket(EventBase* base, evutil_socket_t fd, SSL* ssl,
                              bufferevent_ssl_state state, int options);
  // As bufferevent_openssl_filter_new.
  static TlsStream* NewFilter(EventBase* base, Stream* below, SSL* ssl,
                              bufferevent_ssl_state state, int options);

  // A new handshake on an open connection of TLS 1.2 or older. 0 or -1.
  int Renegotiate();
  // Sends what is in the output, then close_notify; told as
  // BEV_EVENT_EOF|BEV_EVENT_WRITING when it has gone out. -1: not open, or it
  // ended already.
  int Shutdown();
  // The newest error that is kept, 0: none.
  unsigned long PopError();

  // --- For the files of this room; the outer lock is held ------------------

  bool open() const { return state == BUFFEREVENT_SSL_OPEN; }
  // There is something to talk to.
  bool reachable() const {
    return !connecting && (below != nullptr || ev_read.ev_fd >= 0);
  }
  bool may_read() const {
    return open() && (enabled & EV_READ) && !read_suspended && !read_ended &&
           !failed;
  }
  // Bytes arrived that need no readiness to be worked on.
  bool HasArrived() const;
  // OpenSSL is to see what arrives even if the program does not read.
  bool must_read() const {
    return !failed && !read_ended &&
           (!open() || write_wants_read || renegotiating);
  }

  // tls_handshake.cc: goes on with it; true if it is done.
  bool Handshake();
  void StartAgain();
  // Whether the handshake that Renegotiate began is done; tells.
  void FinishRenegotiation();

  // tls_io.cc
  void ReadAll();
  void WriteSome();
  // Writes what is encrypted, as the limits allow. True: none is left.
  bool SendRecords();
  // The same without limits, without sending: the stream goes.
  void EncryptAll();
  void AfterIo();

  // tls_shutdown.cc
  void SendCloseNotify();
  // What SSL_get_error said; `explained`: with reasons, which are kept.
  // `direction` is BEV_EVENT_READING or WRITING.
  void EndBy(int ssl_error, bool explained, short direction);
  // The connection below ended, or failed with `error` (0: ended).
  void EndByCut(int error, short direction);
  // Of OpenSSL's queue, which is empty after; whether there were any.
  bool KeepErrors();
  void PushError(unsigned long error);

  // tls_stream.cc: reads from the socket, or the stream below, while there is
  // a reason to.
  void UpdateInterest();
  // On sockets, with the leaf: waits for room in the system, or no more.
  void AwaitRoom(bool wait);
  bool IsAwaitingRoom() const { return write_armed; }
};

}  // namespace percore

#endif  // PERCORE_NET_TLS_TLS_STREAM_H_
