// Listening sockets of the test's own, for the library to connect to.

#ifndef PERCORE_TESTS_COMPAT_LISTENING_H_
#define PERCORE_TESTS_COMPAT_LISTENING_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <string>

namespace compat {

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* sa() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  sockaddr* sa() { return reinterpret_cast<sockaddr*>(&storage); }
  int port() const {
    return ntohs(
        storage.ss_family == AF_INET6
            ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
            : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
};

// Port 0: the kernel chooses.
inline Address Loopback(int family = AF_INET, int port = 0) {
  Address address;
  if (family == AF_INET6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_addr = in6addr_loopback;
    in6->sin6_port = htons(port);
    address.size = sizeof(*in6);
  } else {
    auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in->sin_port = htons(port);
    address.size = sizeof(*in);
  }
  return address;
}

// A new name in the abstract namespace: no file to remove.
inline Address AbstractUnix() {
  static std::atomic<int> count{0};
  Address address;
  auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
  un->sun_family = AF_UNIX;
  const std::string name = "percore-test-" + std::to_string(getpid()) + "-" +
                           std::to_string(count++);
  memcpy(un->sun_path + 1, name.data(), name.size());
  address.size = offsetof(sockaddr_un, sun_path) + 1 + name.size();
  return address;
}

inline Address LocalAddress(int fd) {
  Address address;
  address.size = sizeof(address.storage);
  EXPECT_EQ(getsockname(fd, address.sa(), &address.size), 0);
  return address;
}

inline int SocketOption(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  getsockopt(fd, level, name, &value, &size);
  return value;
}

// A loopback address where nobody listens. The socket that holds the port is
// not listening; it goes with the object.
class Deaf {
 public:
  Deaf() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    Address any = Loopback();
    EXPECT_EQ(bind(fd_, any.sa(), any.size), 0);
  }
  ~Deaf() { close(fd_); }
  Deaf(const Deaf&) = delete;
  Deaf& operator=(const Deaf&) = delete;
  Address address() const { return LocalAddress(fd_); }

 private:
  int fd_;
};

class Listening {
 public:
  explicit Listening(Address at = Loopback(), int backlog = 16)
      : fd_(socket(at.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_EQ(bind(fd_, at.sa(), at.size), 0) << strerror(errno);
    EXPECT_EQ(listen(fd_, backlog), 0);
  }
  ~Listening() { Close(); }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  int fd() const { return fd_; }
  Address address() const { return LocalAddress(fd_); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // A client's blocking socket, connected to it.
  int Connect() const {
    const Address to = address();
    const int fd = socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, to.sa(), to.size), 0);
    return fd;
  }
  // The next connection, non-blocking; -1 if there is none within `ms`.
  int Accept(int ms = 5000) const {
    pollfd ready = {fd_, POLLIN, 0};
    if (poll(&ready, 1, ms) != 1) return -1;
    return accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  }

 private:
  int fd_;
};

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_LISTENING_H_
