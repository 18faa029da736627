// The C library's calls on sockets and clocks, as a program under sim makes
// them: ours for simulated sockets while a World lives on the thread, the
// system's otherwise. See world.h for why the seam is here.
//
// A test program that links this file gets these definitions before the C
// library's. They reach the system by syscall(2), so nothing in them comes
// back to them.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstring>
#include <ctime>

#include "percore/runtime/backend/sim/world.h"
#include "percore/runtime/observe/log.h"

// With hidden visibility the C++ library would not find them.
#define PERCORE_SIM_CALL __attribute__((visibility("default")))

namespace percore::sim {
namespace {

Network* CurrentNetwork() {
  World* world = World::Current();
  return world == nullptr ? nullptr : &world->network();
}

Socket* Simulated(int fd) {
  Network* network = CurrentNetwork();
  return network == nullptr ? nullptr : network->Find(fd);
}

// A result as the C library gives it.
template <typename T>
T Answer(T result) {
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

// Makes the call; as long as it would block and may, waits first.
template <typename F>
auto Calling(int fd, bool may_block, bool writing, Socket* socket, F&& call) {
  for (;;) {
    const auto result = call();
    if (result != -EAGAIN || !may_block || !Network::IsBlocking(fd)) {
      return result;
    }
    Network* network = CurrentNetwork();
    World::Current()->Block(INT64_MAX, [&] {
      return writing ? socket->Writable(network->faults().buffer)
                     : socket->Readable();
    });
  }
}

ssize_t ReceiveFrom(int fd, Socket* socket, const iovec* to, std::size_t count,
                    int flags) {
  return Answer(
      Calling(fd, !(flags & MSG_DONTWAIT), false, socket, [&]() -> ssize_t {
        return CurrentNetwork()->Receive(socket, to, count, flags);
      }));
}

ssize_t SendTo(int fd, Socket* socket, const iovec* from, std::size_t count,
               int flags) {
  const ssize_t sent = Calling(
      fd, !(flags & MSG_DONTWAIT), true, socket,
      [&]() -> ssize_t { return CurrentNetwork()->Send(socket, from, count); });
  if (sent == -EPIPE && !(flags & MSG_NOSIGNAL)) std::raise(SIGPIPE);
  return Answer(sent);
}

int PortOf(const sockaddr* address) {
  // The port stands at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
}

bool IsInternet(int family) { return family == AF_INET || family == AF_INET6; }

int GiveAddress(const Socket& socket, int port, sockaddr* address,
                socklen_t* size) {
  sockaddr_storage whole{};
  socklen_t actual = sizeof(sa_family_t);
  whole.ss_family = static_cast<sa_family_t>(socket.family);
  if (socket.family == AF_INET) {
    auto* in = reinterpret_cast<sockaddr_in*>(&whole);
    in->sin_port = htons(static_cast<std::uint16_t>(port));
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    actual = sizeof(*in);
  } else if (socket.family == AF_INET6) {
    auto* in = reinterpret_cast<sockaddr_in6*>(&whole);
    in->sin6_port = htons(static_cast<std::uint16_t>(port));
    in->sin6_addr = in6addr_loopback;
    actual = sizeof(*in);
  }
  std::memcpy(address, &whole, *size < actual ? *size : actual);
  *size = actual;
  return 0;
}

int AcceptFrom(int fd, Socket* socket, sockaddr* address, socklen_t* size,
               int flags) {
  const int accepted = Calling(fd, true, false, socket, [&] {
    return CurrentNetwork()->Accept(socket, flags);
  });
  if (accepted >= 0 && address != nullptr) {
    const Socket& made = *CurrentNetwork()->Find(accepted);
    GiveAddress(made, made.other_port, address, size);
  }
  return Answer(accepted);
}

constexpr int kCreationFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;

// No real time passes in a World.
bool IsVirtual(clockid_t clock, timespec* now) {
  World* world = World::Current();
  if (world == nullptr) return false;
  std::int64_t ns;
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
      ns = world->WallNs();
      break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
      ns = world->MonotonicNs();
      break;
    default:
      return false;
  }
  now->tv_sec = ns / 1000000000;
  now->tv_nsec = ns % 1000000000;
  return true;
}

}  // namespace
}  // namespace percore::sim

using percore::sim::Answer;
using percore::sim::CurrentNetwork;
using percore::sim::Simulated;
using percore::sim::Socket;
using percore::sim::World;

