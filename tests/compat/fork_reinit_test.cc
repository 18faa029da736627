// event_reinit in the child of a fork: the child has a base of its own, with
// all that was added before; the parent's is untouched.

#include <event2/event.h>
#include <event2/thread.h>
#include <gtest/gtest.h>

#include <vector>

#include "percore/tests/compat/fork_fixture.h"

namespace percore::compat {
namespace {

using ForkReinit = ForkTest;

// semantics 5.4
// api event_reinit
TEST_F(ForkReinit, ChildHasTheFdEvents) {
  AddReader();
  InChild([this] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    ExpectReaderWorks();
    EXPECT_TRUE(event_pending(reader_.get(), EV_READ, nullptr));
  });
  ExpectReaderWorks();
}

// semantics 5.4
TEST_F(ForkReinit, WhatTheChildDeletesTheParentKeeps) {
  AddReader();
  AddSignal();
  InChild([this] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    event_del(reader_.get());
    event_del(signal_.get());
    Turn();
  });
  ExpectReaderWorks();
  ExpectSignalWorks();
}

// semantics 5.4
TEST_F(ForkReinit, WhatTheChildAddsTheParentDoesNotSee) {
  AddTimer(60000);
  InChild([this] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    AddReader();
    ExpectReaderWorks();
  });
  Send();
  Turn();
  EXPECT_EQ(0, reads_);
}

// semantics 5.4
TEST_F(ForkReinit, ChildMayFreeItsBase) {
  AddReader();
  AddSignal();
  InChild([this] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    reader_.reset();
    signal_.reset();
    timer_.reset();
    base_.reset();
  });
  ExpectReaderWorks();
  ExpectSignalWorks();
}

// semantics 5.4
TEST_F(ForkReinit, TimersAreKept) {
  AddTimer(20);
  InChild([this] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    EXPECT_EQ(1, event_base_dispatch(base_.get()));
    EXPECT_EQ(1, timeouts_);
  });
  EXPECT_EQ(1, event_base_dispatch(base_.get()));
  EXPECT_EQ(1, timeouts_);
}

// semantics 5.4
TEST_F(ForkReinit, ActiveEventsAndPrioritiesAreKept) {
  ASSERT_EQ(0, event_base_priority_init(base_.get(), 3));
  std::vector<int> order;
  struct Job {
    std::vector<int>* order;
    int number;
  } jobs[2] = {{&order, 0}, {&order, 1}};
  std::vector<EventPtr> events;
  for (Job& job : jobs) {
    events.emplace_back(event_new(
        base_.get(), -1, 0,
        [](evutil_socket_t, short what, void* arg) {
          auto* j = static_cast<Job*>(arg);
          EXPECT_EQ(EV_READ, what);
          j->order->push_back(j->number);
        },
        &job));
  }
  event_priority_set(events[0].get(), 2);
  event_priority_set(events[1].get(), 0);
  event_active(events[0].get(), EV_READ, 1);
  event_active(events[1].get(), EV_READ, 1);
  auto run = [&] {
    EXPECT_EQ(2, event_get_priority(events[0].get()));
    EXPECT_EQ(1, event_base_dispatch(base_.get()));
    EXPECT_EQ((std::vector<int>{1, 0}), order);
  };
  InChild([&] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    run();
  });
  run();
}

// semantics 5.4
TEST_F(ForkReinit, SignalsGoToTheProcessThatGotThem) {
  AddSignal();
  InChild([this] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    ExpectSignalWorks();
  });
  Turn();
  EXPECT_EQ(0, signals_) << "the child's signals are not the parent's";
  ExpectSignalWorks();
}

// semantics 5.4
TEST_F(ForkReinit, EachProcessGetsItsOwnSignal) {
  AddSignal();
  const pid_t child = StartChild([this] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    Send();  // the parent may send now
    EXPECT_EQ(0, event_base_loop(base_.get(), EVLOOP_ONCE));
    EXPECT_EQ(1, signals_);
  });
  AddReader();
  event_base_loop(base_.get(), EVLOOP_ONCE);
  EXPECT_EQ(1, reads_);
  kill(child, SIGUSR1);
  ExpectClean(WaitForChild(child));
  Turn();
  EXPECT_EQ(0, signals_);
}

// semantics 5.4
TEST_F(ForkReinit, DispositionsAreRestoredInTheChildToo) {
  AddSignal();
  InChild([this] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    event_del(signal_.get());
    struct sigaction now {};
    sigaction(SIGUSR1, nullptr, &now);
    EXPECT_EQ(SIG_DFL, now.sa_handler);
  });
  ExpectSignalWorks();
}

// semantics 5.4
TEST_F(ForkReinit, GrandchildReinitialisesAgain) {
  AddReader();
  AddSignal();
  InChild([this] {
    ASSERT_EQ(0, event_reinit(base_.get()));
    InChild([this] {
      ASSERT_EQ(0, event_reinit(base_.get()));
      ExpectReaderWorks();
      ExpectSignalWorks();
    });
    ExpectReaderWorks();
    ExpectSignalWorks();
  });
  ExpectReaderWorks();
  ExpectSignalWorks();
}

// Called where nothing forked it changes nothing that shows.
// semantics 5.4
TEST_F(ForkReinit, WithoutAForkEverythingStillWorks) {
  AddReader();
  AddSignal();
  AddTimer(60000);
  EXPECT_EQ(0, event_reinit(base_.get()));
  ExpectReaderWorks();
  ExpectSignalWorks();
  EXPECT_TRUE(event_pending(timer_.get(), EV_TIMEOUT, nullptr));
}

TEST_F(ForkReinit, AnEmptyBase) {
  InChild([this] {
    EXPECT_EQ(0, event_reinit(base_.get()));
    EXPECT_EQ(1, event_base_dispatch(base_.get()));
  });
}

// The methods whose state is not the kernel's need nothing, and say so.
// semantics 5.4
TEST(ForkReinitMethods, PollAndSelect) {
  for (const char* avoided : {"epoll", "poll"}) {
    ConfigPtr config(event_config_new());
    event_config_avoid_method(config.get(), "epoll");
    event_config_avoid_method(config.get(), avoided);
    BasePtr base(event_base_new_with_config(config.get()));
    ASSERT_NE(nullptr, base);
    int calls = 0;
    EventPtr ev(evsignal_new(
        base.get(), SIGUSR2,
        [](evutil_socket_t, short, void* arg) { ++*static_cast<int*>(arg); },
        &calls));
    event_add(ev.get(), nullptr);
    auto raise_and_see = [&] {
      raise(SIGUSR2);
      event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
      EXPECT_EQ(1, calls) << event_base_get_method(base.get());
    };
    ExpectClean(WaitForChild(StartChild([&] {
      EXPECT_EQ(0, event_reinit(base.get()));
      raise_and_see();
    })));
    event_base_loop(base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    EXPECT_EQ(0, calls);
    raise_and_see();
  }
}

}  // namespace
}  // namespace percore::compat
