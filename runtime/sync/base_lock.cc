#include "percore/runtime/sync/base_lock.h"

namespace percore {

bool BaseLock::Create() {
  const ProcessState& state = State();
  if (state.locks.alloc == nullptr) return true;
  lock_ = state.locks.alloc(0);
  if (lock_ == nullptr) return false;
  direct_ = state.locks_are_pthreads && !state.lock_debugging;
  if (state.conditions.alloc != nullptr) {
    condition_ = state.conditions.alloc(0);
    if (condition_ == nullptr) {
      Destroy();
      return false;
    }
  }
  return true;
}

void BaseLock::Destroy() {
  if (condition_ != nullptr) State().conditions.free(condition_);
  if (lock_ != nullptr) State().locks.free(lock_, 0);
  condition_ = nullptr;
  lock_ = nullptr;
}

bool BaseLock::Recreate() {
  if (lock_ == nullptr) return true;
  // The old ones cannot be destroyed: they may be held, for ever.
  lock_ = nullptr;
  condition_ = nullptr;
  return Create();
}

void BaseLock::Wait() {
  if (condition_ != nullptr) {
    State().conditions.wait(condition_, lock_, nullptr);
    return;
  }
  // Lock callbacks without condition callbacks: poll.
  Unlock();
  timespec pause = {0, 100000};
  nanosleep(&pause, nullptr);
  Lock();
}

void BaseLock::WakeAll() {
  if (condition_ != nullptr) State().conditions.signal(condition_, 1);
}

}  // namespace percore
