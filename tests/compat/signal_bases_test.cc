// One signal, several bases.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "percore/tests/compat/handles.h"

namespace percore::compat {
namespace {

void Count(evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); }

std::vector<std::string>* logged = nullptr;
void KeepWarnings(int severity, const char* text) {
  if (severity == EVENT_LOG_WARN) logged->push_back(text);
}

class SignalBases : public ::testing::Test {
 protected:
  void SetUp() override {
    logged = &warnings_;
    event_set_log_callback(KeepWarnings);
  }
  void TearDown() override { event_set_log_callback(nullptr); }

  static void Turn(const BasePtr& base) {
    event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  }

  std::vector<std::string> warnings_;
  BasePtr one_ = NewBase();
  BasePtr two_ = NewBase();
  int one_calls_ = 0;
  int two_calls_ = 0;
  EventPtr one_event_{evsignal_new(one_.get(), SIGUSR1, Count, &one_calls_)};
  EventPtr two_event_{evsignal_new(two_.get(), SIGUSR1, Count, &two_calls_)};
};

// semantics 4.1
TEST_F(SignalBases, TheLastBaseToAddGetsIt) {
  event_add(one_event_.get(), nullptr);
  event_add(two_event_.get(), nullptr);
  raise(SIGUSR1);
  raise(SIGUSR1);
  Turn(two_);
  EXPECT_EQ(2, two_calls_);
}

// semantics 4.1
TEST_F(SignalBases, TheLastBaseToEnterItsLoopGetsIt) {
  event_add(one_event_.get(), nullptr);
  event_add(two_event_.get(), nullptr);
  event_base_loop(one_.get(), EVLOOP_NONBLOCK);
  raise(SIGUSR1);
  Turn(one_);
  EXPECT_EQ(1, one_calls_);
}

// semantics 4.1
TEST_F(SignalBases, MovesToAnotherBaseByDeleteAndAdd) {
  event_add(one_event_.get(), nullptr);
  raise(SIGUSR1);
  Turn(one_);
  event_del(one_event_.get());
  event_add(two_event_.get(), nullptr);
  raise(SIGUSR1);
  Turn(two_);
  EXPECT_EQ(1, one_calls_);
  EXPECT_EQ(1, two_calls_);
}

// semantics 4.1
TEST_F(SignalBases, TheRemainingBaseStillGetsItsSignal) {
  event_add(one_event_.get(), nullptr);
  event_add(two_event_.get(), nullptr);
  event_del(one_event_.get());
  event_base_loop(two_.get(), EVLOOP_NONBLOCK);
#ifdef TESTING_DEBIAN_LIBEVENT
  // The delete put back the default disposition: a raise would kill us.
  struct sigaction now {};
  sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(SIG_DFL, now.sa_handler);
#else
  // better: the disposition stays while any base watches the signal.
  raise(SIGUSR1);
  Turn(two_);
  EXPECT_EQ(1, two_calls_);
#endif
}

#ifdef TESTING_DEBIAN_LIBEVENT

// semantics 4.1
TEST_F(SignalBases, OnlyOneGetsItAndTheAddWarns) {
  event_add(one_event_.get(), nullptr);
  EXPECT_EQ(0u, warnings_.size());
  event_add(two_event_.get(), nullptr);
  EXPECT_EQ(1u, warnings_.size());
  raise(SIGUSR1);
  Turn(two_);
  Turn(one_);
  EXPECT_EQ(1, two_calls_);
  EXPECT_EQ(0, one_calls_);
}

// semantics 4.7
TEST_F(SignalBases, WithTheOwnerGoneTheHandlerOnlyWarns) {
  event_add(one_event_.get(), nullptr);
  event_add(two_event_.get(), nullptr);
  two_event_.reset();
  two_.reset();
  warnings_.clear();
  raise(SIGUSR1);
  EXPECT_EQ(1u, warnings_.size());
  Turn(one_);
  EXPECT_EQ(0, one_calls_);
}

#else

// better: the original gives a signal to one base only.
// semantics 4.1
TEST_F(SignalBases, EachGetsItWithItsCount) {
  event_add(one_event_.get(), nullptr);
  event_add(two_event_.get(), nullptr);
  EXPECT_EQ(0u, warnings_.size());
  for (int i = 0; i < 7; ++i) raise(SIGUSR1);
  Turn(two_);
  Turn(one_);
  EXPECT_EQ(7, one_calls_);
  EXPECT_EQ(7, two_calls_);
}

// better: only the base that added it later was told.
// semantics 4.1
TEST_F(SignalBases, ABaseGetsWhatWasRaisedSinceItAdded) {
  event_add(one_event_.get(), nullptr);
  raise(SIGUSR1);
  event_add(two_event_.get(), nullptr);
  raise(SIGUSR1);
  Turn(one_);
  Turn(two_);
  EXPECT_EQ(2, one_calls_);
  EXPECT_EQ(1, two_calls_);
}

// better: the handler finds every base that still watches.
// semantics 4.7
TEST_F(SignalBases, WithOneBaseGoneTheOtherGetsItWithoutAWarning) {
  event_add(one_event_.get(), nullptr);
  event_add(two_event_.get(), nullptr);
  two_event_.reset();
  two_.reset();
  raise(SIGUSR1);
  EXPECT_EQ(0u, warnings_.size());
  Turn(one_);
  EXPECT_EQ(1, one_calls_);
}

// better: as many bases as there are.
// semantics 4.1
TEST(SignalManyBases, FortyBasesEachGetTheSignal) {
  constexpr int kBases = 40;
  std::vector<BasePtr> bases;
  std::vector<EventPtr> events;
  std::vector<int> calls(kBases);
  for (int i = 0; i < kBases; ++i) {
    bases.push_back(NewBase());
    events.emplace_back(
        evsignal_new(bases.back().get(), SIGUSR2, Count, &calls[i]));
    ASSERT_EQ(0, event_add(events.back().get(), nullptr));
  }
  raise(SIGUSR2);
  raise(SIGUSR2);
  for (int i = 0; i < kBases; ++i) {
    event_base_loop(bases[i].get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    EXPECT_EQ(2, calls[i]) << "base " << i;
  }
  events.clear();
}

#endif

// Different signals in two bases: 2.1 serves the owner's only.
// semantics 4.1
TEST_F(SignalBases, DifferentSignalsOfTwoBases) {
  int hup_calls = 0;
  EventPtr hup(evsignal_new(one_.get(), SIGHUP, Count, &hup_calls));
  event_add(two_event_.get(), nullptr);
  event_add(hup.get(), nullptr);
  raise(SIGHUP);
  Turn(one_);
  EXPECT_EQ(1, hup_calls);
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: the other base's signal reaches it too.
  raise(SIGUSR1);
  Turn(two_);
  EXPECT_EQ(1, two_calls_);
#endif
}

}  // namespace
}  // namespace percore::compat
