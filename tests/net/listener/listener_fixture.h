// A base of each backend, listeners that write down what they were given, and
// clients.
#ifndef PERCORE_TESTS_NET_LISTENER_LISTENER_FIXTURE_H_
#define PERCORE_TESTS_NET_LISTENER_LISTENER_FIXTURE_H_

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cctype>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "percore/net/listener/listener.h"
#include "percore/runtime/loop/base_config.h"
#include "percore/runtime/loop/event_base.h"

namespace percore {

// A descriptor that is closed at the end.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { Close(); }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  static Address Of(int fd) {
    Address a;
    a.size = sizeof(a.storage);
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.size),
              0);
    return a;
  }
  static Address Loopback() {
    Address a;
    auto* in = reinterpret_cast<sockaddr_in*>(&a.storage);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.size = sizeof(*in);
    return a;
  }
  static Address V6(const in6_addr& address) {
    Address a;
    auto* in = reinterpret_cast<sockaddr_in6*>(&a.storage);
    in->sin6_family = AF_INET6;
    in->sin6_addr = address;
    a.size = sizeof(*in);
    return a;
  }
  // A name that the system chooses (unix(7), autobind).
  static Address Unix() {
    Address a;
    a.storage.ss_family = AF_UNIX;
    a.size = sizeof(sa_family_t);
    return a;
  }
};

inline int GetOption(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0) << strerror(errno);
  return value;
}

// A connection to whatever address `listening` is bound to.
inline Fd ConnectTo(int listening) {
  const Address address = Address::Of(listening);
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(fd.get(), address.get(), address.size), 0)
      << strerror(errno);
  return fd;
}

// The other side has closed it, without a byte.
inline bool IsClosed(const Fd& fd) {
  pollfd p = {fd.get(), POLLIN, 0};
  char byte;
  return poll(&p, 1, 5000) == 1 && read(fd.get(), &byte, 1) == 0;
}

// Frees what a Listener::New gave.
struct FreeListener {
  void operator()(Listener* listener) const { listener->Free(); }
};
using ListenerPtr = std::unique_ptr<Listener, FreeListener>;

// What a listener calls.
struct Taker {
  std::vector<Fd> taken;
  std::vector<Address> peers;
  std::vector<int> errors;
  std::function<void(Listener*)> on_accept;
  std::function<void(Listener*)> on_error;

  static void Take(evconnlistener* listener, evutil_socket_t fd, sockaddr* peer,
                   int size, void* arg) {
    auto* self = static_cast<Taker*>(arg);
    self->taken.emplace_back(fd);
    Address address;
    std::memcpy(&address.storage, peer, static_cast<std::size_t>(size));
    address.size = static_cast<socklen_t>(size);
    self->peers.push_back(address);
    if (self->on_accept) self->on_accept(Listener::From(listener));
  }
  static void Error(evconnlistener* listener, void* arg) {
    auto* self = static_cast<Taker*>(arg);
    self->errors.push_back(errno);
    if (self->on_error) self->on_error(Listener::From(listener));
  }
  int count() const { return static_cast<int>(taken.size()); }
};

struct FreeEventBase {
  void operator()(EventBase* base) const { base->Free(true); }
};
using EventBasePtr = std::unique_ptr<EventBase, FreeEventBase>;

inline EventBasePtr NewEventBase(const std::string& method,
                                 Clock* clock = nullptr) {
  BaseConfig config;
  EXPECT_TRUE(config.SetMethod(method.c_str()));
  config.clock = clock;
  return EventBasePtr(EventBase::Create(&config));
}

inline std::vector<std::string> Methods() {
  std::vector<std::string> methods;
  for (const char** m = event_get_supported_methods(); *m != nullptr; ++m) {
    methods.emplace_back(*m);
  }
  return methods;
}

// The parameter is a backend's name.
class ListenerFixture : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    base_ = NewEventBase(GetParam());
    if (base_ == nullptr && GetParam() == "io_uring") {
      GTEST_SKIP() << "SKIP: needs io_uring in the kernel";
    }
    ASSERT_NE(base_, nullptr);
  }

  // On 127.0.0.1, or `address`; given to taker_.
  ListenerPtr Bind(unsigned flags = LEV_OPT_CLOSE_ON_FREE,
                   const Address& address = Address::Loopback(),
                   int backlog = 1024) {
    return ListenerPtr(Listener::NewBind(base_.get(), &Taker::Take, &taker_,
                                         flags, backlog, address.get(),
                                         address.size));
  }
  // One turn that does not wait.
  int Turn() { return base_->Loop(EVLOOP_ONCE | EVLOOP_NONBLOCK); }
  // A connection that has come to stand in the kernel's queue.
  Fd Connect(const ListenerPtr& listener) { return ConnectTo(listener->fd()); }
  int CountAdded() { return base_->CountEvents(EVENT_BASE_COUNT_ADDED); }

  EventBasePtr base_;
  Taker taker_;
};

inline std::string MethodName(const testing::TestParamInfo<std::string>& info) {
  std::string name;
  for (char c : info.param) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
  }
  return name;
}

}  // namespace percore

#define PERCORE_ON_EVERY_BACKEND(Suite)                             \
  INSTANTIATE_TEST_SUITE_P(Backends, Suite,                         \
                           testing::ValuesIn(::percore::Methods()), \
                           ::percore::MethodName)

#endif  // PERCORE_TESTS_NET_LISTENER_LISTENER_FIXTURE_H_
