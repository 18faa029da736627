#include "percore/tests/compat/fail_allocations.h"

#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/util.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace compat {
namespace {

// --- In the child.

// What the child tells its parent, in shared memory.
struct Account {
  std::atomic<long> allocations{0};
  std::atomic<long> failures{0};
  std::atomic<long> kept{0};  // blocks that a refused call did not free
  char by[64] = {};           // that call
};

Account* account = nullptr;
long fail_at = 0;  // 0: none
std::thread::id main_thread;
pid_t main_process = 0;
bool gave_up = false;  // the main thread has thrown

// This thread's.
thread_local long live = 0;
thread_local long failed = 0;
thread_local int depth = 0;

constexpr int kGaveUp = 77;
// Far more than a test takes (they end in 10 s).
constexpr int kHangSeconds = 30;

bool Fails() {
  if (++account->allocations != fail_at) return false;
  ++account->failures;
  ++failed;
  return true;
}
void* Allocate(size_t size) {
  if (Fails()) return nullptr;
  void* p = malloc(size);
  if (p != nullptr) ++live;
  return p;
}
void* Reallocate(void* block, size_t size) {
  if (Fails()) return nullptr;
  void* p = realloc(block, size);
  if (p != nullptr && block == nullptr) ++live;
  return p;
}
void Free(void* block) {
  if (block != nullptr) --live;
  free(block);
}

// One call of the C door.
class Attempt {
 public:
  Attempt() { ++depth; }
  ~Attempt() { --depth; }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void Answered(bool error, bool keeps_nothing, const char* name) {
    if (!error || failed == failed_ || depth != 1) return;
    if (keeps_nothing && live > live_) {
      account->kept += live - live_;
      snprintf(account->by, sizeof(account->by), "%s", name);
    }
    if (std::this_thread::get_id() != main_thread || getpid() != main_process) {
      _exit(kGaveUp);
    }
    gave_up = true;
    throw std::runtime_error(std::string("no memory: ") + name);
  }

 private:
  const long live_ = live;
  const long failed_ = failed;
};

// --- In the parent.

double Seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) / 1e9;
}

struct Outcome {
  std::string trouble;  // empty: none
  bool passed = false;
  double seconds = 0;
};

[[noreturn]] void RunChild(const std::string& test, long n, int output) {
  setpgid(0, 0);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  main_thread = std::this_thread::get_id();
  main_process = getpid();
  // A death test starts this program again.
  unsetenv("COMPAT_FAIL_ALLOCATIONS");
  // A test that is left by an exception leaves its threads unjoined.
  std::set_terminate([] {
    if (gave_up) _exit(kGaveUp);
    abort();
  });
  fail_at = n;
  event_set_mem_functions(Allocate, Reallocate, Free);
  GTEST_FLAG_SET(filter, test);
  const int status = RUN_ALL_TESTS();
  fflush(nullptr);
  _exit(status);
}

std::string TextOf(int fd) {
  std::string text(4000, '\0');
  const off_t size = lseek(fd, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - 4000);
  const ssize_t n = pread(fd, text.data(), text.size(), from);
  text.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  return text;
}

Outcome RunOnce(const std::string& test, long n) {
  new (account) Account;
  FILE* output = tmpfile();
  fflush(nullptr);
  const double start = Seconds();
  const pid_t pid = fork();
  if (pid == 0) RunChild(test, n, fileno(output));
  int status = 0;
  Outcome outcome;
  // Short waits: most children take less than a millisecond or two.
  useconds_t pause = 100;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (Seconds() - start > kHangSeconds) {
      outcome.trouble = "hangs";
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
      break;
    }
    usleep(pause);
    pause = std::min<useconds_t>(pause * 2, 5000);
  }
  kill(-pid, SIGKILL);  // what it has left behind
  outcome.seconds = Seconds() - start;
  outcome.passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!outcome.trouble.empty()) {
  } else if (WIFSIGNALED(status)) {
    outcome.trouble = "is killed by signal " + std::to_string(WTERMSIG(status));
  } else if (WEXITSTATUS(status) > 1 && WEXITSTATUS(status) != kGaveUp) {
    outcome.trouble = "exits with " + std::to_string(WEXITSTATUS(status));
  } else if (account->kept != 0) {
    outcome.trouble = std::string(account->by) + " keeps " +
                      std::to_string(account->kept) + " blocks";
  }
  if (!outcome.trouble.empty())
    outcome.trouble += "\n" + TextOf(fileno(output));
  fclose(output);
  return outcome;
}

std::vector<std::string> Tests() {
  std::vector<std::string> names;
  const auto* unit = testing::UnitTest::GetInstance();
  for (int i = 0; i < unit->total_test_suite_count(); ++i) {
    const auto* suite = unit->GetTestSuite(i);
    for (int j = 0; j < suite->total_test_count(); ++j) {
      names.push_back(std::string(suite->name()) + "." +
                      suite->GetTestInfo(j)->name());
    }
  }
  return names;
}

