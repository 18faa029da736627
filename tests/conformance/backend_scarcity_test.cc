// What backend.h promises when memory or descriptors are short, for every
// backend of this machine.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include "percore/tests/conformance/backend_fixture.h"

namespace percore::conformance {
namespace {

INSTANTIATE_TEST_SUITE_P(All, BackendTest, testing::ValuesIn(Params(0, false)),
                         ParamName);

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
}  // namespace percore::conformance