extern "C" {

// --- Made, named, ended -----------------------------------------------------

PERCORE_SIM_CALL int socket(int family, int type, int protocol) noexcept {
  using percore::sim::kCreationFlags;
  auto* network = CurrentNetwork();
  if (network != nullptr && percore::sim::IsInternet(family) &&
      (type & ~kCreationFlags) == SOCK_STREAM) {
    return Answer(network->Open(family, type & kCreationFlags));
  }
  return static_cast<int>(syscall(SYS_socket, family, type, protocol));
}

PERCORE_SIM_CALL int socketpair(int family, int type, int protocol,
                                int fds[2]) noexcept {
  using percore::sim::kCreationFlags;
  auto* network = CurrentNetwork();
  if (network != nullptr && family == AF_UNIX &&
      (type & ~kCreationFlags) == SOCK_STREAM) {
    return Answer(network->OpenPair(type & kCreationFlags, fds));
  }
  return static_cast<int>(syscall(SYS_socketpair, family, type, protocol, fds));
}

PERCORE_SIM_CALL int close(int fd) {
  if (auto* network = CurrentNetwork()) network->Closing(fd);
  return static_cast<int>(syscall(SYS_close, fd));
}

PERCORE_SIM_CALL int dup(int fd) noexcept {
  const int to = static_cast<int>(syscall(SYS_dup, fd));
  if (to >= 0 && Simulated(fd) != nullptr) CurrentNetwork()->Duplicated(fd, to);
  return to;
}

PERCORE_SIM_CALL int dup3(int fd, int to, int flags) noexcept {
  auto* network = CurrentNetwork();
  if (network != nullptr && fd != to) network->Closing(to);
  const int made = static_cast<int>(syscall(SYS_dup3, fd, to, flags));
  if (made >= 0 && network != nullptr) network->Duplicated(fd, made);
  return made;
}

PERCORE_SIM_CALL int dup2(int fd, int to) noexcept {
  if (fd == to) return fcntl(fd, F_GETFD) < 0 ? -1 : to;
  return dup3(fd, to, 0);
}

PERCORE_SIM_CALL int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const long argument = va_arg(arguments, long);
  va_end(arguments);
  const int result =
      static_cast<int>(syscall(SYS_fcntl, fd, command, argument));
  if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && result >= 0 &&
      Simulated(fd) != nullptr) {
    CurrentNetwork()->Duplicated(fd, result);
  }
  return result;
}

PERCORE_SIM_CALL int bind(int fd, const sockaddr* address,
                          socklen_t size) noexcept {
  if (Socket* socket = Simulated(fd)) {
    return Answer(
        CurrentNetwork()->Bind(socket, percore::sim::PortOf(address)));
  }
  return static_cast<int>(syscall(SYS_bind, fd, address, size));
}

PERCORE_SIM_CALL int listen(int fd, int backlog) noexcept {
  if (Socket* socket = Simulated(fd)) {
    return Answer(CurrentNetwork()->Listen(socket, backlog));
  }
  return static_cast<int>(syscall(SYS_listen, fd, backlog));
}

PERCORE_SIM_CALL int accept4(int fd, sockaddr* address, socklen_t* size,
                             int flags) {
  if (Socket* socket = Simulated(fd)) {
    return percore::sim::AcceptFrom(fd, socket, address, size, flags);
  }
  return static_cast<int>(syscall(SYS_accept4, fd, address, size, flags));
}

PERCORE_SIM_CALL int accept(int fd, sockaddr* address, socklen_t* size) {
  return accept4(fd, address, size, 0);
}

PERCORE_SIM_CALL int connect(int fd, const sockaddr* address, socklen_t size) {
  Socket* socket = Simulated(fd);
  if (socket == nullptr) {
    return static_cast<int>(syscall(SYS_connect, fd, address, size));
  }
  int result = CurrentNetwork()->Connect(socket, percore::sim::PortOf(address));
  if (result == -EINPROGRESS && percore::sim::Network::IsBlocking(fd)) {
    World::Current()->Block(INT64_MAX, [socket] {
      return socket->state != Socket::State::kConnecting;
    });
    result = -CurrentNetwork()->TakeError(socket);
  }
  return Answer(result);
}

PERCORE_SIM_CALL int shutdown(int fd, int how) noexcept {
  if (Socket* socket = Simulated(fd)) {
    return Answer(CurrentNetwork()->Shutdown(socket, how));
  }
  return static_cast<int>(syscall(SYS_shutdown, fd, how));
}

