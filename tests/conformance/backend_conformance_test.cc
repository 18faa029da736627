// One suite for every backend of this machine: what backend.h promises.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "percore/runtime/backend/backend.h"
#include "percore/runtime/system/clock.h"
#include "percore/runtime/system/process_state.h"
#include "percore/tests/conformance/kinds.h"

namespace percore {
namespace {

constexpr std::int64_t kMs = 1000000;
constexpr std::int64_t kSoon = 2000 * kMs;  // for what must come

struct Param {
  const BackendKind* kind;
  bool shared;
  bool precise;
};

std::vector<Param> Params(int features, bool shared_only) {
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

std::string ParamName(const testing::TestParamInfo<Param>& info) {
  return std::string(info.param.kind->name) +
         (info.param.shared ? "_shared" : "_owned") +
         (info.param.precise ? "_precise" : "");
}

void NonBlocking(int fd) {
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

INSTANTIATE_TEST_SUITE_P(All, BackendTest, testing::ValuesIn(Params(0, false)),
                         ParamName);
INSTANTIATE_TEST_SUITE_P(All, EdgeBackendTest,
                         testing::ValuesIn(Params(kFeatureEdgeTriggered,
                                                  false)),
                         ParamName);
INSTANTIATE_TEST_SUITE_P(All, EarlyCloseBackendTest,
                         testing::ValuesIn(Params(kFeatureEarlyClose, false)),
                         ParamName);
INSTANTIATE_TEST_SUITE_P(All, SharedBackendTest,
                         testing::ValuesIn(Params(0, true)), ParamName);

// semantics 5.1
TEST_P(BackendTest, SaysItsNameAndFeatures) {
  EXPECT_STREQ(backend_->name(), GetParam().kind->name);
  EXPECT_EQ(backend_->features(), GetParam().kind->features);
}

TEST_P(BackendTest, ReportsReadableForAsLongAsItIs) {
  Sockets s;
  Watch(s.fd[0], kInterestRead, 7);
  ExpectQuiet();
  s.Write(1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
    EXPECT_EQ(generation_[s.fd[0]], 7u);
  }
  s.Drain(0);
  ExpectQuiet();
  s.Write(1);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
}

TEST_P(BackendTest, ReportsWritableForAsLongAsItIs) {
  Sockets s;
  Watch(s.fd[0], kInterestWrite);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(WaitReady()[s.fd[0]], kInterestWrite);
  }
  const std::string block(65536, 'x');
  while (write(s.fd[0], block.data(), block.size()) > 0) {
  }
  ExpectQuiet();
  s.Drain(1);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestWrite);
}

TEST_P(BackendTest, ReadinessThatWasThereBeforeIsReported) {
  Sockets s;
  s.Write(1);
  Watch(s.fd[0], kInterestRead | kInterestWrite);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead | kInterestWrite);
}

TEST_P(BackendTest, ChangedInterestCounts) {
  Sockets s;
  s.Write(1);
  Watch(s.fd[0], kInterestWrite, 1);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestWrite);
  ASSERT_EQ(backend_->Update(s.fd[0], 2, kInterestWrite, kInterestRead), 0);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
  EXPECT_EQ(generation_[s.fd[0]], 2u);
  ASSERT_EQ(backend_->Update(s.fd[0], 3, kInterestRead,
                             kInterestRead | kInterestWrite),
            0);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead | kInterestWrite);
  EXPECT_EQ(generation_[s.fd[0]], 3u);
  s.Drain(0);
  ASSERT_EQ(backend_->Update(s.fd[0], 4, kInterestRead | kInterestWrite,
                             kInterestRead),
            0);
  ExpectQuiet();
}

TEST_P(BackendTest, RemovedIsNotReported) {
  Sockets s;
  s.Write(1);
  Watch(s.fd[0], kInterestRead);
  EXPECT_EQ(WaitReady().count(s.fd[0]), 1u);
  EXPECT_EQ(backend_->Update(s.fd[0], 1, kInterestRead, kInterestNone), 0);
  ExpectQuiet();
  Watch(s.fd[0], kInterestRead, 2);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
  EXPECT_EQ(generation_[s.fd[0]], 2u);
}

