#include "percore/runtime/core/runtime_core.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

RuntimeOptions Cores(int n) {
  RuntimeOptions options;
  options.cores = n;
  options.name = "test";
  return options;
}

void WaitFor(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

TEST(RuntimeCore, EveryCoreRunsItsOwnThread) {
  auto runtime = RuntimeCore::Create(Cores(4));
  ASSERT_NE(runtime, nullptr);
  ASSERT_EQ(runtime->Start(), 0);
  EXPECT_EQ(runtime->Start(), EALREADY);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::set<int> cores;
  std::set<std::string> names;
  for (int core = 0; core < 4; ++core) {
    ASSERT_EQ(runtime->Post(core, Message([&] {
                              char name[16] = {};
                              pthread_getname_np(pthread_self(), name,
                                                 sizeof(name));
                              std::lock_guard lock(mutex);
                              threads.insert(std::this_thread::get_id());
                              cores.insert(runtime->CurrentCore());
                              names.insert(name);
                            })),
              SendResult::kOk);
  }
  WaitFor([&] {
    std::lock_guard lock(mutex);
    return threads.size() == 4;
  });
  EXPECT_EQ(cores, (std::set<int>{0, 1, 2, 3}));
  EXPECT_EQ(names,
            (std::set<std::string>{"test/0", "test/1", "test/2", "test/3"}));
  EXPECT_EQ(runtime->CurrentCore(), -1);
  EXPECT_TRUE(runtime->Drain(1'000'000'000));
  EXPECT_FALSE(runtime->running());
}

// Counts the calls of the two phases and checks their order.
struct Recorder : Service {
  explicit Recorder(RuntimeCore* r) : runtime(r) {}
  void Quiesce(int core, std::function<void()> done) override {
    EXPECT_EQ(runtime->CurrentCore(), core);
    EXPECT_EQ(destroyed, 0);
    ++quiesced;
    if (answers) done();
  }
  void Destroy(int core) override {
    if (runtime->running()) {
      EXPECT_EQ(runtime->CurrentCore(), core);
    }
    ++destroyed;
  }
  RuntimeCore* runtime;
  bool answers = true;
  std::atomic<int> quiesced{0};
  std::atomic<int> destroyed{0};
};

TEST(RuntimeCore, AllQuiesceBeforeAnyIsDestroyed) {
  auto runtime = RuntimeCore::Create(Cores(3));
  Recorder service(runtime.get());
  runtime->Register(&service);
  ASSERT_EQ(runtime->Start(), 0);
  EXPECT_TRUE(runtime->Drain(5'000'000'000));
  EXPECT_EQ(service.quiesced, 3);
  EXPECT_EQ(service.destroyed, 3);
}

TEST(RuntimeCore, ADeadlineEndsWaitingForAServiceThatDoesNotAnswer) {
  auto runtime = RuntimeCore::Create(Cores(2));
  Recorder service(runtime.get());
  service.answers = false;
  runtime->Register(&service);
  ASSERT_EQ(runtime->Start(), 0);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(runtime->Drain(50'000'000));
  EXPECT_GE(std::chrono::steady_clock::now() - began,
            std::chrono::milliseconds(50));
  EXPECT_EQ(service.destroyed, 2);
}

TEST(RuntimeCore, SigtermEndsRun) {
  auto runtime = RuntimeCore::Create(Cores(2));
  std::atomic<bool> ended{false};
  std::thread killer([&] {
    WaitFor([&] { return runtime->running(); });
    // Ignored until Run has its handler, so it is sent until Run ends.
    while (!ended) {
      kill(getpid(), SIGTERM);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  // Until Run has installed its own.
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction previous;
  sigaction(SIGTERM, &ignore, &previous);
  EXPECT_EQ(runtime->Run(), 0);
  ended = true;
  killer.join();
  sigaction(SIGTERM, &previous, nullptr);
  EXPECT_FALSE(runtime->running());
}

TEST(RuntimeCore, RequestStopFromACoreEndsRun) {
  RuntimeOptions options = Cores(2);
  options.handle_signals = false;
  auto runtime = RuntimeCore::Create(options);
  ASSERT_EQ(runtime->Start(), 0);
  runtime->Post(1, Message([&] { runtime->RequestStop(); }));
  EXPECT_EQ(runtime->Run(), 0);
}

TEST(RuntimeCore, SeveralRuntimesInOneProcess) {
  auto one = RuntimeCore::Create(Cores(2));
  auto two = RuntimeCore::Create(Cores(2));
  ASSERT_EQ(one->Start(), 0);
  ASSERT_EQ(two->Start(), 0);
  std::atomic<int> seen{-2};
  one->Post(0, Message([&] {
              EXPECT_EQ(one->CurrentCore(), 0);
              EXPECT_EQ(two->CurrentCore(), -1);
              two->Post(1, Message([&] { seen = two->CurrentCore(); }));
            }));
  WaitFor([&] { return seen != -2; });
  EXPECT_EQ(seen, 1);
}

TEST(RuntimeCore, MessagesBetweenCoresKeepTheirOrderAndAreBatched) {
  auto runtime = RuntimeCore::Create(Cores(2));
  ASSERT_EQ(runtime->Start(), 0);
  constexpr int kMessages = 1600;
  std::vector<int> seen;
  std::atomic<bool> done{false};
  runtime->Post(0, Message([&] {
                  for (int i = 0; i < kMessages; ++i) {
                    runtime->Post(1, Message([&, i] { seen.push_back(i); }));
                  }
                  runtime->Post(1, Message([&] { done = true; }));
                }));
  WaitFor([&] { return done.load(); });
  ASSERT_EQ(seen.size(), static_cast<size_t>(kMessages));
  for (int i = 0; i < kMessages; ++i) {
    EXPECT_EQ(seen[static_cast<size_t>(i)], i);
  }
  const auto stats = runtime->Stats();
  EXPECT_GE(stats[0].messages_posted, 1601u);
  EXPECT_LE(stats[0].message_batches, 1601u / 16 + 4);
}

// DESIGN, Mailbox: an idle process is at rest, with the stall detector
// and the statistics on.
TEST(RuntimeCore, IdleIsIdle) {
  RuntimeOptions options = Cores(2);
  options.stall_ns = 20'000'000;
  auto runtime = RuntimeCore::Create(options);
  ASSERT_EQ(runtime->Start(), 0);
  std::atomic<int> ran{0};
  for (int core = 0; core < 2; ++core) {
    runtime->Post(core, Message([&] { ++ran; }));
  }
  WaitFor([&] { return ran == 2; });
  // Real time: for the loops to fall asleep, and then the measurement.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  rusage before = {};
  rusage after = {};
  getrusage(RUSAGE_SELF, &before);
  std::this_thread::sleep_for(std::chrono::seconds(5));
  getrusage(RUSAGE_SELF, &after);
  const auto micros = [](const rusage& u) {
    return u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec +
           u.ru_stime.tv_sec * 1000000 + u.ru_stime.tv_usec;
  };
  EXPECT_LT(micros(after) - micros(before), 1000);
  // One wait for this thread's own sleep.
  EXPECT_LE(after.ru_nvcsw - before.ru_nvcsw, 2);
}

TEST(RuntimeCore, AStalledCallbackIsReportedOnce) {
  static std::atomic<int> reports{0};
  static std::string* text = new std::string;
  auto* previous = State().log_fn;
  State().log_fn = [](int, const char* line) {
    *text += line;
    ++reports;
  };
  {
    RuntimeOptions options = Cores(1);
    options.stall_ns = 20'000'000;
    auto runtime = RuntimeCore::Create(options);
    ASSERT_EQ(runtime->Start(), 0);
    std::atomic<bool> done{false};
    runtime->Post(0, Message([&] {
                    // Real time: this is the stall.
                    std::this_thread::sleep_for(std::chrono::milliseconds(200));
                    done = true;
                  }));
    WaitFor([&] { return done.load(); });
    EXPECT_EQ(runtime->stalls(), 1u);
    runtime->Drain(1'000'000'000);
  }
  State().log_fn = previous;
  EXPECT_EQ(reports, 1);
  EXPECT_NE(text->find("core 0: callback"), std::string::npos) << *text;
  EXPECT_NE(text->find("\n    "), std::string::npos) << *text;  // a stack
}

// The stall detector borrows SIGURG: the program's handler gets its own ones
// meanwhile, none of ours, and is there afterwards.
TEST(RuntimeCore, TheStallDetectorLeavesTheProgramItsSigurg) {
  static std::atomic<int> seen{0};
  static std::atomic<bool> logged{false};
  struct sigaction mine = {};
  struct sigaction before;
  mine.sa_handler = [](int) { ++seen; };
  ASSERT_EQ(sigaction(SIGURG, &mine, &before), 0);
  auto* previous = State().log_fn;
  State().log_fn = [](int, const char*) { logged = true; };
  int sent = 0;
  {
    RuntimeOptions options = Cores(1);
    options.stall_ns = 1'000'000;
    auto runtime = RuntimeCore::Create(options);
    ASSERT_EQ(runtime->Start(), 0);
    std::atomic<bool> stop{false};
    runtime->Post(0, Message([&] {
                    while (!stop) std::this_thread::yield();
                  }));
    while (!logged) {
      pthread_kill(pthread_self(), SIGURG);  // handled before it returns
      ++sent;
    }
    stop = true;
    runtime->Drain(1'000'000'000);
  }
  State().log_fn = previous;
  EXPECT_EQ(seen, sent);
  struct sigaction after;
  ASSERT_EQ(sigaction(SIGURG, &before, &after), 0);
  EXPECT_EQ(after.sa_handler, mine.sa_handler);
}

TEST(RuntimeCore, TheChildOfAForkHasNoThreadsAndSaysSo) {
  auto runtime = RuntimeCore::Create(Cores(2));
  ASSERT_EQ(runtime->Start(), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const bool ok = runtime->Start() == ENOTSUP && runtime->Drain(1000000);
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  std::atomic<bool> alive{false};
  runtime->Post(1, Message([&] { alive = true; }));
  WaitFor([&] { return alive.load(); });
}

}  // namespace
}  // namespace percore