PERCORE_SIM_CALL int getsockname(int fd, sockaddr* address,
                                 socklen_t* size) noexcept {
  if (Socket* socket = Simulated(fd)) {
    return percore::sim::GiveAddress(*socket, socket->port, address, size);
  }
  return static_cast<int>(syscall(SYS_getsockname, fd, address, size));
}

PERCORE_SIM_CALL int getpeername(int fd, sockaddr* address,
                                 socklen_t* size) noexcept {
  if (Socket* socket = Simulated(fd)) {
    if (socket->state != Socket::State::kConnected) return Answer(-ENOTCONN);
    return percore::sim::GiveAddress(*socket, socket->other_port, address,
                                     size);
  }
  return static_cast<int>(syscall(SYS_getpeername, fd, address, size));
}

PERCORE_SIM_CALL int getsockopt(int fd, int level, int option, void* value,
                                socklen_t* size) noexcept {
  if (Socket* socket = Simulated(fd)) {
    int answer = 0;
    if (level == SOL_SOCKET && option == SO_ERROR) {
      answer = CurrentNetwork()->TakeError(socket);
    } else if (level == SOL_SOCKET && option == SO_TYPE) {
      answer = SOCK_STREAM;
    } else if (level == SOL_SOCKET && option == SO_DOMAIN) {
      answer = socket->family;
    } else if (level == SOL_SOCKET && option == SO_ACCEPTCONN) {
      answer = socket->state == Socket::State::kListening;
    } else if (level == SOL_SOCKET) {
      return static_cast<int>(
          syscall(SYS_getsockopt, fd, level, option, value, size));
    }
    std::memcpy(value, &answer,
                *size < sizeof(answer) ? *size : sizeof(answer));
    if (*size > sizeof(answer)) *size = sizeof(answer);
    return 0;
  }
  return static_cast<int>(
      syscall(SYS_getsockopt, fd, level, option, value, size));
}

PERCORE_SIM_CALL int setsockopt(int fd, int level, int option,
                                const void* value, socklen_t size) noexcept {
  Socket* socket = Simulated(fd);
  if (socket == nullptr) {
    return static_cast<int>(
        syscall(SYS_setsockopt, fd, level, option, value, size));
  }
  if (level != SOL_SOCKET) return 0;  // TCP_NODELAY and the like
  if (option == SO_REUSEPORT) {
    socket->reuse_port = *static_cast<const int*>(value) != 0;
  } else if (option == SO_LINGER) {
    const auto* wanted = static_cast<const linger*>(value);
    socket->linger_zero = wanted->l_onoff != 0 && wanted->l_linger == 0;
  }
  return 0;
}

PERCORE_SIM_CALL int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  Socket* socket = Simulated(fd);
  if (socket != nullptr && request == FIONREAD) {
    *static_cast<int*>(argument) = static_cast<int>(socket->Unread());
    return 0;
  }
  return static_cast<int>(syscall(SYS_ioctl, fd, request, argument));
}

// --- Bytes ------------------------------------------------------------------

PERCORE_SIM_CALL ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (Socket* socket = Simulated(fd)) {
    message->msg_flags = 0;
    message->msg_controllen = 0;
    message->msg_namelen = 0;
    return percore::sim::ReceiveFrom(fd, socket, message->msg_iov,
                                     message->msg_iovlen, flags);
  }
  return syscall(SYS_recvmsg, fd, message, flags);
}

PERCORE_SIM_CALL ssize_t readv(int fd, const iovec* to, int count) {
  if (Socket* socket = Simulated(fd)) {
    return percore::sim::ReceiveFrom(fd, socket, to,
                                     static_cast<std::size_t>(count), 0);
  }
  return syscall(SYS_readv, fd, to, count);
}

PERCORE_SIM_CALL ssize_t recvfrom(int fd, void* to, size_t size, int flags,
                                  sockaddr* address, socklen_t* length) {
  if (Socket* socket = Simulated(fd)) {
    const iovec room{to, size};
    if (address != nullptr) *length = 0;
    return percore::sim::ReceiveFrom(fd, socket, &room, 1, flags);
  }
  return syscall(SYS_recvfrom, fd, to, size, flags, address, length);
}

