#include "percore/net/buffer/file_segment.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"

namespace percore {

FileSegment* FileSegment::Create(int fd, std::int64_t offset,
                                 std::int64_t length, unsigned flags) {
  if (offset < 0 || length < -1) {
    errno = EINVAL;
    return nullptr;
  }
  if (length == -1) {
    struct stat info;
    if (fstat(fd, &info) < 0) return nullptr;
    if (offset > info.st_size) {
      errno = EINVAL;
      return nullptr;
    }
    length = info.st_size - offset;
  }
  if (offset > SSIZE_MAX - length) {
    errno = EINVAL;
    return nullptr;
  }
  auto* s = MemNew<FileSegment>();
  if (s == nullptr) return nullptr;
  s->fd_ = fd;
  s->offset_ = offset;
  s->length_ = length;
  s->flags_ = flags;
  if (!s->may_sendfile() && length != 0 && s->Bytes() == nullptr) {
    const int error = errno;
    pthread_mutex_destroy(&s->loading_);
    MemDelete(s);
    errno = error;
    return nullptr;
  }
  return s;
}

void FileSegment::Unref() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (mapping_ != nullptr && munmap(mapping_, mapping_size_) != 0) {
    LogWarn("%s: munmap failed", "evbuffer_file_segment_free");
  }
  MemFree(copy_);
  if ((flags_ & EVBUF_FS_CLOSE_ON_FREE) && fd_ >= 0) close(fd_);
  if (cleanup_ != nullptr) {
    cleanup_(c(), static_cast<int>(flags_), cleanup_arg_);
  }
  pthread_mutex_destroy(&loading_);
  MemDelete(this);
}

const unsigned char* FileSegment::Bytes() {
  // Acquires what the loader below releases.
  const unsigned char* bytes = bytes_.load(std::memory_order_acquire);
  if (bytes != nullptr) return bytes;
  pthread_mutex_lock(&loading_);
  bytes = bytes_.load(std::memory_order_relaxed);
  if (bytes == nullptr && (Map() || ReadAll())) {
    bytes = bytes_.load(std::memory_order_relaxed);
  }
  const int error = errno;
  pthread_mutex_unlock(&loading_);
  errno = error;
  return bytes;
}

bool FileSegment::Map() {
  if (flags_ & EVBUF_FS_DISABLE_MMAP) return false;
  const std::int64_t page = sysconf(_SC_PAGESIZE);
  const std::int64_t lead = offset_ % page;
  const auto size = static_cast<std::size_t>(length_ + lead);
  void* p = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd_, offset_ - lead);
  if (p == MAP_FAILED) return false;
  mapping_ = p;
  mapping_size_ = size;
  bytes_.store(static_cast<unsigned char*>(p) + lead,
               std::memory_order_release);
  return true;
}

bool FileSegment::ReadAll() {
  const auto size = static_cast<std::size_t>(length_);
  auto* copy = static_cast<unsigned char*>(MemAlloc(size));
  if (copy == nullptr) return false;
  std::size_t done = 0;
  bool seekable = true;
  while (done < size) {
    ssize_t n;
    if (seekable) {
      n = pread(fd_, copy + done, size - done,
                static_cast<off_t>(offset_) + static_cast<off_t>(done));
      if (n < 0 && errno == ESPIPE && offset_ == 0) {
        // A pipe has no offsets: what comes next is what there is.
        seekable = false;
        continue;
      }
    } else {
      n = read(fd_, copy + done, size - done);
    }
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (n == 0) errno = EIO;  // shorter than promised
      MemFree(copy);
      return false;
    }
    done += static_cast<std::size_t>(n);
  }
  copy_ = copy;
  bytes_.store(copy, std::memory_order_release);
  return true;
}

}  // namespace percore
