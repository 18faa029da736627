// What the LEV_OPT_* flags do to the sockets.

#include <errno.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>

#include "percore/tests/compat/listening.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

class ListenerOptionsTest : public LoopTest {
 protected:
  static constexpr unsigned kLock = kShared ? LEV_OPT_THREADSAFE : 0;

  void TearDown() override {
    Free();
    if (accepted_ >= 0) close(accepted_);
    if (client_ >= 0) close(client_);
  }
  void Free() {
    if (listener_ != nullptr) {
      evconnlistener_free(std::exchange(listener_, nullptr));
    }
  }
  evconnlistener* Bind(unsigned options, const Address& at) {
    return evconnlistener_new_bind(base(), &ListenerOptionsTest::Accept, this,
                                   options | LEV_OPT_CLOSE_ON_FREE | kLock, 16,
                                   at.sa(), at.size);
  }
  void Open(unsigned options, const Address& at = Loopback()) {
    listener_ = Bind(options, at);
    ASSERT_NE(listener_, nullptr) << strerror(errno);
  }
  int fd() const { return evconnlistener_get_fd(listener_); }
  // Connects and accepts one.
  void Connect() {
    const Address to = LocalAddress(fd());
    client_ = socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(client_, to.sa(), to.size), 0);
    ASSERT_TRUE(RunUntil(base(), [&] { return accepted_ >= 0; }));
  }
  static void Accept(evconnlistener*, evutil_socket_t fd, sockaddr* address,
                     int size, void* arg) {
    auto* self = static_cast<ListenerOptionsTest*>(arg);
    self->accepted_ = fd;
    self->peer_family_ = size > 0 ? address->sa_family : -1;
  }

  evconnlistener* listener_ = nullptr;
  int accepted_ = -1, client_ = -1, peer_family_ = -1;
};

