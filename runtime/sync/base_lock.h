// The lock of a shared base.
//
// A base that was made while evthread callbacks were installed is locked
// through them; with percore's own pthread callbacks the mutex is taken
// directly. A base without a lock (owned by one thread) pays one branch.
#ifndef PERCORE_RUNTIME_SYNC_BASE_LOCK_H_
#define PERCORE_RUNTIME_SYNC_BASE_LOCK_H_

#include <pthread.h>
#include <sys/time.h>

#include "percore/runtime/system/process_state.h"

namespace percore {

class BaseLock {
 public:
  BaseLock() = default;
  BaseLock(const BaseLock&) = delete;
  BaseLock& operator=(const BaseLock&) = delete;
  ~BaseLock() { Destroy(); }

  // Makes the lock and its condition, if lock callbacks are installed. False
  // when they cannot be made; then there is none.
  bool Create();
  void Destroy();

  // In the child of a fork another thread may have held it: a new one.
  bool Recreate();

  bool exists() const { return lock_ != nullptr; }

  void Lock() {
    if (lock_ == nullptr) return;
    if (direct_) {
      pthread_mutex_lock(static_cast<pthread_mutex_t*>(lock_));
    } else {
      State().locks.lock(0, lock_);
    }
  }
  void Unlock() {
    if (lock_ == nullptr) return;
    if (direct_) {
      pthread_mutex_unlock(static_cast<pthread_mutex_t*>(lock_));
    } else {
      State().locks.unlock(0, lock_);
    }
  }

  // The condition: releases the lock while it waits. Require the lock.
  void Wait();
  void WakeAll();

 private:
  void* lock_ = nullptr;
  void* condition_ = nullptr;
  bool direct_ = false;
};

class BaseLockGuard {
 public:
  explicit BaseLockGuard(BaseLock* lock) : lock_(lock) { lock_->Lock(); }
  ~BaseLockGuard() { lock_->Unlock(); }
  BaseLockGuard(const BaseLockGuard&) = delete;
  BaseLockGuard& operator=(const BaseLockGuard&) = delete;

 private:
  BaseLock* lock_;
};

// Drops a held lock for as long as it lives: around callbacks.
class BaseLockDropped {
 public:
  explicit BaseLockDropped(BaseLock* lock) : lock_(lock) { lock_->Unlock(); }
  ~BaseLockDropped() { lock_->Lock(); }
  BaseLockDropped(const BaseLockDropped&) = delete;
  BaseLockDropped& operator=(const BaseLockDropped&) = delete;

 private:
  BaseLock* lock_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYNC_BASE_LOCK_H_
