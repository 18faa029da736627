// A listener whose process has no descriptor left.

#include <errno.h>
#include <event2/listener.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <functional>
#include <utility>
#include <vector>

#include "percore/tests/compat/listening.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/stream.h"

namespace compat {
namespace {

// No more descriptors than are open now.
class DescriptorLimit {
 public:
  DescriptorLimit() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = dup(0);
    close(next);
    rlimit now = before_;
    now.rlim_cur = next;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &now), 0);
  }
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_;
};

// listener/error, error_unlock, error_ts
class ListenerErrorTest : public BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    const Address at = Loopback();
    listener_ = evconnlistener_new_bind(
        base(), &ListenerErrorTest::Accept, this,
        LEV_OPT_CLOSE_ON_FREE | (kShared ? LEV_OPT_THREADSAFE : 0), 16, at.sa(),
        at.size);
    ASSERT_NE(listener_, nullptr);
    // Whatever the backend opens when it waits for the first time is open now.
    Settle(base());
    const Address to = LocalAddress(evconnlistener_get_fd(listener_));
    client_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(client_, to.sa(), to.size), 0);
  }
  void TearDown() override {
    Free();
    if (client_ >= 0) close(client_);
    for (int fd : accepted_) close(fd);
  }
  void Free() {
    if (listener_ != nullptr) {
      evconnlistener_free(std::exchange(listener_, nullptr));
    }
  }
  static void Accept(evconnlistener*, evutil_socket_t fd, sockaddr*, int,
                     void* arg) {
    static_cast<ListenerErrorTest*>(arg)->accepted_.push_back(fd);
  }
  static void Error(evconnlistener* listener, void* arg) {
    const int error = errno;
    auto* self = static_cast<ListenerErrorTest*>(arg);
    EXPECT_EQ(listener, self->listener_);
    ++self->errors_;
    self->error_ = error;
    if (self->on_error_) self->on_error_();
  }

  evconnlistener* listener_ = nullptr;
  int client_ = -1, errors_ = 0, error_ = 0;
  std::vector<int> accepted_;
  std::function<void()> on_error_;
};
COMPAT_ON_EVERY_BACKEND(ListenerErrorTest);

// semantics 14.2
// api evconnlistener_set_error_cb, evconnlistener_errorcb
TEST_P(ListenerErrorTest, CallbackAtTheDescriptorLimit) {
  evconnlistener_set_error_cb(listener_, &ListenerErrorTest::Error);
  on_error_ = [this] { evconnlistener_disable(listener_); };
  {
    DescriptorLimit limit;
    ASSERT_TRUE(RunUntil(base(), [&] { return errors_ > 0; }));
    EXPECT_EQ(error_, EMFILE);
    Settle(base());
    EXPECT_EQ(errors_, 1);
    EXPECT_TRUE(accepted_.empty());
  }
  // With descriptors again and enabled again, the connection is there still.
  evconnlistener_enable(listener_);
  EXPECT_TRUE(RunUntil(base(), [&] { return accepted_.size() == 1; }));
}

// semantics 14.2: a program that does not disable it
TEST_P(ListenerErrorTest, NotDisabled) {
  evconnlistener_set_error_cb(listener_, &ListenerErrorTest::Error);
  {
    DescriptorLimit limit;
    ASSERT_TRUE(RunUntil(base(), [&] { return errors_ > 0; }));
    errors_ = 0;
    for (int i = 0; i < 50; ++i) Turn();
#ifdef TESTING_DEBIAN_LIBEVENT
    EXPECT_EQ(errors_, 50);
#else
    // better: it backs off, it does not spin.
    EXPECT_LE(errors_, 2);
#endif
  }
  // And accepts by itself when it can.
  EXPECT_TRUE(RunUntil(base(), [&] { return accepted_.size() == 1; }));
}

// semantics 14.2: without an error callback it warns.
TEST_P(ListenerErrorTest, WithoutACallback) {
  LogCapture log;
  {
    DescriptorLimit limit;
    for (int i = 0; i < 50; ++i) Turn();
    EXPECT_TRUE(accepted_.empty());
    EXPECT_GE(log.Warnings(), 1);
#ifdef TESTING_DEBIAN_LIBEVENT
    EXPECT_EQ(log.Warnings(), 50);
#else
    // better: not each turn.
    EXPECT_LE(log.Warnings(), 2);
#endif
  }
  EXPECT_TRUE(RunUntil(base(), [&] { return accepted_.size() == 1; }));
}

// semantics 14.5
TEST_P(ListenerErrorTest, FreedInTheErrorCallback) {
  evconnlistener_set_error_cb(listener_, &ListenerErrorTest::Error);
  const int fd = evconnlistener_get_fd(listener_);
  on_error_ = [this] { Free(); };
  {
    DescriptorLimit limit;
    ASSERT_TRUE(RunUntil(base(), [&] { return errors_ > 0; }));
  }
  Settle(base());
  EXPECT_EQ(errors_, 1);
  EXPECT_FALSE(IsOpen(fd));
}

// The callback makes room by closing something: the next turn accepts.
TEST_P(ListenerErrorTest, CallbackMakesRoom) {
  evconnlistener_set_error_cb(listener_, &ListenerErrorTest::Error);
  int spare = dup(client_);
  on_error_ = [&] {
    if (spare >= 0) close(std::exchange(spare, -1));
  };
  DescriptorLimit limit;
  EXPECT_TRUE(RunUntil(base(), [&] { return accepted_.size() == 1; }));
  EXPECT_GE(errors_, 1);
}

// semantics 14.2: what has no error callback any more
TEST_P(ListenerErrorTest, CallbackTakenAway) {
  LogCapture log;
  evconnlistener_set_error_cb(listener_, &ListenerErrorTest::Error);
  evconnlistener_set_error_cb(listener_, nullptr);
  DescriptorLimit limit;
  for (int i = 0; i < 5; ++i) Turn();
  EXPECT_EQ(errors_, 0);
  EXPECT_GE(log.Warnings(), 1);
}

}  // namespace
}  // namespace compat
