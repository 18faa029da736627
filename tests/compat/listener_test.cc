// evconnlistener: accepting, its callbacks, enabling and freeing.

#include <event2/listener.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "percore/tests/compat/listening.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

// listener/randport, close_accepted_fd, immediate_close
class ListenerTest : public BackendTest {
 protected:
  static constexpr unsigned kOptions =
      LEV_OPT_CLOSE_ON_FREE | (kShared ? LEV_OPT_THREADSAFE : 0);

  void TearDown() override {
    Free();
    for (int fd : accepted_) close(fd);
    for (int fd : clients_) close(fd);
  }
  void Bind(unsigned options = kOptions, Address at = Loopback()) {
    listener_ = evconnlistener_new_bind(base(), &ListenerTest::Accept, this,
                                        options, -1, at.sa(), at.size);
    ASSERT_NE(listener_, nullptr) << strerror(errno);
    address_ = LocalAddress(evconnlistener_get_fd(listener_));
  }
  void Free() {
    if (listener_ != nullptr) {
      evconnlistener_free(std::exchange(listener_, nullptr));
    }
  }
  // The kernel connects it, accepted or not.
  int Client() {
    const int fd =
        socket(address_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, address_.sa(), address_.size), 0);
    clients_.push_back(fd);
    return fd;
  }
  bool AwaitAccepted(size_t count) {
    return RunUntil(base(), [&] { return accepted_.size() >= count; });
  }
  static void Accept(evconnlistener* listener, evutil_socket_t fd,
                     sockaddr* address, int size, void* arg) {
    auto* self = static_cast<ListenerTest*>(arg);
    EXPECT_EQ(listener, self->listener_ ? self->listener_ : listener);
    EXPECT_GT(size, 0);
    self->peer_family_ = address->sa_family;
    self->accepted_.push_back(fd);
    if (self->on_accept_) self->on_accept_();
  }

  evconnlistener* listener_ = nullptr;
  Address address_;
  std::vector<int> accepted_, clients_;
  int peer_family_ = -1;
  std::function<void()> on_accept_;
};
COMPAT_ON_EVERY_BACKEND(ListenerTest);

// semantics 14.1
// api evconnlistener_new_bind, evconnlistener_get_fd, evconnlistener_get_base
// api evconnlistener_free, evconnlistener_cb, LEV_OPT_CLOSE_ON_FREE
// api evconnlistener
TEST_P(ListenerTest, RandomPort) {
  Bind();
  EXPECT_NE(address_.port(), 0);
  EXPECT_EQ(evconnlistener_get_base(listener_), base());
  Client();
  ASSERT_TRUE(AwaitAccepted(1));
  EXPECT_EQ(peer_family_, AF_INET);
  EXPECT_NE(fcntl(accepted_[0], F_GETFL) & O_NONBLOCK, 0);
  ASSERT_EQ(send(clients_[0], "ping", 4, 0), 4);
  char bytes[4];
  EXPECT_EQ(recv(accepted_[0], bytes, 4, 0), 4);
}

// semantics 14.1: all that wait, in one go.
TEST_P(ListenerTest, AcceptsUntilNoneIsLeft) {
  Bind();
  for (int i = 0; i < 20; ++i) Client();
  ASSERT_TRUE(AwaitAccepted(20));
  Settle(base());
  EXPECT_EQ(accepted_.size(), 20u);
}

// api evconnlistener_disable, evconnlistener_enable, LEV_OPT_DISABLED
TEST_P(ListenerTest, DisabledFromTheStart) {
  Bind(kOptions | LEV_OPT_DISABLED);
  Client();
  Settle(base());
  EXPECT_TRUE(accepted_.empty());
  EXPECT_EQ(evconnlistener_enable(listener_), 0);
  EXPECT_EQ(evconnlistener_enable(listener_), 0);
  ASSERT_TRUE(AwaitAccepted(1));
  EXPECT_EQ(evconnlistener_disable(listener_), 0);
  EXPECT_EQ(evconnlistener_disable(listener_), 0);
  Client();
  Settle(base());
  EXPECT_EQ(accepted_.size(), 1u);
  evconnlistener_enable(listener_);
  ASSERT_TRUE(AwaitAccepted(2));
}

// semantics 14.1: disabled by the callback, the loop over the queue stops.
TEST_P(ListenerTest, DisabledInTheCallback) {
  Bind();
  on_accept_ = [this] { evconnlistener_disable(listener_); };
  for (int i = 0; i < 3; ++i) Client();
  ASSERT_TRUE(AwaitAccepted(1));
  Settle(base());
  EXPECT_EQ(accepted_.size(), 1u);
  on_accept_ = nullptr;
  evconnlistener_enable(listener_);
  EXPECT_TRUE(AwaitAccepted(3));
}

// semantics 14.1, 14.5
TEST_P(ListenerTest, FreedInTheCallback) {
  Bind();
  const int fd = evconnlistener_get_fd(listener_);
  on_accept_ = [this] { Free(); };
  for (int i = 0; i < 3; ++i) Client();
  ASSERT_TRUE(AwaitAccepted(1));
  Settle(base());
  EXPECT_EQ(accepted_.size(), 1u);
  EXPECT_FALSE(IsOpen(fd));
}

// The callback may close what it gets, at once.
TEST_P(ListenerTest, AcceptedClosedInTheCallback) {
  Bind();
  int closed = 0;
  on_accept_ = [&] {
    close(accepted_.back());
    accepted_.pop_back();
    ++closed;
  };
  for (int i = 0; i < 4; ++i) Client();
  ASSERT_TRUE(RunUntil(base(), [&] { return closed == 4; }));
  char byte;
  for (int fd : clients_) EXPECT_EQ(recv(fd, &byte, 1, 0), 0);
}

