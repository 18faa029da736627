#include "percore/net/listener/listening_socket.h"

#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include "percore/runtime/system/sockets.h"

namespace percore {
namespace {

bool SetOptions(int fd, unsigned flags, int family) {
  const bool ip = family == AF_INET || family == AF_INET6;
  const int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) != 0) {
    return false;
  }
  // Small answers at once: the kernel would hold back the second of two until
  // the peer's delayed acknowledgement. No reason to fail.
  if (ip) SetTcpNodelay(fd, true);
  if ((flags & LEV_OPT_REUSEABLE) != 0 && SetReuseAddress(fd) != 0) {
    return false;
  }
  if ((flags & LEV_OPT_REUSEABLE_PORT) != 0) {
    if (!ip) {
      // Older kernels take the option for local sockets too, for nothing.
      errno = EOPNOTSUPP;
      return false;
    }
    if (SetReusePort(fd) != 0) return false;
  }
  if ((flags & LEV_OPT_DEFERRED_ACCEPT) != 0 && SetDeferAccept(fd) != 0) {
    return false;
  }
  if ((flags & LEV_OPT_BIND_IPV6ONLY) != 0) return SetV6Only(fd, true) == 0;
  if ((flags & LEV_OPT_BIND_IPV4_AND_IPV6) != 0 && family == AF_INET6) {
    return SetV6Only(fd, false) == 0;
  }
  return true;
}

}  // namespace

int MakeBoundSocket(unsigned flags, const sockaddr* address, socklen_t size) {
  const int family = address == nullptr ? AF_UNSPEC : address->sa_family;
  int type = SOCK_STREAM | SOCK_NONBLOCK;
  if ((flags & LEV_OPT_CLOSE_ON_EXEC) != 0) type |= SOCK_CLOEXEC;
  const int fd = socket(family, type, 0);
  if (fd < 0) return -1;
  if (SetOptions(fd, flags, family) && bind(fd, address, size) == 0) return fd;
  const int error = errno;
  CloseSocket(fd);
  errno = error;
  return -1;
}

int SetTcpNodelay(int fd, bool on) {
  const int value = on ? 1 : 0;
  return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value));
}

}  // namespace percore
