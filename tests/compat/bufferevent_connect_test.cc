// Connecting a socket bufferevent to an address.

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "percore/tests/compat/listening.h"
#include "percore/tests/compat/sockets.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

// bufferevent/connect, connect_fail
class BuffereventConnectTest : public StreamTest {
 protected:
  std::unique_ptr<Stream> New() {
    return std::make_unique<Stream>(NewSocket(-1, BEV_OPT_CLOSE_ON_FREE),
                                    &journal_);
  }
  static int Connect(Stream& bev, const Address& to) {
    return bufferevent_socket_connect(bev, to.sa(), to.size);
  }
};
COMPAT_ON_EVERY_STREAM_MODE(BuffereventConnectTest);

// semantics 10.5, 10.11: reported from the loop, alone, once; with nothing
// written there is no write callback.
// api bufferevent_socket_connect, BEV_EVENT_CONNECTED
TEST_P(BuffereventConnectTest, Tcp) {
  Listening listening;
  auto bev = New();
  EXPECT_EQ(Connect(*bev, listening.address()), 0);
  EXPECT_GE(bufferevent_getfd(*bev), 0);
  EXPECT_EQ(journal_, "");
  bev->OnEvent([&] {
    EXPECT_TRUE(bev->Enabled() & EV_WRITE);
    EXPECT_FALSE(bev->Enabled() & EV_READ);
  });
  ASSERT_TRUE(RunUntil([&] { return bev->events() == 1; }));
  Settle();
  EXPECT_EQ(journal_, "s:CONNECTED");
  const int peer = listening.Accept();
  EXPECT_GE(peer, 0);
  const int fd = bufferevent_getfd(*bev);
  EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
#ifdef TESTING_DEBIAN_LIBEVENT
  EXPECT_EQ(SocketOption(fd, IPPROTO_TCP, TCP_NODELAY), 0);
#else
  // better: no delay on sockets that we connect.
  EXPECT_EQ(SocketOption(fd, IPPROTO_TCP, TCP_NODELAY), 1);
#endif
  close(peer);
}

// semantics 10.2
TEST_P(BuffereventConnectTest, WhatWasWrittenBeforeGoesOutAfter) {
  Listening listening;
  auto bev = New();
  bev->Enable(EV_READ);
  bev->Put("early ");
  EXPECT_EQ(Connect(*bev, listening.address()), 0);
  bev->Put("bird");
  ASSERT_TRUE(RunUntil([&] { return bev->writes() == 1; }));
  EXPECT_EQ(journal_, "s:CONNECTED s:write");
  const int peer = listening.Accept();
  char bytes[16];
  EXPECT_EQ(recv(peer, bytes, sizeof(bytes), 0), 10);
  EXPECT_EQ(send(peer, "worm", 4, 0), 4);
  ASSERT_TRUE(RunUntil([&] { return bev->reads() == 1; }));
  EXPECT_EQ(bev->Take(), "worm");
  close(peer);
  ASSERT_TRUE(RunUntil([&] { return bev->events() == 2; }));
  EXPECT_EQ(journal_, "s:CONNECTED s:write s:read s:EOF|R");
}

// semantics 10.11: the connect of a Unix socket succeeds at once, which is
// still reported from the loop.
TEST_P(BuffereventConnectTest, ImmediateSuccessIsReportedFromTheLoop) {
  Listening listening(AbstractUnix());
  auto bev = New();
  EXPECT_EQ(Connect(*bev, listening.address()), 0);
  EXPECT_EQ(journal_, "");
  ASSERT_TRUE(RunUntil([&] { return bev->events() == 1; }));
  Settle();
#ifdef TESTING_DEBIAN_LIBEVENT
  EXPECT_EQ(journal_, "s:write s:CONNECTED");
#else
  // better: as every other connect: nothing was written, and no callback
  // comes before it is connected.
  EXPECT_EQ(journal_, "s:CONNECTED");
#endif
}

