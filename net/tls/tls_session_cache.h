// TlsSessionCache: the sessions that a client may resume, by host.
//
// A bounded number; the oldest host's goes first. A session of TLS 1.3 is used
// once (RFC 8446, appendix C.4), one of TLS 1.2 until there is a newer one.
// Any thread.
#ifndef PERCORE_NET_TLS_TLS_SESSION_CACHE_H_
#define PERCORE_NET_TLS_TLS_SESSION_CACHE_H_

#include <openssl/ssl.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "percore/runtime/sync/mutex.h"

namespace percore {

class TlsSessionCache {
 public:
  explicit TlsSessionCache(std::size_t most = 256) : most_(most) {}

  // `ssl` is to `host`: resumes what is kept, and what it gets will be kept.
  void Offer(SSL* ssl, const std::string& host);
  // From SSL_CTX_sess_set_new_cb; keeps a copy.
  void Keep(SSL* ssl, SSL_SESSION* session);
  std::size_t size() const;

 private:
  struct FreeSession {
    void operator()(SSL_SESSION* s) const { SSL_SESSION_free(s); }
  };
  using Session = std::unique_ptr<SSL_SESSION, FreeSession>;

  const std::size_t most_;
  mutable Mutex mutex_;
  std::deque<std::pair<std::string, Session>> sessions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace percore

#endif  // PERCORE_NET_TLS_TLS_SESSION_CACHE_H_
