// evthread_use_pthreads: locks, conditions and thread ids of pthreads.
#include <event2/thread.h>
#include <pthread.h>

#include <cerrno>
#include <ctime>

#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/process_state.h"

namespace {

bool priority_inheritance = false;

void* NewLock(unsigned type) {
  auto* mutex =
      static_cast<pthread_mutex_t*>(percore::MemAlloc(sizeof(pthread_mutex_t)));
  if (mutex == nullptr) return nullptr;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if (type & EVTHREAD_LOCKTYPE_RECURSIVE) {
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  }
  if (priority_inheritance) {
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  }
  const int error = pthread_mutex_init(mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  if (error == 0) return mutex;
  percore::MemFree(mutex);
  return nullptr;
}

void FreeLock(void* lock, unsigned) {
  pthread_mutex_destroy(static_cast<pthread_mutex_t*>(lock));
  percore::MemFree(lock);
}

int TakeLock(unsigned mode, void* lock) {
  auto* mutex = static_cast<pthread_mutex_t*>(lock);
  return (mode & EVTHREAD_TRY) ? pthread_mutex_trylock(mutex)
                               : pthread_mutex_lock(mutex);
}

int ReleaseLock(unsigned, void* lock) {
  return pthread_mutex_unlock(static_cast<pthread_mutex_t*>(lock));
}

unsigned long ThreadId() { return static_cast<unsigned long>(pthread_self()); }

void* NewCondition(unsigned) {
  auto* condition =
      static_cast<pthread_cond_t*>(percore::MemAlloc(sizeof(pthread_cond_t)));
  if (condition == nullptr) return nullptr;
  if (pthread_cond_init(condition, nullptr) == 0) return condition;
  percore::MemFree(condition);
  return nullptr;
}

void FreeCondition(void* condition) {
  pthread_cond_destroy(static_cast<pthread_cond_t*>(condition));
  percore::MemFree(condition);
}

int SignalCondition(void* condition, int broadcast) {
  auto* c = static_cast<pthread_cond_t*>(condition);
  const int error =
      broadcast ? pthread_cond_broadcast(c) : pthread_cond_signal(c);
  return error == 0 ? 0 : -1;
}

int WaitCondition(void* condition, void* lock, const struct timeval* timeout) {
  auto* c = static_cast<pthread_cond_t*>(condition);
  auto* mutex = static_cast<pthread_mutex_t*>(lock);
  if (timeout == nullptr) {
    return pthread_cond_wait(c, mutex) == 0 ? 0 : -1;
  }
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += timeout->tv_sec;
  until.tv_nsec += static_cast<long>(timeout->tv_usec) * 1000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  const int error = pthread_cond_timedwait(c, mutex, &until);
  if (error == ETIMEDOUT) return 1;
  return error == 0 ? 0 : -1;
}

}  // namespace

extern "C" {

int evthread_use_pthreads_with_flags(int flags) {
  // A second call changes nothing: the state is the process's, so that also
  // another copy of this code knows.
  if (percore::State().locks_are_pthreads) return 0;
  priority_inheritance = (flags & EVTHREAD_PTHREAD_PRIO_INHERIT) != 0;
  const struct evthread_lock_callbacks locks = {EVTHREAD_LOCK_API_VERSION,
                                                EVTHREAD_LOCKTYPE_RECURSIVE,
                                                &NewLock,
                                                &FreeLock,
                                                &TakeLock,
                                                &ReleaseLock};
  const struct evthread_condition_callbacks conditions = {
      EVTHREAD_CONDITION_API_VERSION, &NewCondition, &FreeCondition,
      &SignalCondition, &WaitCondition};
  if (evthread_set_lock_callbacks(&locks) != 0) return -1;
  evthread_set_condition_callbacks(&conditions);
  evthread_set_id_callback(&ThreadId);
  percore::State().locks_are_pthreads = true;
  return 0;
}

int evthread_use_pthreads(void) { return evthread_use_pthreads_with_flags(0); }

}  // extern "C"
