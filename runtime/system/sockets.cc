#include "percore/runtime/system/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

int SetOption(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof(value));
}

}  // namespace

int SocketPair(int domain, int type, int protocol, int fds[2]) {
  return socketpair(domain, type, protocol, fds);
}

int SetNonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) {
    LogWarn("fcntl(%d, F_GETFL)", fd);
    return -1;
  }
  if ((flags & O_NONBLOCK) != 0) return 0;
  if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    LogWarn("fcntl(%d, F_SETFL)", fd);
    return -1;
  }
  return 0;
}

int SetCloseOnExec(int fd) {
  const int flags = fcntl(fd, F_GETFD);
  if (flags < 0) {
    LogWarn("fcntl(%d, F_GETFD)", fd);
    return -1;
  }
  if ((flags & FD_CLOEXEC) != 0) return 0;
  if (fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0) {
    LogWarn("fcntl(%d, F_SETFD)", fd);
    return -1;
  }
  return 0;
}

int SetReuseAddress(int fd) {
  return SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

int SetReusePort(int fd) {
#ifdef SO_REUSEPORT
  return SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
#else
  return 0;
#endif
}

int SetV6Only(int fd, bool only) {
#ifdef IPV6_V6ONLY
  return SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, only ? 1 : 0);
#else
  return 0;
#endif
}

int SetDeferAccept(int fd) {
#ifdef TCP_DEFER_ACCEPT
  return SetOption(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
#else
  return 0;
#endif
}

int SetKeepAlive(int fd, bool on, int idle_seconds) {
  if (idle_seconds <= 0) return 0;
  if (SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0) != 0) return -1;
  if (!on) return 0;
#ifdef TCP_KEEPIDLE
  if (SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds) != 0) return -1;
#endif
#ifdef TCP_KEEPINTVL
  const int interval = std::max(idle_seconds / 3, 1);
  if (SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval) != 0) return -1;
#endif
#ifdef TCP_KEEPCNT
  if (SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 3) != 0) return -1;
#endif
  return 0;
}

int CloseSocket(int fd) {
  // Acquire: pairs with the release in SetCloseObserver, so that what the
  // observer relies on is seen.
  const CloseObserver observer =
      State().before_close.load(std::memory_order_acquire);
  if (observer != nullptr) observer(fd);
  return close(fd);
}

CloseObserver SetCloseObserver(CloseObserver observer) {
  return State().before_close.exchange(observer, std::memory_order_acq_rel);
}

}  // namespace percore
