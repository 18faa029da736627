#include "percore/net/listener/sharded_listener.h"

#include <sched.h>

#include <mutex>
#include <thread>

#include "percore/runtime/core/topology.h"
#include "percore/tests/net/listener/listener_fixture.h"

namespace percore {
namespace {

struct Served {
  int core;
  Accepted connection;
  LiveConnection live;
};

RuntimeOptions Cores(int cores, const std::string& method) {
  RuntimeOptions options;
  options.cores = cores;
  options.method = method;
  return options;
}

class ShardedListenerTest : public testing::TestWithParam<std::string> {
 protected:
  ShardedListenerTest() : runtime_(Cores(3, GetParam())) {}
  void SetUp() override {
    if (!runtime_.status().ok() && GetParam() == "io_uring") {
      GTEST_SKIP() << "SKIP: needs io_uring in the kernel";
    }
    ASSERT_TRUE(runtime_.status().ok());
  }

  void Bind(const ShardedListenerOptions& options,
            const Address& address = Address::Loopback()) {
    auto listener = ShardedListener::Bind(
        runtime_, address.get(), address.size, options,
        [this](int core, Accepted connection, LiveConnection live) {
          EXPECT_EQ(runtime_.CurrentCore(), core);
          std::lock_guard lock(mutex_);
          served_.push_back({core, std::move(connection), std::move(live)});
          changed_.notify_all();
        });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  Fd Connect() {
    const auto* address =
        reinterpret_cast<const sockaddr*>(&listener_->address());
    const int family = address->sa_family;
    Fd fd(socket(family, SOCK_STREAM, 0));
    const socklen_t size =
        family == AF_UNIX ? sizeof(sa_family_t) + 6 : sizeof(sockaddr_in);
    EXPECT_EQ(connect(fd.get(), address, size), 0) << strerror(errno);
    return fd;
  }
  void AwaitServed(std::size_t n) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(8),
                                  [&] { return served_.size() >= n; }));
  }
  std::vector<int> PerCore() {
    std::lock_guard lock(mutex_);
    std::vector<int> counts(3);
    for (const Served& s : served_) ++counts[static_cast<std::size_t>(s.core)];
    return counts;
  }
  void DropOf(int core) {
    std::lock_guard lock(mutex_);
    std::erase_if(served_, [&](const Served& s) { return s.core == core; });
  }

  Runtime runtime_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Served> served_;
  std::unique_ptr<ShardedListener> listener_;
};
INSTANTIATE_TEST_SUITE_P(Backends, ShardedListenerTest,
                         testing::ValuesIn(Methods()), MethodName);

TEST_P(ShardedListenerTest, EveryCoreAccepts) {
  Bind({});
  EXPECT_FALSE(listener_->hands_off());
  EXPECT_FALSE(listener_->steered());
  EXPECT_NE(listener_->port(), 0);
  ASSERT_TRUE(runtime_.Start().ok());
  ASSERT_TRUE(listener_->Start().ok());
  // The kernel's hash: 120 connections miss one of three cores once in 1e21.
  std::vector<Fd> clients;
  for (int i = 0; i < 120; ++i) clients.push_back(Connect());
  AwaitServed(120);
  const std::vector<int> counts = PerCore();
  for (int core = 0; core < 3; ++core) {
    EXPECT_GT(counts[static_cast<std::size_t>(core)], 0);
    EXPECT_EQ(listener_->live(core), counts[static_cast<std::size_t>(core)]);
  }
}

TEST_P(ShardedListenerTest, ConnectionsWaitForStart) {
  Bind({});
  const Fd client = Connect();
  // Before the runtime runs is early enough too.
  ASSERT_TRUE(listener_->Start().ok());
  EXPECT_TRUE(served_.empty());
  ASSERT_TRUE(runtime_.Start().ok());
  AwaitServed(1);
}

TEST_P(ShardedListenerTest, HandOffGoesToTheLeastLoadedCore) {
  ShardedListenerOptions options;
  options.spread = Spread::kHandOff;
  Bind(options);
  EXPECT_TRUE(listener_->hands_off());
  ASSERT_TRUE(runtime_.Start().ok());
  ASSERT_TRUE(listener_->Start().ok());
  std::vector<Fd> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(Connect());
  AwaitServed(30);
  EXPECT_EQ(PerCore(), (std::vector<int>{10, 10, 10}));
  // Connections of core 1 end: the next ones are all for it.
  DropOf(1);
  EXPECT_EQ(listener_->live(1), 0);
  for (int i = 0; i < 10; ++i) clients.push_back(Connect());
  AwaitServed(30);
  EXPECT_EQ(PerCore(), (std::vector<int>{10, 10, 10}));
}

