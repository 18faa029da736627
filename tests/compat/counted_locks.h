#ifndef PERCORE_TESTS_COMPAT_COUNTED_LOCKS_H_
#define PERCORE_TESTS_COMPAT_COUNTED_LOCKS_H_

// Lock and condition callbacks of a program's own, that count.

#include <errno.h>
#include <event2/thread.h>
#include <pthread.h>
#include <time.h>

#include <atomic>

namespace percore::compat {

struct LockCounts {
  std::atomic<int> allocated{0};
  std::atomic<int> freed{0};
  std::atomic<int> plain{0};   // allocated without RECURSIVE
  std::atomic<int> locked{0};  // successful
  std::atomic<int> unlocked{0};
  std::atomic<int> conditions{0};
  std::atomic<int> conditions_freed{0};
  std::atomic<int> signals{0};
  std::atomic<int> waits{0};
  std::atomic<int> ids{0};
};
inline LockCounts counts;
// How many locks this thread holds.
inline thread_local int held = 0;

struct CountedLock {
  pthread_mutex_t mutex;
};

inline void* AllocLock(unsigned locktype) {
  auto* lock = new CountedLock;
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  // A plain lock taken twice by one thread is an error here, not a hang.
  pthread_mutexattr_settype(&attr, locktype & EVTHREAD_LOCKTYPE_RECURSIVE
                                       ? PTHREAD_MUTEX_RECURSIVE
                                       : PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&lock->mutex, &attr);
  pthread_mutexattr_destroy(&attr);
  ++counts.allocated;
  if ((locktype & EVTHREAD_LOCKTYPE_RECURSIVE) == 0) ++counts.plain;
  return lock;
}
inline void FreeLock(void* lock, unsigned) {
  auto* counted = static_cast<CountedLock*>(lock);
  pthread_mutex_destroy(&counted->mutex);
  delete counted;
  ++counts.freed;
}
inline int Lock(unsigned mode, void* lock) {
  pthread_mutex_t* mutex = &static_cast<CountedLock*>(lock)->mutex;
  const int error = mode & EVTHREAD_TRY ? pthread_mutex_trylock(mutex)
                                        : pthread_mutex_lock(mutex);
  if (error == 0) {
    ++counts.locked;
    ++held;
  }
  return error;
}
inline int Unlock(unsigned, void* lock) {
  ++counts.unlocked;
  --held;
  return pthread_mutex_unlock(&static_cast<CountedLock*>(lock)->mutex);
}

inline void* AllocCondition(unsigned) {
  ++counts.conditions;
  auto* condition = new pthread_cond_t;
  pthread_cond_init(condition, nullptr);
  return condition;
}
inline void FreeCondition(void* condition) {
  ++counts.conditions_freed;
  pthread_cond_destroy(static_cast<pthread_cond_t*>(condition));
  delete static_cast<pthread_cond_t*>(condition);
}
inline int SignalCondition(void* condition, int broadcast) {
  ++counts.signals;
  auto* c = static_cast<pthread_cond_t*>(condition);
  return broadcast ? pthread_cond_broadcast(c) : pthread_cond_signal(c);
}
inline int WaitCondition(void* condition, void* lock, const timeval* timeout) {
  ++counts.waits;
  auto* c = static_cast<pthread_cond_t*>(condition);
  pthread_mutex_t* mutex = &static_cast<CountedLock*>(lock)->mutex;
  if (timeout == nullptr) return pthread_cond_wait(c, mutex) == 0 ? 0 : -1;
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += timeout->tv_sec;
  until.tv_nsec += timeout->tv_usec * 1000;
  if (until.tv_nsec >= 1000000000) {
    ++until.tv_sec;
    until.tv_nsec -= 1000000000;
  }
  const int error = pthread_cond_timedwait(c, mutex, &until);
  if (error == 0) return 0;
  return error == ETIMEDOUT ? 1 : -1;
}

inline unsigned long Id() {
  ++counts.ids;
  return static_cast<unsigned long>(pthread_self());
}

inline constexpr evthread_lock_callbacks kCountedLocks = {
    EVTHREAD_LOCK_API_VERSION,
    EVTHREAD_LOCKTYPE_RECURSIVE,
    AllocLock,
    FreeLock,
    Lock,
    Unlock};
inline constexpr evthread_condition_callbacks kCountedConditions = {
    EVTHREAD_CONDITION_API_VERSION, AllocCondition, FreeCondition,
    SignalCondition, WaitCondition};

// All three; 0 if the library took them.
inline int InstallCountedLocks() {
  evthread_set_id_callback(Id);
  return evthread_set_lock_callbacks(&kCountedLocks) |
         evthread_set_condition_callbacks(&kCountedConditions);
}

}  // namespace percore::compat

#endif  // PERCORE_TESTS_COMPAT_COUNTED_LOCKS_H_
