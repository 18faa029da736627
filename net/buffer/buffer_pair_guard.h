// What an operation on two buffers holds: their locks, in an order that two
// such operations in opposite directions share.
#ifndef PERCORE_NET_BUFFER_BUFFER_PAIR_GUARD_H_
#define PERCORE_NET_BUFFER_BUFFER_PAIR_GUARD_H_

#include "percore/net/buffer/buffer.h"

namespace percore {

class BufferPairGuard {
 public:
  // `target` is appended to: where it allows that, its leaf lock is enough.
  BufferPairGuard(Buffer* target, Buffer* source, bool appends);
  ~BufferPairGuard();
  BufferPairGuard(const BufferPairGuard&) = delete;
  BufferPairGuard& operator=(const BufferPairGuard&) = delete;

  // Last in the operation: `n` bytes went from source to target. Callbacks of
  // the source run first, as in libevent. Ends the leaf locks.
  void Moved(std::size_t n);
  // As Moved, but the source keeps its bytes.
  void Added(std::size_t n);

 private:
  void LockLeaves();
  void UnlockLeaves();
  void Notify(std::size_t added, std::size_t removed);

  Buffer* target_;
  Buffer* source_;
  BufferLock* target_lock_;
  BufferLock* source_lock_;
  bool target_outer_ = false;
  bool leaves_ = false;
  bool shared_ = false;  // keeps the locks: a callback may free their streams
};

}  // namespace percore

#endif  // PERCORE_NET_BUFFER_BUFFER_PAIR_GUARD_H_
