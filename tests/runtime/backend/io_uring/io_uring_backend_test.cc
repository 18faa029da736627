// What only io_uring has: two queues of limited size, a kernel that may
// refuse, a ring that belongs to a thread and to a process.
#include "percore/runtime/backend/io_uring/io_uring_backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "percore/runtime/backend/io_uring/ring.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

struct Sockets {
  Sockets() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
  }
  ~Sockets() {
    close(fd[0]);
    close(fd[1]);
  }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;
  void Write() { ASSERT_EQ(write(fd[1], "x", 1), 1); }
  int fd[2];
};

class IoUringBackendTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!IoUringAvailable()) {
      GTEST_SKIP() << "SKIP: this kernel offers no io_uring";
    }
  }
  std::unique_ptr<Backend> Make(std::uint32_t submissions,
                                std::uint32_t completions) {
    BackendOptions options;
    options.shared = GetParam();
    return std::unique_ptr<Backend>(
        NewIoUringBackendSized(options, submissions, completions));
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, IoUringBackendTest, testing::Bool());

std::set<int> ReadyIn(Backend* backend, int waits) {
  std::set<int> found;
  for (int i = 0; i < waits; ++i) {
    ReadyList ready;
    EXPECT_EQ(backend->Wait(0, &ready), 0);
    for (const Ready& one : ready) found.insert(one.fd);
  }
  return found;
}

TEST_P(IoUringBackendTest, MoreChangesThanTheSubmissionQueueHolds) {
  auto backend = Make(4, 256);
  ASSERT_NE(backend, nullptr);
  std::vector<std::unique_ptr<Sockets>> pairs;
  for (int i = 0; i < 100; ++i) {
    pairs.push_back(std::make_unique<Sockets>());
    pairs.back()->Write();
    ASSERT_EQ(
        backend->Update(pairs.back()->fd[0], 1, kInterestNone, kInterestRead),
        0);
  }
  EXPECT_EQ(ReadyIn(backend.get(), 3).size(), 100u);
  for (auto& pair : pairs) {
    ASSERT_EQ(backend->Update(pair->fd[0], 1, kInterestRead, kInterestNone), 0);
  }
  EXPECT_TRUE(ReadyIn(backend.get(), 3).empty());
}

TEST_P(IoUringBackendTest, MoreReportsThanTheCompletionQueueHolds) {
  auto backend = Make(4, 8);
  ASSERT_NE(backend, nullptr);
  std::vector<std::unique_ptr<Sockets>> pairs;
  for (int i = 0; i < 200; ++i) {
    pairs.push_back(std::make_unique<Sockets>());
    const Interest interest =
        i % 2 ? kInterestRead : kInterestRead | kInterestEdge;
    ASSERT_EQ(backend->Update(pairs.back()->fd[0], 1, kInterestNone, interest),
              0);
  }
  EXPECT_TRUE(ReadyIn(backend.get(), 10).empty());
  // All at once, while nobody takes them: the kernel keeps what overflows.
  for (int round = 0; round < 3; ++round) {
    for (auto& pair : pairs) pair->Write();
    std::set<int> found = ReadyIn(backend.get(), 200);
    EXPECT_EQ(found.size(), 200u) << "round " << round;
    for (auto& pair : pairs) {
      char buffer[16];
      while (read(pair->fd[0], buffer, sizeof(buffer)) > 0) {
      }
    }
    ReadyIn(backend.get(), 60);
    EXPECT_TRUE(ReadyIn(backend.get(), 10).empty());
  }
}

