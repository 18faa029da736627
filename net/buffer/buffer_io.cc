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

constexpr std::size_t kMostInOneRead = kReadSegment - sizeof(Segment);

// A read of more keeps the large segment that it came in: no more than eight
// times of what it holds.
constexpr std::size_t kCopied = 8192 - sizeof(Segment);

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
  // The stream knows what it wrote.
  if (n > 0 && callbacks_ != nullptr) {
    guard.Changed(this, 0, static_cast<std::size_t>(n));
  }
  return n;
}

bool Buffer::SetMaxRead(std::size_t n) {
  if (n > INT_MAX) return false;
  max_read_ = static_cast<std::uint32_t>(n);
  return true;
}

// The lock is held, and the caller tells of the change. One plain read: into
// the room at the end where all that may come fits there, else into a segment
// of the largest kind, out of which a small catch is copied. After one of some
// KiB the next is expected to be such too, and is read to where it will stay.
ev_ssize_t Buffer::ReadSome(int fd, std::size_t limit) {
  if (limit > SSIZE_MAX - length_) limit = SSIZE_MAX - length_;
  Segment* tail = tail_;
  const std::size_t room =
      tail != nullptr && tail->flags == Segment::kOwned ? tail->tail_room() : 0;
  if (room >= limit) {
    const ssize_t n = read(fd, room != 0 ? tail->end : nullptr, limit);
    if (n > 0) {
      tail->end += n;
      length_ += static_cast<std::size_t>(n);
    }
    return n;
  }
  std::size_t most = limit < kMostInOneRead ? limit : kMostInOneRead;
  const bool direct = reads_directly_ && limit > kCopied;
  if (direct) most = kCopied;
  Segment* large = NewSegment(direct ? kCopied : kMostInOneRead);
  if (large == nullptr) {
    // Without memory for it the read is only shorter.
    most = most < kCopied ? most : kCopied;
    large = NewSegment(most);
    if (large == nullptr) {
      errno = ENOMEM;
      return -1;
    }
  }
  const ssize_t n = read(fd, large->begin, most);
  if (n <= 0) {
    const int error = errno;
    Release(large);
    errno = error;
    return n;
  }
  const auto got = static_cast<std::size_t>(n);
  // Not after a full one: there is more than fits.
  reads_directly_ = got > kSmallestSegment && got < kCopied;
  if (got <= (direct ? kSmallestSegment : kCopied) &&
      AddLocked(large->begin, got)) {
    Release(large);
  } else {
    large->end = large->begin + got;
    DropSpares();
    AppendData(large);
    length_ += got;
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