// Which allocations fail: all, if that takes no longer than `budget`; else the
// first ones and some of the others.
std::vector<long> Choose(long allocations, double each, double budget) {
  const long most = std::max(12L, static_cast<long>(budget / each));
  std::vector<long> chosen;
  for (long n = 1; n <= std::min(allocations, most); ++n) {
    chosen.push_back(allocations <= most || n <= most / 2
                         ? n
                         : most / 2 + (allocations - most / 2) *
                                          (n - most / 2) / (most - most / 2));
  }
  return chosen;
}

}  // namespace

bool FailingAllocationsAsked() {
  return getenv("COMPAT_FAIL_ALLOCATIONS") != nullptr;
}

int RunWithFailingAllocations() {
  // Seconds for a test: COMPAT_FAIL_ALLOCATIONS=SECONDS.
  const double budget = std::max(0.1, atof(getenv("COMPAT_FAIL_ALLOCATIONS")));
  account = static_cast<Account*>(mmap(nullptr, sizeof(Account),
                                       PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  int bad = 0;
  long runs = 0;
  long left_out = 0;
  for (const std::string& test : Tests()) {
    const Outcome whole = RunOnce(test, 0);
    if (!whole.passed) {
      printf("%s does not pass with nothing failing: %s\n", test.c_str(),
             whole.trouble.c_str());
      ++bad;
      continue;
    }
    const long allocations = account->allocations;
    const std::vector<long> chosen = Choose(allocations, whole.seconds, budget);
    left_out += allocations - static_cast<long>(chosen.size());
    for (long n : chosen) {
      const Outcome outcome = RunOnce(test, n);
      ++runs;
      if (outcome.trouble.empty()) continue;
      printf("%s with allocation %ld failing %s\n", test.c_str(), n,
             outcome.trouble.c_str());
      ++bad;
      break;  // the next ones are much the same
    }
  }
  printf("%zu tests, %ld runs with an allocation failing, %ld left out\n",
         Tests().size(), runs, left_out);
  fflush(stdout);
  return bad == 0 ? 0 : 1;
}

}  // namespace compat

// --- The calls that are looked at (--wrap).

#define PERCORE_WRAP(type, name, is_error, keeps_nothing, params, args) \
  type __real_##name params;                                            \
  type __wrap_##name params;                                            \
  type __wrap_##name params {                                           \
    compat::Attempt attempt;                                            \
    type result = __real_##name args;                                   \
    attempt.Answered(result is_error, keeps_nothing, #name);            \
    return result;                                                      \
  }

extern "C" {

PERCORE_WRAP(event_base*, event_base_new, == nullptr, true, (void), ())
PERCORE_WRAP(event_base*, event_init, == nullptr, true, (void), ())
PERCORE_WRAP(event_base*, event_base_new_with_config, == nullptr, true,
             (const event_config* config), (config))
PERCORE_WRAP(event_config*, event_config_new, == nullptr, true, (void), ())
PERCORE_WRAP(event*, event_new, == nullptr, true,
             (event_base * base, evutil_socket_t fd, short events,
              event_callback_fn callback, void* arg),
             (base, fd, events, callback, arg))
PERCORE_WRAP(evutil_monotonic_timer*, evutil_monotonic_timer_new, == nullptr,
             true, (void), ())
// Tables that have grown may stay so.
PERCORE_WRAP(int, event_config_avoid_method, != 0, false,
             (event_config * config, const char* method), (config, method))
PERCORE_WRAP(int, event_add, != 0, false, (event * ev, const timeval* timeout),
             (ev, timeout))
PERCORE_WRAP(int, event_base_once, != 0, false,
             (event_base * base, evutil_socket_t fd, short events,
              event_callback_fn callback, void* arg, const timeval* timeout),
             (base, fd, events, callback, arg, timeout))
PERCORE_WRAP(int, event_once, != 0, false,
             (evutil_socket_t fd, short events, event_callback_fn callback,
              void* arg, const timeval* timeout),
             (fd, events, callback, arg, timeout))
PERCORE_WRAP(int, event_base_loopexit, != 0, false,
             (event_base * base, const timeval* timeout), (base, timeout))
PERCORE_WRAP(int, event_loopexit, != 0, false, (const timeval* timeout),
             (timeout))
PERCORE_WRAP(int, event_base_priority_init, != 0, false,
             (event_base * base, int n), (base, n))
PERCORE_WRAP(int, event_priority_init, != 0, false, (int n), (n))
PERCORE_WRAP(const timeval*, event_base_init_common_timeout, == nullptr, false,
             (event_base * base, const timeval* duration), (base, duration))
PERCORE_WRAP(int, event_reinit, != 0, false, (event_base * base), (base))
PERCORE_WRAP(const char**, event_get_supported_methods, == nullptr, true,
             (void), ())

}  // extern "C"
