// Many threads at one base: what one hands to another arrives once, and what
// is freed is not called again.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "percore/tests/compat/thread_fixture.h"

namespace percore::compat {
namespace {

using ThreadStress = ThreadTest;

// A queue between two threads of a test.
template <typename T>
class Channel {
 public:
  void Send(T value) {
    std::lock_guard lock(mutex_);
    queue_.push_back(value);
    ready_.notify_one();
  }
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    ready_.notify_all();
  }
  std::optional<T> Receive() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (queue_.empty()) return std::nullopt;
    T value = queue_.front();
    queue_.pop_front();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<T> queue_;
  bool closed_ = false;
};

// One thread makes and activates events, a second frees them, the loop runs
// them or not; none runs after its event_free returned.
// semantics 3.4, 8.3
// api event_active, event_free
TEST_F(ThreadStress, ActivateHereFreeThere) {
  struct Job {
    event* ev;
    std::atomic<bool> freed{false};
    std::atomic<int> runs{0};
  };
  constexpr int kJobs = 20000;
  static std::atomic<int> late;
  late = 0;
  std::vector<Job> jobs(kJobs);
  StartLoop();
  Channel<Job*> handed;
  std::thread freer([&] {
    while (std::optional<Job*> job = handed.Receive()) {
      event_free((*job)->ev);
      (*job)->freed = true;
    }
  });
  int made = 0;
  for (Job& job : jobs) {
    job.ev = event_new(
        base_.get(), -1, 0,
        [](evutil_socket_t, short, void* arg) {
          auto* j = static_cast<Job*>(arg);
          if (j->freed) ++late;
          ++j->runs;
        },
        &job);
    ASSERT_NE(nullptr, job.ev);
    event_active(job.ev, EV_READ, 1);
    if (++made % 3 == 0) event_active(job.ev, EV_WRITE, 1);
    handed.Send(&job);
  }
  handed.Close();
  freer.join();
  StopLoop();
  EXPECT_EQ(0, late);
  int more_than_twice = 0;
  for (Job& job : jobs) more_than_twice += job.runs > 2;
  EXPECT_EQ(0, more_than_twice);
  EXPECT_EQ(0,
            event_base_get_num_events(
                base_.get(), EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE));
}

// No activation is lost: after the last one the callback has run.
// semantics 8.3, 1.14
TEST_F(ThreadStress, ActivationsOfManyThreadsAllArrive) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 3000;
  struct Sender {
    Happening ran;
    event* ev = nullptr;
  };
  std::array<Sender, kThreads> senders;
  for (Sender& sender : senders) {
    sender.ev = event_new(base_.get(), -1, 0, Tell, &sender.ran);
  }
  StartLoop();
  std::vector<std::thread> threads;
  std::atomic<int> lost{0};
  for (Sender& sender : senders) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        event_active(sender.ev, EV_READ, 1);
        if (!sender.ran.Await()) {
          ++lost;
          return;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  StopLoop();
  EXPECT_EQ(0, lost);
  for (Sender& sender : senders) event_free(sender.ev);
}

// semantics 8.3
TEST_F(ThreadStress, EveryCallFromEveryThread) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 300;
  StartLoop();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  std::atomic<int> onces{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        ++wrong;
        return;
      }
      evutil_make_socket_nonblocking(ends[0]);
      std::atomic<int> calls{0};
      auto count = [](evutil_socket_t fd, short, void* arg) {
        char byte;
        if (fd >= 0) (void)!read(fd, &byte, 1);
        ++*static_cast<std::atomic<int>*>(arg);
      };
      EventPtr reader(
          event_new(base_.get(), ends[0], EV_READ | EV_PERSIST, count, &calls));
      EventPtr timer(evtimer_new(base_.get(), count, &calls));
      const timeval soon = Milliseconds(1);
      for (int i = 0; i < kRounds; ++i) {
        wrong += event_add(reader.get(), nullptr) != 0;
        wrong += event_add(timer.get(), &soon) != 0;
        wrong += write(ends[1], "x", 1) != 1;
        wrong += event_base_once(base_.get(), -1, EV_TIMEOUT, count, &onces,
                                 &soon) != 0;
        wrong +=
            event_base_get_num_events(base_.get(), EVENT_BASE_COUNT_ADDED) < 1;
        event_pending(timer.get(), EV_TIMEOUT, nullptr);
        event_base_loopcontinue(base_.get());
        event_active(timer.get(), EV_TIMEOUT, 1);
        wrong += event_del(timer.get()) != 0;
        wrong += event_del(reader.get()) != 0;
        wrong += event_pending(timer.get(), EV_TIMEOUT, nullptr) != 0;
      }
      close(ends[0]);
      close(ends[1]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, wrong);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (onces < kThreads * kRounds &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(kThreads * kRounds, onces);
  StopLoop();
}

// semantics 1.11, 8.3
TEST_F(ThreadStress, BreakEndsEveryLoop) {
  for (int i = 0; i < 300; ++i) {
    StartLoopAndAwaitAsleep();
    if (i % 2 == 0) {
      event_base_loopbreak(base_.get());
    } else {
      event_base_loopexit(base_.get(), nullptr);
    }
    AwaitEnd();
    EXPECT_EQ(0, result_);
  }
}

// Each thread its own base; the shared state of the process is the library's.
// semantics 8.3
TEST_F(ThreadStress, ABaseAThread) {
  std::vector<std::thread> threads;
  std::atomic<int> fired{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&fired] {
      for (int i = 0; i < 100; ++i) {
        BasePtr base = NewBase();
        EventPtr ev(evtimer_new(
            base.get(),
            [](evutil_socket_t, short, void* arg) {
              ++*static_cast<std::atomic<int>*>(arg);
            },
            &fired));
        const timeval now = {0, 0};
        event_add(ev.get(), &now);
        event_base_dispatch(base.get());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(400, fired);
}

}  // namespace
}  // namespace percore::compat