PERCORE_SIM_CALL ssize_t recv(int fd, void* to, size_t size, int flags) {
  return recvfrom(fd, to, size, flags, nullptr, nullptr);
}

PERCORE_SIM_CALL ssize_t read(int fd, void* to, size_t size) {
  if (Socket* socket = Simulated(fd)) {
    const iovec room{to, size};
    return percore::sim::ReceiveFrom(fd, socket, &room, 1, 0);
  }
  return syscall(SYS_read, fd, to, size);
}

PERCORE_SIM_CALL ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (Socket* socket = Simulated(fd)) {
    return percore::sim::SendTo(fd, socket, message->msg_iov,
                                message->msg_iovlen, flags);
  }
  return syscall(SYS_sendmsg, fd, message, flags);
}

PERCORE_SIM_CALL ssize_t writev(int fd, const iovec* from, int count) {
  if (Socket* socket = Simulated(fd)) {
    return percore::sim::SendTo(fd, socket, from,
                                static_cast<std::size_t>(count), 0);
  }
  return syscall(SYS_writev, fd, from, count);
}

PERCORE_SIM_CALL ssize_t sendto(int fd, const void* from, size_t size,
                                int flags, const sockaddr* address,
                                socklen_t length) {
  if (Socket* socket = Simulated(fd)) {
    const iovec bytes{const_cast<void*>(from), size};
    return percore::sim::SendTo(fd, socket, &bytes, 1, flags);
  }
  return syscall(SYS_sendto, fd, from, size, flags, address, length);
}

PERCORE_SIM_CALL ssize_t send(int fd, const void* from, size_t size,
                              int flags) {
  return sendto(fd, from, size, flags, nullptr, 0);
}

PERCORE_SIM_CALL ssize_t write(int fd, const void* from, size_t size) {
  if (Socket* socket = Simulated(fd)) {
    const iovec bytes{const_cast<void*>(from), size};
    return percore::sim::SendTo(fd, socket, &bytes, 1, 0);
  }
  return syscall(SYS_write, fd, from, size);
}

PERCORE_SIM_CALL ssize_t sendfile(int out, int in, off_t* offset,
                                  size_t count) noexcept {
  Socket* socket = Simulated(out);
  if (socket == nullptr) return syscall(SYS_sendfile, out, in, offset, count);
  char bytes[16384];
  if (count > sizeof(bytes)) count = sizeof(bytes);
  const off_t from = offset != nullptr ? *offset : lseek(in, 0, SEEK_CUR);
  const ssize_t got = pread(in, bytes, count, from);
  if (got <= 0) return got;
  const iovec piece{bytes, static_cast<std::size_t>(got)};
  const ssize_t sent = percore::sim::SendTo(out, socket, &piece, 1, 0);
  if (sent <= 0) return sent;
  if (offset != nullptr) {
    *offset += sent;
  } else {
    lseek(in, from + sent, SEEK_SET);
  }
  return sent;
}

// What _FORTIFY_SOURCE makes of a read into an array.
PERCORE_SIM_CALL ssize_t __read_chk(int fd, void* to, size_t size,
                                    size_t room) {
  PERCORE_CHECK(size <= room);
  return read(fd, to, size);
}
PERCORE_SIM_CALL ssize_t __recv_chk(int fd, void* to, size_t size, size_t room,
                                    int flags) {
  PERCORE_CHECK(size <= room);
  return recv(fd, to, size, flags);
}
PERCORE_SIM_CALL ssize_t __recvfrom_chk(int fd, void* to, size_t size,
                                        size_t room, int flags,
                                        sockaddr* address, socklen_t* length) {
  PERCORE_CHECK(size <= room);
  return recvfrom(fd, to, size, flags, address, length);
}

// --- Time -------------------------------------------------------------------

PERCORE_SIM_CALL int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (percore::sim::IsVirtual(clock, now)) return 0;
  return static_cast<int>(syscall(SYS_clock_gettime, clock, now));
}

PERCORE_SIM_CALL int gettimeofday(timeval* now, void* zone) noexcept {
  timespec ts;
  if (!percore::sim::IsVirtual(CLOCK_REALTIME, &ts)) {
    return static_cast<int>(syscall(SYS_gettimeofday, now, zone));
  }
  now->tv_sec = ts.tv_sec;
  now->tv_usec = ts.tv_nsec / 1000;
  return 0;
}

PERCORE_SIM_CALL time_t time(time_t* result) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
