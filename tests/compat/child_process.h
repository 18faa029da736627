#ifndef PERCORE_TESTS_COMPAT_CHILD_PROCESS_H_
#define PERCORE_TESTS_COMPAT_CHILD_PROCESS_H_

// Runs a piece of a test in a child process: for what is fixed once a process
// (debug mode, lock callbacks, memory functions), for what ends the process
// (fatal errors), and for fork itself.

#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

namespace percore::compat {

struct ChildResult {
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;      // 0 if it exited by itself
  std::string stderr_text;
};

// Reads `fd` to its end.
inline std::string ReadAll(int fd) {
  std::string text;
  char piece[4096];
  for (;;) {
    const ssize_t n = read(fd, piece, sizeof(piece));
    if (n > 0) {
      text.append(piece, static_cast<size_t>(n));
    } else if (n == 0 || errno != EINTR) {
      return text;
    }
  }
}

// Ends the child as a test ends: 1 if an expectation failed, else 0.
[[noreturn]] inline void EndChild() {
  fflush(nullptr);
  _exit(::testing::Test::HasFailure() ? 1 : 0);
}

// Waits for `pid`; a child that hangs is ended by its own alarm.
inline ChildResult WaitForChild(pid_t pid) {
  ChildResult result;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

// Forks; the child runs `body` and ends with 1 if an expectation of its failed.
inline pid_t StartChild(const std::function<void()>& body) {
  fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(20);  // a hang is a failure, not a stuck run
    body();
    EndChild();
  }
  return pid;
}

// Runs `body` in a child and waits for it; what it wrote on stderr is kept.
inline ChildResult RunInChild(const std::function<void()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return ChildResult();
  const pid_t pid = StartChild([&] {
    close(ends[0]);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    body();
  });
  close(ends[1]);
  std::string text = ReadAll(ends[0]);
  close(ends[0]);
  ChildResult result = WaitForChild(pid);
  result.stderr_text = std::move(text);
  return result;
}

// Nothing failed in the child.
inline void ExpectClean(const ChildResult& result) {
  EXPECT_EQ(0, result.exit_code) << result.stderr_text;
  EXPECT_EQ(0, result.signal) << result.stderr_text;
}

}  // namespace percore::compat

#endif  // PERCORE_TESTS_COMPAT_CHILD_PROCESS_H_
