// Descriptors that are closed, reopened and duplicated under the loop, over
// every backend: nothing is lost, nothing spins.
#include <event2/event.h>
#include <event2/thread.h>
#include <event2/util.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "percore/runtime/backend/backend.h"
#include "percore/runtime/loop/event_base.h"

namespace percore {
namespace {

struct Param {
  const BackendKind* kind;
  bool shared;
};

std::vector<Param> Params() {
  std::vector<Param> params;
  for (const BackendKind* kind = BackendKinds(); kind->name != nullptr;
       ++kind) {
    params.push_back({kind, false});
    params.push_back({kind, true});
  }
  return params;
}

struct Sockets {
  Sockets() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
  }
  ~Sockets() {
    CloseEnd(0);
    CloseEnd(1);
  }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;
  void CloseEnd(int i) {
    if (fd[i] >= 0) close(fd[i]);
    fd[i] = -1;
  }
  void Write() { ASSERT_EQ(write(fd[1], "x", 1), 1); }
  int fd[2];
};

void Count(evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); }

class FdBatchTest : public testing::TestWithParam<Param> {
 protected:
  void SetUp() override {
    const BackendKind* kind = GetParam().kind;
    if (!kind->Available()) {
      GTEST_SKIP() << "SKIP: this kernel offers no " << kind->name;
    }
    ASSERT_EQ(evthread_use_pthreads(), 0);
    BaseConfig config;
    config.owned = !GetParam().shared;
    ASSERT_TRUE(config.SetMethod(kind->name));
    base_ = EventBase::Create(&config);
    ASSERT_NE(base_, nullptr);
    ASSERT_EQ(base_->shared(), GetParam().shared);
  }
  void TearDown() override {
    if (base_ != nullptr) base_->Free(true);
  }