// The client is gone before it is accepted.
TEST_P(ListenerTest, ImmediateClose) {
  Bind();
  const int gone = Client();
  const linger reset = {1, 0};
  setsockopt(gone, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  close(gone);
  clients_.clear();
  Client();
  ASSERT_TRUE(AwaitAccepted(1));
  Settle(base());
  EXPECT_LE(accepted_.size(), 2u);
}

// api evconnlistener_set_cb
TEST_P(ListenerTest, SetCb) {
  Bind();
  Journal journal;
  evconnlistener_set_cb(
      listener_,
      [](evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* arg) {
        static_cast<Journal*>(arg)->Write("other", 0);
        close(fd);
      },
      &journal);
  Client();
  ASSERT_TRUE(RunUntil(base(), [&] { return journal.size() == 1; }));
  EXPECT_TRUE(accepted_.empty());
  evconnlistener_set_cb(listener_, &ListenerTest::Accept, this);
  Client();
  EXPECT_TRUE(AwaitAccepted(1));
  EXPECT_EQ(journal.size(), 1);
}

// semantics 14.4: without a callback it does not accept; set, it does.
TEST_P(ListenerTest, CallbackSetLater) {
  const Address at = Loopback();
  listener_ = evconnlistener_new_bind(base(), nullptr, nullptr, kOptions, -1,
                                      at.sa(), at.size);
  ASSERT_NE(listener_, nullptr);
  address_ = LocalAddress(evconnlistener_get_fd(listener_));
  Client();
  Settle(base());
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  evconnlistener_set_cb(listener_, &ListenerTest::Accept, this);
  EXPECT_TRUE(AwaitAccepted(1));
}

// semantics 14.4: but not one that is disabled.
TEST_P(ListenerTest, CallbackSetWhileDisabled) {
  const Address at = Loopback();
  listener_ = evconnlistener_new_bind(base(), nullptr, nullptr,
                                      kOptions | LEV_OPT_DISABLED, -1, at.sa(),
                                      at.size);
  ASSERT_NE(listener_, nullptr);
  address_ = LocalAddress(evconnlistener_get_fd(listener_));
  Client();
  evconnlistener_set_cb(listener_, &ListenerTest::Accept, this);
  Settle(base());
  EXPECT_TRUE(accepted_.empty());
  evconnlistener_enable(listener_);
  EXPECT_TRUE(AwaitAccepted(1));
}

// semantics 14.4: a callback taken away while it is accepting
TEST_P(ListenerTest, CallbackTakenAway) {
  Bind();
  evconnlistener_set_cb(listener_, nullptr, nullptr);
  const int client = Client();
  char byte;
  // The connection is closed without being told of.
  ASSERT_TRUE(RunUntil(
      base(), [&] { return recv(client, &byte, 1, MSG_DONTWAIT) == 0; }));
  EXPECT_TRUE(accepted_.empty());
}

// api evconnlistener_new: a socket that listens, one that does not yet.
// semantics 14.6
TEST_P(ListenerTest, OnTheProgramsSocket) {
  for (int backlog : {0, 5, -1}) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const Address any = Loopback();
    ASSERT_EQ(bind(fd, any.sa(), any.size), 0);
    if (backlog == 0) {
      ASSERT_EQ(listen(fd, 5), 0);
    }
    listener_ =
        evconnlistener_new(base(), &ListenerTest::Accept, this,
                           kShared ? LEV_OPT_THREADSAFE : 0, backlog, fd);
    ASSERT_NE(listener_, nullptr);
    EXPECT_EQ(evconnlistener_get_fd(listener_), fd);
    address_ = LocalAddress(fd);
    const size_t before = accepted_.size();
    Client();
    EXPECT_TRUE(AwaitAccepted(before + 1));
    // Without CLOSE_ON_FREE it stays the program's.
    Free();
    EXPECT_TRUE(IsOpen(fd));
    close(fd);
  }
}

// semantics 14.6
TEST_P(ListenerTest, FailureLeavesTheProgramsSocket) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(evconnlistener_new(base(), &ListenerTest::Accept, this,
                               LEV_OPT_CLOSE_ON_FREE, 5, ends[0]),
            nullptr);
  EXPECT_TRUE(IsOpen(ends[0]));
  close(ends[0]);
  close(ends[1]);
}

// api evconnlistener_new_bind: a backlog of 0 is refused; so is a port in use,
// and nothing stays open.
TEST_P(ListenerTest, BindFailures) {
  const Address any = Loopback();
  EXPECT_EQ(evconnlistener_new_bind(base(), &ListenerTest::Accept, this,
                                    kOptions, 0, any.sa(), any.size),
            nullptr);
  Listening taken;
  const Address at = taken.address();
  const int next = dup(0);
  close(next);
  EXPECT_EQ(evconnlistener_new_bind(base(), &ListenerTest::Accept, this,
                                    kOptions, 5, at.sa(), at.size),
            nullptr);
  EXPECT_FALSE(IsOpen(next));
}

// Freed while connections wait: they are gone with the socket.
TEST_P(ListenerTest, FreeWithConnectionsWaiting) {
  Bind();
  const int fd = evconnlistener_get_fd(listener_);
  const int client = Client();
  Free();
  Settle(base());
  EXPECT_FALSE(IsOpen(fd));
  char byte;
  EXPECT_LE(recv(client, &byte, 1, 0), 0);
  EXPECT_TRUE(accepted_.empty());
}

}  // namespace
}  // namespace compat
