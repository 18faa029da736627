// What backend.h promises of the wait, for every backend of this machine: its
// time, its doorbell, signals and other threads.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "percore/tests/conformance/backend_fixture.h"

namespace percore::conformance {
namespace {

INSTANTIATE_TEST_SUITE_P(All, BackendTest, testing::ValuesIn(Params(0, false)),
                         ParamName);

INSTANTIATE_TEST_SUITE_P(All, SharedBackendTest,
                         testing::ValuesIn(Params(0, true)), ParamName);

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
  // A wait may end without reason too.
  do {
    EXPECT_TRUE(Wait(-1).empty());
  } while (signals_seen == 0);
  done = true;
  sender.join();
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

}  // namespace
}  // namespace percore::conformance
