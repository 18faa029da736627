// What the conformance suites of the backends share: every backend of this
// machine as a parameter, descriptors, and a backend to wait in.
#ifndef PERCORE_TESTS_CONFORMANCE_BACKEND_FIXTURE_H_
#define PERCORE_TESTS_CONFORMANCE_BACKEND_FIXTURE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "percore/runtime/backend/backend.h"
#include "percore/runtime/system/clock.h"
#include "percore/tests/conformance/kinds.h"

namespace percore::conformance {

inline constexpr std::int64_t kMs = 1000000;
inline constexpr std::int64_t kSoon = 2000 * kMs;  // for what must come

struct Param {
  const BackendKind* kind;
  bool shared;
  bool precise;
};

inline std::vector<Param> Params(int features, bool shared_only) {
  std::vector<Param> params;
  for (const BackendKind* kind : ConformanceKinds()) {
    if ((kind->features & features) != features) continue;
    for (bool shared : {false, true}) {
      if (shared_only && !shared) continue;
      for (bool precise : {false, true}) {
        params.push_back({kind, shared, precise});
      }
    }
  }
  return params;
}

inline std::string ParamName(const testing::TestParamInfo<Param>& info) {
  return std::string(info.param.kind->name) +
         (info.param.shared ? "_shared" : "_owned") +
         (info.param.precise ? "_precise" : "");
}

inline void NonBlocking(int fd) {
  ASSERT_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

// A pair of descriptors, closed at the end unless closed before.
struct Pair {
  Pair() = default;
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    CloseEnd(0);
    CloseEnd(1);
  }
  void CloseEnd(int i) {
    if (fd[i] >= 0) close(fd[i]);
    fd[i] = -1;
  }
  void Write(int i, const char* text = "x") {
    const std::size_t n = std::string(text).size();
    ASSERT_EQ(write(fd[i], text, n), static_cast<ssize_t>(n));
  }
  void Drain(int i) {
    char buffer[256];
    while (read(fd[i], buffer, sizeof(buffer)) > 0) {
    }
  }
  int fd[2] = {-1, -1};
};

struct Sockets : Pair {
  Sockets() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
  }
};

struct Pipe : Pair {  // fd[0] reads
  Pipe() { EXPECT_EQ(pipe2(fd, O_NONBLOCK), 0); }
};

// Two ends of a TCP connection over loopback.
struct Tcp : Pair {
  Tcp() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener, generic, size), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    EXPECT_EQ(getsockname(listener, generic, &size), 0);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(fd[0], generic, size), 0);
    fd[1] = accept(listener, nullptr, nullptr);
    close(listener);
    NonBlocking(fd[0]);
    NonBlocking(fd[1]);
  }
};

class BackendTest : public testing::TestWithParam<Param> {
 protected:
  void SetUp() override {
    const std::string skip = ConformanceSkip(TestName());
    if (!skip.empty()) GTEST_SKIP() << "SKIP: " << skip;
    const BackendKind* kind = GetParam().kind;
    if (!kind->Available()) {
      GTEST_SKIP() << "SKIP: this kernel offers no " << kind->name;
    }
    backend_.reset(Create());
    ASSERT_NE(backend_, nullptr) << kind->name << ": errno " << errno;
  }

  // Without the parameter.
  static std::string TestName() {
    const std::string name =
        testing::UnitTest::GetInstance()->current_test_info()->name();
    return name.substr(0, name.find('/'));
  }

  static Backend* Create() {
    BackendOptions options;
    options.shared = GetParam().shared;
    options.precise_timer = GetParam().precise;
    return GetParam().kind->create(options);
  }

  bool Offers(int feature) const {
    return (GetParam().kind->features & feature) != 0;
  }

  // One wait; what is ready by descriptor, without the edge bit.
  std::map<int, Interest> Wait(std::int64_t timeout_ns) {
    ReadyList ready;
    EXPECT_EQ(backend_->Wait(timeout_ns, &ready), 0);
    std::map<int, Interest> found;
    for (const Ready& one : ready) {
      found[one.fd] =
          static_cast<Interest>(found[one.fd] | (one.what & ~kInterestEdge));
      generation_[one.fd] = one.generation;
      if (one.what & kInterestEdge) edge_bit_ = true;
    }
    return found;
  }

  // Waits until something is ready; some waits may end with nothing.
  std::map<int, Interest> WaitReady() {
    const std::int64_t end = RealMonotonicNs() + kSoon;
    for (;;) {
      const std::int64_t left = end - RealMonotonicNs();
      auto found = Wait(left > 0 ? left : 0);
      if (!found.empty() || left <= 0) return found;
    }
  }

  // Nothing is ready, also for some time to come.
  void ExpectQuiet() {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(Wait(0).empty());
    EXPECT_TRUE(Wait(2 * kMs).empty());
  }

  // For what measures time: the kernel tears a ring of an earlier test down in
  // its own time and interrupts the waits of the thread that used it.
  template <typename F>
  void OnFreshThread(F&& measure) {
    if (surroundings_ != nullptr) return measure();  // no kernel in them
    std::thread thread(measure);
    thread.join();
  }

  void Watch(int fd, Interest interest, std::uint32_t generation = 1) {
    ASSERT_EQ(backend_->Update(fd, generation, kInterestNone, interest), 0);
  }

  const std::shared_ptr<void> surroundings_ = ConformanceSurroundings();
  std::unique_ptr<Backend> backend_;
  std::map<int, std::uint32_t> generation_;
  bool edge_bit_ = false;
};

// What only backends with a feature, or shared bases, have.
class EdgeBackendTest : public BackendTest {};
class EarlyCloseBackendTest : public BackendTest {};
class SharedBackendTest : public BackendTest {};

}  // namespace percore::conformance

#endif  // PERCORE_TESTS_CONFORMANCE_BACKEND_FIXTURE_H_
