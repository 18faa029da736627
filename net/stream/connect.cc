#include "percore/net/stream/connect.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "percore/net/stream/socket_stream.h"
#include "percore/runtime/system/addrinfo.h"
#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/sockets.h"

namespace percore {
namespace {

enum class Start { kConnected, kUnderWay, kRefused, kFailed };

Start StartConnect(evutil_socket_t fd, const sockaddr* address,
                   socklen_t size) {
  if (connect(fd, address, size) == 0) return Start::kConnected;
  switch (errno) {
    case EINPROGRESS:
    case EINTR:
    case EAGAIN:  // a Unix socket whose queue is full
      return Start::kUnderWay;
    case ECONNREFUSED:
      return Start::kRefused;
    default:
      return Start::kFailed;
  }
}

int NewSocket(Stream* s, int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0) PrepareOwnSocket(s, fd, family);
  return fd;
}

}  // namespace

int ConnectSocket(Stream* s, const sockaddr* address, int size) {
  StreamScope scope(s);
  evutil_socket_t fd = s->Fd();
  if (address == nullptr) {
    // The caller has started it.
    if (fd < 0) return -1;
    return AwaitConnect(s);
  }
  bool own = false;
  if (fd < 0) {
    fd = NewSocket(s, address->sa_family);
    if (fd < 0) return -1;
    own = true;
  }
  const Start start = StartConnect(fd, address, static_cast<socklen_t>(size));
  if (start == Start::kFailed) {
    const int error = errno;
    if (own) CloseSocket(fd);
    errno = error;
    return -1;
  }
  if (own) {
    if (s->connect != nullptr) ConnectState::Drop(s);
    ReplaceSocket(s, fd);
  }
  if (start == Start::kRefused) {
    RefuseLater(s);
    if (own) s->Enable(s->enabled);
    return 0;
  }
  // Told from the loop, also when it is done already.
  const int result = AwaitConnect(s);
  if (own) s->Enable(s->enabled);
  return result;
}

int ConnectState::ByName(Stream* s, const addrinfo& hints, const char* name,
                         int port) {
  StreamScope scope(s);
  if (hints.ai_family != AF_INET && hints.ai_family != AF_INET6 &&
      hints.ai_family != AF_UNSPEC) {
    return -1;
  }
  if (port < 1 || port > 65535) return -1;
  char service[8];
  std::snprintf(service, sizeof(service), "%d", port);
  addrinfo* list = nullptr;
  s->dns_error = 0;
  const int error = ResolveBlocking(name, service, &hints, &list);
  if (error != 0 || list == nullptr) {
    s->dns_error = error;
    s->RunEvent(BEV_EVENT_ERROR, BEV_OPT_DEFER_CALLBACKS);
    if (error == 0) FreeAddrInfo(list);
    return 0;
  }
  if (s->connect != nullptr) Drop(s);
  auto* state = static_cast<ConnectState*>(MemCalloc(1, sizeof(ConnectState)));
  if (state == nullptr) {
    FreeAddrInfo(list);
    return -1;
  }
  state->addresses = state->next = list;
  if (Stream::IsSet(s->timeout_write)) {
    state->deadline_ns = s->base()->NowNs() +
                         s->timeout_write.tv_sec * std::int64_t{1000000000} +
                         s->timeout_write.tv_usec * std::int64_t{1000};
  }
  s->connect = state;
  if (!TryNext(s)) {
    const int last = errno;
    Drop(s);
    errno = last;
    s->RunEvent(BEV_EVENT_ERROR, BEV_OPT_DEFER_CALLBACKS);
  }
  return 0;
}

bool ConnectState::TryNext(Stream* s) {
  ConnectState* state = s->connect;
  int error = 0;
  while (addrinfo* a = state->next) {
    if (state->deadline_ns != 0 && state->deadline_ns <= s->base()->NowNs()) {
      errno = ETIMEDOUT;
      return false;
    }
    state->next = a->ai_next;
    evutil_socket_t old = s->Fd();
    int fd = old;
    // The first try may be on a descriptor that the program has set.
    const bool use_given = old >= 0 && state->addresses == a;
    if (!use_given) {
      fd = NewSocket(s, a->ai_family);
      if (fd < 0) {
        error = errno;
        continue;
      }
    }
    const Start start = StartConnect(fd, a->ai_addr, a->ai_addrlen);
    if (start == Start::kRefused || start == Start::kFailed) {
      error = errno;
      if (!use_given) CloseSocket(fd);
      continue;
    }
    if (!use_given) {
      ReplaceSocket(s, fd);
      if (old >= 0) CloseSocket(old);
      s->connecting = true;
      s->Enable(s->enabled);
    }
    AwaitConnect(s);
    return true;
  }
  errno = error;
  return false;
}

void ConnectState::Drop(Stream* s) {
  FreeAddrInfo(s->connect->addresses);
  MemFree(s->connect);
  s->connect = nullptr;
}

}  // namespace percore
