// The simulated network and time, without cores.
#include "percore/runtime/backend/sim/world.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "percore/runtime/backend/sim/peer.h"
#include "percore/runtime/backend/sim/sim_backend.h"
#include "percore/runtime/loop/event_base.h"

namespace percore::sim {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A listening socket, as a program makes it.
struct Listener {
  explicit Listener(int backlog = 16, int wanted = 0)
      : fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address = Loopback(wanted);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const int on = 1;
    EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
    EXPECT_EQ(bind(fd, generic, size), 0);
    EXPECT_EQ(listen(fd, backlog), 0);
    EXPECT_EQ(getsockname(fd, generic, &size), 0);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(fd); }

  // Waits for a connection. A blocking descriptor.
  int Accept(World* world) {
    for (int i = 0; i < 1000; ++i) {
      const int accepted = accept4(fd, nullptr, nullptr, 0);
      if (accepted >= 0) return accepted;
      world->RunFor(kSecond / 1000);
    }
    ADD_FAILURE() << "nobody has come";
    return -1;
  }

  int fd;
  int port = 0;
};

TEST(SimWorldTest, BytesArriveWholeAndInOrderWhateverTheNetworkDoes) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Faults faults = Faults::FromSeed(seed);
    faults.reset = faults.accept_aborted = 0;
    World world({.seed = seed, .faults = faults});
    Listener listener;
    Peer client(&world, listener.port);
    std::string sent;
    for (int i = 0; i < 2000; ++i) sent += std::to_string(i) + ",";
    client.Send(sent);
    client.Finish();
    const int fd = listener.Accept(&world);
    // Blocking calls: the World goes on meanwhile.
    std::string got;
    char buffer[3000];
    for (;;) {
      const ssize_t n = read(fd, buffer, sizeof(buffer));
      ASSERT_GE(n, 0) << std::strerror(errno);
      if (n == 0) break;
      got.append(buffer, static_cast<std::size_t>(n));
      for (ssize_t at = 0; at < n;) {
        const ssize_t written =
            write(fd, buffer + at, static_cast<std::size_t>(n - at));
        ASSERT_GT(written, 0) << std::strerror(errno);
        at += written;
      }
    }
    EXPECT_EQ(got, sent);
    EXPECT_EQ(close(fd), 0);
    EXPECT_TRUE(world.RunUntil(1000 * kSecond, [&] { return client.ended(); }));
    EXPECT_EQ(client.error(), 0);
    EXPECT_EQ(client.received(), sent);
  }
}

TEST(SimWorldTest, ManyWritesArePartialAndReadsShort) {
  World world({.seed = 1,
               .faults = {.partial_write = 2,
                          .short_read = 2,
                          .spurious_again = 3,
                          .buffer = 1000}});
  Listener listener;
  Peer client(&world, listener.port);
  int fd = listener.Accept(&world);
  ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  const std::string bytes(5000, 'x');
  std::set<ssize_t> sizes;
  for (int i = 0; i < 50; ++i) {
    sizes.insert(send(fd, bytes.data(), 400, MSG_NOSIGNAL));
    world.RunFor(1000);
  }
  EXPECT_TRUE(sizes.contains(-1));
  EXPECT_TRUE(sizes.contains(400));
  EXPECT_GT(sizes.size(), 10u);
  // A peer that does not read fills the connection, and no more.
  client.SetReading(false);
  world.RunFor(1000);
  ssize_t all = 0;
  for (int i = 0; i < 200; ++i) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) all += n;
    world.RunFor(1000);
  }
  EXPECT_LE(all, 1000);
  EXPECT_GT(all, 0);
  close(fd);
}

TEST(SimWorldTest, ConnectionsAreReorderedButNotTheirBytes) {
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    World world({.seed = seed, .faults = {.delay_ns = 1'000'000}});
    Listener listener;
    std::vector<std::unique_ptr<Peer>> clients;
    std::string order;
    for (char c : {'a', 'b', 'c'}) {
      clients.push_back(std::make_unique<Peer>(&world, listener.port));
      clients.back()->OnEvent([&order, c, client = clients.back().get()] {
        if (client->connected() && order.find(c) == std::string::npos) {
          order += c;
        }
      });
    }
    EXPECT_TRUE(world.RunUntil(kSecond, [&] { return order.size() == 3; }));
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(SimWorldTest, ListenersOfOnePortShareItsConnections) {
  World world({.seed = 2});
  Listener one(64);
  Listener two(64, one.port);
  std::vector<std::unique_ptr<Peer>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Peer>(&world, one.port));
  }
  world.RunFor(kSecond);
  int accepted[2] = {0, 0};
  for (const int listener : {0, 1}) {
    for (int fd; (fd = accept(listener == 0 ? one.fd : two.fd, nullptr,
                              nullptr)) >= 0;) {
      ++accepted[listener];
      close(fd);
    }
  }
  EXPECT_EQ(accepted[0] + accepted[1], 20);
  EXPECT_GT(accepted[0], 0);
  EXPECT_GT(accepted[1], 0);
}