// A wait is one system call that no removed watch wakes.
TEST_P(IoUringBackendTest, RemovalsDoNotEndAWait) {
  auto backend = Make(64, 256);
  ASSERT_NE(backend, nullptr);
  Sockets s;
  for (std::uint32_t i = 1; i <= 20; ++i) {
    ASSERT_EQ(backend->Update(s.fd[0], i, kInterestNone, kInterestRead), 0);
    EXPECT_TRUE(ReadyIn(backend.get(), 1).empty());
    ASSERT_EQ(backend->Update(s.fd[0], i, kInterestRead, kInterestNone), 0);
    timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    ReadyList ready;
    EXPECT_EQ(backend->Wait(3000000, &ready), 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    EXPECT_GE((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
                  before.tv_nsec,
              3000000);
  }
}

// In the child of a fork the ring is closed, and the parent's goes on.
TEST_P(IoUringBackendTest, ChildOfAForkOnlyCloses) {
  auto backend = Make(64, 256);
  ASSERT_NE(backend, nullptr);
  Sockets s;
  ASSERT_EQ(backend->Update(s.fd[0], 1, kInterestNone, kInterestRead), 0);
  EXPECT_TRUE(ReadyIn(backend.get(), 2).empty());
  const pid_t child = fork();
  if (child == 0) {
    backend.reset();
    auto own = Make(64, 256);
    if (own == nullptr) _exit(2);
    ReadyList ready;
    if (own->Wait(0, &ready) != 0 || !ready.empty()) _exit(3);
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(ReadyIn(backend.get(), 2).empty());
  s.Write();
  EXPECT_EQ(ReadyIn(backend.get(), 2).size(), 1u);
}

// --- Refusals. --------------------------------------------------------------

std::string logged;

// Makes io_uring_setup answer `error` in this process (a child of a fork).
bool RefuseSetup(int error) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
               static_cast<unsigned>(uring::kSysSetup), 0, 1),
      BPF_STMT(BPF_RET | BPF_K,
               SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// What NewIoUringBackend answers, and logs, where setup fails with `error`.
int RefusedWith(int error, const char* reason) {
  const pid_t child = fork();
  if (child == 0) {
    State().log_fn = [](int, const char* text) { logged = text; };
    if (!RefuseSetup(error)) _exit(99);
    errno = 0;
    if (NewIoUringBackend({}) != nullptr) _exit(98);
    if (errno != (error == EINVAL ? EOPNOTSUPP : error)) _exit(97);
    if (logged.find(reason) == std::string::npos) {
      std::fprintf(stderr, "logged: %s\n", logged.c_str());
      _exit(96);
    }
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(IoUringRefusalTest, EachHasItsReasonInTheLog) {
  if (const int status = RefusedWith(ENOSYS, "no io_uring"); status == 99) {
    GTEST_SKIP() << "SKIP: needs seccomp filters";
  } else {
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(RefusedWith(EPERM, "forbids"), 0);
  EXPECT_EQ(RefusedWith(ENOMEM, "locked memory"), 0);
  EXPECT_EQ(RefusedWith(EMFILE, "no descriptor"), 0);
  EXPECT_EQ(RefusedWith(EINVAL, "too old"), 0);
}

TEST(IoUringRefusalTest, TheSettingThatForbidsItIsNamed) {
  EXPECT_NE(std::strstr(IoUringRefusal(EPERM, 2), "io_uring_disabled is 2"),
            nullptr);
  EXPECT_NE(std::strstr(IoUringRefusal(EPERM, 1), "io_uring_group"), nullptr);
  EXPECT_NE(std::strstr(IoUringRefusal(EPERM, 0), "seccomp"), nullptr);
  EXPECT_NE(std::strstr(IoUringRefusal(EPERM, -1), "seccomp"), nullptr);
}

// A user's rings are charged to the limit of locked memory, root's are not.
// Returns 0: made; 1: refused with ENOMEM; 2: cannot be tried; 3: otherwise.
int WithLockedMemory(rlim_t bytes) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) _exit(2);
    // A user of its own, whose other rings do not count.
    const auto user = static_cast<uid_t>(1000000 + getpid());
    if (geteuid() == 0 && setuid(user) != 0) _exit(2);
    errno = 0;
    Backend* backend = NewIoUringBackend({});
    if (backend == nullptr) _exit(errno == ENOMEM ? 1 : 3);
    ReadyList ready;
    _exit(backend->Wait(0, &ready) == 0 ? 0 : 3);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(IoUringRefusalTest, LimitOfLockedMemory) {
  if (!IoUringAvailable()) {
    GTEST_SKIP() << "SKIP: this kernel offers no io_uring";
  }
  const int status = WithLockedMemory(0);
  if (status == 0 || status == 2) {
    GTEST_SKIP() << "SKIP: needs the right to change the user, and a kernel "
                    "that charges rings to the limit of locked memory";
  }
  EXPECT_EQ(status, 1);
  // Too little for the queues that it would like, enough for small ones.
  EXPECT_EQ(WithLockedMemory(16384), 0);
}

// --- The ring.
// ----------------------------------------------------------------

TEST(RingTest, BindsToTheThreadWhereTheKernelCan) {
  if (!IoUringAvailable()) {
    GTEST_SKIP() << "SKIP: this kernel offers no io_uring";
  }
  uring::Ring ring;
  ASSERT_EQ(ring.Open(8, 16), 0);
  EXPECT_FALSE(ring.enabled());
  ASSERT_EQ(ring.Enable(), 0);
  EXPECT_EQ(ring.submissions(), 8u);
  EXPECT_EQ(ring.completions(), 16u);
  if (!(ring.setup_flags() & uring::kSetupDeferTaskrun)) {
    GTEST_SKIP() << "SKIP: needs IORING_SETUP_DEFER_TASKRUN (6.1)";
  }
  EXPECT_TRUE(ring.setup_flags() & uring::kSetupSingleIssuer);
}

TEST(RingTest, FullQueueHandsOutNothing) {
  if (!IoUringAvailable()) {
    GTEST_SKIP() << "SKIP: this kernel offers no io_uring";
  }
  uring::Ring ring;
  ASSERT_EQ(ring.Open(4, 8), 0);
  ASSERT_EQ(ring.Enable(), 0);
  Sockets s;
  for (std::uint64_t i = 0; i < 4; ++i) {
    uring::Sqe* sqe = ring.NextSqe();
    ASSERT_NE(sqe, nullptr);
    sqe->opcode = uring::kOpPollAdd;
    sqe->fd = s.fd[0];
    sqe->op_flags = 4;  // POLLOUT: at once
    sqe->user_data = 100 + i;
  }
  EXPECT_EQ(ring.NextSqe(), nullptr);
  EXPECT_EQ(ring.Unsubmitted(), 4u);
  ASSERT_EQ(ring.Enter(4, -1), 0);
  EXPECT_EQ(ring.Unsubmitted(), 0u);
  std::set<std::uint64_t> seen;
  while (const uring::Cqe* cqe = ring.Peek()) {
    EXPECT_TRUE(cqe->res & 4);
    seen.insert(cqe->user_data);
    ring.Pop();
  }
  EXPECT_EQ(seen, (std::set<std::uint64_t>{100, 101, 102, 103}));
  EXPECT_EQ(ring.Enter(1, 1000000), ETIME);
}

}  // namespace
}  // namespace percore
