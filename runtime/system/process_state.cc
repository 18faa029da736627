#include "percore/runtime/system/process_state.h"

#include <pthread.h>
#include <unistd.h>

#include <cstdlib>

namespace percore {
namespace {

void CountFork() {
  // In the child of fork only the calling thread exists.
  State().fork_generation.fetch_add(1, std::memory_order_relaxed);
}

// Runs when this copy of the code is loaded. The object may have been made by
// a copy of another version, loaded earlier: going on would corrupt both.
__attribute__((constructor)) void RefuseForeignState() {
  if (State().version == kProcessStateVersion) return;
  static constexpr char kMessage[] =
      "percore: two different versions of percore are loaded in one process\n";
  [[maybe_unused]] ssize_t ignored =
      write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  std::abort();
}

}  // namespace

void InstallForkHandler() {
  if (State().fork_handler_installed.load(std::memory_order_relaxed)) return;
  if (State().fork_handler_installed.exchange(true)) return;
  pthread_atfork(nullptr, nullptr, &CountFork);
}

void RegisterPoolRelease(void (*release)()) {
  for (auto& slot : State().pool_releases) {
    void (*expected)() = nullptr;
    if (slot.load(std::memory_order_relaxed) == release ||
        slot.compare_exchange_strong(expected, release) ||
        expected == release) {
      return;
    }
  }
}

void ReleasePools() {
  for (auto& slot : State().pool_releases) {
    void (*const release)() = slot.load(std::memory_order_relaxed);
    if (release != nullptr) release();
  }
}

}  // namespace percore
