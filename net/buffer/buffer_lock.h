// The lock of a buffer, or of a buffered stream and its two buffers.
//
// A buffer alone has one recursive lock, through the installed evthread
// callbacks (evbuffer_enable_locking). A stream has two levels:
//
//   outer  recursive, as libevent's: held while the stream's callbacks run, by
//          bufferevent_lock, evbuffer_lock, and by every operation that is not
//          an append;
//   leaf   guards what the operations change. No user code runs under it, and
//          nothing but a base's lock is taken while it is held.
//
// An append (evbuffer_add to the output, bufferevent_write, enable, trigger)
// that finds the outer lock taken by another thread's callback goes on with
// the leaf alone: two streams may write to each other from two threads. If the
// other thread holds it by an explicit evbuffer_lock or bufferevent_lock, the
// append waits, since such sections are atomic.
#ifndef PERCORE_NET_BUFFER_BUFFER_LOCK_H_
#define PERCORE_NET_BUFFER_BUFFER_LOCK_H_

#include <pthread.h>

#include <atomic>

namespace percore {

class BufferLock {
 public:
  // What Enter took, for Leave.
  enum class Held : unsigned char { kOuter, kBoth, kLeaf };

  // A lock through the evthread callbacks; `lock` null: makes one. Null when
  // there are no callbacks or no memory.
  static BufferLock* Create(void* lock, bool two_levels);
  // One more user of it, and one less; the last destroys it. Null is ignored.
  void Share() { users_.fetch_add(1, std::memory_order_relaxed); }
  static void Destroy(BufferLock* lock);

  Held EnterFull();
  Held EnterAppend();
  // To read a size: never waits for callbacks.
  Held EnterLook();
  void Leave(Held held);

  // The outer lock alone: around callbacks.
  void LockOuter();
  void UnlockOuter();
  bool TryLockOuter();

  // Only the leaf, for state that is no buffer's content. Recursive.
  void LockLeaf();
  void UnlockLeaf();

  // A user's section: evbuffer_lock.
  void LockExplicit();
  void UnlockExplicit();

  // Requires the leaf.
  bool InExplicitSection() const { return explicit_depth_ != 0; }

  bool two_levels() const { return two_levels_; }
  void* outer() const { return outer_; }

 private:
  BufferLock() = default;

  void* outer_ = nullptr;
  bool direct_ = false;
  bool owned_ = false;
  bool two_levels_ = false;
  std::atomic<int> users_{1};
  int explicit_depth_ = 0;  // guarded by the leaf
  pthread_mutex_t leaf_;
};

}  // namespace percore

#endif  // PERCORE_NET_BUFFER_BUFFER_LOCK_H_
