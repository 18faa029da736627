// What a turn of an owned loop costs, by counting (DESIGN, hot-path rules): no
// lock and no atomic read-modify-write in one that neither sleeps nor finds
// mail, at most two in one that does; and how many system calls.
#include <event2/event.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "percore/runtime/loop/event_base.h"
#include "percore/tests/runtime/loop/single_step.h"

namespace percore {
namespace {

constexpr int kTurns = 10;

// With a second thread: the C library takes short cuts without one.
void ParkAThread() {
  std::thread([] {
    for (;;) pause();
  }).detach();
}

EventBase* NewOwned() {
  BaseConfig config;
  config.owned = true;
  return EventBase::Create(&config);
}

#define ASSERT_COUNTED(count)                                    \
  if (!(count).skipped.empty()) GTEST_SKIP() << (count).skipped; \
  ASSERT_EQ((count).failed, "")

// The instrument first: it sees what it is to see.
TEST(SingleStep, SeesLocksExchangesAndSystemCalls) {
  const StepCount count = CountSteps([] {
    std::atomic<int> word{0};
    StepsBegin();
    word.fetch_add(1);                                         // lock
    [[maybe_unused]] const int old = word.exchange(2);         // xchg
    word.store(3, std::memory_order_relaxed);                  // neither
    [[maybe_unused]] const int now = word.load();              // neither
    [[maybe_unused]] const ssize_t n = write(-1, nullptr, 0);  // syscall
    StepsEnd();
  });
  ASSERT_COUNTED(count);
  EXPECT_EQ(count.locked, 2) << count.where;
  EXPECT_EQ(count.syscalls, 1);
}

// What is counted begins in one call of a callback and ends in another: whole
// turns. The first few are not: tables grow, symbols are found.
class Turns {
 public:
  explicit Turns(EventBase* base) : base_(base) {}

  EventBase* base() const { return base_; }

  // Once a turn, in a callback. `uncounted` is run outside of what is counted.
  template <typename F>
  void Call(F&& uncounted) {
    ++calls_;
    if (calls_ > kWarmUp) StepsEnd();
    uncounted();
    if (calls_ == kWarmUp + kTurns) return base_->LoopBreak();
    if (calls_ >= kWarmUp) StepsBegin();
  }
  void Call() {
    Call([] {});
  }

 private:
  static constexpr int kWarmUp = 3;
  EventBase* const base_;
  int calls_ = 0;
};

// An event of `base` that calls Turns::Call().
void Assign(event* ev, Turns* turns, int fd, short events) {
  EventBase::Assign(
      ev, turns->base(), fd, events,
      [](evutil_socket_t, short, void* arg) {
        static_cast<Turns*>(arg)->Call();
      },
      turns);
}

// Something is active already, so the turn does not sleep; it looks for
// descriptors all the same and finds one, whose timeout it pushes later.
TEST(TurnCost, OneThatDoesNotSleepHasNoLock) {
  const StepCount count = CountSteps([] {
    ParkAThread();
    Turns turns(NewOwned());
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1) _exit(1);
    event reader;
    Assign(&reader, &turns, ends[0], EV_READ | EV_PERSIST);
    const timeval hour = {3600, 0};
    turns.base()->Add(&reader, &hour);
    // Makes itself active again each time.
    struct Again {
      EventBase* base;
      event ev;
    } again{turns.base(), {}};
    EventBase::Assign(
        &again.ev, again.base, -1, 0,
        [](evutil_socket_t, short, void* arg) {
          auto* a = static_cast<Again*>(arg);
          a->base->Activate(&a->ev, EV_TIMEOUT, 1);
          a->base->LoopContinue();  // the next turn
        },
        &again);
    turns.base()->Activate(&again.ev, EV_TIMEOUT, 1);
    turns.base()->Loop(0);
  });
  ASSERT_COUNTED(count);
  EXPECT_EQ(count.locked, 0) << count.where;
  EXPECT_GE(count.syscalls, kTurns);
  // The descriptor's turn and the one that the other event asks for.
  EXPECT_LE(count.syscalls, 2 * kTurns);  // epoll_wait, once a turn
}

// With a timer pending and nothing active the loop announces its sleep, though
// the descriptor is ready and ends it at once.
TEST(TurnCost, OneThatMaySleepHasTwo) {
  const StepCount count = CountSteps([] {
    ParkAThread();
    Turns turns(NewOwned());
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1) _exit(1);
    event reader;
    Assign(&reader, &turns, ends[0], EV_READ | EV_PERSIST);
    const timeval hour = {3600, 0};
    turns.base()->Add(&reader, &hour);
    turns.base()->Loop(0);
  });
  ASSERT_COUNTED(count);
  EXPECT_EQ(count.locked, 2 * kTurns) << count.where;
  EXPECT_EQ(count.syscalls, kTurns);  // epoll_wait
}

