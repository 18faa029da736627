#include "percore/net/tls/tls_session_cache.h"

namespace percore {
namespace {

// The host that an SSL belongs to, as a string of the SSL's own.
int HostIndex() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* host, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<std::string*>(host);
      });
  return index;
}

}  // namespace

void TlsSessionCache::Offer(SSL* ssl, const std::string& host) {
  auto name = std::make_unique<std::string>(host);
  if (SSL_set_ex_data(ssl, HostIndex(), name.get()) != 1) return;
  name.release();  // the SSL's
  MutexLock lock(&mutex_);
  for (auto it = sessions_.rbegin(); it != sessions_.rend(); ++it) {
    if (it->first != host) continue;
    SSL_SESSION* session = it->second.get();
    const bool once =
        SSL_SESSION_get_protocol_version(session) > TLS1_2_VERSION;
    // Takes a reference of its own.
    SSL_set_session(ssl, session);
    if (once) sessions_.erase(std::next(it).base());
    return;
  }
}

void TlsSessionCache::Keep(SSL* ssl, SSL_SESSION* session) {
  const auto* host =
      static_cast<const std::string*>(SSL_get_ex_data(ssl, HostIndex()));
  if (host == nullptr || !SSL_SESSION_is_resumable(session)) return;
  // A copy: OpenSSL marks the connection's own as not resumable when that is
  // freed without close_notify, as connections are (RFC 5246, section 7.2.1,
  // allows to resume it).
  Session copy(SSL_SESSION_dup(session));
  if (copy == nullptr) return;
  MutexLock lock(&mutex_);
  if (SSL_SESSION_get_protocol_version(session) <= TLS1_2_VERSION) {
    std::erase_if(sessions_,
                  [&](const auto& kept) { return kept.first == *host; });
  }
  if (sessions_.size() == most_) sessions_.pop_front();
  sessions_.emplace_back(*host, std::move(copy));
}

std::size_t TlsSessionCache::size() const {
  MutexLock lock(&mutex_);
  return sessions_.size();
}

}  // namespace percore
