// LEV_OPT_THREADSAFE: calls from other threads, while the loop accepts.

#include <event2/thread.h>

#include <atomic>
#include <semaphore>
#include <thread>

#include "percore/net/listener/listener.h"
#include "percore/tests/net/listener/listener_fixture.h"

namespace percore {
namespace {

constexpr unsigned kFlags = LEV_OPT_THREADSAFE | LEV_OPT_CLOSE_ON_FREE;

class ListenerThreadTest : public testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(evthread_use_pthreads(), 0); }

  void SetUp() override {
    base_ = NewEventBase(GetParam());
    if (base_ == nullptr && GetParam() == "io_uring") {
      GTEST_SKIP() << "SKIP: needs io_uring in the kernel";
    }
    ASSERT_NE(base_, nullptr);
    ASSERT_TRUE(base_->shared());
    loop_ = std::thread([this] { base_->Loop(EVLOOP_NO_EXIT_ON_EMPTY); });
  }
  void TearDown() override {
    if (!loop_.joinable()) return;
    // Sticky, unlike a break: the thread may not have entered the loop yet.
    base_->RequestStop();
    loop_.join();
  }

  ListenerPtr Bind() {
    const Address address = Address::Loopback();
    return ListenerPtr(Listener::NewBind(base_.get(), &Accepted, this, kFlags,
                                         256, address.get(), address.size));
  }
  static void Accepted(evconnlistener*, evutil_socket_t fd, sockaddr*, int,
                       void* arg) {
    auto* self = static_cast<ListenerThreadTest*>(arg);
    close(fd);
    self->accepted_.fetch_add(1);
    self->entered_.release();
    if (self->hold_.load()) self->go_on_.acquire();
  }

  EventBasePtr base_;
  std::thread loop_;
  std::atomic<int> accepted_{0};
  std::atomic<bool> hold_{false};
  std::counting_semaphore<> entered_{0};
  std::counting_semaphore<> go_on_{0};
};
INSTANTIATE_TEST_SUITE_P(Backends, ListenerThreadTest,
                         testing::ValuesIn(Methods()), MethodName);

TEST_P(ListenerThreadTest, EnabledFromAnotherThreadItAccepts) {
  ListenerPtr listener = Bind();
  listener->Disable();
  const Fd client = ConnectTo(listener->fd());
  listener->Enable();
  entered_.acquire();
  EXPECT_EQ(accepted_.load(), 1);
}

// Disable does not wait for the callback, which could need what the caller
// holds; and after it no further one begins.
TEST_P(ListenerThreadTest, DisabledInTheMiddleOfACallback) {
  ListenerPtr listener = Bind();
  hold_ = true;
  listener->Disable();
  const Fd a = ConnectTo(listener->fd());
  const Fd b = ConnectTo(listener->fd());
  listener->Enable();
  entered_.acquire();
  listener->Disable();
  hold_ = false;
  go_on_.release();
  std::atomic<bool> ran{false};
  // Comes after the callback's end.
  ASSERT_EQ(base_->mailbox()->Send(Message([&] {
    ran = true;
    ran.notify_all();
  })),
            SendResult::kOk);
  ran.wait(false);
  EXPECT_EQ(accepted_.load(), 1);
  listener->Enable();
  entered_.acquire();
  EXPECT_EQ(accepted_.load(), 2);
}

// semantics 14.5: the socket goes when the callback has returned.
TEST_P(ListenerThreadTest, FreedInTheMiddleOfACallback) {
  ListenerPtr listener = Bind();
  const int fd = listener->fd();
  hold_ = true;
  const Fd client = ConnectTo(fd);
  entered_.acquire();
  listener.reset();
  EXPECT_NE(fcntl(fd, F_GETFD), -1);
  hold_ = false;
  go_on_.release();
  TearDown();
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
  EXPECT_EQ(accepted_.load(), 1);
}

// One thread connects, one enables, disables and changes callbacks.
TEST_P(ListenerThreadTest, EverythingAtOnce) {
  ListenerPtr listener = Bind();
  std::atomic<bool> over{false};
  std::thread changer([&] {
    while (!over) {
      listener->Disable();
      listener->SetErrorCallback(&Taker::Error);
      listener->SetCallback(&Accepted, this);
      listener->SetErrorCallback(nullptr);
      listener->Enable();
    }
  });
  for (int i = 0; i < 200; ++i) ConnectTo(listener->fd());
  over = true;
  changer.join();
  for (int i = 0; i < 200; ++i) entered_.acquire();
  EXPECT_EQ(accepted_.load(), 200);
}

// Freed by another thread while the loop is on its way into a callback.
TEST_P(ListenerThreadTest, FreedWhileConnectionsCome) {
  for (int i = 0; i < 100; ++i) {
    ListenerPtr listener = Bind();
    const Fd a = ConnectTo(listener->fd());
    const Fd b = ConnectTo(listener->fd());
    if (i % 2 == 0) entered_.acquire();
    listener.reset();
  }
}

}  // namespace
}  // namespace percore
