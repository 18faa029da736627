// The stall detector: a thread that looks at what each loop is doing, names
// the callback that has run too long, and has the loop's thread print its
// stack. It sleeps while no callback is running: an idle process stays idle.
#include <dlfcn.h>
#include <execinfo.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "percore/runtime/core/runtime_core.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/cycles.h"

namespace percore {
namespace {

// A stack is taken by the thread that it belongs to, in this handler; one
// watcher at a time asks for one and waits for it.
constexpr int kFrames = 48;
Mutex asking;
void* frames[kFrames];
std::atomic<int> frame_count{-1};
struct sigaction program_action;  // what the program does with SIGURG

// SIGURG that is not ours: to whom it was meant for.
void Forward(int number, siginfo_t* info, void* context) {
  if (program_action.sa_flags & SA_SIGINFO) {
    program_action.sa_sigaction(number, info, context);
  } else if (program_action.sa_handler != SIG_DFL &&
             program_action.sa_handler != SIG_IGN) {
    program_action.sa_handler(number);
  }
}

void TakeStack(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != frames) {
    Forward(number, info, context);
  } else if (frame_count.load(std::memory_order_relaxed) < 0) {
    frame_count.store(backtrace(frames, kFrames), std::memory_order_release);
  }
  errno = saved;
}

std::string NameOf(const void* address) {
  Dl_info info;
  if (address != nullptr && dladdr(address, &info) != 0) {
    if (info.dli_sname != nullptr) return info.dli_sname;
    if (info.dli_fname != nullptr) {
      char text[512];
      std::snprintf(
          text, sizeof(text), "%s+0x%zx", info.dli_fname,
          static_cast<std::size_t>(static_cast<const char*>(address) -
                                   static_cast<const char*>(info.dli_fbase)));
      return text;
    }
  }
  char text[32];
  std::snprintf(text, sizeof(text), "%p", address);
  return text;
}

std::string StackOf(pthread_t thread) {
  // SIGURG is ignored by default and hardly used; the program's own handler
  // gets what is not ours meanwhile, and is put back.
  MutexLock lock(&asking);
  struct sigaction action = {};
  action.sa_sigaction = &TakeStack;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  frame_count.store(-1, std::memory_order_relaxed);
  sigaction(SIGURG, nullptr, &program_action);
  sigaction(SIGURG, &action, nullptr);
  std::string text;
  sigval ours;
  ours.sival_ptr = frames;
  if (pthread_sigqueue(thread, SIGURG, ours) == 0) {
    for (int i = 0; i < 200 && frame_count.load() < 0; ++i) usleep(500);
    const int n = frame_count.load(std::memory_order_acquire);
    for (int i = 0; i < n; ++i) {
      text += "\n    " + NameOf(frames[i]);
    }
  }
  sigaction(SIGURG, &program_action, nullptr);
  return text;
}

}  // namespace

void RuntimeCore::WatchForStalls() {
  const std::int64_t pause = options_.stall_ns / 2 + 1;
  std::vector<std::uint64_t> reported(cores_.size(), 0);
  // backtrace loads libgcc on first use, which a handler must not do.
  void* warm_up[1];
  backtrace(warm_up, 1);
  for (bool stop = false; !stop;) {
    bool busy = LookForStalls(&reported);
    if (!busy) {
      // Say so first, then look again: a loop that began meanwhile either is
      // seen here or sees that we sleep.
      watch_.asleep.store(true, std::memory_order_seq_cst);
      busy = LookForStalls(&reported);
      if (busy) watch_.asleep.store(false, std::memory_order_seq_cst);
    }
    MutexLock lock(&mutex_);
    if (!busy) {
      while (!watcher_stop_ && watch_.asleep.load(std::memory_order_relaxed)) {
        changed_.Wait(&mutex_);
      }
      // What woke us has hardly begun: give it its time.
    }
    const std::int64_t until = CondVar::DeadlineIn(pause);
    while (!watcher_stop_ && changed_.WaitUntil(&mutex_, until)) {
    }
    stop = watcher_stop_;
  }
}

// Reports what has run too long; whether anything runs at all.
bool RuntimeCore::LookForStalls(std::vector<std::uint64_t>* reported) {
  const std::uint64_t limit = CyclesFor(options_.stall_ns);
  bool busy = false;
  for (auto& core : cores_) {
    LoopProgress* progress = core->base->progress();
    const std::uint64_t began = progress->began.load(std::memory_order_seq_cst);
    if (began == 0) continue;
    busy = true;
    const std::size_t i = Index(core->index);
    const std::uint64_t now = Cycles();
    if (began == (*reported)[i] || now <= began || now - began < limit) {
      continue;
    }
    (*reported)[i] = began;
    stalls_.fetch_add(1, std::memory_order_relaxed);
    const void* what = progress->what.load(std::memory_order_relaxed);
    const std::string stack = StackOf(core->thread.native_handle());
    LogWarnx("core %d: callback %s has been running for more than %lld us%s",
             core->index, NameOf(what).c_str(),
             static_cast<long long>(options_.stall_ns / 1000), stack.c_str());
  }
  return busy;
}

}  // namespace percore