TEST(SimWorldTest, RefusedWhereNobodyListens) {
  World world({.seed = 1});
  Peer client(&world, 4711);
  EXPECT_TRUE(world.RunUntil(kSecond, [&] { return client.ended(); }));
  EXPECT_EQ(client.error(), ECONNREFUSED);
  // And to a program: by the call, or later.
  const sockaddr_in address = Loopback(4711);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const int blocking = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(connect(blocking, generic, sizeof(address)), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  close(blocking);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  EXPECT_EQ(connect(fd, generic, sizeof(address)), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  world.RunFor(kSecond);
  int error = 0;
  socklen_t size = sizeof(error);
  EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
  EXPECT_EQ(error, ECONNREFUSED);
  close(fd);
}

TEST(SimWorldTest, ProgramsConnectToEachOther) {
  World world({.seed = 1, .faults = {.delay_ns = 1000}});
  Listener listener;
  const sockaddr_in address = Loopback(listener.port);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
      0);
  const int accepted = listener.Accept(&world);
  sockaddr_in name{};
  socklen_t size = sizeof(name);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size), 0);
  sockaddr_in peer{};
  ASSERT_EQ(getpeername(accepted, reinterpret_cast<sockaddr*>(&peer), &size),
            0);
  EXPECT_EQ(name.sin_port, peer.sin_port);
  ASSERT_EQ(write(fd, "hello", 5), 5);
  char buffer[8];
  for (ssize_t got = 0; got < 5;) {
    const ssize_t n = recv(accepted, buffer, 5, 0);
    ASSERT_GT(n, 0);
    got += n;
  }
  // A duplicate holds the connection.
  const int copy = dup(fd);
  close(fd);
  world.RunFor(kSecond);
  EXPECT_EQ(recv(accepted, buffer, 5, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  close(copy);
  EXPECT_EQ(read(accepted, buffer, 5), 0);
  close(accepted);
  EXPECT_EQ(world.network().descriptors(), 1u);  // the listener
}

TEST(SimWorldTest, ClosingWithUnreadBytesResets) {
  World world({.seed = 1});
  Listener listener;
  Peer client(&world, listener.port);
  client.Send("unread");
  const int fd = listener.Accept(&world);
  world.RunFor(kSecond);
  close(fd);
  EXPECT_TRUE(world.RunUntil(kSecond, [&] { return client.ended(); }));
  EXPECT_EQ(client.error(), ECONNRESET);
}

TEST(SimWorldTest, WritingToAClosedConnectionResetsAndThenBreaksThePipe) {
  World world({.seed = 1});
  Listener listener;
  auto client = std::make_unique<Peer>(&world, listener.port);
  const int fd = listener.Accept(&world);
  client.reset();
  char c;
  EXPECT_EQ(read(fd, &c, 1), 0);
  EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);  // half of it may be open
  world.RunFor(kSecond);
  EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
  close(fd);
}

TEST(SimWorldTest, SomeSeedsBreakConnections) {
  int broken = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world({.seed = seed, .faults = {.reset = 10, .segment = 64}});
    Listener listener;
    Peer client(&world, listener.port);
    client.Send(std::string(500, 'x'));
    client.Finish();
    const int fd = listener.Accept(&world);
    char buffer[600];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
    }
    if (n < 0) {
      EXPECT_EQ(errno, ECONNRESET);
      world.RunFor(kSecond);
      EXPECT_TRUE(client.ended());
      ++broken;
    }
    close(fd);
  }
  EXPECT_GT(broken, 3);
  EXPECT_LT(broken, 20);
}

TEST(SimWorldTest, AFullQueueIsAskedAgain) {
  World world({.seed = 1});
  Listener listener(/*backlog=*/2);
  std::vector<std::unique_ptr<Peer>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<Peer>(&world, listener.port));
    clients.back()->Send("x");
  }
  int accepted = 0;
  for (int second = 0; second < 10; ++second) {
    world.RunFor(kSecond);
    for (int fd; (fd = accept(listener.fd, nullptr, nullptr)) >= 0;) {
      close(fd);
      ++accepted;
    }
    if (second == 0) {
      EXPECT_EQ(accepted, 2);
    }
  }
  EXPECT_EQ(accepted, 5);
}

TEST(SimWorldTest, ALoopAndItsTimersRunWithoutCores) {
  World world({.seed = 1});
  BaseConfig config;
  config.owned = true;
  config.clock = world.clock();
  config.backend = world.backend();
  EventBase* base = EventBase::Create(&config);
  ASSERT_NE(base, nullptr);
  base->SetExecutor(world.current());
  const std::int64_t before = world.MonotonicNs();
  const std::time_t wall = std::time(nullptr);
  const timeval hour = {3600, 0};
  EXPECT_EQ(base->LoopExit(&hour), 0);
  EXPECT_EQ(base->Loop(EVLOOP_NO_EXIT_ON_EMPTY), 0);
  EXPECT_EQ(world.MonotonicNs() - before, 3600 * kSecond);
  EXPECT_EQ(std::time(nullptr) - wall, 3600);
  base->Free(false);
}

TEST(SimWorldTest, IsNoMethodThatCouldBeChosen) {
  for (const BackendKind* kind = BackendKinds(); kind->name != nullptr;
       ++kind) {
    EXPECT_STRNE(kind->name, "sim");
  }
  BaseConfig config;
  ASSERT_TRUE(config.SetMethod("sim"));
  EXPECT_EQ(EventBase::Create(&config), nullptr);
  // Nor made where there is no world.
  errno = 0;
  EXPECT_EQ(SimBackendKind()->create({}), nullptr);
  EXPECT_EQ(errno, ENOTSUP);
}

TEST(SimWorldTest, AWaitThatNothingCanEndIsTold) {
  World world({.seed = 1});
  EXPECT_FALSE(world.RunUntil(-1, [] { return false; }));
}

TEST(SimWorldDeathTest, ASpinningProgramIsNamedWithItsSeed) {
  EXPECT_DEATH(
      {
        World world({.seed = 77, .steps_at_one_time = 1000});
        std::function<void()> again = [&] { world.After(0, again); };
        again();
        world.RunFor(1);
      },
      "seed 77");
}

}  // namespace
}  // namespace percore::sim
