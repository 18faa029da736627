// Taking from the front, looking, copying out.
#include <climits>

#include "percore/net/buffer/buffer.h"

namespace percore {

// Everything, which is in one segment; not locked, watched or frozen.
void Buffer::DrainOnly(Segment* only) {
  tail_ = nullptr;
  length_ = 0;
  if (only->flags == Segment::kOwned && KeepsWhenDrained(only)) {
    only->ResetTo(0);
    return;
  }
  first_ = last_ = nullptr;
  // Last: a clean-up may use the buffer.
  Release(only);
}

bool Buffer::DrainSlow(std::size_t n) {
  if (Plain(kTakeIsSlow) && n != 0 && n >= length_ && first_ == last_ &&
      tail_ != nullptr) {
    DrainOnly(first_);
    return true;
  }
  BufferGuard guard(this);
  if (n == 0 || (length_ == 0 && tail_ == nullptr)) return true;
  if (bits_ & kFrozenFront) return length_ == 0;
  const std::size_t drained = n < length_ ? n : length_;
  if (drained < first_->size()) {
    first_->begin += drained;
    length_ -= drained;
  } else {
    DrainLocked(drained, &guard);
  }
  if (drained != 0) guard.Changed(this, 0, drained);
  return true;
}

void Buffer::DrainLocked(std::size_t n, BufferGuard* doomed) {
  if (n >= length_) {
    Segment* s = first_;
    if (s == last_ && s->flags == Segment::kOwned && KeepsWhenDrained(s)) {
      s->ResetTo(0);
      tail_ = nullptr;
      length_ = 0;
      return;
    }
    // All of it, with empty references and spares.
    first_ = tail_ = last_ = nullptr;
    length_ = 0;
    while (s != nullptr) {
      Segment* next = s->next;
      doomed->Doom(s);
      s = next;
    }
    return;
  }
  length_ -= n;
  while (n >= first_->size()) {
    Segment* s = first_;
    n -= s->size();
    first_ = s->next;
    doomed->Doom(s);
  }
  first_->begin += n;
}

int Buffer::RemoveSlow(void* data, std::size_t n) {
  if (Plain(kTakeIsSlow) && n >= length_ && first_ == last_ &&
      tail_ != nullptr && length_ != 0 && length_ <= INT_MAX &&
      first_->flags == Segment::kOwned) {
    n = length_;
    CopySmall(data, first_->begin, n);
    DrainOnly(first_);
    return static_cast<int>(n);
  }
  BufferGuard guard(this);
  if (n > length_) n = length_;
  if (n == 0) return 0;
  if (bits_ & kFrozenFront) return -1;
  if (n > INT_MAX) n = INT_MAX;
  n = CopyOutLocked(nullptr, data, n);
  DrainLocked(n, &guard);
  guard.Changed(this, 0, n);
  return static_cast<int>(n);
}

ev_ssize_t Buffer::CopyOut(const evbuffer_ptr* from, void* data,
                           std::size_t n) {
  BufferGuard guard(this);
  if (from != nullptr) {
    if (from->pos < 0 || n > SSIZE_MAX - static_cast<std::size_t>(from->pos)) {
      return -1;
    }
    if (static_cast<std::size_t>(from->pos) > length_) return -1;
  }
  const std::size_t at =
      from != nullptr ? static_cast<std::size_t>(from->pos) : 0;
  if (n > length_ - at) n = length_ - at;
  if (n == 0) return 0;
  if (bits_ & kFrozenFront) return -1;
  return static_cast<ev_ssize_t>(CopyOutLocked(from, data, n));
}

// `n` bytes must be there. Fewer are copied only when a file cannot be read.
std::size_t Buffer::CopyOutLocked(const evbuffer_ptr* from, void* data,
                                  std::size_t n) {
  auto* to = static_cast<unsigned char*>(data);
  std::size_t offset = 0;
  Segment* s = first_;
  if (from != nullptr) s = FindSegment(from, &offset);
  std::size_t left = n;
  while (left != 0) {
    if (!Materialise(s)) break;
    std::size_t part = s->size() - offset;
    if (part > left) part = left;
    CopySmall(to, s->begin + offset, part);
    to += part;
    left -= part;
    offset = 0;
    s = s->next;
  }
  return n - left;
}

std::string Buffer::ToString() {
  BufferGuard guard(this);
  std::string text(length_, '\0');
  text.resize(CopyOutLocked(nullptr, text.data(), text.size()));
  return text;
}

unsigned char* Buffer::PullUp(ev_ssize_t n) {
  BufferGuard guard(this);
  const std::size_t size = n < 0 ? length_ : static_cast<std::size_t>(n);
  if (size == 0 || size > length_) return nullptr;
  return PullUpLocked(size, &guard);
}

unsigned char* Buffer::PullUpLocked(std::size_t n, BufferGuard* doomed) {
  if (first_->size() == 0) {
    // Empty references before it stay out of the way.
    for (Segment* s = first_; s->size() == 0; s = first_) {
      first_ = s->next;
      doomed->Doom(s);
    }
  }
  if (!MaterialiseFrom(first_, n)) return nullptr;
  Segment* target = first_;
  if (target->size() >= n) return target->begin;
  std::size_t left = n;
  Segment* s;
  const bool in_place =
      target->flags == Segment::kOwned &&
      static_cast<std::size_t>(target->limit - target->begin) >= n;
  if (in_place) {
    left -= target->size();
    s = target->next;
  } else {
    target = NewSegment(n);
    if (target == nullptr) return nullptr;
    s = first_;
  }
  const bool covers_tail = n == length_;
  while (left != 0) {
    const std::size_t part = s->size() < left ? s->size() : left;
    std::memcpy(target->end, s->begin, part);
    target->end += part;
    left -= part;
    if (part < s->size()) {
      s->begin += part;
      break;
    }
    Segment* next = s->next;
    doomed->Doom(s);
    s = next;
  }
  // Nothing but empty references may be left of the data: they go too.
  if (covers_tail) {
    while (s != nullptr) {
      Segment* next = s->next;
      doomed->Doom(s);
      s = next;
    }
    tail_ = last_ = target;
  }
  target->next = s;
  first_ = target;
  return target->begin;
}

// The segment and the offset in it of a position that is inside; null at the
// end. A position made since the last change has the segment in it.
Segment* Buffer::FindSegment(const evbuffer_ptr* p, std::size_t* offset) const {
  std::size_t left = static_cast<std::size_t>(p->pos);
  if (left >= length_) return nullptr;
  if (p->internal_.chain != nullptr) {
    *offset = p->internal_.pos_in_chain;
    return static_cast<Segment*>(p->internal_.chain);
  }
  for (Segment* s = first_; s != nullptr; s = s->next) {
    if (left < s->size()) {
      *offset = left;
      return s;
    }
    left -= s->size();
  }
  return nullptr;
}

int Buffer::Peek(ev_ssize_t n, const evbuffer_ptr* from, iovec* vectors,
                 int n_vec) {
  BufferGuard guard(this);
  Segment* s = first_;
  std::size_t offset = 0;
  if (from != nullptr) {
    if (from->pos < 0) return 0;
    s = FindSegment(from, &offset);
    if (s == nullptr) return 0;
  }
  std::size_t want = static_cast<std::size_t>(n);
  if (n < 0) {
    want = SIZE_MAX;
    if (vectors == nullptr) n_vec = 0;
  }
  const bool as_many_as_fit = n < 0 && n_vec > 0;
  int count = 0;
  for (; s != nullptr && want != 0; s = s->next) {
    if (s->size() == 0) continue;
    if (as_many_as_fit && count == n_vec) break;
    const std::size_t size = s->size() - offset;
    if (count < n_vec) {
      if (!Materialise(s)) break;
      vectors[count].iov_base = s->begin + offset;
      vectors[count].iov_len = size;
    }
    ++count;
    want -= size < want ? size : want;
    offset = 0;
  }
  return count;
}

}  // namespace percore
