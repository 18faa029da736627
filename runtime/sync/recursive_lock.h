// A recursive lock through the installed evthread callbacks, for objects that
// a program asked to be thread-safe. With percore's own pthread callbacks the
// mutex is taken directly. Without one (not asked for, or no callbacks) a call
// costs a branch.
#ifndef PERCORE_RUNTIME_SYNC_RECURSIVE_LOCK_H_
#define PERCORE_RUNTIME_SYNC_RECURSIVE_LOCK_H_

#include <event2/thread.h>
#include <pthread.h>

#include "percore/runtime/system/process_state.h"

namespace percore {

class RecursiveLock {
 public:
  RecursiveLock() = default;
  RecursiveLock(const RecursiveLock&) = delete;
  RecursiveLock& operator=(const RecursiveLock&) = delete;
  ~RecursiveLock() {
    if (lock_ != nullptr)
      State().locks.free(lock_, EVTHREAD_LOCKTYPE_RECURSIVE);
  }

  // Makes the lock, if callbacks are installed. False: it cannot be made.
  bool Create() {
    if (State().locks.alloc == nullptr) return true;
    lock_ = State().locks.alloc(EVTHREAD_LOCKTYPE_RECURSIVE);
    direct_ = State().locks_are_pthreads && !State().lock_debugging;
    return lock_ != nullptr;
  }

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

 private:
  void* lock_ = nullptr;
  bool direct_ = false;
};

class RecursiveLockGuard {
 public:
  explicit RecursiveLockGuard(RecursiveLock* lock) : lock_(lock) {
    lock_->Lock();
  }
  ~RecursiveLockGuard() { lock_->Unlock(); }
  RecursiveLockGuard(const RecursiveLockGuard&) = delete;
  RecursiveLockGuard& operator=(const RecursiveLockGuard&) = delete;

 private:
  RecursiveLock* lock_;
};

// Drops a lock that is held once for as long as it lives: around callbacks.
class RecursiveLockDropped {
 public:
  explicit RecursiveLockDropped(RecursiveLock* lock) : lock_(lock) {
    lock_->Unlock();
  }
  ~RecursiveLockDropped() { lock_->Lock(); }
  RecursiveLockDropped(const RecursiveLockDropped&) = delete;
  RecursiveLockDropped& operator=(const RecursiveLockDropped&) = delete;

 private:
  RecursiveLock* lock_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYNC_RECURSIVE_LOCK_H_