TEST_P(BuffereventConnectTest, UnixWithOutput) {
  Listening listening(AbstractUnix());
  auto bev = New();
  bev->Put("hi");
  EXPECT_EQ(Connect(*bev, listening.address()), 0);
  ASSERT_TRUE(RunUntil([&] { return bev->writes() == 1; }));
  EXPECT_EQ(journal_, "s:CONNECTED s:write");
}

// semantics 10.5: without a direction; the output stays.
TEST_P(BuffereventConnectTest, Refused) {
  Deaf deaf;
  auto bev = New();
  bev->Put("never sent");
  bev->Enable(EV_READ);
  EXPECT_EQ(Connect(*bev, deaf.address()), 0);
  EXPECT_EQ(journal_, "");
  ASSERT_TRUE(RunUntil([&] { return bev->events() == 1; }));
  Settle();
  EXPECT_EQ(journal_, "s:ERROR");
  EXPECT_EQ(bev->last_error(), ECONNREFUSED);
  EXPECT_EQ(bev->OutputSize(), 10u);
  EXPECT_EQ(bufferevent_socket_get_dns_error(*bev), 0);
}

// api bufferevent_socket_connect: a refusal at once is reported the same way.
TEST_P(BuffereventConnectTest, RefusedAtOnce) {
  auto bev = New();
  const int result = Connect(*bev, AbstractUnix());
  EXPECT_EQ(result, 0);
  EXPECT_EQ(journal_, "");
  ASSERT_TRUE(RunUntil([&] { return bev->events() == 1; }));
  Settle();
  EXPECT_EQ(journal_, "s:ERROR");
}

// Another failure at once is the call's own result.
TEST_P(BuffereventConnectTest, ImpossibleAddress) {
  auto bev = New();
  Address nowhere = AbstractUnix();
  nowhere.storage.ss_family = AF_MAX;
  EXPECT_EQ(Connect(*bev, nowhere), -1);
  EXPECT_EQ(bufferevent_getfd(*bev), -1);
  // A path that does not exist: the socket that the call made is closed.
  sockaddr_un* un = reinterpret_cast<sockaddr_un*>(&nowhere.storage);
  un->sun_family = AF_UNIX;
  strcpy(un->sun_path, "/no/such/socket");
  nowhere.size = sizeof(*un);
  const int next = dup(0);
  close(next);
  EXPECT_EQ(Connect(*bev, nowhere), -1);
  EXPECT_FALSE(IsOpen(next));
  Settle();
  EXPECT_EQ(bev->events(), 0);
}

// A failed one may try again, elsewhere.
TEST_P(BuffereventConnectTest, AgainAfterAFailure) {
  Deaf deaf;
  Listening listening;
  auto bev = New();
  bev->Put("x");
  Connect(*bev, deaf.address());
  ASSERT_TRUE(RunUntil([&] { return bev->events() == 1; }));
  const int failed = bufferevent_getfd(*bev);
  bufferevent_setfd(*bev, -1);
  evutil_closesocket(failed);
  bev->Enable(EV_WRITE);
  EXPECT_EQ(Connect(*bev, listening.address()), 0);
  ASSERT_TRUE(RunUntil([&] { return bev->writes() == 1; }));
  EXPECT_EQ(journal_, "s:ERROR s:CONNECTED s:write");
}

// The program's own socket.
TEST_P(BuffereventConnectTest, WithItsOwnSocket) {
  Listening listening;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  Stream bev(NewSocket(fd, BEV_OPT_CLOSE_ON_FREE), &journal_);
  EXPECT_EQ(Connect(bev, listening.address()), 0);
  EXPECT_EQ(bufferevent_getfd(bev), fd);
  ASSERT_TRUE(RunUntil([&] { return bev.events() == 1; }));
  EXPECT_EQ(journal_, "s:CONNECTED");
}