  void Assign(event* ev, int fd, short events, int* calls) {
    ASSERT_EQ(EventBase::Assign(ev, base_, fd, events, &Count, calls), 0);
  }
  int Add(event* ev) { return base_->Add(ev, nullptr); }
  void Del(event* ev) { base_->Del(ev, DelWait::kUnlessFinalize); }
  void Turns(int n) {
    for (int i = 0; i < n; ++i) {
      base_->Loop(EVLOOP_ONCE | EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
    }
  }
  // Runs the loop for some time and says how many turns that took.
  std::uint64_t TurnsWithin(int ms) {
    const std::uint64_t before = base_->Stats().turns;
    const timeval duration{0, ms * 1000};
    base_->LoopExit(&duration);
    base_->Loop(EVLOOP_NO_EXIT_ON_EMPTY);
    return base_->Stats().turns - before;
  }
  bool CanBeStale() const {
    // poll, select and io_uring know their registrations by themselves.
    return std::string(GetParam().kind->name) == "epoll";
  }

  EventBase* base_ = nullptr;
};

std::string ParamName(const testing::TestParamInfo<Param>& param) {
  return std::string(param.param.kind->name) +
         (param.param.shared ? "_shared" : "_owned");
}

INSTANTIATE_TEST_SUITE_P(All, FdBatchTest, testing::ValuesIn(Params()),
                         ParamName);

TEST_P(FdBatchTest, ClosedAndReopenedNumberByReassignedEvent) {
  Sockets s;
  const int number = s.fd[0];
  int calls = 0;
  event ev;
  Assign(&ev, number, EV_READ | EV_PERSIST, &calls);
  ASSERT_EQ(Add(&ev), 0);
  Turns(2);
  for (int round = 0; round < 3; ++round) {
    Sockets other;
    Del(&ev);
    close(number);
    ASSERT_EQ(fcntl(other.fd[0], F_DUPFD, number), number);
    Assign(&ev, number, EV_READ | EV_PERSIST, &calls);
    ASSERT_EQ(Add(&ev), 0);
    Turns(1);
    EXPECT_EQ(calls, 0);
    other.Write();
    Turns(1);
    EXPECT_GT(calls, 0) << "round " << round;
    calls = 0;
    Del(&ev);
    Turns(1);
    Assign(&ev, number, EV_READ | EV_PERSIST, &calls);
    char c;
    ASSERT_EQ(read(number, &c, 1), 1);
    ASSERT_EQ(Add(&ev), 0);
    Turns(1);
  }
  Del(&ev);
}

TEST_P(FdBatchTest, NumberReplacedByDup2AndReassignedEvent) {
  Sockets s;
  Sockets other;
  const int number = s.fd[0];
  int calls = 0;
  event ev;
  Assign(&ev, number, EV_READ | EV_PERSIST, &calls);
  ASSERT_EQ(Add(&ev), 0);
  Turns(2);
  Del(&ev);
  ASSERT_EQ(dup2(other.fd[0], number), number);
  Assign(&ev, number, EV_READ | EV_PERSIST, &calls);
  ASSERT_EQ(Add(&ev), 0);
  other.Write();
  Turns(2);
  EXPECT_GT(calls, 0);
  EXPECT_EQ(base_->Stats().backend_rebuilds, 0u);
  Del(&ev);
}

TEST_P(FdBatchTest, AnotherEventOnAReopenedNumber) {
  Sockets s;
  const int number = s.fd[0];
  int first_calls = 0;
  int second_calls = 0;
  event first;
  event second;
  Assign(&first, number, EV_READ | EV_PERSIST, &first_calls);
  Assign(&second, number, EV_WRITE | EV_PERSIST, &second_calls);
  ASSERT_EQ(Add(&first), 0);
  Turns(1);
  Del(&first);
  close(number);
  Sockets other;
  if (other.fd[0] != number) {
    ASSERT_EQ(dup2(other.fd[0], number), number);
  }
  ASSERT_EQ(Add(&second), 0);
  Turns(1);
  EXPECT_EQ(first_calls, 0);
  EXPECT_EQ(second_calls, 1);
  Del(&second);
  if (other.fd[0] == number) s.fd[0] = -1;
}

// The registration outlives its number as long as a duplicate is open.
TEST_P(FdBatchTest, ClosedDuplicateDoesNotSpin) {
  Sockets s;
  Sockets live;
  int calls = 0;
  int live_calls = 0;
  event ev;
  event live_ev;
  Assign(&ev, s.fd[0], EV_READ | EV_PERSIST, &calls);
  Assign(&live_ev, live.fd[0], EV_READ, &live_calls);
  ASSERT_EQ(Add(&ev), 0);
  ASSERT_EQ(Add(&live_ev), 0);
  Turns(1);
  const int duplicate = dup(s.fd[0]);
  Del(&ev);
  s.CloseEnd(0);  // before the loop has told anybody
  s.Write();
  EXPECT_LT(TurnsWithin(30), 10u);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(base_->Stats().backend_rebuilds, CanBeStale() ? 1u : 0u);
  EXPECT_EQ(base_->Stats().stale_reports, CanBeStale() ? 1u : 0u);
  live.Write();
  Turns(2);
  EXPECT_EQ(live_calls, 1);
  Del(&live_ev);
  close(duplicate);
}

// Several reports are in hand when the set is made anew: they are of the old
// one, which is no reason to make it anew again, and none is lost.
TEST_P(FdBatchTest, OneStaleAmongManyReportsIsOneRebuild) {
  Sockets s;
  Sockets live[4];
  int calls = 0;
  int live_calls[4] = {};
  event ev;
  event live_ev[4];
  Assign(&ev, s.fd[0], EV_READ | EV_PERSIST, &calls);
  ASSERT_EQ(Add(&ev), 0);
  for (int i = 0; i < 4; ++i) {
    Assign(&live_ev[i], live[i].fd[0], EV_READ, &live_calls[i]);
    ASSERT_EQ(Add(&live_ev[i]), 0);
  }
  Turns(1);
  const int duplicate = dup(s.fd[0]);
  Del(&ev);
  s.CloseEnd(0);
  s.Write();  // first, so that it is reported first
  for (Sockets& one : live) one.Write();
  Turns(3);
  for (int n : live_calls) EXPECT_EQ(n, 1);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(base_->Stats().backend_rebuilds, CanBeStale() ? 1u : 0u);
  for (event& one : live_ev) Del(&one);
  close(duplicate);
}

// The number means another, watched file when the old one is reported.
TEST_P(FdBatchTest, StaleReportOfANumberInUseAgain) {
  Sockets s;
  const int number = s.fd[0];
  int calls = 0;
  int other_calls = 0;
  event ev;
  event other_ev;
  Assign(&ev, number, EV_READ | EV_PERSIST, &calls);
  ASSERT_EQ(Add(&ev), 0);
  Turns(1);
  const int duplicate = dup(number);
  Sockets other;
  Del(&ev);
  ASSERT_EQ(dup2(other.fd[0], number), number);
  Assign(&other_ev, number, EV_READ | EV_PERSIST, &other_calls);
  ASSERT_EQ(Add(&other_ev), 0);
  s.Write();
  EXPECT_LT(TurnsWithin(30), 10u);
  EXPECT_EQ(calls + other_calls, 0);
  EXPECT_EQ(base_->Stats().backend_rebuilds, CanBeStale() ? 1u : 0u);
  other.Write();
  Turns(1);
  EXPECT_EQ(other_calls, 1);
  Del(&other_ev);
  close(duplicate);
}

// Flushed as evutil_closesocket does it, nothing is stale.
TEST_P(FdBatchTest, FlushedBeforeItsCloseIsNeverStale) {
  Sockets s;
  int calls = 0;
  event ev;
  Assign(&ev, s.fd[0], EV_READ | EV_PERSIST, &calls);
  ASSERT_EQ(Add(&ev), 0);
  Turns(1);
  const int duplicate = dup(s.fd[0]);
  Del(&ev);
  base_->FlushFd(s.fd[0]);
  s.CloseEnd(0);
  s.Write();
  EXPECT_LT(TurnsWithin(30), 10u);
  EXPECT_EQ(base_->Stats().stale_reports, 0u);
  EXPECT_EQ(base_->Stats().backend_rebuilds, 0u);
  close(duplicate);
}

// semantics 3.9
// evutil_closesocket asks the loops that run on its thread. One that does not
// run keeps what it has not told yet: that must not spin either.
TEST_P(FdBatchTest, ClosesocketOutsideOfTheLoop) {
  Sockets s;
  int calls = 0;
  event ev;
  Assign(&ev, s.fd[0], EV_READ | EV_PERSIST, &calls);
  ASSERT_EQ(Add(&ev), 0);
  Turns(1);
  const int duplicate = dup(s.fd[0]);
  Del(&ev);
  ASSERT_EQ(evutil_closesocket(s.fd[0]), 0);
  s.fd[0] = -1;
  s.Write();
  EXPECT_LT(TurnsWithin(30), 10u);
  EXPECT_EQ(calls, 0);
  EXPECT_LE(base_->Stats().backend_rebuilds, 1u);
  close(duplicate);
}

// The same from a callback of another base, and the number is used again.
TEST_P(FdBatchTest, ClosesocketUnderAnotherBaseThenReused) {
  Sockets s;
  const int number = s.fd[0];
  int calls = 0;
  event ev;
  Assign(&ev, number, EV_READ | EV_PERSIST, &calls);
  ASSERT_EQ(Add(&ev), 0);
  Turns(1);
  EventBase* other = EventBase::Create(nullptr);
  ASSERT_NE(other, nullptr);
  const int duplicate = dup(number);
  Del(&ev);
  s.fd[0] = -1;
  struct Close {
    int number;
    int result = -1;
  } close_it{number};
  const auto close_socket = [](evutil_socket_t, short, void* arg) {
    auto* c = static_cast<Close*>(arg);
    c->result = evutil_closesocket(c->number);
  };
  ASSERT_EQ(other->Once(-1, EV_TIMEOUT, close_socket, &close_it, nullptr), 0);
  EXPECT_EQ(other->Loop(0), 1);
  EXPECT_EQ(close_it.result, 0);
  Sockets fresh;
  ASSERT_TRUE(fresh.fd[0] == number || dup2(fresh.fd[0], number) == number);
  int fresh_calls = 0;
  event fresh_ev;
  Assign(&fresh_ev, number, EV_READ | EV_PERSIST, &fresh_calls);
  ASSERT_EQ(Add(&fresh_ev), 0);
  s.Write();  // to the file that only the duplicate has
  EXPECT_LT(TurnsWithin(30), 10u);
  EXPECT_EQ(calls + fresh_calls, 0);
  fresh.Write();
  Turns(1);
  EXPECT_EQ(fresh_calls, 1);
  Del(&fresh_ev);
  if (fresh.fd[0] != number) close(number);
  other->Free(true);
  close(duplicate);
}

TEST_P(FdBatchTest, RegularFile) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  int calls = 0;
  event ev;
  Assign(&ev, fileno(file), EV_READ | EV_PERSIST, &calls);
  if (GetParam().kind->features & kFeatureAnyFd) {
    ASSERT_EQ(Add(&ev), 0);
    Turns(3);
    EXPECT_EQ(calls, 3);
    Del(&ev);
  } else {
    errno = 0;
    EXPECT_EQ(Add(&ev), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(base_->Pending(&ev, EV_READ, nullptr), 0);
  }
  Turns(1);
  std::fclose(file);
}

TEST_P(FdBatchTest, ClosedDescriptorIsRefused) {
  Sockets s;
  const int number = s.fd[0];
  s.CloseEnd(0);
  int calls = 0;
  event ev;
  Assign(&ev, number, EV_READ, &calls);
  errno = 0;
  EXPECT_EQ(Add(&ev), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(base_->Pending(&ev, EV_READ, nullptr), 0);
}

struct Change {
  EventBase* base;
  event* old_event;
  event* new_event;
  int replacement;
  int number;
  bool done;
};

// Between the wait and the callbacks user code runs (watchers, messages) and
// may change what was reported: a late report is not a stale one.
TEST_P(FdBatchTest, ChangedBetweenTheWaitAndTheReport) {
  Sockets s;
  Sockets other;
  int calls = 0;
  int other_calls = 0;
  event ev;
  event other_ev;
  const int number = s.fd[0];
  Assign(&ev, number, EV_READ | EV_PERSIST, &calls);
  Assign(&other_ev, number, EV_READ | EV_PERSIST, &other_calls);
  ASSERT_EQ(Add(&ev), 0);
  Turns(1);
  Change change{base_, &ev, &other_ev, other.fd[0], number, false};
  evwatch* watcher = base_->AddCheckWatcher(
      [](evwatch*, const evwatch_check_cb_info*, void* arg) {
        auto* c = static_cast<Change*>(arg);
        if (c->done) return;
        c->done = true;
        c->base->Del(c->old_event, DelWait::kUnlessFinalize);
        c->base->FlushFd(c->number);
        EXPECT_EQ(dup2(c->replacement, c->number), c->number);
        EXPECT_EQ(c->base->Add(c->new_event, nullptr), 0);
      },
      &change);
  ASSERT_NE(watcher, nullptr);
  s.Write();
  Turns(3);
  EXPECT_TRUE(change.done);
  EXPECT_EQ(calls + other_calls, 0);
  EXPECT_EQ(base_->Stats().stale_reports, 0u);
  EXPECT_EQ(base_->Stats().backend_rebuilds, 0u);
  other.Write();
  Turns(1);
  EXPECT_EQ(other_calls, 1);
  Del(&other_ev);
  EventBase::FreeWatcher(watcher);
}

// A shared base: another thread deletes and closes while the loop waits.
TEST_P(FdBatchTest, ForeignDeleteThenCloseWhileTheLoopWaits) {
  if (!GetParam().shared) return;  // not allowed in an owned base
  int calls = 0;
  std::atomic<bool> running{false};
  const timeval at_once{0, 0};
  ASSERT_EQ(base_->Once(
                -1, EV_TIMEOUT,
                [](evutil_socket_t, short, void* arg) {
                  static_cast<std::atomic<bool>*>(arg)->store(true);
                },
                &running, &at_once),
            0);
  std::thread loop([&] { base_->Loop(EVLOOP_NO_EXIT_ON_EMPTY); });
  while (!running) std::this_thread::yield();
  for (int round = 0; round < 20; ++round) {
    Sockets s;
    Sockets other;
    const int number = s.fd[0];
    event ev;
    Assign(&ev, number, EV_READ | EV_PERSIST, &calls);
    ASSERT_EQ(Add(&ev), 0);
    // The reason to sleep: the loop should be back in its wait.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const int duplicate = dup(number);
    Del(&ev);
    s.CloseEnd(0);
    s.Write();
    // The number again, for another file: it must be watched.
    EXPECT_EQ(dup2(other.fd[0], number), number);
    std::atomic<int> delivered{0};
    event other_ev;
    ASSERT_EQ(EventBase::Assign(
                  &other_ev, base_, number, EV_READ,
                  [](evutil_socket_t, short, void* arg) {
                    static_cast<std::atomic<int>*>(arg)->fetch_add(1);
                  },
                  &delivered),
              0);
    ASSERT_EQ(Add(&other_ev), 0);
    other.Write();
    for (int i = 0; i < 2000 && delivered == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(delivered.load(), 1) << "round " << round;
    Del(&other_ev);
    close(number);
    close(duplicate);
  }
  base_->LoopBreak();
  loop.join();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(base_->Stats().stale_reports, 0u);
  EXPECT_EQ(base_->Stats().backend_rebuilds, 0u);
  // Rings and changes end waits, nothing else does.
  EXPECT_LT(base_->Stats().turns, 20u * 12);
}

}  // namespace
}  // namespace percore
