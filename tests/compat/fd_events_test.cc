// Reading and writing descriptors.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class FdEventsTest : public BackendTest {
 protected:
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND_AND_FLAG(FdEventsTest);

// main/simpleread
TEST_P(FdEventsTest, Read) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ);
  reader.Add();
  Turn();
  EXPECT_EQ(journal_.size(), 0);
  pair.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "r:R");
}

// main/simplewrite
TEST_P(FdEventsTest, Write) {
  SocketPair pair;
  pair.Fill(0);
  Probe writer(base(), &journal_, "w", pair[0], EV_WRITE);
  writer.Add();
  Turn();
  EXPECT_EQ(journal_.size(), 0);
  pair.Drain(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "w:W");
}

// main/persistent: level: told as long as there is something to read.
TEST_P(FdEventsTest, LevelTriggered) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add();
  pair.Send(1);
  for (int i = 1; i <= 4; ++i) {
    Turn();
    EXPECT_EQ(reader.calls(), i);
  }
  pair.Drain(0);
  Turn();
  EXPECT_EQ(reader.calls(), 4);
  pair.Send(1);
  Turn();
  EXPECT_EQ(reader.calls(), 5);
}

// main/multiple: a stream through two events of one pair.
TEST_P(FdEventsTest, VolumeOfData) {
  constexpr int kTotal = 1 << 20;
  SocketPair pair;
  int sent = 0, got = 0;
  Probe writer(base(), nullptr, "w", pair[0], EV_WRITE | EV_PERSIST);
  Probe reader(base(), nullptr, "r", pair[1], EV_READ | EV_PERSIST);
  writer.OnCall([&] {
    const std::string block(std::min(kTotal - sent, 10000), 'x');
    const ssize_t n = write(pair[0], block.data(), block.size());
    if (n > 0) sent += n;
    if (sent == kTotal) {
      writer.Del();
      pair.Close(0);
    }
  });
  reader.OnCall([&] {
    char buf[7000];
    const ssize_t n = read(pair[1], buf, sizeof(buf));
    if (n > 0) got += n;
    if (n == 0) reader.Del();
  });
  writer.Add();
  reader.Add();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(sent, kTotal);
  EXPECT_EQ(got, kTotal);
}

// main/combined: both directions on one fd by two events, one deleted.
TEST_P(FdEventsTest, ReadAndWriteByTwoEvents) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  Probe writer(base(), &journal_, "w", pair[0], EV_WRITE | EV_PERSIST);
  reader.Add();
  writer.Add();
  Turn();
  EXPECT_EQ(journal_.text(), "w:W");
  pair.Send(1);
  journal_.Clear();
  Turn();
  EXPECT_EQ(reader.calls(), 1);
  EXPECT_EQ(writer.calls(), 2);
  writer.Del();
  Turn();
  EXPECT_EQ(reader.calls(), 2);
  EXPECT_EQ(writer.calls(), 2);
}

// Added, deleted and added again before the loop sees any of it.
TEST_P(FdEventsTest, ChangesBetweenTurns) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  Probe writer(base(), &journal_, "w", pair[0], EV_WRITE | EV_PERSIST);
  pair.Send(1);
  reader.Add();
  reader.Del();
  Turn();
  EXPECT_EQ(journal_.size(), 0);
  reader.Add();
  writer.Add();
  reader.Del();
  Turn();
  EXPECT_EQ(journal_.text(), "w:W");
  writer.Del();
  reader.Add();
  journal_.Clear();
  Turn();
  EXPECT_EQ(journal_.text(), "r:R");
}

// semantics 3.10: the end of the stream reads as readable.
TEST_P(FdEventsTest, EndOfStreamIsReadable) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ);
  reader.Add();
  Turn();
  pair.Close(1);
  Turn();
  EXPECT_EQ(journal_.text(), "r:R");
}

// semantics 3.10: an error or a hangup tells readers and writers.
TEST_P(FdEventsTest, BrokenPipeIsWritable) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  Probe writer(base(), &journal_, "w", fds[1], EV_WRITE);
  while (write(fds[1], "0123456789abcdef", 16) > 0) {
  }
  writer.Add();
  Turn();
  EXPECT_EQ(journal_.size(), 0);
  close(fds[0]);
  Turn();
  EXPECT_EQ(journal_.text(), "w:W");
  close(fds[1]);
}