TEST_P(BackendTest, RemovedBeforeAnyWaitIsNotReported) {
  Sockets s;
  s.Write(1);
  Watch(s.fd[0], kInterestRead);
  EXPECT_EQ(backend_->Update(s.fd[0], 1, kInterestRead, kInterestNone), 0);
  ExpectQuiet();
}

TEST_P(BackendTest, RemovedWhileArmedIsNotReported) {
  Sockets s;
  Watch(s.fd[0], kInterestRead);
  ExpectQuiet();
  EXPECT_EQ(backend_->Update(s.fd[0], 1, kInterestRead, kInterestNone), 0);
  s.Write(1);
  ExpectQuiet();
}

// Nothing in the backend may keep the file of a removed descriptor: the peer
// is to see it closed without another wait.
TEST_P(BackendTest, RemovedAndClosedIsClosedForThePeer) {
  Sockets s;
  Watch(s.fd[0], kInterestRead);
  ExpectQuiet();
  EXPECT_EQ(backend_->Update(s.fd[0], 1, kInterestRead, kInterestNone), 0);
  backend_->Commit();
  s.CloseEnd(0);
  char c;
  EXPECT_EQ(read(s.fd[1], &c, 1), 0);
}

TEST_P(BackendTest, ReopenedNumberIsWatchedByChangingIt) {
  Sockets s;
  const int number = s.fd[0];
  Watch(number, kInterestRead, 1);
  ExpectQuiet();
  Sockets other;
  // The number is another file now; the interest stays the same.
  ASSERT_EQ(dup2(other.fd[0], number), number);
  ASSERT_EQ(backend_->Update(number, 2, kInterestRead, kInterestRead), 0);
  other.Write(1);
  EXPECT_EQ(WaitReady()[number], kInterestRead);
  EXPECT_EQ(generation_[number], 2u);
}

// semantics 3.10
TEST_P(EarlyCloseBackendTest, PeersHalfCloseIsClosedEvenBehindUnreadData) {
  Tcp s;
  Watch(s.fd[0], kInterestClosed);
  s.Write(1);
  ExpectQuiet();
  ASSERT_EQ(shutdown(s.fd[1], SHUT_WR), 0);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestClosed);
  ASSERT_EQ(backend_->Update(s.fd[0], 2, kInterestClosed,
                             kInterestClosed | kInterestRead),
            0);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestClosed | kInterestRead);
}

TEST_P(BackendTest, PeersCloseIsReadable) {
  Tcp s;
  Watch(s.fd[0], kInterestRead);
  ExpectQuiet();
  s.CloseEnd(1);
  EXPECT_TRUE(WaitReady()[s.fd[0]] & kInterestRead);
  char c;
  EXPECT_EQ(read(s.fd[0], &c, 1), 0);
}

// semantics 3.10: an error is for readers and for writers.
TEST_P(BackendTest, ErrorIsReportedToReadersAndWriters) {
  Pipe p;
  Watch(p.fd[1], kInterestRead | kInterestWrite);
  const std::string block(4096, 'x');
  while (write(p.fd[1], block.data(), block.size()) > 0) {
  }
  ExpectQuiet();
  p.CloseEnd(0);  // POLLERR on the writing end
  EXPECT_EQ(WaitReady()[p.fd[1]], kInterestRead | kInterestWrite);
}

TEST_P(BackendTest, HangUpReachesAReader) {
  Pipe p;
  Watch(p.fd[0], kInterestRead);
  ExpectQuiet();
  p.CloseEnd(1);  // POLLHUP without POLLIN on the reading end
  EXPECT_TRUE(WaitReady()[p.fd[0]] & kInterestRead);
}

TEST_P(BackendTest, RefusedConnectionReachesReadersAndWriters) {
  Tcp s;
  Watch(s.fd[0], kInterestRead | kInterestWrite);
  const linger reset{1, 0};
  ASSERT_EQ(setsockopt(s.fd[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)),
            0);
  s.CloseEnd(1);
  const std::int64_t end = RealMonotonicNs() + kSoon;
  Interest what = 0;
  while (what != (kInterestRead | kInterestWrite) && RealMonotonicNs() < end) {
    what = WaitReady()[s.fd[0]];
  }
  EXPECT_EQ(what, kInterestRead | kInterestWrite);
}

