#ifndef PERCORE_TESTS_COMPAT_FORK_FIXTURE_H_
#define PERCORE_TESTS_COMPAT_FORK_FIXTURE_H_

// A base with one of each: an fd watched for reading, a signal, a timer ready
// to be added. What the parent of a fork must still have afterwards, and what
// the child gets, are told by the three counters.

#include <event2/event.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "percore/tests/compat/child_process.h"
#include "percore/tests/compat/handles.h"

namespace percore::compat {

class ForkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(nullptr, base_);
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends_));
    evutil_make_socket_nonblocking(ends_[0]);
    reader_.reset(
        event_new(base_.get(), ends_[0], EV_READ | EV_PERSIST, Read, this));
    signal_.reset(evsignal_new(base_.get(), SIGUSR1, Count, &signals_));
    timer_.reset(evtimer_new(base_.get(), Count, &timeouts_));
  }
  void TearDown() override {
    close(ends_[0]);
    close(ends_[1]);
  }

  static void Count(evutil_socket_t, short, void* arg) {
    ++*static_cast<int*>(arg);
  }
  static void Read(evutil_socket_t fd, short, void* arg) {
    char byte;
    if (read(fd, &byte, 1) == 1) ++static_cast<ForkTest*>(arg)->reads_;
  }

  void AddReader() { ASSERT_EQ(0, event_add(reader_.get(), nullptr)); }
  void AddSignal() { ASSERT_EQ(0, event_add(signal_.get(), nullptr)); }
  void AddTimer(long ms) {
    const timeval tv = Milliseconds(ms);
    ASSERT_EQ(0, event_add(timer_.get(), &tv));
  }
  // Makes the reader ready, in whoever watches it.
  void Send() { ASSERT_EQ(1, write(ends_[1], "x", 1)); }
  // One pass without waiting.
  int Turn() {
    return event_base_loop(base_.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  }
  // Reads once more: the base of this process is as it was.
  void ExpectReaderWorks() {
    const int before = reads_;
    Send();
    Turn();
    EXPECT_EQ(before + 1, reads_);
  }
  void ExpectSignalWorks() {
    const int before = signals_;
    raise(SIGUSR1);
    raise(SIGUSR1);
    Turn();
    EXPECT_EQ(before + 2, signals_);
  }
  // The child of the test's body, waited for.
  static void InChild(const std::function<void()>& body) {
    ExpectClean(WaitForChild(StartChild(body)));
  }

  BasePtr base_ = NewBase();
  int ends_[2] = {-1, -1};
  int reads_ = 0;
  int signals_ = 0;
  int timeouts_ = 0;
  EventPtr reader_;
  EventPtr signal_;
  EventPtr timer_;
};

}  // namespace percore::compat

#endif  // PERCORE_TESTS_COMPAT_FORK_FIXTURE_H_