TEST(TurnCost, OneThatSleepsHasTwo) {
  const StepCount count = CountSteps([] {
    ParkAThread();
    Turns turns(NewOwned());
    event timer;
    Assign(&timer, &turns, -1, EV_PERSIST);
    // Real time, and much of it: a turn is slow, step by step.
    const timeval soon = {0, 50000};
    turns.base()->Add(&timer, &soon);
    turns.base()->Loop(0);
  });
  ASSERT_COUNTED(count);
  EXPECT_LE(count.locked, 2 * kTurns) << count.where;
  EXPECT_GT(count.locked, 0);  // or it never slept
  EXPECT_EQ(count.syscalls, kTurns);
}

// What is sent to the loop, once a turn; what is counted is the receiving.
template <typename Send>
StepCount CountMail(Send send) {
  return CountSteps([send] {
    ParkAThread();
    struct Receiver {
      Turns turns;
      event ev;
      Send send;
    } receiver{Turns(NewOwned()), {}, send};
    EventBase::Assign(
        &receiver.ev, receiver.turns.base(), -1, EV_TIMEOUT | EV_PERSIST,
        [](evutil_socket_t, short, void* arg) {
          auto* r = static_cast<Receiver*>(arg);
          r->turns.Call([r] {
            // Not in this turn again, but in the next.
            r->turns.base()->Activate(&r->ev, EV_TIMEOUT, 1);
            r->turns.base()->LoopContinue();
            r->send(r->turns.base()->mailbox());
          });
        },
        &receiver);
    receiver.turns.base()->Activate(&receiver.ev, EV_TIMEOUT, 1);
    receiver.turns.base()->Loop(0);
  });
}

// Nothing is ever slept here, so what is counted is the mail's alone: the
// gate's one, the list's one, and one for each event on it.
TEST(TurnCost, AnActivationCostsThree) {
  static event ev;  // zeroed: never assigned
  const StepCount count = CountMail([](Mailbox* mailbox) {
    if (ev.ev_evcallback.evcb_flags == 0) {
      EventBase::Assign(
          &ev, nullptr, -1, 0, [](evutil_socket_t, short, void*) {}, nullptr);
    }
    mailbox->SendActivation(&ev, EV_TIMEOUT, 1);
  });
  ASSERT_COUNTED(count);
  EXPECT_EQ(count.locked, 3 * kTurns) << count.where;
}

// The gate's one, and the queue's own for a batch of up to 16.
TEST(TurnCost, ABatchOfMessagesCostsFive) {
#ifndef RUNTIME_IS_OPTIMISED
  GTEST_SKIP() << "SKIP: needs -c opt (the queue's plain stores count, too)";
#endif
  const StepCount count = CountMail([](Mailbox* mailbox) {
    for (int i = 0; i < 10; ++i) mailbox->SendNow(Message([] {}));
  });
  ASSERT_COUNTED(count);
  EXPECT_LE(count.locked, 5 * kTurns) << count.where;
  EXPECT_GE(count.locked, 2 * kTurns);  // or no mail was found
}

}  // namespace
}  // namespace percore
