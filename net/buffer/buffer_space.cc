// Room handed out to be filled by the caller.
#include <climits>

#include "percore/net/buffer/buffer.h"

namespace percore {

int Buffer::ReserveSlow(ev_ssize_t n, iovec* vectors, int n_vec) {
  BufferGuard guard(this);
  if ((bits_ & kFrozenEnd) || n_vec < 1 || n < 0) return -1;
  return ReserveLocked(static_cast<std::size_t>(n), vectors, n_vec);
}

int Buffer::ReserveLocked(std::size_t n, iovec* vectors, int n_vec) {
  if (n > SSIZE_MAX - length_) return -1;
  if (tail_ != nullptr && tail_->flags == Segment::kOwned &&
      tail_->tail_room() >= n && tail_->tail_room() != 0) {
    vectors[0].iov_base = tail_->end;
    vectors[0].iov_len = tail_->tail_room();
    return 1;
  }
  const bool tail_is_own = tail_ != nullptr && tail_->flags == Segment::kOwned;
  // One piece if there is one that is large enough.
  const Segment* spare = FirstSpare();
  bool one_piece = n_vec == 1;
  if (!one_piece && (!tail_is_own || tail_->tail_room() < n)) {
    one_piece = spare != nullptr && spare->tail_room() >= n;
  }
  if (one_piece) {
    if (!ExpandLocked(n)) return -1;
  } else {
    // What is there, and one more segment for the rest; a single one when
    // that would make too many pieces.
    std::size_t room = tail_is_own ? tail_->tail_room() : 0;
    int pieces = room != 0 ? 1 : 0;
    for (Segment* s = FirstSpare(); s != nullptr && room < n && pieces < n_vec;
         s = s->next) {
      room += s->tail_room();
      ++pieces;
    }
    if (room < n && pieces == n_vec) {
      if (!ExpandLocked(n)) return -1;
    } else if (room < n || pieces == 0) {
      Segment* fresh = NewSegment(NextSegmentSize(n > room ? n - room : 1));
      if (fresh == nullptr) return -1;
      AppendSpare(fresh);
    }
  }
  int count = 0;
  std::size_t room = 0;
  Segment* s = tail_;
  if (!tail_is_own || tail_->tail_room() == 0 ||
      (one_piece && tail_->tail_room() < n)) {
    s = FirstSpare();
  }
  for (; s != nullptr && count < n_vec && (room < n || count == 0);
       s = s->next) {
    vectors[count].iov_base = s->end;
    vectors[count].iov_len = s->tail_room();
    room += s->tail_room();
    ++count;
  }
  return count;
}

bool Buffer::CommitSlow(const iovec* vectors, int n_vec) {
  BufferGuard guard(this);
  if (n_vec == 0) return true;
  if ((bits_ & kFrozenEnd) || n_vec < 0) return false;
  const std::size_t before = length_;
  if (!CommitLocked(vectors, n_vec)) return false;
  if (length_ != before) guard.Changed(this, length_ - before, 0);
  return true;
}

bool Buffer::CommitLocked(const iovec* vectors, int n_vec) {
  // The pieces follow each other from the tail's room, or from the first
  // spare when the tail had too little.
  Segment* start = tail_;
  if (n_vec == 1 && start != nullptr && start->flags == Segment::kOwned &&
      start->end == vectors[0].iov_base) {
    const std::size_t n = vectors[0].iov_len;
    if (n > start->tail_room() || n > SSIZE_MAX - length_) return false;
    start->end += n;
    length_ += n;
    return true;
  }
  if (start == nullptr || start->flags != Segment::kOwned ||
      start->end != vectors[0].iov_base) {
    start = FirstSpare();
  }
  Segment* s = start;
  std::size_t total = 0;
  for (int i = 0; i < n_vec; ++i, s = s->next) {
    if (s == nullptr || s->end != vectors[i].iov_base ||
        vectors[i].iov_len > s->tail_room()) {
      return false;
    }
    total += vectors[i].iov_len;
  }
  if (total > SSIZE_MAX - length_) return false;
  s = start;
  for (int i = 0; i < n_vec; ++i, s = s->next) {
    s->end += vectors[i].iov_len;
    if (vectors[i].iov_len != 0) tail_ = s;
  }
  length_ += total;
  return true;
}

}  // namespace percore
