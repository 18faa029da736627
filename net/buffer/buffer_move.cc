// Moving between buffers, and bytes that are somebody else's.
#include <climits>
#include <utility>

#include "percore/net/buffer/buffer.h"
#include "percore/net/buffer/buffer_pair_guard.h"
#include "percore/net/buffer/file_segment.h"

namespace percore {
namespace {

// A part of a segment up to this size is copied rather than shared.
constexpr std::size_t kCopyRather = 2048;

}  // namespace

// All segments of `source` that have data; its spares are dropped.
void Buffer::Splice(Buffer* source, bool in_front) {
  source->DropSpares();
  if (source->first_ == nullptr) return;
  if (in_front) {
    source->tail_->next = first_;
    first_ = source->first_;
    if (last_ == nullptr) last_ = source->tail_;
    if (tail_ == nullptr) tail_ = source->tail_;
  } else {
    DropSpares();
    if (tail_ == nullptr) {
      first_ = source->first_;
    } else {
      tail_->next = source->first_;
    }
    tail_ = last_ = source->tail_;
  }
  length_ += source->length_;
  source->first_ = source->tail_ = source->last_ = nullptr;
  source->length_ = 0;
}

// All of `source` into this, which is empty: they trade what they have, and
// the room that this had kept is the source's for its next bytes. False, and
// nothing done, where it is not that simple: locks, callbacks, or a stream that
// would come to hold spare memory.
bool Buffer::Trade(Buffer* source) {
  if (tail_ != nullptr || (lock_bits_ | source->lock_bits_) != 0 ||
      callbacks_ != nullptr || source->callbacks_ != nullptr) {
    return false;
  }
  const bool spares = first_ != nullptr || source->last_ != source->tail_;
  if (spares && (observer_ != nullptr || source->observer_ != nullptr)) {
    return false;
  }
  std::swap(first_, source->first_);
  std::swap(tail_, source->tail_);
  std::swap(last_, source->last_);
  std::swap(length_, source->length_);
  const std::size_t n = length_;
  if (n == 0) return true;  // Empty references move along, quietly.
  if (source->bits_ & kObserved) {
    source->observer_(source, Notice::kChanged, 0, n, /*leaf_only=*/false);
  }
  if (bits_ & kObserved) {
    observer_(this, Notice::kChanged, n, 0, /*leaf_only=*/false);
  }
  return true;
}

bool Buffer::Take(Buffer* source) {
  if (source == this) {
    BufferGuard guard(this);
    return true;
  }
  if (source->tail_ != nullptr && (bits_ & kFrozenEnd) == 0 &&
      (source->bits_ & kFrozenFront) == 0 && Trade(source)) {
    return true;
  }
  BufferPairGuard guard(this, source, /*appends=*/true);
  const std::size_t n = source->length_;
  if (n == 0 && source->tail_ == nullptr) return true;
  if (n == 0) {
    // Empty references move along, quietly.
    if (!(bits_ & kFrozenEnd) && !(source->bits_ & kFrozenFront)) {
      Splice(source, false);
    }
    return true;
  }
  if ((bits_ & kFrozenEnd) || (source->bits_ & kFrozenFront)) return false;
  if (n > SSIZE_MAX - length_) return false;
  Splice(source, /*in_front=*/false);
  guard.Moved(n);
  return true;
}

bool Buffer::TakeInFront(Buffer* source) {
  if (source == this) return true;
  BufferPairGuard guard(this, source, /*appends=*/false);
  const std::size_t n = source->length_;
  if (n == 0) return true;
  if ((bits_ & kFrozenFront) || (source->bits_ & kFrozenFront)) return false;
  if (n > SSIZE_MAX - length_) return false;
  Splice(source, /*in_front=*/true);
  guard.Moved(n);
  return true;
}

// `frozen`: although the ends may be.
ev_ssize_t Buffer::Move(Buffer* target, std::size_t n, bool frozen) {
  if (target == this || n == 0) return 0;
  if (n >= length_ && length_ != 0 &&
      (frozen ||
       ((target->bits_ & kFrozenEnd) == 0 && (bits_ & kFrozenFront) == 0))) {
    const std::size_t all = length_;
    if (target->Trade(this)) return static_cast<ev_ssize_t>(all);
  }
  BufferPairGuard guard(target, this, /*appends=*/true);
  if (!frozen && ((target->bits_ & kFrozenEnd) || (bits_ & kFrozenFront))) {
    return -1;
  }
  if (n > length_) n = length_;
  if (n == 0) return 0;
  if (n > SSIZE_MAX - target->length_) return -1;
  if (n == length_) {
    target->Splice(this, /*in_front=*/false);
    guard.Moved(n);
    return static_cast<ev_ssize_t>(n);
  }
  // The segment that is cut: its first part is copied, or shown by both.
  Segment* cut = first_;
  Segment* whole = nullptr;  // the last that moves entirely
  std::size_t left = n;
  while (left >= cut->size()) {
    left -= cut->size();
    whole = cut;
    cut = cut->next;
  }
  Segment* view = nullptr;
  bool copy = left != 0 && left <= kCopyRather && cut->in_memory();
  if (left != 0 && !copy) {
    view = ViewOf(cut, left);
    if (view == nullptr) return -1;
  }
  Segment* room = nullptr;
  if (copy) {
    room = NewSegment(left);
    if (room == nullptr) return -1;
  }
  target->DropSpares();
  if (whole != nullptr) {
    Segment* moved = first_;
    first_ = cut;
    whole->next = nullptr;
    (target->tail_ == nullptr ? target->first_ : target->tail_->next) = moved;
    target->tail_ = target->last_ = whole;
    target->length_ += n - left;
  }
  if (copy) {
    // Into the target's own room where that is enough.
    Segment* s = target->tail_;
    if (s != nullptr && s->flags == Segment::kOwned && s->tail_room() >= left) {
      Release(room);
    } else {
      target->AppendData(room);
      s = room;
    }
    std::memcpy(s->end, cut->begin, left);
    s->end += left;
  } else if (view != nullptr) {
    target->AppendData(view);
  }
  target->length_ += left;
  cut->begin += left;
  length_ -= n;
  guard.Moved(n);
  return static_cast<ev_ssize_t>(n);
}

// A segment that shows the first `n` bytes of `s`, which stays; null when
// there is no memory. `s` must not be written after this.
Segment* Buffer::ViewOf(Segment* s, std::size_t n) {
  if (s->flags & Segment::kInFile) {
    Segment* view = NewForeignSegment(s->flags);
    if (view == nullptr) return nullptr;
    *Extra<FileExtra>(view) = *Extra<FileExtra>(s);
    Extra<FileExtra>(view)->file->Ref();
    view->memory = view->begin = s->begin;
    view->end = view->limit = s->begin + n;
    return view;
  }
  // Views of views show the same thing: no chain of them.
  Segment* shown =
      s->flags & Segment::kShared ? Extra<SharedExtra>(s)->shown : s;
  Segment* view = NewForeignSegment(Segment::kShared);
  if (view == nullptr) return nullptr;
  Extra<SharedExtra>(view)->shown = shown;
  if (shown->flags & Segment::kOwned) shown->flags |= Segment::kFrozen;
  shown->references.fetch_add(1, std::memory_order_relaxed);
  view->memory = view->begin = s->begin;
  view->end = view->limit = s->begin + n;
  return view;
}

bool Buffer::Share(Buffer* source) {
  if (source == this) return false;
  BufferPairGuard guard(this, source, /*appends=*/true);
  const std::size_t n = source->length_;
  if (n == 0) return true;
  if ((bits_ & kFrozenEnd) || n > SSIZE_MAX - length_) return false;
  for (Segment* s = source->first_; s != nullptr; s = s->next) {
    if (s->flags & (Segment::kShared | Segment::kFile)) return false;
  }
  Segment* first = nullptr;
  Segment* last = nullptr;
  for (Segment* s = source->first_; s != nullptr; s = s->next) {
    if (s->size() == 0) continue;
    Segment* view = ViewOf(s, s->size());
    if (view == nullptr) {
      while (first != nullptr) {
        Segment* next = first->next;
        Release(first);
        first = next;
      }
      return false;
    }
    (last == nullptr ? first : last->next) = view;
    last = view;
  }
  DropSpares();
  (tail_ == nullptr ? first_ : tail_->next) = first;
  tail_ = last_ = last;
  length_ += n;
  guard.Added(n);
  return true;
}

bool Buffer::AddReference(const void* data, std::size_t offset, std::size_t n,
                          evbuffer_ref_cleanup_cb cleanup, void* arg) {
  if (n > SSIZE_MAX || offset > SSIZE_MAX - n) return false;
  Segment* s = NewForeignSegment(Segment::kReference);
  if (s == nullptr) return false;
  *Extra<ReferenceExtra>(s) = {cleanup, arg, data, offset + n};
  // Never written: a reference has no room.
  auto* bytes = static_cast<unsigned char*>(const_cast<void*>(data));
  s->memory = s->begin = n != 0 || offset != 0 ? bytes + offset : bytes;
  s->end = s->limit = n != 0 ? s->begin + n : s->begin;
  if (Plain(kAddIsSlow) && n <= SSIZE_MAX - length_) {
    DropSpares();
    AppendData(s);
    length_ += n;
    return true;
  }
  {
    BufferGuard guard(this, BufferGuard::kAppend);
    if (!(bits_ & kFrozenEnd) && n <= SSIZE_MAX - length_) {
      DropSpares();
      AppendData(s);
      length_ += n;
      if (n != 0) guard.Changed(this, n, 0);
      return true;
    }
  }
  Extra<ReferenceExtra>(s)->cleanup = nullptr;  // still the caller's
  Release(s);
  return false;
}

bool Buffer::AddFile(FileSegment* file, std::int64_t offset, std::int64_t n) {
  if (offset < 0 || offset > file->length()) return false;
  if (n < 0) n = file->length() - offset;
  if (n > file->length() - offset) return false;
  Segment* s = NewForeignSegment(Segment::kFile);
  if (s == nullptr) return false;
  *Extra<FileExtra>(s) = {file, offset};
  const auto size = static_cast<std::size_t>(n);
  file->Ref();
  BufferGuard guard(this, BufferGuard::kAppend);
  if ((bits_ & kFrozenEnd) || size > SSIZE_MAX - length_) {
    Release(s);
    return false;
  }
  if ((flags_ & EVBUFFER_FLAG_DRAINS_TO_FD) && file->may_sendfile()) {
    s->flags |= Segment::kInFile;
    s->memory = s->begin = NotInMemory();
    s->end = s->limit = NotInMemory() + size;
  } else {
    const unsigned char* bytes = size != 0 ? file->Bytes() : nullptr;
    if (size != 0 && bytes == nullptr) {
      Release(s);
      return false;
    }
    s->memory = s->begin =
        size != 0 ? const_cast<unsigned char*>(bytes) + offset : NotInMemory();
    s->end = s->limit = s->begin + size;
  }
  DropSpares();
  AppendData(s);
  length_ += size;
  if (size != 0) guard.Changed(this, size, 0);
  return true;
}

// The bytes of a file region, in memory now.
bool Buffer::Materialise(Segment* s) {
  if (s->in_memory()) return true;
  FileExtra* extra = Extra<FileExtra>(s);
  const unsigned char* bytes = extra->file->Bytes();
  if (bytes == nullptr) return false;
  const auto drained = s->begin - NotInMemory();
  const std::size_t size = s->size();
  s->begin = const_cast<unsigned char*>(bytes) + extra->offset + drained;
  s->memory = s->begin;
  s->end = s->limit = s->begin + size;
  s->flags &= ~std::uint32_t{Segment::kInFile};
  return true;
}

// Those of `n` bytes from `s` on.
bool Buffer::MaterialiseFrom(Segment* s, std::size_t n) {
  for (; s != nullptr && n != 0; s = s->next) {
    if (!Materialise(s)) return false;
    n -= n < s->size() ? n : s->size();
  }
  return true;
}

}  // namespace percore