// main/pipe ends: the reader of a pipe whose writer is gone.
TEST_P(FdEventsTest, PipeWithoutAWriter) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  Probe reader(base(), &journal_, "r", fds[0], EV_READ);
  reader.Add();
  close(fds[1]);
  Turn();
  EXPECT_EQ(journal_.text(), "r:R");
  close(fds[0]);
}

// semantics 3.8: fd -1: added, counted, never ready.
TEST_P(FdEventsTest, NegativeFd) {
  Probe none(base(), &journal_, "n", -1, EV_READ | EV_WRITE | EV_PERSIST);
  EXPECT_EQ(none.Add(), 0);
  EXPECT_EQ(none.Pending(EV_READ | EV_WRITE), EV_READ | EV_WRITE);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 1);
  EXPECT_EQ(Turn(), 0);
  EXPECT_EQ(journal_.size(), 0);
  EXPECT_EQ(none.Del(), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  // With a timeout it is a timer.
  none.Add(Us(1));
  event_base_loop(base(), EVLOOP_ONCE);
  EXPECT_EQ(journal_.text(), "n:T");
}

// semantics 3.8
// semantics 4.4: signal numbers out of range are refused.
TEST_P(FdEventsTest, SignalsOutOfRange) {
  LogCapture log;
  for (int number : {-1, 65, 100000}) {
    Probe sig(base(), &journal_, "s", number, EV_SIGNAL | EV_PERSIST);
    EXPECT_EQ(sig.Add(), -1) << number;
    EXPECT_EQ(sig.Pending(EV_SIGNAL), 0) << number;
    EXPECT_EQ(sig.Del(), 0) << number;
  }
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
}

// semantics 3.9: a regular file: epoll refuses it at event_add, the others
// take it as always ready.
TEST_P(FdEventsTest, RegularFile) {
  FILE* file = tmpfile();
  ASSERT_NE(file, nullptr);
  Probe reader(base(), &journal_, "r", fileno(file), EV_READ);
  LogCapture log;
  const int rc = reader.Add();
  if (IsEpoll()) {
#ifdef TESTING_DEBIAN_LIBEVENT
    if (IsChangelist()) {
      // libevent finds out at the next poll only.
      EXPECT_EQ(rc, 0);
      fclose(file);
      return;
    }
#endif
    // better: with the changelist too, an add that the kernel refuses is the
    // answer of event_add.
    EXPECT_EQ(rc, -1);
    EXPECT_EQ(log.Warnings(), 1);
    EXPECT_EQ(reader.Pending(EV_READ), 0);
    EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
    // The base is not harmed.
    EXPECT_EQ(event_base_dispatch(base()), 1);
  } else {
    EXPECT_EQ(rc, 0);
    Turn();
    EXPECT_EQ(journal_.text(), "r:R");
  }
  reader.Del();
  fclose(file);
}

// semantics 3.9: a descriptor that is not open.
TEST_P(FdEventsTest, BadDescriptor) {
  if (!IsEpoll() || IsChangelist()) GTEST_SKIP() << "others ask at the poll";
  SocketPair pair;
  const int fd = pair[0];
  pair.Close(0);
  Probe reader(base(), &journal_, "r", fd, EV_READ);
  LogCapture log;
  EXPECT_EQ(reader.Add(), -1);
  EXPECT_EQ(reader.Pending(EV_READ), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
}

// semantics 3.9: closed with the event added (a bug of the program): poll
// tells it as ready (main/event_closed_fd_poll), epoll forgets it.
TEST_P(FdEventsTest, ClosedWhileAdded) {
  if (IsSelect()) GTEST_SKIP() << "select fails as a whole";
  if (GetParam().method == "io_uring") GTEST_SKIP() << "a poll holds the file";
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ);
  reader.Add();
  Turn();
  pair.Close(0);
  LogCapture log;
  if (GetParam().method == "poll") {
    Turn();
    EXPECT_EQ(reader.calls(), 1);
    EXPECT_EQ(reader.last_what(), EV_READ);
  } else {
    EXPECT_EQ(Turn(), 0);
    EXPECT_EQ(reader.calls(), 0);
    EXPECT_EQ(reader.Del(), 0);
  }
}

