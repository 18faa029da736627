// TlsWire: the BIO of a TLS stream.
//
// OpenSSL reads from bytes that the stream has read before, and writes into a
// buffer that the stream sends at the end of the turn. Calls of OpenSSL by the
// program itself (SSL_shutdown before bufferevent_free, SSL_read after it)
// find a BIO that works by itself: it reads and writes the socket at once.
//
// Kernel TLS: when the program sets SSL_OP_ENABLE_KTLS and the library has it,
// OpenSSL asks the BIO to hand the keys to the kernel. A socket BIO inside
// does that, and the records with a type of their own; plain text then goes
// the usual way, and the kernel makes the records.
//
// It outlives the stream when the SSL does.
#ifndef PERCORE_NET_TLS_TLS_WIRE_H_
#define PERCORE_NET_TLS_TLS_WIRE_H_

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <cstddef>

#include "percore/net/buffer/buffer.h"

namespace percore {

struct TlsStream;

class TlsWire {
 public:
  // Null: no memory. The caller's is one reference.
  static TlsWire* Create();
  void Unref() { BIO_free(bio_); }
  // Gives `ssl` this wire in place of its BIOs. Those are kept as long as
  // this if `keep` (they may own the descriptor).
  void AttachTo(SSL* ssl, bool keep);

  // The stream whose bytes these are; null: from now on by itself on `fd`.
  void SetStream(TlsStream* stream) { stream_ = stream; }
  void LeaveTo(int fd);
  // For a new connection: forgets all.
  void Reset();

  // The kernel decrypts: OpenSSL must read the socket itself.
  bool ReadsByKernel() const;
  // A connection's end, or its error, after the bytes in `in`.
  bool at_end() const { return at_end_; }
  int error() const { return error_; }
  void NoteEnd(int error) {
    at_end_ = error == 0;
    error_ = error;
  }

  // Sends of `out` at most `limit` bytes by one call. What send(2) says; 0:
  // nothing to send.
  ev_ssize_t Send(std::size_t limit);

  Buffer in;   // arrived records
  Buffer out;  // records to send

 private:
  friend class TlsSection;
  friend struct TlsBio;

  TlsWire() = default;
  ~TlsWire();
  int fd() const;
  int Read(char* to, std::size_t n);
  int Write(const char* from, std::size_t n);
  long StartKernelTls(long sends, void* keys);
  // Everything in `out`; false: the socket takes no more now, or failed.
  bool SendAll();

  BIO* bio_ = nullptr;
  BIO* replaced_[2] = {};
  BIO* kernel_ = nullptr;  // a socket BIO, with kernel TLS only
  TlsStream* stream_ = nullptr;
  int fd_ = -1;  // without a stream
  int error_ = 0;
  bool at_end_ = false;
  bool collects_ = false;
  bool typed_record_ = false;  // the next write is one record of kernel_
};

// Around the stream's own calls of OpenSSL: records are collected, and
// OpenSSL's error queue is empty at first.
class TlsSection {
 public:
  explicit TlsSection(TlsWire* wire);
  ~TlsSection() { wire_->collects_ = was_; }
  TlsSection(const TlsSection&) = delete;
  TlsSection& operator=(const TlsSection&) = delete;

 private:
  TlsWire* wire_;
  bool was_;
};

}  // namespace percore

#endif  // PERCORE_NET_TLS_TLS_WIRE_H_
