#include "percore/runtime/loop/signal_registry.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include "percore/runtime/mailbox/mailbox.h"

namespace percore {
namespace {

class SignalRegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(registry_, nullptr);
    ASSERT_NE(mailbox_, nullptr);
  }
  void TearDown() override { mailbox_->Unref(); }

  SignalRegistry* registry_ = SignalRegistry::Get();
  Mailbox* mailbox_ = Mailbox::Create();
};

TEST_F(SignalRegistryTest, CountsIntoTheMailboxUntilUnwatched) {
  ASSERT_EQ(registry_->Watch(SIGUSR1, mailbox_), 0);
  raise(SIGUSR1);
  raise(SIGUSR1);
  EXPECT_TRUE(mailbox_->TakeSignalsFlag());
  EXPECT_EQ(mailbox_->TakeSignalCount(SIGUSR1), 2u);
  registry_->Unwatch(SIGUSR1, mailbox_);
  struct sigaction now;
  ASSERT_EQ(sigaction(SIGUSR1, nullptr, &now), 0);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

TEST_F(SignalRegistryTest, RefusesWhatTheSystemRefuses) {
  EXPECT_EQ(registry_->Watch(SIGKILL, mailbox_), EINVAL);
}

// The lock was inherited as it was, held for ever by a thread that is not
// there: the first event_add of a signal in the child waited without end.
TEST_F(SignalRegistryTest, AForkWhileAnotherThreadHasTheLock) {
  std::atomic<bool> stop{false};
  Mailbox* busy = Mailbox::Create();
  std::thread other([&] {
    while (!stop) {
      if (registry_->Watch(SIGUSR2, busy) == 0) {
        registry_->Unwatch(SIGUSR2, busy);
      }
    }
  });
  // Each fork meets the lock held with a chance of a half or so.
  int failed = 0;
  for (int i = 0; i < 60 && failed == 0; ++i) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      alarm(5);  // real time: it would wait for ever
      if (registry_->Watch(SIGUSR2, mailbox_) != 0) _exit(1);
      raise(SIGUSR2);
      if (mailbox_->TakeSignalCount(SIGUSR2) != 1) _exit(2);
      registry_->Unwatch(SIGUSR2, mailbox_);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    failed = status;
  }
  stop = true;
  other.join();
  busy->Unref();
  EXPECT_FALSE(WIFSIGNALED(failed)) << "signal " << WTERMSIG(failed);
  EXPECT_EQ(WEXITSTATUS(failed), 0);
}

}  // namespace
}  // namespace percore
