#include "percore/runtime/event/signal.h"

#include <csignal>
#include <memory>

#include "gtest/gtest.h"

namespace percore {
namespace {

class SignalTest : public testing::Test {
 protected:
  SignalTest() {
    BaseConfig config;
    config.owned = true;
    base_ = EventBase::Create(&config);
  }
  ~SignalTest() override { base_->Free(true); }
  static void* Handler(int number) {
    struct sigaction action;
    sigaction(number, nullptr, &action);
    return reinterpret_cast<void*>(action.sa_handler);
  }
  EventBase* base_;
};

TEST_F(SignalTest, CallsOnTheLoopOnceForEachArrival) {
  int calls = 0;
  Signal signal(base_, SIGUSR1, [&] { ++calls; });
  EXPECT_EQ(signal.number(), SIGUSR1);
  ASSERT_EQ(signal.Add(), 0);
  raise(SIGUSR1);
  raise(SIGUSR1);
  EXPECT_EQ(calls, 0);
  base_->Loop(EVLOOP_NONBLOCK);
  EXPECT_EQ(calls, 2);
}

TEST_F(SignalTest, TheDispositionComesBackWithTheDestructor) {
  void* const before = Handler(SIGUSR2);
  {
    Signal signal(base_, SIGUSR2, [] {});
    ASSERT_EQ(signal.Add(), 0);
    EXPECT_NE(Handler(SIGUSR2), before);
  }
  EXPECT_EQ(Handler(SIGUSR2), before);
}

TEST_F(SignalTest, TwoLoopsMayWatchOneSignal) {
  BaseConfig config;
  config.owned = true;
  EventBase* other = EventBase::Create(&config);
  int here = 0;
  int there = 0;
  {
    Signal a(base_, SIGUSR1, [&] { ++here; });
    Signal b(other, SIGUSR1, [&] { ++there; });
    ASSERT_EQ(a.Add(), 0);
    ASSERT_EQ(b.Add(), 0);
    raise(SIGUSR1);
    base_->Loop(EVLOOP_NONBLOCK);
    other->Loop(EVLOOP_NONBLOCK);
  }
  EXPECT_EQ(here, 1);
  EXPECT_EQ(there, 1);
  other->Free(true);
}

TEST_F(SignalTest, MayBeDestroyedByItsOwnCallback) {
  int calls = 0;
  std::unique_ptr<Signal> signal;
  signal = std::make_unique<Signal>(base_, SIGUSR1, [&] {
    ++calls;
    signal.reset();
  });
  ASSERT_EQ(signal->Add(), 0);
  raise(SIGUSR1);
  raise(SIGUSR1);
  base_->Loop(EVLOOP_NONBLOCK);
  EXPECT_EQ(calls, 1);
}

TEST_F(SignalTest, ASignalThatCannotBeCaughtIsAnError) {
  Signal signal(base_, SIGKILL, [] {});
  EXPECT_EQ(signal.Add(), -1);
}

}  // namespace
}  // namespace percore
