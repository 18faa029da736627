// What a socket stream asks of the system, and when.
#include "percore/net/stream/socket_stream.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "percore/tests/net/stream/stream_fixture.h"

namespace percore {
namespace {

// 64-byte echoes between two streams of one loop, until `echoes` are done.
void RunEchoes(int echoes) {
  EventBasePtr base = NewEventBase(/*owned=*/true);
  SocketEnds ends;
  Stream* client = NewSocketStream(base.get(), ends.ours, 0);
  Stream* server = NewSocketStream(base.get(), ends.theirs, 0);
  Calls at_server;
  at_server.on_read = [](Stream* s) {
    s->output_buffer.Take(&s->input_buffer);
  };
  at_server.Attach(server);
  Calls at_client;
  int left = echoes;
  at_client.on_read = [&left, &base](Stream* s) {
    if (s->input_buffer.size() < 64) return;
    if (--left == 0) return base->LoopBreak();
    s->output_buffer.Take(&s->input_buffer);
  };
  at_client.Attach(client);
  server->Enable(EV_READ | EV_WRITE);
  client->Enable(EV_READ | EV_WRITE);
  client->output_buffer.Add(std::string(64, 'x'));
  base->Loop(0);
  client->Free();
  server->Free();
  close(ends.ours);
  close(ends.theirs);
}

// The system calls of a child that runs `echoes`; -1: it cannot be traced.
// Reading the clock is none on most systems (vdso(7)), and is not counted
// where it is.
long CallsOf(int echoes) {
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(99);
    raise(SIGSTOP);
    RunEchoes(echoes);
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return -1;
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD);
  long calls = 0;
  for (;;) {
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    if (waitpid(child, &status, 0) != child) return -1;
    if (WIFEXITED(status)) return WEXITSTATUS(status) == 0 ? calls : -1;
    if (WIFSIGNALED(status)) return -1;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
    __ptrace_syscall_info info = {};
    ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
    calls += info.op == PTRACE_SYSCALL_INFO_ENTRY &&
             info.entry.nr != SYS_clock_gettime;
  }
}

// Both sides together, and the loop.
TEST(SocketStreamTest, AnEchoCostsAtMostSevenSystemCalls) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIP: a sanitizer makes system calls of its own";
#endif
  const long few = CallsOf(100);
  if (few < 0) GTEST_SKIP() << "SKIP: needs ptrace";
  const long many = CallsOf(600);
  const double each = static_cast<double>(many - few) / 500;
  RecordProperty("system_calls_an_echo", std::to_string(each));
  EXPECT_LE(each, 7.0);
  EXPECT_GE(each, 4.0) << "two reads and two writes at least: it counts";
}

TEST(SocketStreamTest, WhatIsAddedInATurnIsWrittenOnceAtItsEnd) {
  EventBasePtr base = NewEventBase(true);
  int fds[2];
  // Of datagrams, so that each write can be told from the others.
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
  Stream* s = NewSocketStream(base.get(), fds[0], 0);
  s->output_buffer.Add("one ");
  s->output_buffer.Add("two ");
  s->output_buffer.Add("three");
  char piece[100];
  EXPECT_EQ(read(fds[1], piece, sizeof piece), -1) << "not yet";
  base->Loop(EVLOOP_NONBLOCK);
  EXPECT_EQ(std::string(piece, static_cast<std::size_t>(
                                   read(fds[1], piece, sizeof piece))),
            "one two three");
  EXPECT_EQ(read(fds[1], piece, sizeof piece), -1) << "one write";
  s->Free();
  close(fds[0]);
  close(fds[1]);
}

TEST(SocketStreamTest, OneReadOfUpTo64KiBATurn) {
  EventBasePtr base = NewEventBase(true);
  SocketEnds ends;
  const int big = 1 << 20;
  setsockopt(ends.theirs, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
  std::string bytes(150000, 'x');
  std::size_t sent = 0;
  for (;;) {
    const ssize_t n =
        write(ends.theirs, bytes.data() + sent, bytes.size() - sent);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  ASSERT_GT(sent, 2 * kReadMost);
  Stream* s = NewSocketStream(base.get(), ends.ours, BEV_OPT_CLOSE_ON_FREE);
  Calls calls;
  std::vector<std::size_t> sizes;
  calls.on_read = [&](Stream* stream) {
    sizes.push_back(stream->input_buffer.size());
    stream->input_buffer.Drain(sizes.back());
  };
  calls.Attach(s);
  s->Enable(EV_READ);
  base->Loop(EVLOOP_ONCE);
  ASSERT_EQ(sizes.size(), 1u);
  EXPECT_LE(sizes[0], kReadMost);
  EXPECT_GT(sizes[0], kReadMost / 2);
  std::size_t total = sizes[0];
  while (total < sent) {
    const std::size_t before = sizes.size();
    base->Loop(EVLOOP_ONCE);
    ASSERT_EQ(sizes.size(), before + 1);
    EXPECT_LE(sizes.back(), kReadMost);
    total += sizes.back();
  }
  s->Free();
  close(ends.theirs);
}

// --- Release ----------------------------------------------------------------

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(SocketStreamTest, InACallbackItIsReleasedAtTheEndOfThePass) {
  EventBasePtr base = NewEventBase(true);
  SocketEnds ends;
  Stream* s = NewSocketStream(base.get(), ends.ours, BEV_OPT_CLOSE_ON_FREE);
  Calls calls;
  bool open_in_callback = false;
  calls.on_read = [&](Stream* stream) {
    stream->Free();
    open_in_callback = IsOpen(ends.ours);
    EXPECT_EQ(stream->input_buffer.ToString(), "x");
  };
  calls.Attach(s);
  s->Enable(EV_READ);
  ASSERT_EQ(write(ends.theirs, "x", 1), 1);
  base->Loop(EVLOOP_ONCE);
  EXPECT_TRUE(open_in_callback);
  EXPECT_FALSE(IsOpen(ends.ours));
  EXPECT_EQ(calls.reads, 1);
  close(ends.theirs);
}

TEST(SocketStreamTest, OutsideTheLoopItIsReleasedAtOnce) {
  EventBasePtr base = NewEventBase(true);
  SocketEnds ends;
  Stream* s = NewSocketStream(base.get(), ends.ours, BEV_OPT_CLOSE_ON_FREE);
  s->Enable(EV_READ);
  s->output_buffer.Add("never sent");
  s->Free();
  EXPECT_FALSE(IsOpen(ends.ours));
  base->Loop(EVLOOP_NONBLOCK);
  char byte;
  EXPECT_EQ(read(ends.theirs, &byte, 1), 0);
  close(ends.theirs);
}

}  // namespace
}  // namespace percore