// semantics 14.3
TEST_F(ListenerOptionsTest, Default) {
  Open(0);
  Connect();
  EXPECT_EQ(SocketOption(fd(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(SocketOption(fd(), SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(SocketOption(fd(), SOL_SOCKET, SO_REUSEPORT), 0);
  EXPECT_EQ(SocketOption(fd(), SOL_SOCKET, SO_ACCEPTCONN), 1);
  EXPECT_NE(fcntl(fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(accepted_, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(accepted_, F_GETFD) & FD_CLOEXEC, 0);
#ifdef TESTING_DEBIAN_LIBEVENT
  EXPECT_EQ(SocketOption(accepted_, IPPROTO_TCP, TCP_NODELAY), 0);
#else
  // better: no delay on the sockets of a listener that we bind.
  EXPECT_EQ(SocketOption(accepted_, IPPROTO_TCP, TCP_NODELAY), 1);
#endif
}

// A socket that the program has bound keeps its own options.
TEST_F(ListenerOptionsTest, NotOnTheProgramsSocket) {
  Listening listening;
  evutil_make_socket_nonblocking(listening.fd());
  listener_ = evconnlistener_new(base(), &ListenerOptionsTest::Accept, this,
                                 kLock, 0, listening.fd());
  ASSERT_NE(listener_, nullptr);
  Connect();
  EXPECT_EQ(SocketOption(accepted_, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(SocketOption(fd(), SOL_SOCKET, SO_KEEPALIVE), 0);
}

// semantics 14.1
// api LEV_OPT_LEAVE_SOCKETS_BLOCKING
TEST_F(ListenerOptionsTest, LeaveSocketsBlocking) {
  Open(LEV_OPT_LEAVE_SOCKETS_BLOCKING);
  Connect();
  EXPECT_EQ(fcntl(accepted_, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(fd(), F_GETFL) & O_NONBLOCK, 0);
}

// semantics 14.1
// api LEV_OPT_CLOSE_ON_EXEC
TEST_F(ListenerOptionsTest, CloseOnExec) {
  Open(LEV_OPT_CLOSE_ON_EXEC);
  Connect();
  EXPECT_NE(fcntl(fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(accepted_, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(accepted_, F_GETFL) & O_NONBLOCK, 0);
}

// semantics 14.3
// api LEV_OPT_REUSEABLE
TEST_F(ListenerOptionsTest, Reuseable) {
  Open(LEV_OPT_REUSEABLE);
  EXPECT_EQ(SocketOption(fd(), SOL_SOCKET, SO_REUSEADDR), 1);
  // Free and bind again, with a connection of the first one lingering.
  Connect();
  const Address at = LocalAddress(fd());
  close(std::exchange(accepted_, -1));
  Free();
  Settle(base());
  Open(LEV_OPT_REUSEABLE, at);
}

// semantics 14.3
// api LEV_OPT_REUSEABLE_PORT
TEST_F(ListenerOptionsTest, ReuseablePort) {
  Open(LEV_OPT_REUSEABLE_PORT);
  EXPECT_EQ(SocketOption(fd(), SOL_SOCKET, SO_REUSEPORT), 1);
  const Address at = LocalAddress(fd());
  evconnlistener* second = Bind(LEV_OPT_REUSEABLE_PORT, at);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(LocalAddress(evconnlistener_get_fd(second)).port(), at.port());
  evconnlistener_free(second);
  EXPECT_EQ(Bind(0, at), nullptr);
}

// semantics 14.3
// api LEV_OPT_DEFERRED_ACCEPT
TEST_F(ListenerOptionsTest, DeferredAccept) {
  Open(LEV_OPT_DEFERRED_ACCEPT);
  EXPECT_GT(SocketOption(fd(), IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
  const Address to = LocalAddress(fd());
  client_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(client_, to.sa(), to.size), 0);
  Settle(base());
  EXPECT_EQ(accepted_, -1);
  ASSERT_EQ(send(client_, "x", 1, 0), 1);
  EXPECT_TRUE(RunUntil(base(), [&] { return accepted_ >= 0; }));
}

Address AnyV6() {
  Address any = Loopback(AF_INET6);
  reinterpret_cast<sockaddr_in6*>(&any.storage)->sin6_addr = in6addr_any;
  return any;
}

// semantics 14.3
// api LEV_OPT_BIND_IPV6ONLY
TEST_F(ListenerOptionsTest, Ipv6Only) {
  Open(LEV_OPT_BIND_IPV6ONLY, AnyV6());
  EXPECT_EQ(SocketOption(fd(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
  // The port is free for IPv4.
  const int port = LocalAddress(fd()).port();
  Listening v4(Loopback(AF_INET, port));
  Connect();
  EXPECT_EQ(peer_family_, AF_INET6);
}

#ifndef TESTING_DEBIAN_LIBEVENT  // came with 2.2
// api LEV_OPT_BIND_IPV4_AND_IPV6
TEST_F(ListenerOptionsTest, BothFamilies) {
  Open(LEV_OPT_BIND_IPV4_AND_IPV6, AnyV6());
  EXPECT_EQ(SocketOption(fd(), IPPROTO_IPV6, IPV6_V6ONLY), 0);
  const Address v4 = Loopback(AF_INET, LocalAddress(fd()).port());
  client_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(client_, v4.sa(), v4.size), 0);
  ASSERT_TRUE(RunUntil(base(), [&] { return accepted_ >= 0; }));
  EXPECT_EQ(peer_family_, AF_INET6);  // a mapped address
}
#endif

TEST_F(ListenerOptionsTest, Ipv6Loopback) {
  Open(LEV_OPT_REUSEABLE, Loopback(AF_INET6));
  Connect();
  EXPECT_EQ(peer_family_, AF_INET6);
}

// A Unix socket: the client has no name, but an address family.
TEST_F(ListenerOptionsTest, Unix) {
  Open(LEV_OPT_CLOSE_ON_EXEC, AbstractUnix());
  Connect();
  EXPECT_EQ(peer_family_, AF_UNIX);
  ASSERT_EQ(send(client_, "x", 1, 0), 1);
  char byte;
  EXPECT_EQ(recv(accepted_, &byte, 1, 0), 1);
}

// listener/reuseport_on_unix_socket
// semantics 14.3
TEST_F(ListenerOptionsTest, ReuseablePortOnUnix) {
#ifdef TESTING_DEBIAN_LIBEVENT
  // As the kernel sees it, which has changed its mind: bound or EOPNOTSUPP.
  listener_ = Bind(LEV_OPT_REUSEABLE_PORT, AbstractUnix());
#else
  // better: as 2.2, refused by the library, with a reason in errno.
  EXPECT_EQ(Bind(LEV_OPT_REUSEABLE_PORT, AbstractUnix()), nullptr);
  EXPECT_NE(errno, 0);
  // LEV_OPT_REUSEABLE, which 2.2 refuses too, goes on to mean nothing there:
  // programs of 2.1 bind with it.
  listener_ = Bind(LEV_OPT_REUSEABLE, AbstractUnix());
  EXPECT_NE(listener_, nullptr);
#endif
}

}  // namespace
}  // namespace compat
