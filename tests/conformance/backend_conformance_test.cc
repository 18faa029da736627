// One suite for every backend of this machine: what backend.h promises. Here:
// interest and readiness.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <vector>

#include "percore/tests/conformance/backend_fixture.h"

namespace percore::conformance {
namespace {

INSTANTIATE_TEST_SUITE_P(All, BackendTest, testing::ValuesIn(Params(0, false)),
                         ParamName);

INSTANTIATE_TEST_SUITE_P(All, EdgeBackendTest,
                         testing::ValuesIn(Params(kFeatureEdgeTriggered,
                                                  false)),
                         ParamName);

INSTANTIATE_TEST_SUITE_P(All, EarlyCloseBackendTest,
                         testing::ValuesIn(Params(kFeatureEarlyClose, false)),
                         ParamName);

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

}  // namespace
}  // namespace percore::conformance
