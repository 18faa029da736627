// The lock of everything that is neither the mailbox (lock-free) nor a base
// (BaseLock, through the program's evthread callbacks).
//
// An adaptive std::mutex: whoever finds it taken spins a little, where the C
// library knows how, before it sleeps. Not recursive, not fair, and known to
// clang's thread safety analysis (`--config=clang`), so that ABSL_GUARDED_BY
// is checked:
//
//   Mutex mutex_;
//   CondVar changed_;
//   int left_ ABSL_GUARDED_BY(mutex_) = 3;
//   ...
//   MutexLock lock(&mutex_);
//   while (left_ != 0) changed_.Wait(&mutex_);
//
// Lock() acquires what the last Unlock() released. No method can fail, throw
// or allocate. A lock is not inherited by a fork in a usable state unless its
// owner sees to that (pthread_atfork).
#ifndef PERCORE_RUNTIME_SYNC_MUTEX_H_
#define PERCORE_RUNTIME_SYNC_MUTEX_H_

#include <pthread.h>
#include <time.h>

#include <cstdint>

#include "absl/base/thread_annotations.h"

namespace percore {

class ABSL_LOCKABLE Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() { pthread_mutex_destroy(&mutex_); }

  // Any thread, not the holder.
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { pthread_mutex_lock(&mutex_); }

  // True if it was free and is now the caller's. Any thread.
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    return pthread_mutex_trylock(&mutex_) == 0;
  }

  // The holder.
  void Unlock() ABSL_UNLOCK_FUNCTION() { pthread_mutex_unlock(&mutex_); }

 private:
  friend class CondVar;
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
  pthread_mutex_t mutex_ = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
#else
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
#endif
};

// Holds a mutex for a scope.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// The same for what needs the mutex only if it is shared: without `shared`
// nothing is locked, and to the analysis, which cannot know, it always is (one
// thread is the caller's promise then).
class ABSL_SCOPED_LOCKABLE MutexLockIf {
 public:
  MutexLockIf(Mutex* mutex, bool shared) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(shared ? mutex : nullptr) {
    Relock();
  }
  ~MutexLockIf() ABSL_UNLOCK_FUNCTION() { Release(); }
  MutexLockIf(const MutexLockIf&) = delete;
  MutexLockIf& operator=(const MutexLockIf&) = delete;

  // In pairs, around a wait.
  void Release() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (mutex_ != nullptr) mutex_->Unlock();
  }
  void Relock() ABSL_EXCLUSIVE_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (mutex_ != nullptr) mutex_->Lock();
  }

 private:
  Mutex* const mutex_;
};

// Waiting for what a mutex guards to change. A wait may end without reason:
// ask again. Time is the monotonic clock's.
class CondVar {
 public:
  CondVar() {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&condition_, &attributes);
    pthread_condattr_destroy(&attributes);
  }
  ~CondVar() { pthread_cond_destroy(&condition_); }
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Releases the mutex while it waits.
  void Wait(Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    pthread_cond_wait(&condition_, &mutex->mutex_);
  }

  // The same until `deadline_ns` (of DeadlineIn) at most; false: it is over.
  bool WaitUntil(Mutex* mutex, std::int64_t deadline_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    timespec until;
    until.tv_sec = static_cast<time_t>(deadline_ns / kSecond);
    until.tv_nsec = static_cast<long>(deadline_ns % kSecond);
    return pthread_cond_timedwait(&condition_, &mutex->mutex_, &until) == 0;
  }

  // `wait_ns` from now, as a deadline; one too far away is cut.
  static std::int64_t DeadlineIn(std::int64_t wait_ns) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const std::int64_t ns = std::int64_t{now.tv_sec} * kSecond + now.tv_nsec;
    return wait_ns > INT64_MAX - ns ? INT64_MAX : ns + wait_ns;
  }

  // Wakes one who waits, or all. Any thread, with the mutex or without.
  void Signal() { pthread_cond_signal(&condition_); }
  void SignalAll() { pthread_cond_broadcast(&condition_); }

 private:
  static constexpr std::int64_t kSecond = 1'000'000'000;

  pthread_cond_t condition_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYNC_MUTEX_H_