// semantics 3.11
TEST_P(BackendTest, EdgeIsReportedOnceForEachChange) {
  Sockets s;
  s.Write(1);
  Watch(s.fd[0], kInterestRead | kInterestEdge);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
  if (!Offers(kFeatureEdgeTriggered)) {
    EXPECT_FALSE(edge_bit_);
    EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
    return;
  }
  EXPECT_TRUE(edge_bit_);
  ExpectQuiet();  // unread, but told
  s.Write(1);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
  ExpectQuiet();
  s.Drain(0);
  ExpectQuiet();
  s.Write(1);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
}

TEST_P(EdgeBackendTest, EdgeIsToldAgainWhenTheInterestChanges) {
  Sockets s;
  s.Write(1);
  Watch(s.fd[0], kInterestRead | kInterestEdge, 1);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
  ASSERT_EQ(backend_->Update(s.fd[0], 2, kInterestRead | kInterestEdge,
                             kInterestRead | kInterestWrite | kInterestEdge),
            0);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead | kInterestWrite);
  ExpectQuiet();
}

// semantics 3.9
TEST_P(BackendTest, ClosedDescriptorIsRefusedWithEbadf) {
  Sockets s;
  const int number = s.fd[0];
  s.CloseEnd(0);
  EXPECT_EQ(backend_->Update(number, 1, kInterestNone, kInterestRead), EBADF);
  ExpectQuiet();
}

TEST_P(BackendTest, ChangeOfAClosedDescriptorIsEbadfAndItIsNotHeld) {
  Sockets s;
  const int number = s.fd[0];
  Watch(number, kInterestRead);
  ExpectQuiet();
  s.CloseEnd(0);
  EXPECT_EQ(backend_->Update(number, 2, kInterestRead, kInterestWrite), EBADF);
  ExpectQuiet();
}

// semantics 3.9: a bug of the program, that must harm nobody else. poll and
// select tell it; the others do not notice.
TEST_P(BackendTest, ClosedUnderItsEventHarmsNobodyElse) {
  Sockets s;
  Sockets other;
  const int number = s.fd[0];
  Watch(number, kInterestRead, 1);
  Watch(other.fd[0], kInterestRead, 2);
  ExpectQuiet();
  s.CloseEnd(0);
  auto found = Wait(2 * kMs);
  EXPECT_EQ(found.count(other.fd[0]), 0u);
  other.Write(1);
  for (int i = 0; i < 10 && found.count(other.fd[0]) == 0; ++i) {
    found = WaitReady();
  }
  EXPECT_EQ(found[other.fd[0]], kInterestRead);
  backend_->Update(number, 1, kInterestRead, kInterestNone);
  other.Drain(0);
  ExpectQuiet();
}

// semantics 3.9: a regular file is for backends with EV_FEATURE_FDS.
TEST_P(BackendTest, RegularFileIsRefusedOrAlwaysReady) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const int fd = fileno(file);
  const int error = backend_->Update(fd, 1, kInterestNone, kInterestRead);
  if (Offers(kFeatureAnyFd)) {
    EXPECT_EQ(error, 0);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(WaitReady()[fd], kInterestRead);
    }
    EXPECT_EQ(
        backend_->Update(fd, 2, kInterestRead, kInterestRead | kInterestWrite),
        0);
    EXPECT_EQ(WaitReady()[fd], kInterestRead | kInterestWrite);
    EXPECT_EQ(
        backend_->Update(fd, 2, kInterestRead | kInterestWrite, kInterestNone),
        0);
  } else {
    EXPECT_EQ(error, EPERM);
  }
  ExpectQuiet();
  std::fclose(file);
}

