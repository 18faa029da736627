#include "percore/net/buffer/buffer_pair_guard.h"

#include <functional>

namespace percore {

BufferPairGuard::BufferPairGuard(Buffer* target, Buffer* source, bool appends)
    : target_(target),
      source_(source),
      target_lock_(target->lock_),
      source_lock_(source->lock_) {
  if (target_lock_ == nullptr && source_lock_ == nullptr) [[likely]]
    return;
  // One lock for both: the two sides of a stream.
  if (target_lock_ == source_lock_) source_lock_ = nullptr;
  const bool by_leaf = appends && target_lock_ != nullptr &&
                       (target->lock_bits_ & Buffer::kAppendsByLeaf) != 0;
  if (by_leaf) {
    if (source_lock_ != nullptr) source_lock_->LockOuter();
    target_outer_ = target_lock_->TryLockOuter();
  } else {
    const bool target_first =
        std::less<BufferLock*>()(target_lock_, source_lock_);
    if (target_first && target_lock_ != nullptr) target_lock_->LockOuter();
    if (source_lock_ != nullptr) source_lock_->LockOuter();
    if (!target_first && target_lock_ != nullptr) target_lock_->LockOuter();
    target_outer_ = target_lock_ != nullptr;
  }
  LockLeaves();
  if (by_leaf && !target_outer_ && target_lock_->InExplicitSection()) {
    UnlockLeaves();
    target_lock_->LockOuter();
    target_outer_ = true;
    LockLeaves();
  }
}

BufferPairGuard::~BufferPairGuard() {
  UnlockLeaves();
  if (target_outer_) target_lock_->UnlockOuter();
  if (source_lock_ != nullptr) source_lock_->UnlockOuter();
  if (shared_) {
    BufferLock::Destroy(target_lock_);
    BufferLock::Destroy(source_lock_);
  }
}

void BufferPairGuard::LockLeaves() {
  BufferLock* first = target_lock_;
  BufferLock* second = source_lock_;
  if (std::less<BufferLock*>()(second, first)) std::swap(first, second);
  for (BufferLock* lock : {first, second}) {
    if (lock != nullptr && lock->two_levels()) lock->LockLeaf();
  }
  leaves_ = true;
}

void BufferPairGuard::UnlockLeaves() {
  if (!leaves_) return;
  leaves_ = false;
  for (BufferLock* lock : {target_lock_, source_lock_}) {
    if (lock != nullptr && lock->two_levels()) lock->UnlockLeaf();
  }
}

void BufferPairGuard::Moved(std::size_t n) { Notify(n, n); }
void BufferPairGuard::Added(std::size_t n) { Notify(n, 0); }

void BufferPairGuard::Notify(std::size_t added, std::size_t removed) {
  const bool watched =
      ((source_->bits_ | target_->bits_) & Buffer::kWatched) != 0;
  if (!watched) return;
  if (target_lock_ == nullptr && source_lock_ == nullptr &&
      target_->callbacks_ == nullptr && source_->callbacks_ == nullptr) {
    // The commonest, two unlocked streams: the observers and nothing else.
    if (removed != 0 && (source_->bits_ & Buffer::kObserved)) {
      source_->observer_(source_, Buffer::Notice::kChanged, 0, removed, false);
    }
    if (target_->bits_ & Buffer::kObserved) {
      target_->observer_(target_, Buffer::Notice::kChanged, added, 0, false);
    }
    return;
  }
  const bool target_leaf_only = target_lock_ != nullptr && !target_outer_;
  unsigned source_due = Buffer::kNothing;
  if (removed != 0 && (source_->bits_ & Buffer::kWatched)) {
    source_due = source_->NoteChange(0, removed, false);
  }
  unsigned target_due = Buffer::kNothing;
  if (target_->bits_ & Buffer::kWatched) {
    target_due = target_->NoteChange(added, 0, target_leaf_only);
  }
  if ((source_due | target_due) != 0 && !shared_) {
    if (target_lock_ != nullptr) target_lock_->Share();
    if (source_lock_ != nullptr) source_lock_->Share();
    shared_ = true;
  }
  UnlockLeaves();
  if (source_due != 0) source_->RunDue(source_due, 0, removed, false);
  if (target_due != 0) target_->RunDue(target_due, added, 0, target_leaf_only);
}

}  // namespace percore
