#include "percore/runtime/sync/lock_debugging.h"

#include <event2/thread.h>

#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

struct DebugLock {
  unsigned type;
  unsigned long holder;
  int count;
  void* lock;  // of the undebugged callbacks; null without any
};

bool Recursive(const DebugLock* lock) {
  return (lock->type & EVTHREAD_LOCKTYPE_RECURSIVE) != 0;
}

void* NewLock(unsigned type) {
  auto* lock = MemNew<DebugLock>();
  if (lock == nullptr) return nullptr;
  *lock = DebugLock{type, 0, 0, nullptr};
  if (State().undebugged_locks.alloc != nullptr) {
    // Recursive, so that a wrong second lock is reported and does not hang.
    lock->lock =
        State().undebugged_locks.alloc(type | EVTHREAD_LOCKTYPE_RECURSIVE);
    if (lock->lock == nullptr) {
      MemDelete(lock);
      return nullptr;
    }
  }
  return lock;
}

void FreeLock(void* p, unsigned type) {
  auto* lock = static_cast<DebugLock*>(p);
  PERCORE_CHECK(lock->count == 0);
  PERCORE_CHECK(lock->type == type);
  if (lock->lock != nullptr) {
    State().undebugged_locks.free(lock->lock,
                                  type | EVTHREAD_LOCKTYPE_RECURSIVE);
  }
  MemDelete(lock);
}

void NoteLocked(DebugLock* lock) {
  ++lock->count;
  if (!Recursive(lock)) PERCORE_CHECK(lock->count == 1);
  if (State().thread_id_fn == nullptr) return;
  const unsigned long me = State().thread_id_fn();
  if (lock->count > 1) PERCORE_CHECK(lock->holder == me);
  lock->holder = me;
}

void NoteUnlocked(DebugLock* lock) {
  if (State().thread_id_fn != nullptr) {
    const unsigned long me = State().thread_id_fn();
    PERCORE_CHECK(lock->holder == me);
    if (lock->count == 1) lock->holder = 0;
  }
  --lock->count;
  PERCORE_CHECK(lock->count >= 0);
}

int TakeLock(unsigned mode, void* p) {
  auto* lock = static_cast<DebugLock*>(p);
  if (lock->type & EVTHREAD_LOCKTYPE_READWRITE) {
    PERCORE_CHECK(mode & (EVTHREAD_READ | EVTHREAD_WRITE));
  } else {
    PERCORE_CHECK((mode & (EVTHREAD_READ | EVTHREAD_WRITE)) == 0);
  }
  int result = 0;
  if (State().undebugged_locks.lock != nullptr && lock->lock != nullptr) {
    result = State().undebugged_locks.lock(mode, lock->lock);
  }
  if (result == 0) NoteLocked(lock);
  return result;
}

int ReleaseLock(unsigned mode, void* p) {
  auto* lock = static_cast<DebugLock*>(p);
  NoteUnlocked(lock);
  if (State().undebugged_locks.unlock == nullptr || lock->lock == nullptr) {
    return 0;
  }
  return State().undebugged_locks.unlock(mode, lock->lock);
}

int WaitCondition(void* condition, void* p, const struct timeval* timeout) {
  auto* lock = static_cast<DebugLock*>(p);
  NoteUnlocked(lock);
  const int result =
      State().undebugged_conditions.wait(condition, lock->lock, timeout);
  NoteLocked(lock);
  return result;
}

}  // namespace

void WrapConditionsForDebugging() {
  State().conditions = State().undebugged_conditions;
  if (State().conditions.wait != nullptr) {
    State().conditions.wait = &WaitCondition;
  }
}

void EnableLockDebugging() {
  if (State().lock_debugging) return;
  State().undebugged_locks = State().locks;
  State().undebugged_conditions = State().conditions;
  State().locks = LockFunctions{EVTHREAD_LOCK_API_VERSION,
                                EVTHREAD_LOCKTYPE_RECURSIVE,
                                &NewLock,
                                &FreeLock,
                                &TakeLock,
                                &ReleaseLock};
  State().lock_debugging = true;
  WrapConditionsForDebugging();
}

}  // namespace percore
