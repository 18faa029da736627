#include "percore/runtime/mailbox/mailbox.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "percore/runtime/loop/event_base.h"

namespace percore {
namespace {

constexpr int kNoExit = EVLOOP_NO_EXIT_ON_EMPTY;

EventBase* NewOwned(std::uint64_t bound = 0) {
  BaseConfig config;
  config.owned = true;
  config.mailbox_bound = bound;
  return EventBase::Create(&config);
}

// A base that nobody locks, run by a thread of its own.
class OwnedLoop : public testing::Test {
 protected:
  void Run(std::uint64_t bound = 0) {
    base_ = NewOwned(bound);
    ASSERT_NE(base_, nullptr);
    thread_ = std::thread([this] { base_->Loop(kNoExit); });
  }
  void TearDown() override {
    if (thread_.joinable()) {
      base_->RequestStop();
      thread_.join();
    }
    if (base_ != nullptr) base_->Free(true);
  }

  EventBase* base_ = nullptr;
  std::thread thread_;
};

TEST_F(OwnedLoop, PostsOfOneThreadRunInTheirOrder) {
  Run();
  std::vector<int> seen;
  std::atomic<bool> done{false};
  for (int i = 0; i < 10000; ++i) {
    ASSERT_EQ(base_->mailbox()->Send(Message([&, i] { seen.push_back(i); })),
              SendResult::kOk);
  }
  base_->mailbox()->Send(Message([&] { done = true; }));
  while (!done) std::this_thread::yield();
  ASSERT_EQ(seen.size(), 10000u);
  for (int i = 0; i < 10000; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

TEST_F(OwnedLoop, EveryMessageOfManyThreadsRunsOnce) {
  Run();
  constexpr int kThreads = 8;
  constexpr int kEach = 20000;
  std::vector<int> counts(kThreads * kEach);
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const size_t at = static_cast<size_t>(t * kEach + i);
        ASSERT_EQ(base_->mailbox()->Send(Message([&, at] {
          ++counts[at];  // on the loop's thread only
          ran.fetch_add(1, std::memory_order_release);
        })),
                  SendResult::kOk);
      }
    });
  }
  for (auto& t : threads) t.join();
  while (ran.load(std::memory_order_acquire) != kThreads * kEach) {
    std::this_thread::yield();
  }
  for (int c : counts) ASSERT_EQ(c, 1);
}

// Activations allocate nothing and an event may be freed once event_del has
// returned: a million of each, handed from thread to thread.
TEST(SharedMailbox, AMillionActivationsAndFreesFromAnotherThread) {
  ASSERT_EQ(evthread_use_pthreads(), 0);
  event_base* base = event_base_new();
  ASSERT_NE(base, nullptr);
  std::thread loop([&] { event_base_loop(base, kNoExit); });
  std::atomic<long> calls{0};
  constexpr long kEvents = 100000;
  constexpr long kEach = 10;
  for (long i = 0; i < kEvents; ++i) {
    event* ev = event_new(
        base, -1, 0,
        [](evutil_socket_t, short, void* arg) {
          static_cast<std::atomic<long>*>(arg)->fetch_add(1);
        },
        &calls);
    for (long k = 0; k < kEach; ++k) event_active(ev, EV_READ, 1);
    event_free(ev);
  }
  event_base_loopbreak(base);
  loop.join();
  // How many merged is a matter of timing; none ran after its free (ASan).
  EXPECT_LE(calls.load(), kEvents * kEach);
  event_base_free(base);
}

TEST_F(OwnedLoop, AnActivationIsNeverLost) {
  Run();
  std::atomic<int> calls{0};
  event ev;
  EventBase::Assign(
      &ev, base_, -1, 0,
      [](evutil_socket_t, short what, void* arg) {
        EXPECT_EQ(what, EV_WRITE);
        static_cast<std::atomic<int>*>(arg)->fetch_add(1);
      },
      &calls);
  for (int i = 1; i <= 20000; ++i) {
    base_->Activate(&ev, EV_WRITE, 1);
    while (calls.load() != i) std::this_thread::yield();
  }
  EXPECT_EQ(calls.load(), 20000);
}

TEST_F(OwnedLoop, ABoundedMailboxAnswersFullAndGoesOn) {
  Run(4);
  std::atomic<bool> gate{false};
  std::atomic<bool> inside{false};
  std::atomic<int> ran{0};
  base_->mailbox()->Send(Message([&] {
    inside = true;
    while (!gate) std::this_thread::yield();
  }));
  while (!inside) std::this_thread::yield();
  int accepted = 0;
  SendResult last = SendResult::kOk;
  for (int i = 0; i < 100 && last == SendResult::kOk; ++i) {
    last = base_->mailbox()->Send(Message([&] { ++ran; }));
    if (last == SendResult::kOk) ++accepted;
  }
  EXPECT_EQ(last, SendResult::kFull);
  EXPECT_EQ(accepted, 4);
  gate = true;
  while (ran != accepted) std::this_thread::yield();
  EXPECT_EQ(base_->mailbox()->Send(Message([&] { ++ran; })), SendResult::kOk);
  while (ran != accepted + 1) std::this_thread::yield();
}

TEST(Mailbox, AnswersClosedAfterItsLoopAndDestroysWhatWaited) {
  EventBase* base = NewOwned();
  ASSERT_NE(base, nullptr);
  MailboxRef mailbox(base->mailbox());
  auto alive = std::make_shared<int>(1);
  EXPECT_EQ(mailbox->Send(Message([alive] { FAIL(); })), SendResult::kOk);
  EXPECT_EQ(alive.use_count(), 2);
  base->Free(true);
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(mailbox->Send(Message([alive] { FAIL(); })), SendResult::kClosed);
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(Mailbox, LargeClosuresTravelToo) {
  EventBase* base = NewOwned();
  struct Large {
    char bytes[500];
  } large;
  large.bytes[499] = 'x';
  char seen = 0;
  base->mailbox()->Send(Message([large, &seen] { seen = large.bytes[499]; }));
  EXPECT_EQ(base->Loop(EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
  EXPECT_EQ(seen, 'x');
  base->Free(true);
}

// Leases: more senders than there are producers is slower, never lossy.
TEST_F(OwnedLoop, ThreadsThatComeAndGoGiveTheirProducersBack) {
  Run();
  std::atomic<int> ran{0};
  for (int round = 0; round < 300; ++round) {
    std::thread([&] {
      ASSERT_EQ(base_->mailbox()->Send(Message([&] { ++ran; })),
                SendResult::kOk);
    }).join();
  }
  while (ran != 300) std::this_thread::yield();
  EXPECT_EQ(base_->mailbox()->overflowed(), 0u);
}

TEST_F(OwnedLoop, ASleepingLoopIsWokenOnceForABurst) {
  Run();
  std::atomic<int> ran{0};
  const std::uint64_t before = base_->mailbox()->rings();
  base_->mailbox()->Send(Message([&] { ++ran; }));
  while (ran != 1) std::this_thread::yield();
  // Real time, so that the loop sleeps again.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(base_->mailbox()->rings() - before, 1u);
}

}  // namespace
}  // namespace percore
