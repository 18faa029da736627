// To and from descriptors.
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "percore/net/buffer/buffer.h"
#include "percore/net/buffer/file_segment.h"

namespace percore {
namespace {

// semantics 9.17
constexpr int kMostVectors = 128;

// A read lands in the buffer's own room and, beyond that, in one large
// segment; what it leaves there of less than this is copied out of it.
constexpr std::size_t kCopyOutOfLarge = 4096 - sizeof(Segment);

}  // namespace

int Buffer::Read(int fd, ev_ssize_t limit) {
  BufferGuard guard(this);
  if (bits_ & kFrozenEnd) return -1;
  std::size_t most = max_read_;
  if (limit >= 0 && static_cast<std::size_t>(limit) < most) {
    most = static_cast<std::size_t>(limit);
  }
  const ev_ssize_t n = ReadSome(fd, most);
  if (n > 0) guard.Changed(this, static_cast<std::size_t>(n), 0);
  return static_cast<int>(n);
}

ev_ssize_t Buffer::ReadForStream(int fd, std::size_t limit) {
  BufferGuard guard(this);
  const ev_ssize_t n = ReadSome(fd, limit);
  if (n > 0) guard.Changed(this, static_cast<std::size_t>(n), 0);
  return n;
}

ev_ssize_t Buffer::WriteForStream(int fd, std::size_t limit) {
  BufferGuard guard(this);
  if (limit > length_) limit = length_;
  if (limit == 0) return 0;
  const int n = WriteLocked(fd, limit, &guard);
  if (n > 0) guard.Changed(this, 0, static_cast<std::size_t>(n));
  return n;
}

bool Buffer::SetMaxRead(std::size_t n) {
  if (n > INT_MAX) return false;
  max_read_ = static_cast<std::uint32_t>(n);
  return true;
}

// The lock is held, and the caller tells of the change.
ev_ssize_t Buffer::ReadSome(int fd, std::size_t limit) {
  if (limit > SSIZE_MAX - length_) limit = SSIZE_MAX - length_;
  // Some room of the buffer's own, small: most messages are.
  Segment* own = tail_;
  if (own == nullptr || own->flags != Segment::kOwned ||
      own->tail_room() < 512) {
    own = FirstSpare();
    if (own == nullptr) {
      const std::size_t most =
          (reads_are_large_ ? kReadSegment : kLargestGrowth) - sizeof(Segment);
      own = NewSegment(limit < most ? limit : most);
      if (own == nullptr) {
        errno = ENOMEM;
        return -1;
      }
      AppendSpare(own);
    }
  }
  iovec vectors[2];
  vectors[0].iov_base = own->end;
  vectors[0].iov_len = own->tail_room() < limit ? own->tail_room() : limit;
  int count = 1;
  Segment* large = nullptr;
  if (vectors[0].iov_len < limit) {
    // Without memory for it the read is only shorter.
    large = NewSegment(kReadSegment - sizeof(Segment));
    if (large != nullptr) {
      vectors[1].iov_base = large->begin;
      const std::size_t rest = limit - vectors[0].iov_len;
      vectors[1].iov_len =
          rest < large->tail_room() ? rest : large->tail_room();
      count = 2;
    }
  }
  const ssize_t n = count == 1
                        ? read(fd, vectors[0].iov_base, vectors[0].iov_len)
                        : readv(fd, vectors, count);
  if (n <= 0) {
    const int error = errno;
    if (large != nullptr) Release(large);
    // Room that was made for nothing goes back.
    if (own != tail_) DropSpares();
    errno = error;
    return n;
  }
  const auto got = static_cast<std::size_t>(n);
  reads_are_large_ = got > kLargestGrowth / 2;
  const std::size_t in_own =
      got < vectors[0].iov_len ? got : vectors[0].iov_len;
  own->end += in_own;
  tail_ = own;
  length_ += in_own;
  std::size_t in_large = got - in_own;
  if (in_large != 0) {
    Segment* fitting = nullptr;
    if (in_large <= kCopyOutOfLarge) fitting = NewSegment(in_large);
    if (fitting != nullptr) {
      std::memcpy(fitting->begin, large->begin, in_large);
      Release(large);
      large = fitting;
    }
    large->end = large->begin + in_large;
    DropSpares();
    AppendData(large);
    length_ += in_large;
  } else if (large != nullptr) {
    Release(large);
  }
  return n;
}

int Buffer::Write(int fd, ev_ssize_t limit) {
  BufferGuard guard(this);
  if (bits_ & kFrozenFront) return -1;
  std::size_t most = length_;
  if (limit >= 0 && static_cast<std::size_t>(limit) < most) {
    most = static_cast<std::size_t>(limit);
  }
  if (most == 0) return -1;
  const int n = WriteLocked(fd, most, &guard);
  if (n > 0) guard.Changed(this, 0, static_cast<std::size_t>(n));
  return n;
}

int Buffer::WriteLocked(int fd, std::size_t limit, BufferGuard* doomed) {
  if (limit > INT_MAX) limit = INT_MAX;
  Segment* s = first_;
  while (s->size() == 0) s = s->next;
  ssize_t n;
  if (!s->in_memory()) {
    const FileExtra* extra = Extra<FileExtra>(s);
    const FileSegment* file = extra->file;
    off_t at = static_cast<off_t>(file->file_offset() + extra->offset +
                                  (s->begin - NotInMemory()));
    n = sendfile(fd, file->fd(), &at, s->size() < limit ? s->size() : limit);
    if (n < 0 && (errno == EINVAL || errno == ENOSYS) && Materialise(s)) {
      // Not between these two: by memory.
      return WriteLocked(fd, limit, doomed);
    }
    if (n == 0) {
      // The file has become shorter than promised: nothing more will come.
      errno = EIO;
      return -1;
    }
  } else {
    iovec vectors[kMostVectors];
    int count = 0;
    std::size_t total = 0;
    for (; s != nullptr && count < kMostVectors && total < limit &&
           s->in_memory();
         s = s->next) {
      if (s->size() == 0) continue;
      const std::size_t part =
          s->size() < limit - total ? s->size() : limit - total;
      vectors[count].iov_base = s->begin;
      vectors[count].iov_len = part;
      total += part;
      ++count;
    }
    n = count == 1 ? write(fd, vectors[0].iov_base, vectors[0].iov_len)
                   : writev(fd, vectors, count);
  }
  if (n > 0) DrainLocked(static_cast<std::size_t>(n), doomed);
  return static_cast<int>(n);
}

}  // namespace percore