TEST_P(BackendTest, ManyDescriptors) {
  constexpr int kPairs = 700;  // beyond FD_SETSIZE, the first event arrays
  std::vector<std::unique_ptr<Sockets>> pairs;
  for (int i = 0; i < kPairs; ++i) {
    pairs.push_back(std::make_unique<Sockets>());
    Watch(pairs.back()->fd[0], kInterestRead,
          static_cast<std::uint32_t>(i + 1));
  }
  ASSERT_GT(pairs.back()->fd[0], 1024);
  ExpectQuiet();
  for (int i = 0; i < kPairs; i += 3)
    pairs[static_cast<std::size_t>(i)]->Write(1);
  // Level-triggered: all of them at the latest after some waits.
  std::map<int, Interest> seen;
  for (int round = 0; round < 20; ++round) {
    for (auto [fd, what] : WaitReady()) seen[fd] = what;
  }
  for (int i = 0; i < kPairs; ++i) {
    const int fd = pairs[static_cast<std::size_t>(i)]->fd[0];
    EXPECT_EQ(seen.count(fd), i % 3 == 0 ? 1u : 0u) << i;
    if (i % 3 == 0) {
      EXPECT_EQ(generation_[fd], static_cast<std::uint32_t>(i + 1));
    }
  }
  // Every other one goes; the rest stays watched.
  for (int i = 0; i < kPairs; i += 2) {
    EXPECT_EQ(backend_->Update(pairs[static_cast<std::size_t>(i)]->fd[0], 1,
                               kInterestRead, kInterestNone),
              0);
  }
  seen.clear();
  for (int round = 0; round < 20; ++round) {
    for (auto [fd, what] : WaitReady()) seen[fd] = what;
  }
  for (int i = 0; i < kPairs; ++i) {
    const int fd = pairs[static_cast<std::size_t>(i)]->fd[0];
    EXPECT_EQ(seen.count(fd), i % 3 == 0 && i % 2 == 1 ? 1u : 0u) << i;
  }
}

// --- Time (semantics 2.1). Real sleeps: the kernel's clock is what is tested.

TEST_P(BackendTest, NeverEarly) {
  OnFreshThread([&] {
    for (std::int64_t timeout : {1000l, 300000l, 999999l, 1000001l, 5300000l}) {
      const std::int64_t before = RealMonotonicNs();
      EXPECT_TRUE(Wait(timeout).empty());
      EXPECT_GE(RealMonotonicNs() - before, timeout);
    }
  });
}

TEST_P(BackendTest, WholeMillisecondsUnlessPrecise) {
  OnFreshThread([&] {
    // The shortest of several: the machine may be busy.
    std::int64_t shortest = INT64_MAX;
    for (int i = 0; i < 20; ++i) {
      const std::int64_t before = RealMonotonicNs();
      EXPECT_TRUE(Wait(100000).empty());
      shortest = std::min(shortest, RealMonotonicNs() - before);
    }
    EXPECT_GE(shortest, GetParam().precise ? 100000 : 1000000);
    if (GetParam().precise) {
      EXPECT_LT(shortest, 900000);
    }
  });
}

TEST_P(BackendTest, ZeroDoesNotWait) {
  OnFreshThread([&] {
    const std::int64_t before = RealMonotonicNs();
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(Wait(0).empty());
    EXPECT_LT(RealMonotonicNs() - before, 500 * kMs);
  });
}

TEST_P(BackendTest, VeryLongWaitsEndWhenSomethingIsReady) {
  Sockets s;
  Watch(s.fd[0], kInterestRead);
  s.Write(1);
  EXPECT_EQ(Wait(INT64_MAX)[s.fd[0]], kInterestRead);
  EXPECT_EQ(Wait(-1)[s.fd[0]], kInterestRead);
}

// --- The doorbell.

TEST_P(BackendTest, RingBeforeTheWaitEndsIt) {
  OnFreshThread([&] {
    backend_->Ring();
    EXPECT_TRUE(Wait(-1).empty());
    ExpectQuiet();
    backend_->Ring();
    backend_->Ring();
    EXPECT_TRUE(Wait(-1).empty());
    // And is used up by it.
    const std::int64_t before = RealMonotonicNs();
    Wait(20 * kMs);
    Wait(20 * kMs);
    EXPECT_GE(RealMonotonicNs() - before, 20 * kMs);
  });
}

TEST_P(BackendTest, RingFromAnotherThreadEndsTheWait) {
  for (int i = 0; i < 20; ++i) {
    std::thread ringer([&] { backend_->Ring(); });
    EXPECT_TRUE(Wait(-1).empty());
    ringer.join();
    ReadyList left;
    backend_->Wait(0, &left);
  }
}

TEST_P(BackendTest, RingKeepsErrno) {
  for (int i = 0; i < 3; ++i) {
    errno = ENOTTY;
    backend_->Ring();
    EXPECT_EQ(errno, ENOTTY);
  }
}

