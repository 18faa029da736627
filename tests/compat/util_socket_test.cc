// Sockets, through evutil.

#include <event2/util.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "gtest/gtest.h"

namespace {

int Option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0);
  return value;
}

// A socket for one test; -1 where the machine has no such family.
class Socket {
 public:
  explicit Socket(int family) : fd_(socket(family, SOCK_STREAM, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// api evutil_socketpair
TEST(UtilSocket, PairIsConnectedBothWays) {
  evutil_socket_t pair[2] = {-1, -1};
  ASSERT_EQ(evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  char byte = 0;
  EXPECT_EQ(write(pair[0], "a", 1), 1);
  EXPECT_EQ(read(pair[1], &byte, 1), 1);
  EXPECT_EQ(byte, 'a');
  EXPECT_EQ(write(pair[1], "b", 1), 1);
  EXPECT_EQ(read(pair[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'b');
  EXPECT_EQ(evutil_closesocket(pair[0]), 0);
  EXPECT_EQ(read(pair[1], &byte, 1), 0) << "the other end is gone";
  EXPECT_EQ(evutil_closesocket(pair[1]), 0);
}

// api evutil_socketpair
TEST(UtilSocket, PairOfAFamilyThatHasNone) {
  evutil_socket_t pair[2];
  EXPECT_EQ(evutil_socketpair(AF_INET, SOCK_STREAM, 0, pair), -1);
  EXPECT_EQ(evutil_socket_geterror(-1), EOPNOTSUPP);
}

// api evutil_make_socket_nonblocking
TEST(UtilSocket, Nonblocking) {
  Socket s(AF_INET);
  EXPECT_EQ(fcntl(s.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(evutil_make_socket_nonblocking(s.get()), 0);
  EXPECT_NE(fcntl(s.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(evutil_make_socket_nonblocking(s.get()), 0) << "again";
}

// api evutil_make_socket_closeonexec
TEST(UtilSocket, CloseOnExec) {
  Socket s(AF_INET);
  EXPECT_EQ(fcntl(s.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(evutil_make_socket_closeonexec(s.get()), 0);
  EXPECT_NE(fcntl(s.get(), F_GETFD) & FD_CLOEXEC, 0);
}

// Both warn; the log's default is standard error.
TEST(UtilSocket, FlagsOfABadSocketFailWithAWarning) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(evutil_make_socket_nonblocking(-1), -1);
  EXPECT_EQ(evutil_make_socket_closeonexec(-1), -1);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("[warn] fcntl(-1, F_GETFL): Bad file descriptor\n"),
            std::string::npos)
      << log;
  EXPECT_NE(log.find("[warn] fcntl(-1, F_GETFD): Bad file descriptor\n"),
            std::string::npos)
      << log;
}

// semantics 15.9
// api evutil_closesocket
TEST(UtilSocket, CloseGivesTheResultOfClose) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(EVUTIL_CLOSESOCKET(fd), 0);
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
  EXPECT_EQ(evutil_closesocket(-1), -1);
  EXPECT_EQ(errno, EBADF);
}

// semantics 15.9
// api evutil_make_listen_socket_reuseable
// api evutil_make_listen_socket_reuseable_port
// api evutil_make_tcp_listen_socket_deferred
TEST(UtilSocket, ListenerOptions) {
  Socket s(AF_INET);
  EXPECT_EQ(Option(s.get(), SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(evutil_make_listen_socket_reuseable(s.get()), 0);
  EXPECT_EQ(Option(s.get(), SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_EQ(evutil_make_listen_socket_reuseable_port(s.get()), 0);
  EXPECT_EQ(Option(s.get(), SOL_SOCKET, SO_REUSEPORT), 1);
  EXPECT_EQ(evutil_make_tcp_listen_socket_deferred(s.get()), 0);
  EXPECT_GE(Option(s.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT), 1);
  EXPECT_EQ(evutil_make_listen_socket_reuseable(-1), -1);
  EXPECT_EQ(evutil_make_listen_socket_reuseable_port(-1), -1);
  EXPECT_EQ(evutil_make_tcp_listen_socket_deferred(-1), -1);
}

// api evutil_make_listen_socket_ipv6only
// api evutil_make_listen_socket_not_ipv6only
TEST(UtilSocket, V6Only) {
  Socket s(AF_INET6);
  if (s.get() < 0) GTEST_SKIP() << "SKIP: needs IPv6";
  EXPECT_EQ(evutil_make_listen_socket_ipv6only(s.get()), 0);
  EXPECT_EQ(Option(s.get(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
#ifndef TESTING_DEBIAN_LIBEVENT  // came with 2.2
  EXPECT_EQ(evutil_make_listen_socket_not_ipv6only(s.get()), 0);
  EXPECT_EQ(Option(s.get(), IPPROTO_IPV6, IPV6_V6ONLY), 0);
#endif
  EXPECT_EQ(evutil_make_listen_socket_ipv6only(-1), -1);
}

#ifndef TESTING_DEBIAN_LIBEVENT  // came with 2.2
// api evutil_set_tcp_keepalive
TEST(UtilSocket, KeepAlive) {
  Socket s(AF_INET);
  EXPECT_EQ(evutil_set_tcp_keepalive(s.get(), 1, 0), 0);
  EXPECT_EQ(Option(s.get(), SOL_SOCKET, SO_KEEPALIVE), 0) << "no timeout";
  EXPECT_EQ(evutil_set_tcp_keepalive(s.get(), 1, 30), 0);
  EXPECT_EQ(Option(s.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(Option(s.get(), IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(Option(s.get(), IPPROTO_TCP, TCP_KEEPINTVL), 10);
  EXPECT_EQ(Option(s.get(), IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(evutil_set_tcp_keepalive(s.get(), 1, 2), 0);
  EXPECT_EQ(Option(s.get(), IPPROTO_TCP, TCP_KEEPINTVL), 1);
  EXPECT_EQ(evutil_set_tcp_keepalive(s.get(), 0, 30), 0);
  EXPECT_EQ(Option(s.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(evutil_set_tcp_keepalive(-1, 1, 30), -1);
  EXPECT_EQ(evutil_set_tcp_keepalive(-1, 1, -1), 0);
}
#endif

// api evutil_socket_geterror
// api evutil_socket_error_to_string
TEST(UtilSocket, ErrorsAreErrno) {
  EVUTIL_SET_SOCKET_ERROR(ECONNREFUSED);
  EXPECT_EQ(EVUTIL_SOCKET_ERROR(), ECONNREFUSED);
  EXPECT_EQ(evutil_socket_geterror(5), ECONNREFUSED);
  EXPECT_STREQ(evutil_socket_error_to_string(ECONNREFUSED),
               strerror(ECONNREFUSED));
  EXPECT_EQ(EVUTIL_INVALID_SOCKET, -1);
}

}  // namespace
