#include "percore/net/buffer/buffer_lock.h"

#include <event2/thread.h>

#include <new>

#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/process_state.h"

namespace percore {

BufferLock* BufferLock::Create(void* lock, bool two_levels) {
  if (State().locks.alloc == nullptr) return nullptr;
  void* memory = MemAlloc(sizeof(BufferLock));
  if (memory == nullptr) return nullptr;
  auto* made = new (memory) BufferLock;
  made->two_levels_ = two_levels;
  made->outer_ = lock;
  if (lock == nullptr) {
    made->outer_ = State().locks.alloc(EVTHREAD_LOCKTYPE_RECURSIVE);
    if (made->outer_ == nullptr) {
      MemFree(memory);
      return nullptr;
    }
    made->owned_ = true;
  }
  made->direct_ = State().locks_are_pthreads && !State().lock_debugging;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&made->leaf_, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return made;
}

void BufferLock::Destroy(BufferLock* lock) {
  if (lock == nullptr) return;
  // acq_rel: the others' last use comes before.
  if (lock->users_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (lock->owned_) {
    State().locks.free(lock->outer_, EVTHREAD_LOCKTYPE_RECURSIVE);
  }
  pthread_mutex_destroy(&lock->leaf_);
  lock->~BufferLock();
  MemFree(lock);
}

void BufferLock::LockOuter() {
  if (direct_) {
    pthread_mutex_lock(static_cast<pthread_mutex_t*>(outer_));
  } else {
    State().locks.lock(0, outer_);
  }
}

void BufferLock::UnlockOuter() {
  if (direct_) {
    pthread_mutex_unlock(static_cast<pthread_mutex_t*>(outer_));
  } else {
    State().locks.unlock(0, outer_);
  }
}

bool BufferLock::TryLockOuter() {
  if (direct_) {
    return pthread_mutex_trylock(static_cast<pthread_mutex_t*>(outer_)) == 0;
  }
  return State().locks.lock(EVTHREAD_TRY, outer_) == 0;
}

void BufferLock::LockLeaf() { pthread_mutex_lock(&leaf_); }
void BufferLock::UnlockLeaf() { pthread_mutex_unlock(&leaf_); }

BufferLock::Held BufferLock::EnterFull() {
  LockOuter();
  if (!two_levels_) return Held::kOuter;
  LockLeaf();
  return Held::kBoth;
}

BufferLock::Held BufferLock::EnterAppend() {
  if (!two_levels_ || TryLockOuter()) {
    if (!two_levels_) {
      LockOuter();
      return Held::kOuter;
    }
    LockLeaf();
    return Held::kBoth;
  }
  LockLeaf();
  if (explicit_depth_ == 0) return Held::kLeaf;
  UnlockLeaf();
  return EnterFull();
}

BufferLock::Held BufferLock::EnterLook() {
  if (!two_levels_) return EnterFull();
  LockLeaf();
  return Held::kLeaf;
}

void BufferLock::Leave(Held held) {
  if (held != Held::kOuter) UnlockLeaf();
  if (held != Held::kLeaf) UnlockOuter();
}

void BufferLock::LockExplicit() {
  LockOuter();
  if (!two_levels_) return;
  LockLeaf();
  ++explicit_depth_;
  UnlockLeaf();
}

void BufferLock::UnlockExplicit() {
  if (two_levels_) {
    LockLeaf();
    --explicit_depth_;
    UnlockLeaf();
  }
  UnlockOuter();
}

}  // namespace percore