TEST_P(BackendTest, ManyRingsEndOneWait) {
  for (int i = 0; i < 10000; ++i) backend_->Ring();
  EXPECT_TRUE(Wait(-1).empty());
  Sockets s;
  Watch(s.fd[0], kInterestRead);
  s.Write(1);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
}

// --- Signals.

std::atomic<int> signals_seen{0};

TEST_P(BackendTest, SignalEndsTheWaitWithNothingReady) {
  struct sigaction action {};
  struct sigaction old {};
  action.sa_handler = [](int) { signals_seen.fetch_add(1); };
  ASSERT_EQ(sigaction(SIGUSR1, &action, &old), 0);
  Sockets s;
  Watch(s.fd[0], kInterestRead);
  ExpectQuiet();
  signals_seen = 0;
  const pthread_t waiter = pthread_self();
  std::atomic<bool> done{false};
  std::thread sender([&] {
    // Repeated: the first may come before the wait.
    while (!done) {
      pthread_kill(waiter, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  EXPECT_TRUE(Wait(-1).empty());
  done = true;
  sender.join();
  EXPECT_GE(signals_seen.load(), 1);
  s.Write(1);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
  sigaction(SIGUSR1, &old, nullptr);
}

// --- Threads.

// A change that another thread makes holds for the wait under way.
TEST_P(SharedBackendTest, ChangesFromAnotherThreadHoldInTheWaitUnderWay) {
  Sockets s;
  for (std::uint32_t i = 0; i < 10; ++i) {
    std::thread changer([&] {
      // The reason to sleep: the owner should be inside its wait.
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      EXPECT_EQ(
          backend_->Update(s.fd[0], 2 * i + 1, kInterestNone, kInterestRead),
          0);
      s.Write(1);
    });
    EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
    EXPECT_EQ(generation_[s.fd[0]], 2 * i + 1);
    changer.join();
    s.Drain(0);
    std::thread remover([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      EXPECT_EQ(
          backend_->Update(s.fd[0], 2 * i + 2, kInterestRead, kInterestNone),
          0);
      s.Write(1);
    });
    EXPECT_TRUE(Wait(10 * kMs).empty());
    remover.join();
    EXPECT_TRUE(Wait(0).empty());
    s.Drain(0);
  }
}

TEST_P(SharedBackendTest, ManyChangesFromAnotherThread) {
  constexpr int kPairs = 200;
  std::vector<std::unique_ptr<Sockets>> pairs;
  for (int i = 0; i < kPairs; ++i) {
    pairs.push_back(std::make_unique<Sockets>());
    pairs.back()->Write(1);
  }
  std::atomic<bool> done{false};
  std::thread changer([&] {
    for (std::uint32_t round = 0; round < 10; ++round) {
      for (auto& pair : pairs) {
        const Interest before = round % 2 ? kInterestRead : kInterestNone;
        EXPECT_EQ(backend_->Update(pair->fd[0], round, before,
                                   kInterestRead - before),
                  0);
      }
    }
    for (auto& pair : pairs) {
      EXPECT_EQ(
          backend_->Update(pair->fd[0], 100, kInterestNone, kInterestRead), 0);
    }
    done = true;
  });
  std::map<int, Interest> seen;
  const std::int64_t end = RealMonotonicNs() + kSoon;
  while ((!done || seen.size() < kPairs) && RealMonotonicNs() < end) {
    const bool settled = done;
    for (auto [fd, what] : Wait(kMs)) {
      if (settled) seen[fd] = what;
    }
  }
  changer.join();
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kPairs));
  for (auto& pair : pairs) EXPECT_EQ(generation_[pair->fd[0]], 100u);
}

// event_base_new in main, dispatch in a worker, is normal.
TEST_P(BackendTest, AnotherThreadMayWait) {
  Sockets s;
  Watch(s.fd[0], kInterestRead, 5);
  s.Write(1);
  for (int i = 0; i < 3; ++i) {
    std::thread other([&] { EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead); });
    other.join();
    EXPECT_EQ(generation_[s.fd[0]], 5u);
  }
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
  s.Drain(0);
  ExpectQuiet();
}

// --- Lack of memory and of descriptors.

std::atomic<int> allocations_left{0};

void* ScarceMalloc(std::size_t size) {
  return allocations_left.fetch_sub(1) > 0 ? std::malloc(size) : nullptr;
}
void* ScarceRealloc(void* p, std::size_t size) {
  return allocations_left.fetch_sub(1) > 0 ? std::realloc(p, size) : nullptr;
}

struct Scarcity {
  explicit Scarcity(int n) {
    allocations_left = n;
    State().malloc_fn = &ScarceMalloc;
    State().realloc_fn = &ScarceRealloc;
    State().free_fn = &std::free;
  }
  ~Scarcity() {
    State().malloc_fn = nullptr;
    State().realloc_fn = nullptr;
    State().free_fn = nullptr;
  }
};

TEST_P(BackendTest, NoMemoryAtCreation) {
  int n = 0;
  for (;; ++n) {
    ASSERT_LT(n, 50);
    Scarcity scarcity(n);
    errno = 0;
    Backend* backend = Create();
    const int error = errno;
    const bool enough = allocations_left >= 0;
    const bool made = backend != nullptr;
    delete backend;
    EXPECT_EQ(made, enough);
    if (made) break;
    EXPECT_EQ(error, ENOMEM);
  }
  EXPECT_GT(n, 0);
}

TEST_P(BackendTest, NoMemoryForAnUpdateChangesNothing) {
  Sockets s;
  Watch(s.fd[0], kInterestRead);
  // A number far above, so that whatever is kept by number must grow.
  const int far = fcntl(s.fd[1], F_DUPFD, 9000);
  ASSERT_GE(far, 9000);
  int n = 0;
  for (;; ++n) {
    ASSERT_LT(n, 50);
    int error;
    {
      Scarcity scarcity(n);
      error = backend_->Update(far, 3, kInterestNone, kInterestWrite);
    }
    if (error == 0) break;
    EXPECT_EQ(error, ENOMEM);
    EXPECT_TRUE(Wait(0).empty());
  }
  EXPECT_EQ(WaitReady()[far], kInterestWrite);
  s.Write(1);
  EXPECT_EQ(backend_->Update(far, 3, kInterestWrite, kInterestNone), 0);
  EXPECT_EQ(WaitReady()[s.fd[0]], kInterestRead);
  close(far);
}

TEST_P(BackendTest, NoMemoryInAWaitLosesNothing) {
  std::vector<std::unique_ptr<Sockets>> pairs;
  for (int i = 0; i < 100; ++i) {
    pairs.push_back(std::make_unique<Sockets>());
    pairs.back()->Write(1);
    Watch(pairs.back()->fd[0], kInterestRead | kInterestEdge);
  }
  std::map<int, Interest> seen;
  ReadyList ready;
  ASSERT_TRUE(ready.Reserve(8));
  for (int i = 0; i < 200; ++i) {
    ready.Clear();
    int error;
    {
      Scarcity scarcity(0);
      error = backend_->Wait(0, &ready);
    }
    // Either it does with less, or it says so.
    if (error != 0) {
      EXPECT_EQ(error, ENOMEM);
    }
    for (const Ready& one : ready) {
      seen[one.fd] = one.what;
      // What is handled is drained, as a program would.
      char c;
      while (read(one.fd, &c, 1) > 0) {
      }
    }
  }
  for (int i = 0; i < 20; ++i) {
    for (auto [fd, what] : Wait(0)) seen[fd] = what;
  }
  EXPECT_EQ(seen.size(), pairs.size());
}

TEST_P(BackendTest, NoDescriptorsAtCreation) {
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const int lowest = dup(0);
  ASSERT_GE(lowest, 0);
  close(lowest);
  for (int more = 0;; ++more) {
    ASSERT_LT(more, 5);
    rlimit few = old;
    few.rlim_cur = static_cast<rlim_t>(lowest + more);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    errno = 0;
    Backend* backend = Create();
    const int error = errno;
    const bool made = backend != nullptr;
    delete backend;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    if (made) {
      EXPECT_GT(more, 0);
      break;
    }
    EXPECT_EQ(error, EMFILE);
  }
  // Nothing leaked.
  const int again = dup(0);
  EXPECT_EQ(again, lowest);
  close(again);
}

}  // namespace
}  // namespace percore
