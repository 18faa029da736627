#include "percore/net/listener/accept.h"

#include <utility>

#include "percore/runtime/core/runtime.h"
#include "percore/runtime/core/sleep.h"
#include "percore/runtime/core/spawn.h"
#include "percore/tests/net/listener/accept_faults.h"
#include "percore/tests/net/listener/listener_fixture.h"

namespace percore {
namespace {

using std::chrono::milliseconds;
using MaybeAccepted = absl::StatusOr<Accepted>;

RuntimeOptions OneCore(const std::string& method) {
  RuntimeOptions options;
  options.cores = 1;
  options.method = method;
  return options;
}

// Runs each test's coroutine on the core of a runtime.
class AcceptTest : public testing::TestWithParam<std::string> {
 protected:
  AcceptTest() : runtime_(OneCore(GetParam())) {}
  void SetUp() override {
    accept_faults = AcceptFaults();
    if (!runtime_.status().ok() && GetParam() == "io_uring") {
      GTEST_SKIP() << "SKIP: needs io_uring in the kernel";
    }
    ASSERT_TRUE(runtime_.Start().ok());
  }

  static std::unique_ptr<Acceptor> Bind() {
    const Address address = Address::Loopback();
    auto acceptor = Acceptor::Bind(CurrentBase(), address.get(), address.size);
    EXPECT_TRUE(acceptor.ok()) << acceptor.status();
    return *std::move(acceptor);
  }
  void Run(Task<> (*test)()) { EXPECT_TRUE(BlockOn(runtime_, 0, test()).ok()); }