// semantics 3.9: closed, the number used anew, and the event added again
// (main/dup_fd): the new descriptor is watched.
TEST_P(FdEventsTest, RecycledNumber) {
  SocketPair first;
  const int number = first[0];
  Probe reader(base(), &journal_, "r", number, EV_READ | EV_PERSIST);
  reader.Add();
  Turn();
  reader.Del();
  first.Close(0);
  SocketPair second;
  // The number again, whatever the kernel chose.
  const int fd = second[0] == number ? number : dup2(second[0], number);
  ASSERT_EQ(fd, number);
#ifndef TESTING_DEBIAN_LIBEVENT
  // Deleting and adding the same event costs percore no system call, so an
  // event of a closed number is assigned again for the new file; what closes
  // with evutil_closesocket need not be.
  event_assign(reader.ev(), base(), number, EV_READ | EV_PERSIST,
               event_get_callback(reader.ev()),
               event_get_callback_arg(reader.ev()));
#endif
  EXPECT_EQ(reader.Add(), 0);
  second.Send(1);
  Turn();
  EXPECT_EQ(reader.calls(), 1);
  reader.Del();
  if (second[0] != number) close(number);
}

// semantics 3.9: the same, closed before the del: the kernel has forgotten
// what the base still believes.
TEST_P(FdEventsTest, RecycledNumberClosedBeforeTheDel) {
  if (GetParam().method == "io_uring") GTEST_SKIP() << "a poll holds the file";
  SocketPair first;
  const int number = first[0];
  Probe reader(base(), &journal_, "r", number, EV_READ | EV_PERSIST);
  Probe writer(base(), &journal_, "w", number, EV_WRITE | EV_PERSIST);
  reader.Add();
  Turn();
  SocketPair second;
  ASSERT_EQ(dup2(second[0], number), number);  // Closes the first.
  // MOD of what the kernel does not know: tried again as ADD.
  EXPECT_EQ(writer.Add(), 0);
  second.Send(1);
  Turn();
  EXPECT_EQ(writer.calls(), 1);
  EXPECT_EQ(reader.calls(), 1);
  reader.Del();
  writer.Del();
}

// semantics 3.9: DEL of what the kernel has forgotten is no error.
TEST_P(FdEventsTest, DelAfterClose) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  reader.Add();
  Turn();
  pair.Close(0);
  EXPECT_EQ(reader.Del(), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
}

// main/dup_fd: two numbers of one socket are two descriptors.
TEST_P(FdEventsTest, DupedDescriptors) {
  SocketPair pair;
  const int twin = dup(pair[0]);
  Probe a(base(), &journal_, "a", pair[0], EV_READ | EV_PERSIST);
  Probe b(base(), &journal_, "b", twin, EV_READ | EV_PERSIST);
  a.Add();
  b.Add();
  pair.Send(1);
  Turn();
  EXPECT_EQ(a.calls(), 1);
  EXPECT_EQ(b.calls(), 1);
  b.Del();
  close(twin);
  Turn();
  EXPECT_EQ(a.calls(), 2);
  EXPECT_EQ(b.calls(), 1);
}

// semantics 3.8: many events on one fd, counted for each direction.
TEST_P(FdEventsTest, ManyEventsOnOneFd) {
  constexpr int kEvents = 300;
  SocketPair pair;
  std::vector<std::unique_ptr<Probe>> probes;
  for (int i = 0; i < kEvents; ++i) {
    probes.push_back(
        std::make_unique<Probe>(base(), &journal_, "p", pair[0],
                                (i % 2 ? EV_READ : EV_WRITE) | EV_PERSIST));
    EXPECT_EQ(probes.back()->Add(), 0);
  }
  pair.Send(1);
  Turn();
  EXPECT_EQ(journal_.size(), kEvents);
  for (int i = 0; i < kEvents; ++i) {
    if (i != 11) probes[i]->Del();
  }
  journal_.Clear();
  Turn();
  EXPECT_EQ(journal_.text(), "p:R");
}

// main/want_only_once: one delivery for one readiness.
TEST_P(FdEventsTest, DeliveredOnce) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ);
  reader.Add(Ms(30000));
  pair.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "r:R");
}

}  // namespace
}  // namespace compat
