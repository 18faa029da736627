#include "percore/net/listener/listener.h"

#include "percore/tests/net/listener/listener_fixture.h"

namespace percore {
namespace {

class ListenerTest : public ListenerFixture {};
PERCORE_ON_EVERY_BACKEND(ListenerTest);

// semantics 14.1
TEST_P(ListenerTest, AcceptsAllThatWaitInOneTurn) {
  ListenerPtr listener = Bind();
  ASSERT_NE(listener, nullptr);
  const Fd a = Connect(listener);
  const Fd b = Connect(listener);
  Turn();
  ASSERT_EQ(taker_.count(), 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const Address client = Address::Of(i == 0 ? a.get() : b.get());
    ASSERT_EQ(taker_.peers[i].size, client.size);
    EXPECT_EQ(
        std::memcmp(&taker_.peers[i].storage, &client.storage, client.size), 0);
  }
  Turn();
  EXPECT_EQ(taker_.count(), 2);
}

TEST_P(ListenerTest, ManyConnectionsLeaveTimeForOthers) {
  ListenerPtr one = Bind();
  ListenerPtr other = Bind();
  Taker others;
  other->SetCallback(&Taker::Take, &others);
  std::vector<Fd> clients;
  for (int i = 0; i < 2 * Listener::kBatch + 3; ++i) {
    clients.push_back(Connect(one));
  }
  clients.push_back(Connect(other));
  Turn();
  EXPECT_EQ(taker_.count(), Listener::kBatch);
  EXPECT_EQ(others.count(), 1);
  Turn();
  EXPECT_EQ(taker_.count(), 2 * Listener::kBatch);
  Turn();
  EXPECT_EQ(taker_.count(), 2 * Listener::kBatch + 3);
}

TEST_P(ListenerTest, AcceptedSocketsAreAsTheFlagsSay) {
  struct Case {
    unsigned flags;
    bool nonblocking;
    bool close_on_exec;
  };
  for (const Case& c : {Case{0, true, false},
                        Case{LEV_OPT_LEAVE_SOCKETS_BLOCKING, false, false},
                        Case{LEV_OPT_CLOSE_ON_EXEC, true, true}}) {
    ListenerPtr listener = Bind(c.flags | LEV_OPT_CLOSE_ON_FREE);
    const Fd client = Connect(listener);
    Turn();
    const int fd = taker_.taken.back().get();
    EXPECT_EQ((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, c.nonblocking);
    EXPECT_EQ((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, c.close_on_exec);
    EXPECT_EQ((fcntl(listener->fd(), F_GETFD) & FD_CLOEXEC) != 0,
              c.close_on_exec);
    EXPECT_NE(fcntl(listener->fd(), F_GETFL) & O_NONBLOCK, 0);
  }
}

// semantics 14.1
TEST_P(ListenerTest, DisableInTheCallbackEndsTheLoop) {
  ListenerPtr listener = Bind();
  const Fd a = Connect(listener);
  const Fd b = Connect(listener);
  taker_.on_accept = [](Listener* l) { EXPECT_EQ(l->Disable(), 0); };
  Turn();
  EXPECT_EQ(taker_.count(), 1);
  EXPECT_EQ(CountAdded(), 0);
  Turn();
  EXPECT_EQ(taker_.count(), 1);
  EXPECT_EQ(listener->Enable(), 0);
  EXPECT_EQ(listener->Enable(), 0);
  EXPECT_EQ(CountAdded(), 1);
  Turn();
  EXPECT_EQ(taker_.count(), 2);
}

// semantics 14.5
TEST_P(ListenerTest, FreeInTheCallbackEndsTheLoop) {
  ListenerPtr listener = Bind();
  const Fd a = Connect(listener);
  const Fd b = Connect(listener);
  const int fd = listener->fd();
  taker_.on_accept = [&](Listener*) { listener.reset(); };
  Turn();
  EXPECT_EQ(taker_.count(), 1);
  EXPECT_EQ(CountAdded(), 0);
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

// semantics 14.4
TEST_P(ListenerTest, WithoutACallbackNothingIsAccepted) {
  const Address address = Address::Loopback();
  ListenerPtr listener(Listener::NewBind(base_.get(), nullptr, nullptr,
                                         LEV_OPT_CLOSE_ON_FREE, -1,
                                         address.get(), address.size));
  ASSERT_NE(listener, nullptr);
  const Fd client = Connect(listener);
  EXPECT_EQ(CountAdded(), 0);
  EXPECT_EQ(listener->Enable(), 0);
  EXPECT_EQ(CountAdded(), 0);
  listener->SetCallback(&Taker::Take, &taker_);
  EXPECT_EQ(CountAdded(), 1);
  Turn();
  EXPECT_EQ(taker_.count(), 1);
}

// semantics 14.4
TEST_P(ListenerTest, ACallbackTakenAwayClosesConnections) {
  ListenerPtr listener = Bind();
  listener->SetCallback(nullptr, nullptr);
  const Fd client = Connect(listener);
  Turn();
  EXPECT_TRUE(IsClosed(client));
  listener->SetCallback(&Taker::Take, &taker_);
  const Fd next = Connect(listener);
  Turn();
  EXPECT_EQ(taker_.count(), 1);
}

TEST_P(ListenerTest, ACallbackMayTakeItselfAway) {
  ListenerPtr listener = Bind();
  const Fd a = Connect(listener);
  const Fd b = Connect(listener);
  taker_.on_accept = [](Listener* l) { l->SetCallback(nullptr, nullptr); };
  Turn();
  EXPECT_EQ(taker_.count(), 1);
  EXPECT_TRUE(IsClosed(b));
}

TEST_P(ListenerTest, MadeDisabledItWaits) {
  ListenerPtr listener = Bind(LEV_OPT_CLOSE_ON_FREE | LEV_OPT_DISABLED);
  const Fd client = Connect(listener);
  Turn();
  EXPECT_EQ(taker_.count(), 0);
  // A callback alone does not enable it.
  listener->SetCallback(nullptr, nullptr);
  listener->SetCallback(&Taker::Take, &taker_);
  Turn();
  EXPECT_EQ(taker_.count(), 0);
  listener->Enable();
  Turn();
  EXPECT_EQ(taker_.count(), 1);
}

TEST_P(ListenerTest, LocalSocketsHaveNoPeerNameAndWork) {
  ListenerPtr listener = Bind(LEV_OPT_CLOSE_ON_FREE, Address::Unix());
  ASSERT_NE(listener, nullptr);
  const Fd client = Connect(listener);
  Turn();
  ASSERT_EQ(taker_.count(), 1);
  EXPECT_EQ(taker_.peers[0].storage.ss_family, AF_UNIX);
  ASSERT_EQ(write(client.get(), "x", 1), 1);
  char byte;
  EXPECT_EQ(read(taker_.taken[0].get(), &byte, 1), 1);
}

// A descriptor that is not non-blocking would stop the loop in accept.
TEST_P(ListenerTest, ABlockingSocketDoesNotBlockTheLoop) {
  Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  const Address address = Address::Loopback();
  ASSERT_EQ(bind(fd.get(), address.get(), address.size), 0);
  ListenerPtr listener(
      Listener::New(base_.get(), &Taker::Take, &taker_, 0, -1, fd.get()));
  ASSERT_NE(listener, nullptr);
  const Fd a = Connect(listener);
  const Fd b = Connect(listener);
  Turn();
  Turn();
  EXPECT_EQ(taker_.count(), 2);
  Turn();
}

TEST_P(ListenerTest, ItMayGoAfterItsBase) {
  ListenerPtr listener = Bind();
  ListenerPtr disabled = Bind(LEV_OPT_CLOSE_ON_FREE | LEV_OPT_DISABLED);
  base_.reset();
}

struct Refused : std::exception {};

TEST_P(ListenerTest, AnExceptionLeavesItUsable) {
  ListenerPtr listener = Bind();
  const Fd a = Connect(listener);
  const Fd b = Connect(listener);
  taker_.on_accept = [](Listener*) { throw Refused(); };
  EXPECT_THROW(Turn(), Refused);
  EXPECT_EQ(taker_.count(), 1);
  taker_.on_accept = nullptr;
  Turn();
  EXPECT_EQ(taker_.count(), 2);
}

// Freed in the loop, and the number used again before the next turn: nothing
// of the old listener may reach the new one.
TEST_P(ListenerTest, ADescriptorNumberUsedAgainIsClean) {
  ListenerPtr listener = Bind();
  std::function<void()> bind_again = [&] {
    const int fd = listener->fd();
    listener.reset();
    listener = Bind();
    EXPECT_EQ(listener->fd(), fd);
  };
  const auto run = [](evutil_socket_t, short, void* arg) {
    (*static_cast<std::function<void()>*>(arg))();
  };
  const timeval now = {0, 0};
  for (int i = 0; i < 3; ++i) {
    base_->Once(-1, EV_TIMEOUT, run, &bind_again, &now);
    Turn();
    const Fd client = Connect(listener);
    Turn();
    EXPECT_EQ(taker_.count(), i + 1);
    EXPECT_EQ(CountAdded(), 1);
  }
  EXPECT_EQ(base_->Stats().stale_reports, 0u);
}

}  // namespace
}  // namespace percore
