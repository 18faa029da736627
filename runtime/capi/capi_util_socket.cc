// evutil's sockets and addresses: one call deep.

#include <event2/util.h>

#include "percore/runtime/system/address.h"
#include "percore/runtime/system/addrinfo.h"
#include "percore/runtime/system/sockets.h"

int evutil_socketpair(int domain, int type, int protocol,
                      evutil_socket_t sv[2]) {
  return percore::SocketPair(domain, type, protocol, sv);
}

int evutil_make_socket_nonblocking(evutil_socket_t sock) {
  return percore::SetNonblocking(sock);
}

int evutil_make_listen_socket_reuseable(evutil_socket_t sock) {
  return percore::SetReuseAddress(sock);
}

int evutil_make_listen_socket_reuseable_port(evutil_socket_t sock) {
  return percore::SetReusePort(sock);
}

int evutil_make_listen_socket_ipv6only(evutil_socket_t sock) {
  return percore::SetV6Only(sock, true);
}

int evutil_make_listen_socket_not_ipv6only(evutil_socket_t sock) {
  return percore::SetV6Only(sock, false);
}

int evutil_make_socket_closeonexec(evutil_socket_t sock) {
  return percore::SetCloseOnExec(sock);
}

int evutil_closesocket(evutil_socket_t sock) {
  return percore::CloseSocket(sock);
}

int evutil_make_tcp_listen_socket_deferred(evutil_socket_t sock) {
  return percore::SetDeferAccept(sock);
}

int evutil_set_tcp_keepalive(evutil_socket_t sock, int on, int timeout) {
  return percore::SetKeepAlive(sock, on != 0, timeout);
}

const char* evutil_inet_ntop(int af, const void* src, char* dst, size_t len) {
  return percore::FormatAddress(af, src, dst, len);
}

int evutil_inet_pton_scope(int af, const char* src, void* dst,
                           unsigned* indexp) {
  *indexp = 0;
  if (af != AF_INET6) return evutil_inet_pton(af, src, dst);
  return percore::ParseV6WithZone(src, static_cast<in6_addr*>(dst), indexp) ? 1
                                                                            : 0;
}

int evutil_inet_pton(int af, const char* src, void* dst) {
  switch (af) {
    case AF_INET:
      return percore::ParseV4(src, static_cast<in_addr*>(dst)) ? 1 : 0;
    case AF_INET6:
      return percore::ParseV6(src, static_cast<in6_addr*>(dst)) ? 1 : 0;
    default:
      errno = EAFNOSUPPORT;
      return -1;
  }
}

int evutil_parse_sockaddr_port(const char* str, struct sockaddr* out,
                               int* outlen) {
  return percore::ParseAddressPort(str, out, outlen) ? 0 : -1;
}

int evutil_sockaddr_cmp(const struct sockaddr* sa1, const struct sockaddr* sa2,
                        int include_port) {
  return percore::CompareAddresses(*sa1, *sa2, include_port != 0);
}

int evutil_getaddrinfo(const char* nodename, const char* servname,
                       const struct evutil_addrinfo* hints_in,
                       struct evutil_addrinfo** res) {
  return percore::ResolveBlocking(nodename, servname, hints_in, res);
}

void evutil_freeaddrinfo(struct evutil_addrinfo* ai) {
  percore::FreeAddrInfo(ai);
}

const char* evutil_gai_strerror(int err) {
  return percore::ResolveErrorText(err);
}
