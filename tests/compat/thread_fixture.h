#ifndef PERCORE_TESTS_COMPAT_THREAD_FIXTURE_H_
#define PERCORE_TESTS_COMPAT_THREAD_FIXTURE_H_

// A base whose loop runs in a thread of its own, and a way to know that this
// thread sleeps in the kernel, without sleeping ourselves.

#include <event2/event.h>
#include <event2/thread.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <semaphore>
#include <string>
#include <thread>

#include "percore/tests/compat/handles.h"

namespace percore::compat {

// What a test waits for at most before it is called a hang.
constexpr std::chrono::seconds kPatience{8};

inline int ThreadId() { return static_cast<int>(syscall(SYS_gettid)); }

// The state letter of a thread of this process: R, S, ...
inline char ThreadState(int tid) {
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/stat");
  std::string line;
  std::getline(file, line);
  const size_t after_name = line.rfind(')');
  return after_name == std::string::npos ? '?' : line[after_name + 2];
}

// Returns when thread `tid` has been asleep three looks in a row.
inline void AwaitAsleep(int tid) {
  for (int looks = 0; looks < 3;) {
    looks = ThreadState(tid) == 'S' ? looks + 1 : 0;
    // Gives the thread the time to get to sleep.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// A thing that happens once, waited for with a deadline.
class Happening {
 public:
  void Tell() { semaphore_.release(); }
  bool Await() { return semaphore_.try_acquire_for(kPatience); }

 private:
  std::counting_semaphore<> semaphore_{0};
};

class ThreadTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(0, evthread_use_pthreads()); }

  // The loop runs in its thread, empty, until StopLoop.
  void StartLoop() {
    loop_ = std::thread([this] {
      loop_tid_ = ThreadId();
      started_.Tell();
      result_ = event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY);
      ended_.Tell();
    });
    ASSERT_TRUE(started_.Await());
  }
  void StartLoopAndAwaitAsleep() {
    StartLoop();
    AwaitAsleep(loop_tid_);
  }
  // Waits for the loop to end by what the test did.
  void AwaitEnd() {
    if (!ended_.Await()) {
      ADD_FAILURE() << "the loop was not woken";
      abort();  // its thread cannot be joined
    }
    loop_.join();
  }
  void StopLoop() {
    event_base_loopbreak(base_.get());
    AwaitEnd();
  }
  void TearDown() override {
    if (loop_.joinable()) StopLoop();
  }

  static void Tell(evutil_socket_t, short, void* arg) {
    static_cast<Happening*>(arg)->Tell();
  }

  BasePtr base_ = NewBase();
  std::thread loop_;
  std::atomic<int> loop_tid_{0};
  int result_ = -2;
  Happening started_;
  Happening ended_;
};

}  // namespace percore::compat

#endif  // PERCORE_TESTS_COMPAT_THREAD_FIXTURE_H_
