#include "percore/net/listener/listening_socket.h"

#include "percore/tests/net/listener/listener_fixture.h"

namespace percore {
namespace {

class ListeningSocketTest : public testing::Test {
 protected:
  static Fd Make(unsigned flags, const Address& address = Address::Loopback()) {
    return Fd(MakeBoundSocket(flags, address.get(), address.size));
  }
};

bool HasIpv6() {
  const Address address = Address::V6(in6addr_loopback);
  return Fd(MakeBoundSocket(0, address.get(), address.size)).get() >= 0;
}

// semantics 14.3
TEST_F(ListeningSocketTest, Options) {
  const Fd plain = Make(0);
  EXPECT_EQ(GetOption(plain.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(GetOption(plain.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(GetOption(plain.get(), SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(GetOption(plain.get(), SOL_SOCKET, SO_REUSEPORT), 0);
  EXPECT_EQ(GetOption(plain.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
  EXPECT_EQ(fcntl(plain.get(), F_GETFD) & FD_CLOEXEC, 0);
  const Fd all = Make(LEV_OPT_REUSEABLE | LEV_OPT_REUSEABLE_PORT |
                      LEV_OPT_DEFERRED_ACCEPT | LEV_OPT_CLOSE_ON_EXEC);
  EXPECT_EQ(GetOption(all.get(), SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_EQ(GetOption(all.get(), SOL_SOCKET, SO_REUSEPORT), 1);
  EXPECT_GT(GetOption(all.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
  EXPECT_NE(fcntl(all.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(ListeningSocketTest, V6OnlyAndBoth) {
  if (!HasIpv6()) GTEST_SKIP() << "SKIP: needs IPv6 in the kernel";
  const Address any = Address::V6(in6addr_any);
  const Fd only = Make(LEV_OPT_BIND_IPV6ONLY, any);
  EXPECT_EQ(GetOption(only.get(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
  const Fd both = Make(LEV_OPT_BIND_IPV4_AND_IPV6, any);
  EXPECT_EQ(GetOption(both.get(), IPPROTO_IPV6, IPV6_V6ONLY), 0);
  // Which works: an IPv4 client gets through.
  ASSERT_EQ(listen(both.get(), 8), 0);
  Address v4 = Address::Loopback();
  const Address bound = Address::Of(both.get());
  reinterpret_cast<sockaddr_in*>(&v4.storage)->sin_port =
      reinterpret_cast<const sockaddr_in6*>(&bound.storage)->sin6_port;
  const Fd client(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(connect(client.get(), v4.get(), v4.size), 0);
}

TEST_F(ListeningSocketTest, BothFamiliesIsNothingToIpv4) {
  EXPECT_GE(Make(LEV_OPT_BIND_IPV4_AND_IPV6).get(), 0);
}

// The options of ports and of TCP do not fit local sockets.
TEST_F(ListeningSocketTest, LocalSockets) {
  const Fd fd = Make(LEV_OPT_REUSEABLE, Address::Unix());
  ASSERT_GE(fd.get(), 0);
  EXPECT_EQ(Make(LEV_OPT_REUSEABLE_PORT, Address::Unix()).get(), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_EQ(Make(LEV_OPT_DEFERRED_ACCEPT, Address::Unix()).get(), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
}

// semantics 14.3: errno tells, and no descriptor stays behind.
TEST_F(ListeningSocketTest, Failures) {
  const Fd first = Make(0);
  ASSERT_EQ(listen(first.get(), 8), 0);
  const Address taken = Address::Of(first.get());
  const Fd lowest(dup(first.get()));
  const int next = dup(first.get());
  close(next);
  EXPECT_EQ(Make(0, taken).get(), -1);
  EXPECT_EQ(errno, EADDRINUSE);
  EXPECT_EQ(Make(LEV_OPT_BIND_IPV6ONLY).get(), -1);
  EXPECT_EQ(errno, ENOPROTOOPT);
  EXPECT_EQ(MakeBoundSocket(0, nullptr, 0), -1);
  EXPECT_EQ(errno, EAFNOSUPPORT);
  const Address address = Address::Loopback();
  EXPECT_EQ(MakeBoundSocket(0, address.get(), 3), -1);
  EXPECT_EQ(errno, EINVAL);
  const Fd again(dup(first.get()));
  EXPECT_EQ(again.get(), next);
}

class ListenerOfSocketTest : public ListenerFixture {};
INSTANTIATE_TEST_SUITE_P(Default, ListenerOfSocketTest,
                         testing::Values(Methods()[0]), MethodName);

TEST_P(ListenerOfSocketTest, NodelayIsInheritedAndCanBeTurnedOff) {
  ListenerPtr listener = Bind();
  const Fd a = Connect(listener);
  Turn();
  EXPECT_EQ(GetOption(taker_.taken[0].get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(GetOption(taker_.taken[0].get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(listener->SetNodelay(false), 0);
  const Fd b = Connect(listener);
  Turn();
  EXPECT_EQ(GetOption(taker_.taken[1].get(), IPPROTO_TCP, TCP_NODELAY), 0);
}

TEST_P(ListenerOfSocketTest, NodelayIsForTcp) {
  ListenerPtr listener = Bind(LEV_OPT_CLOSE_ON_FREE, Address::Unix());
  EXPECT_EQ(listener->SetNodelay(true), -1);
  EXPECT_NE(errno, 0);
}

// A socket handed in is the program's: no option of it changes.
TEST_P(ListenerOfSocketTest, ASocketHandedInIsLeftAlone) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  const Address address = Address::Loopback();
  ASSERT_EQ(bind(fd.get(), address.get(), address.size), 0);
  ListenerPtr listener(Listener::New(base_.get(), &Taker::Take, &taker_,
                                     LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
                                     16, fd.get()));
  ASSERT_NE(listener, nullptr);
  EXPECT_EQ(GetOption(fd.get(), SOL_SOCKET, SO_ACCEPTCONN), 1);
  EXPECT_EQ(GetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(GetOption(fd.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(GetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  listener.reset();
  EXPECT_NE(fcntl(fd.get(), F_GETFD), -1);
}

// semantics 14.6
TEST_P(ListenerOfSocketTest, AFailedNewLeavesTheSocketOpen) {
  Fd fd(socket(AF_INET, SOCK_DGRAM, 0));
  errno = 0;
  EXPECT_EQ(Listener::New(base_.get(), &Taker::Take, &taker_,
                          LEV_OPT_CLOSE_ON_FREE, 8, fd.get()),
            nullptr);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_NE(fcntl(fd.get(), F_GETFD), -1);
  EXPECT_EQ(CountAdded(), 0);
}

TEST_P(ListenerOfSocketTest, BindingNeedsABacklog) {
  EXPECT_EQ(Bind(0, Address::Loopback(), 0), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

}  // namespace
}  // namespace percore
