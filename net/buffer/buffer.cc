// Life, adding, room at the end.
#include "percore/net/buffer/buffer.h"

#include <climits>
#include <cstdio>

#include "percore/net/buffer/buffer_callbacks.h"
#include "percore/net/buffer/file_segment.h"
#include "percore/runtime/system/memory.h"

namespace percore {

Buffer::~Buffer() {
  if (callbacks_ != nullptr) BufferCallbacks::Destroy(callbacks_);
  Segment* s = first_;
  first_ = tail_ = last_ = nullptr;
  length_ = 0;
  while (s != nullptr) {
    Segment* next = s->next;
    Release(s);
    s = next;
  }
  if (lock_bits_ & kOwnsLock) BufferLock::Destroy(lock_);
}

Buffer* Buffer::New() { return MemNew<Buffer>(); }

void Buffer::Ref() {
  BufferGuard guard(this);
  ++references_;
}

void Buffer::Unref() {
  {
    BufferGuard guard(this);
    if (--references_ != 0) return;
  }
  MemDelete(this);
}

std::size_t Buffer::SizeUnderLock() const {
  BufferGuard guard(this, BufferGuard::kLook);
  return length_;
}

std::size_t Buffer::ContiguousSize() const {
  BufferGuard guard(this, BufferGuard::kLook);
  return first_ != nullptr ? first_->size() : 0;
}

// --- The chain --------------------------------------------------------------

// After what has data, before the spares.
void Buffer::AppendData(Segment* s) {
  if (tail_ == nullptr) {
    s->next = first_;
    first_ = s;
  } else {
    s->next = tail_->next;
    tail_->next = s;
  }
  if (s->next == nullptr) last_ = s;
  tail_ = s;
}

void Buffer::AppendSpare(Segment* s) {
  s->next = nullptr;
  if (last_ == nullptr) {
    first_ = s;
  } else {
    last_->next = s;
  }
  last_ = s;
}

void Buffer::InsertFront(Segment* s) {
  s->next = first_;
  first_ = s;
  if (last_ == nullptr) last_ = s;
  if (tail_ == nullptr) tail_ = s;
}

void Buffer::DropSpares() {
  Segment* s = FirstSpare();
  if (s == nullptr) return;
  if (tail_ != nullptr) {
    tail_->next = nullptr;
    last_ = tail_;
  } else {
    first_ = last_ = nullptr;
  }
  while (s != nullptr) {
    Segment* next = s->next;
    Release(s);
    s = next;
  }
}

// Grows with what the buffer already holds, so that many small adds make few
// segments.
std::size_t Buffer::NextSegmentSize(std::size_t n) const {
  if (tail_ != nullptr && tail_->flags == Segment::kOwned) {
    const std::size_t twice = 2 * (tail_->capacity() + sizeof(Segment));
    const std::size_t grown =
        (twice < kLargestGrowth ? twice : kLargestGrowth) - sizeof(Segment);
    if (n < grown) return grown;
  }
  return n;
}

// A queue that is filled and drained in turn walks through its last segment:
// moves the little that is left to its start, if then `n` more fit.
void Buffer::MoveTailDown(std::size_t n) {
  Segment* s = tail_;
  if (s == nullptr || s->flags != Segment::kOwned || s->size() > 2048 ||
      s->size() > s->capacity() / 2 || s->capacity() - s->size() < n) {
    return;
  }
  const std::size_t size = s->size();
  std::memmove(s->memory, s->begin, size);
  s->begin = s->memory;
  s->end = s->memory + size;
}

// --- Adding -----------------------------------------------------------------

bool Buffer::AddSlow(const void* data, std::size_t n) {
  if (lock_bits_ == 0 && (bits_ & (kFrozenEnd | kObserved)) == kObserved &&
      callbacks_ == nullptr && n != 0) {
    // A stream's output, and nobody else has an interest.
    Segment* tail = tail_;
    if (tail != nullptr && tail->flags == Segment::kOwned &&
        n <= tail->tail_room() && n <= SSIZE_MAX - length_) {
      CopySmall(tail->end, data, n);
      tail->end += n;
      length_ += n;
    } else if (!AddLocked(data, n)) {
      return false;
    }
    observer_(this, Notice::kChanged, n, 0, /*leaf_only=*/false);
    return true;
  }
  if (Plain(kAddIsSlow)) return AddLocked(data, n);
  BufferGuard guard(this, BufferGuard::kAppend);
  if (bits_ & kFrozenEnd) return false;
  if (!AddLocked(data, n)) return false;
  if (n != 0) guard.Changed(this, n, 0);
  return true;
}

bool Buffer::AddLocked(const void* data, std::size_t n) {
  if (n > SSIZE_MAX - length_) return false;
  if (n == 0) return true;
  Segment* s = tail_;
  if (s == nullptr) {
    // Into an empty buffer.
    s = first_;
    if (s == nullptr && (s = NewSegment(n)) != nullptr) first_ = last_ = s;
    if (s == nullptr) return false;
    if (s->tail_room() >= n) {
      CopySmall(s->end, data, n);
      s->end += n;
      tail_ = s;
      length_ = n;
      return true;
    }
    s = nullptr;
  }
  std::size_t room =
      s != nullptr && s->flags == Segment::kOwned ? s->tail_room() : 0;
  if (room < n && FirstSpare() == nullptr) {
    MoveTailDown(n);
    if (s != nullptr && s->flags == Segment::kOwned) room = s->tail_room();
  }
  // All the room first: when there is no memory nothing may have changed.
  std::size_t spare = 0;
  for (Segment* p = FirstSpare(); p != nullptr && room + spare < n;
       p = p->next) {
    spare += p->tail_room();
  }
  if (room + spare < n) {
    Segment* fresh = NewSegment(NextSegmentSize(n - room - spare));
    if (fresh == nullptr) return false;
    AppendSpare(fresh);
  }
  const auto* from = static_cast<const unsigned char*>(data);
  std::size_t left = n;
  if (room != 0) {
    const std::size_t part = left < room ? left : room;
    CopySmall(s->end, from, part);
    s->end += part;
    from += part;
    left -= part;
  }
  while (left != 0) {
    s = FirstSpare();
    const std::size_t part = left < s->tail_room() ? left : s->tail_room();
    CopySmall(s->end, from, part);
    s->end += part;
    from += part;
    left -= part;
    tail_ = s;
  }
  length_ += n;
  return true;
}

std::size_t Buffer::AddVectors(const iovec* vectors, int n) {
  BufferGuard guard(this, BufferGuard::kAppend);
  if (bits_ & kFrozenEnd) return 0;
  std::size_t total = 0;
  for (int i = 0; i < n; ++i) {
    if (vectors[i].iov_len > SSIZE_MAX - total) return 0;
    total += vectors[i].iov_len;
  }
  std::size_t added = 0;
  // One piece for all of it; if there is no such piece, as much as fits.
  if (total != 0 && total <= SSIZE_MAX - length_) ExpandLocked(total);
  for (int i = 0; i < n; ++i) {
    if (!AddLocked(vectors[i].iov_base, vectors[i].iov_len)) break;
    added += vectors[i].iov_len;
  }
  if (added != 0) guard.Changed(this, added, 0);
  return added;
}

bool Buffer::PrependSlow(const void* data, std::size_t n) {
  BufferGuard guard(this);
  if (n == 0) return true;
  if (bits_ & kFrozenFront) return false;
  if (!PrependLocked(data, n)) return false;
  guard.Changed(this, n, 0);
  return true;
}

bool Buffer::PrependLocked(const void* data, std::size_t n) {
  if (n > SSIZE_MAX - length_) return false;
  Segment* s = first_;
  if (s != nullptr && s->flags == Segment::kOwned) {
    // An empty one: start at its end, for more prepends to come.
    if (s->size() == 0) s->ResetTo(s->capacity());
    if (s->head_room() >= n) {
      s->begin -= n;
      CopySmall(s->begin, data, n);
      if (tail_ == nullptr) tail_ = s;
      length_ += n;
      return true;
    }
  }
  const std::size_t head =
      s != nullptr && s->flags == Segment::kOwned ? s->head_room() : 0;
  // Growing, for more prepends to come.
  std::size_t want = n - head;
  if (s != nullptr && s->flags == Segment::kOwned &&
      want < kLargestGrowth - sizeof(Segment)) {
    want = kLargestGrowth - sizeof(Segment);
  }
  Segment* fresh = NewSegment(want);
  if (fresh == nullptr) return false;
  const auto* from = static_cast<const unsigned char*>(data);
  if (head != 0) {
    s->begin -= head;
    std::memcpy(s->begin, from + n - head, head);
    if (tail_ == nullptr) tail_ = s;
  }
  fresh->ResetTo(fresh->capacity());
  fresh->begin -= n - head;
  std::memcpy(fresh->begin, from, n - head);
  InsertFront(fresh);
  length_ += n;
  return true;
}

int Buffer::AddFormatted(const char* format, std::va_list args) {
  BufferGuard guard(this, BufferGuard::kAppend);
  if (bits_ & kFrozenEnd) return -1;
  std::size_t want = 64;
  for (;;) {
    if (!ExpandLocked(want)) return -1;
    Segment* s = tail_;
    if (s == nullptr || s->flags != Segment::kOwned || s->tail_room() < want) {
      s = FirstSpare();
    }
    const std::size_t room = s->tail_room();
    std::va_list copy;
    va_copy(copy, args);
    const int n =
        std::vsnprintf(reinterpret_cast<char*>(s->end), room, format, copy);
    va_end(copy);
    if (n < 0) return -1;
    if (static_cast<std::size_t>(n) < room) {
      if (n == 0) return 0;
      const auto size = static_cast<std::size_t>(n);
      if (size > SSIZE_MAX - length_) return -1;
      s->end += size;
      if (s != tail_) tail_ = s;
      length_ += size;
      guard.Changed(this, size, 0);
      return n;
    }
    want = static_cast<std::size_t>(n) + 1;
  }
}

bool Buffer::Expand(std::size_t n) {
  BufferGuard guard(this, BufferGuard::kAppend);
  return n <= SSIZE_MAX - length_ && ExpandLocked(n);
}

// The room is in the tail, or in the first spare.
bool Buffer::ExpandLocked(std::size_t n) {
  if (n > SSIZE_MAX - length_) return false;
  if (tail_ != nullptr && tail_->flags == Segment::kOwned) {
    if (tail_->tail_room() >= n) return true;
    MoveTailDown(n);
    if (tail_->tail_room() >= n) return true;
  }
  Segment* spare = FirstSpare();
  if (spare != nullptr && spare->tail_room() >= n) return true;
  Segment* fresh = NewSegment(NextSegmentSize(n));
  if (fresh == nullptr) return false;
  DropSpares();
  AppendSpare(fresh);
  return true;
}

// --- Freezing, locks --------------------------------------------------------

void Buffer::Freeze(bool front) {
  BufferGuard guard(this);
  bits_ =
      static_cast<std::uint8_t>(bits_ | (front ? kFrozenFront : kFrozenEnd));
}

void Buffer::Unfreeze(bool front) {
  BufferGuard guard(this);
  bits_ =
      static_cast<std::uint8_t>(bits_ & ~(front ? kFrozenFront : kFrozenEnd));
}

void Buffer::SetFlags(std::uint32_t flags) {
  BufferGuard guard(this);
  flags_ |= flags;
}

void Buffer::ClearFlags(std::uint32_t flags) {
  BufferGuard guard(this);
  flags_ &= ~flags;
}

bool Buffer::EnableLocking(void* lock) {
  if (lock_ != nullptr) return false;
  lock_ = BufferLock::Create(lock, /*two_levels=*/false);
  if (lock_ == nullptr) return false;
  lock_bits_ = kLocked | kOwnsLock;
  return true;
}

void Buffer::ShareLock(BufferLock* lock, bool is_output) {
  lock_ = lock;
  lock_bits_ = is_output ? kLocked | kAppendsByLeaf : kLocked;
}

void Buffer::Lock() {
  if (lock_ != nullptr) lock_->LockExplicit();
}

void Buffer::Unlock() {
  if (lock_ != nullptr) lock_->UnlockExplicit();
}

// --- The guard --------------------------------------------------------------

void BufferGuard::ReleaseDoomed() {
  for (Segment* s = doomed_; s != nullptr;) {
    Segment* next = s->next;
    Release(s);
    s = next;
  }
}

void BufferGuard::Notify(Buffer* b, std::size_t added, std::size_t removed) {
  if (lock_ == nullptr && b->callbacks_ == nullptr) {
    b->observer_(b, Buffer::Notice::kChanged, added, removed, false);
    return;
  }
  const bool leaf_only = lock_ != nullptr && held_ == BufferLock::Held::kLeaf;
  const unsigned due = b->NoteChange(added, removed, leaf_only);
  if (due == Buffer::kNothing) return;
  if (lock_ != nullptr && !shared_) {
    lock_->Share();
    shared_ = true;
  }
  const bool leaf = lock_ != nullptr && held_ != BufferLock::Held::kOuter;
  if (leaf) lock_->UnlockLeaf();
  b->RunDue(due, added, removed, leaf_only);
  if (leaf) lock_->LockLeaf();
}

void BufferGuard::RunCallbacks(Buffer* b) {
  const bool both = lock_ != nullptr && held_ == BufferLock::Held::kBoth;
  if (both) lock_->UnlockLeaf();
  b->RunCallbacks();
  if (both) lock_->LockLeaf();
}

}  // namespace percore