  Runtime runtime_;
};
INSTANTIATE_TEST_SUITE_P(Backends, AcceptTest, testing::ValuesIn(Methods()),
                         MethodName);

TEST_P(AcceptTest, GivesTheSocketAndThePeer) {
  Run([]() -> Task<> {
    const auto acceptor = Bind();
    const Fd client = ConnectTo(acceptor->fd());
    const MaybeAccepted got = co_await acceptor->Accept();
    EXPECT_TRUE(got.ok());
    if (!got.ok()) co_return;
    const Address name = Address::Of(client.get());
    EXPECT_EQ(got->peer_size(), name.size);
    EXPECT_EQ(std::memcmp(got->peer(), name.get(), name.size), 0);
    EXPECT_EQ(fcntl(got->fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EXPECT_NE(fcntl(got->fd(), F_GETFL) & O_NONBLOCK, 0);
  });
}

TEST_P(AcceptTest, AnAcceptedSocketIsOwned) {
  Run([]() -> Task<> {
    const auto acceptor = Bind();
    const Fd client = ConnectTo(acceptor->fd());
    int fd;
    {
      MaybeAccepted got = co_await acceptor->Accept();
      fd = got->fd();
      const Accepted moved = *std::move(got);
      EXPECT_EQ(got->fd(), -1);
      EXPECT_EQ(moved.fd(), fd);
    }
    EXPECT_EQ(fcntl(fd, F_GETFD), -1);
    const Fd next = ConnectTo(acceptor->fd());
    MaybeAccepted got = co_await acceptor->Accept();
    const Fd released(got->Release());
    got = absl::UnknownError("");
    EXPECT_NE(fcntl(released.get(), F_GETFD), -1);
  });
}

TEST_P(AcceptTest, OneAfterTheOtherInTheirOrder) {
  Run([]() -> Task<> {
    const auto acceptor = Bind();
    std::vector<Fd> clients;
    for (int i = 0; i < 100; ++i) clients.push_back(ConnectTo(acceptor->fd()));
    for (const Fd& client : clients) {
      const MaybeAccepted got = co_await acceptor->Accept();
      const Address name = Address::Of(client.get());
      EXPECT_EQ(std::memcmp(got->peer(), name.get(), name.size), 0);
    }
  });
}

// Who does not await leaves connections to the kernel's queue.
TEST_P(AcceptTest, NothingIsAcceptedWhileNobodyAwaits) {
  Run([]() -> Task<> {
    const auto acceptor = Bind();
    const Fd a = ConnectTo(acceptor->fd());
    const Fd b = ConnectTo(acceptor->fd());
    const int before = accept_faults.calls;
    (void)co_await acceptor->Accept();
    co_await Yield();
    co_await Yield();
    EXPECT_EQ(accept_faults.calls, before + 1);
  });
}

// Sets `begun` and waits.
Task<> TakeOne(Acceptor* acceptor, MaybeAccepted* answer, bool* begun) {
  *begun = true;
  *answer = co_await acceptor->Accept();
}

TEST_P(AcceptTest, OneWaiterAtATime) {
  Run([]() -> Task<> {
    const auto acceptor = Bind();
    MaybeAccepted first = absl::UnknownError("");
    bool begun = false;
    auto waiter = Spawn(RuntimeCore::Current(), 0,
                        TakeOne(acceptor.get(), &first, &begun));
    while (!begun) co_await Yield();
    const MaybeAccepted second = co_await acceptor->Accept();
    EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
    EXPECT_TRUE(
        absl::IsFailedPrecondition(acceptor->OnAccept([](Accepted) {})));
    const Fd client = ConnectTo(acceptor->fd());
    EXPECT_TRUE((co_await waiter.Join()).ok());
    EXPECT_TRUE(first.ok());
  });
}

TEST_P(AcceptTest, CloseCancelsTheWaiter) {
  Run([]() -> Task<> {
    auto acceptor = Bind();
    const int fd = acceptor->fd();
    MaybeAccepted answer = absl::UnknownError("");
    bool begun = false;
    auto waiter = Spawn(RuntimeCore::Current(), 0,
                        TakeOne(acceptor.get(), &answer, &begun));
    while (!begun) co_await Yield();
    acceptor->Close();
    EXPECT_TRUE(absl::IsCancelled(answer.status()));
    EXPECT_EQ(fcntl(fd, F_GETFD), -1);
    EXPECT_TRUE((co_await waiter.Join()).ok());
    const MaybeAccepted late = co_await acceptor->Accept();
    EXPECT_TRUE(absl::IsFailedPrecondition(late.status()));
    EXPECT_EQ(acceptor->fd(), -1);
  });
}

TEST_P(AcceptTest, ACancelledWaiterIsForgotten) {
  Run([]() -> Task<> {
    const auto acceptor = Bind();
    MaybeAccepted answer = absl::UnknownError("");
    bool begun = false;
    {
      auto waiter = Spawn(RuntimeCore::Current(), 0,
                          TakeOne(acceptor.get(), &answer, &begun));
      while (!begun) co_await Yield();
      waiter.Cancel();
      (void)co_await waiter.Join();
    }
    const Fd client = ConnectTo(acceptor->fd());
    co_await Yield();
    EXPECT_TRUE(absl::IsUnknown(answer.status()));
    EXPECT_TRUE((co_await acceptor->Accept()).ok());
  });
}

// Real time: pauses of 10 and 20 ms.
TEST_P(AcceptTest, ALackOfDescriptorsIsWaitedOut) {
  Run([]() -> Task<> {
    const auto acceptor = Bind();
    const Fd client = ConnectTo(acceptor->fd());
    accept_faults.errors = {EMFILE, ENOBUFS};
    const MaybeAccepted got = co_await acceptor->Accept();
    EXPECT_TRUE(got.ok()) << got.status();
  });
}

TEST_P(AcceptTest, ASocketThatCannotAcceptIsAStatus) {
  Run([]() -> Task<> {
    const auto acceptor = Bind();
    const Fd client = ConnectTo(acceptor->fd());
    accept_faults.errors = {EINVAL};
    const MaybeAccepted got = co_await acceptor->Accept();
    EXPECT_TRUE(absl::IsInvalidArgument(got.status())) << got.status();
    EXPECT_TRUE((co_await acceptor->Accept()).ok());
  });
}

TEST_P(AcceptTest, ACallable) {
  Run([]() -> Task<> {
    auto acceptor = Bind();
    std::vector<Accepted> got;
    const absl::Status status = acceptor->OnAccept([&](Accepted a) {
      got.push_back(std::move(a));
      // It may destroy what calls it.
      if (got.size() == 2) acceptor.reset();
    });
    EXPECT_TRUE(status.ok());
    const Fd a = ConnectTo(acceptor->fd());
    const Fd b = ConnectTo(acceptor->fd());
    while (acceptor != nullptr) co_await Yield();
    EXPECT_EQ(got.size(), 2u);
  });
}

TEST_P(AcceptTest, FailuresToBindAreStatuses) {
  Run([]() -> Task<> {
    const auto acceptor = Bind();
    const Address taken = Address::Of(acceptor->fd());
    const auto second = Acceptor::Bind(CurrentBase(), taken.get(), taken.size);
    EXPECT_EQ(second.status().code(),
              absl::ErrnoToStatus(EADDRINUSE, "").code());
    co_return;
  });
}

}  // namespace
}  // namespace percore
