#include "percore/runtime/event/event.h"

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "gtest/gtest.h"
#include "percore/tests/runtime/core/virtual_clock.h"

namespace percore {
namespace {

using std::chrono_literals::operator""s;

static_assert(!std::is_copy_constructible_v<Event>);
static_assert(!std::is_move_constructible_v<Event>);

class EventTest : public testing::Test {
 protected:
  EventTest() {
    BaseConfig config;
    config.owned = true;
    config.clock = &clock_;
    base_ = EventBase::Create(&config);
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds_), 0);
  }
  ~EventTest() override {
    base_->Free(true);
    close(fds_[0]);
    close(fds_[1]);
  }
  void Send() { EXPECT_EQ(write(fds_[1], "x", 1), 1); }
  void Receive() {
    char c;
    EXPECT_EQ(read(fds_[0], &c, 1), 1);
  }
  // Until nothing is left to wait for.
  int Run() { return base_->Loop(0); }
  int RunOnce() { return base_->Loop(EVLOOP_NONBLOCK); }

  VirtualClock clock_;
  EventBase* base_;
  int fds_[2];
};

TEST_F(EventTest, CallsWithWhatWasSeen) {
  std::vector<short> seen;
  Event event(base_, fds_[0], EV_READ, [&](short what) {
    seen.push_back(what);
    Receive();
  });
  EXPECT_FALSE(event.Pending(EV_READ));
  ASSERT_EQ(event.Add(), 0);
  EXPECT_TRUE(event.Pending(EV_READ));
  Send();
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(seen, (std::vector<short>{EV_READ}));
  EXPECT_FALSE(event.Pending(EV_READ));
}

TEST_F(EventTest, ATimeoutIsReported) {
  short seen = 0;
  Event event(base_, fds_[0], EV_READ, [&](short what) { seen = what; });
  ASSERT_EQ(event.Add(3s), 0);
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(seen, EV_TIMEOUT);
  EXPECT_EQ(clock_.elapsed(), 3s);
}

TEST_F(EventTest, ADescriptorThatCannotBeWatchedIsAnError) {
  Event event(base_, 1 << 20, EV_READ, [](short) { FAIL(); });
  EXPECT_EQ(event.Add(), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST_F(EventTest, TheDestructorTakesItOutWhateverItsState) {
  Send();
  {
    Event watched(base_, fds_[0], EV_READ, [](short) { FAIL(); });
    ASSERT_EQ(watched.Add(1s), 0);
    Event active(base_, -1, 0, [](short) { FAIL(); });
    active.Activate(EV_READ);
  }
  EXPECT_EQ(Run(), 1);
}

// Destroyed in its own callback: what was captured lives until it returns.
TEST_F(EventTest, MayBeDestroyedByItsOwnCallback) {
  auto token = std::make_shared<int>(5);
  std::unique_ptr<Event> event;
  int seen = 0;
  event = std::make_unique<Event>(base_, fds_[0],
                                  static_cast<short>(EV_READ | EV_PERSIST),
                                  [&event, &seen, token](short) {
                                    event.reset();
                                    seen = *token;
                                  });
  ASSERT_EQ(event->Add(), 0);
  Send();
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(EventTest, AMoveOnlyCallableIsKept) {
  auto value = std::make_unique<int>(3);
  int calls = 0;
  Event event(base_, fds_[0], EV_READ | EV_PERSIST,
              [&, value = std::move(value)](short) {
                calls += *value;
                Receive();
              });
  ASSERT_EQ(event.Add(), 0);
  for (int i = 0; i < 3; ++i) {
    Send();
    RunOnce();
  }
  EXPECT_EQ(calls, 9);
}

// An activation that has returned is safe against the end of the event.
TEST_F(EventTest, AnActivationFromAnotherThreadIsTakenBackByTheDestructor) {
  {
    Event event(base_, -1, 0, [](short) { FAIL(); });
    std::thread([&] { event.Activate(EV_READ); }).join();
  }
  EXPECT_EQ(Run(), 1);
  int calls = 0;
  Event event(base_, -1, 0, [&](short what) { calls += what; });
  std::thread([&] { event.Activate(EV_READ); }).join();
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(calls, EV_READ);
}

#ifndef NDEBUG
using EventDeathTest = EventTest;
TEST_F(EventDeathTest, AForeignCallIsNamedInOneSentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Event keep(base_, -1, 0, [&](short) {
    Event other(base_, fds_[0], EV_READ, [](short) {});
    EXPECT_DEATH(std::thread([&] { other.Add(); }).join(),
                 "Event::Add on object 0x[0-9a-f]+ came from thread "
                 "0x[0-9a-f]+, but its base 0x[0-9a-f]+ is run by thread "
                 "0x[0-9a-f]+");
  });
  keep.Activate(EV_READ);
  Run();
}
#endif

}  // namespace
}  // namespace percore