// No address: the descriptor is connecting already.
TEST_P(BuffereventConnectTest, AlreadyConnecting) {
  Listening listening;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const Address to = listening.address();
  (void)connect(fd, to.sa(), to.size);
  Stream bev(NewSocket(fd, BEV_OPT_CLOSE_ON_FREE), &journal_);
  EXPECT_EQ(bufferevent_socket_connect(bev, nullptr, 0), 0);
  ASSERT_TRUE(RunUntil([&] { return bev.events() == 1; }));
  EXPECT_EQ(journal_, "s:CONNECTED");
}

// api bufferevent_disable: it still learns that it is connected.
TEST_P(BuffereventConnectTest, DisabledWhileConnecting) {
  Listening listening;
  auto bev = New();
  bev->Put("held back");
  Connect(*bev, listening.address());
  EXPECT_EQ(bev->Disable(EV_READ | EV_WRITE), 0);
  ASSERT_TRUE(RunUntil([&] { return bev->events() == 1; }));
  Settle();
  EXPECT_EQ(journal_, "s:CONNECTED");
  EXPECT_EQ(bev->OutputSize(), 9u);
  bev->Enable(EV_WRITE);
  ASSERT_TRUE(RunUntil([&] { return bev->writes() == 1; }));
}

// A peer whose queue is full never answers.
class FullListening {
 public:
  FullListening() : listening_(Loopback(), 0) {
    // A backlog of 0 holds one connection: these fill it.
    for (int& fd : fds_) {
      fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      const Address to = address();
      (void)connect(fd, to.sa(), to.size);
    }
  }
  ~FullListening() {
    for (int fd : fds_) close(fd);
  }
  Address address() const { return listening_.address(); }

 private:
  Listening listening_;
  int fds_[3];
};

// semantics 10.7: the write timeout is the connect's.
TEST_P(BuffereventConnectTest, Timeout) {
  FullListening full;
  auto bev = New();
  const timeval soon = Ms(10);
  bufferevent_set_timeouts(*bev, nullptr, &soon);
  EXPECT_EQ(Connect(*bev, full.address()), 0);
  ASSERT_TRUE(RunUntil([&] { return bev->events() == 1; }));
  EXPECT_EQ(journal_, "s:TIMEOUT|W");
}

// semantics 10.10
// api bufferevent_setfd
TEST_P(BuffereventConnectTest, SetfdWhileConnecting) {
  FullListening full;
  SocketPair pair;
  auto bev = New();
  bev->Put("to another");
  Connect(*bev, full.address());
  Settle();
  const int connecting = bufferevent_getfd(*bev);
  EXPECT_EQ(bufferevent_setfd(*bev, pair[0]), 0);
  EXPECT_EQ(bufferevent_getfd(*bev), pair[0]);
  EXPECT_TRUE(IsOpen(connecting));
  close(connecting);
  int got = 0;
  ASSERT_TRUE(RunUntil([&] { return (got += pair.Drain(1)) == 10; }));
  Settle();
#ifdef TESTING_DEBIAN_LIBEVENT
  // It goes on to wait for a connect, which the new descriptor has done.
  EXPECT_EQ(journal_, "s:CONNECTED s:write");
#else
  // better: the connect is over with its descriptor.
  EXPECT_EQ(journal_, "s:write");
#endif
  pair.Release(0);
}

// Freed while connecting: nothing is reported and the socket is closed.
TEST_P(BuffereventConnectTest, FreeWhileConnecting) {
  FullListening full;
  auto bev = New();
  Connect(*bev, full.address());
  const int fd = bufferevent_getfd(*bev);
  Settle();
  bev->Free();
  Settle();
  EXPECT_FALSE(IsOpen(fd));
  EXPECT_EQ(journal_, "");
}

TEST_P(BuffereventConnectTest, FreeInTheConnectedCallback) {
  Listening listening;
  auto bev = New();
  bev->Put("discarded");
  bev->OnEvent([&] { bev->Free(); });
  Connect(*bev, listening.address());
  ASSERT_TRUE(RunUntil([&] { return bev->events() == 1; }));
  Settle();
  EXPECT_EQ(journal_, "s:CONNECTED");
}

}  // namespace
}  // namespace compat