TEST_P(ShardedListenerTest, LocalSocketsAreHandedOff) {
  Bind({}, Address::Unix());
  EXPECT_TRUE(listener_->hands_off());
  EXPECT_EQ(listener_->port(), 0);
  ASSERT_TRUE(runtime_.Start().ok());
  ASSERT_TRUE(listener_->Start().ok());
  std::vector<Fd> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(Connect());
  AwaitServed(6);
  EXPECT_EQ(PerCore(), (std::vector<int>{2, 2, 2}));
}

TEST_P(ShardedListenerTest, SocketsThatMustBeSharedButCannot) {
  ShardedListenerOptions options;
  options.spread = Spread::kSocketPerCore;
  const Address address = Address::Unix();
  const auto listener =
      ShardedListener::Bind(runtime_, address.get(), address.size, options,
                            [](int, Accepted, LiveConnection) {});
  EXPECT_FALSE(listener.ok());
}

TEST_P(ShardedListenerTest, AQuiescedRuntimeRefusesConnections) {
  Bind({});
  ASSERT_TRUE(runtime_.Start().ok());
  ASSERT_TRUE(listener_->Start().ok());
  const Fd client = Connect();
  AwaitServed(1);
  EXPECT_TRUE(runtime_.Drain(5'000'000'000));
  const Fd late(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(connect(late.get(),
                    reinterpret_cast<const sockaddr*>(&listener_->address()),
                    sizeof(sockaddr_in)),
            -1);
  EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_P(ShardedListenerTest, DestroyedWhileItsRuntimeRuns) {
  ShardedListenerOptions options;
  options.spread = Spread::kHandOff;
  Bind(options);
  ASSERT_TRUE(runtime_.Start().ok());
  ASSERT_TRUE(listener_->Start().ok());
  std::vector<Fd> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(Connect());
  listener_.reset();
  // Served ones and their counts outlive it.
  std::lock_guard lock(mutex_);
  served_.clear();
}

// As many cores as processors, which the kernel can tell apart.
TEST(ShardedListenerSteeringTest, AConnectionGoesToTheCoreOfItsProcessor) {
  RuntimeOptions runtime_options;
  runtime_options.name = "steer";
  Runtime runtime(runtime_options);
  ASSERT_TRUE(runtime.status().ok());
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> cores;
  const Address address = Address::Loopback();
  auto listener =
      ShardedListener::Bind(runtime, address.get(), address.size, {},
                            [&](int core, Accepted, LiveConnection) {
                              std::lock_guard lock(mutex);
                              cores.push_back(core);
                              changed.notify_all();
                            });
  ASSERT_TRUE(listener.ok()) << listener.status();
  if (runtime.cores() < 2) GTEST_SKIP() << "SKIP: needs two processors";
  if (runtime.core()->cpu(0) < 0) {
    GTEST_SKIP() << "SKIP: needs threads bound to processors (a CPU quota?)";
  }
  if (!(*listener)->steered()) {
    GTEST_SKIP() << "SKIP: needs SO_ATTACH_REUSEPORT_CBPF in the kernel";
  }
  ASSERT_TRUE(runtime.Start().ok());
  ASSERT_TRUE((*listener)->Start().ok());
  for (int core = 0; core < runtime.cores(); ++core) {
    // On the loopback a packet is handled by the processor that sent it.
    std::thread client([&] {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(static_cast<std::size_t>(runtime.core()->cpu(core)), &one);
      ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
      for (int i = 0; i < 20; ++i) {
        const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
        EXPECT_EQ(
            connect(fd.get(),
                    reinterpret_cast<const sockaddr*>(&(*listener)->address()),
                    sizeof(sockaddr_in)),
            0);
      }
    });
    client.join();
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(8),
                                 [&] { return cores.size() == 20; }));
    EXPECT_EQ(cores, std::vector<int>(20, core));
    cores.clear();
  }
}

}  // namespace
}  // namespace percore
