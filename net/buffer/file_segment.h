// FileSegment: a region of a file that buffers can hold without reading it.
//
// To a descriptor it goes by sendfile; where its bytes are needed in memory it
// is mapped, or read when it cannot be mapped. Shared by any number of buffers
// on any threads; `struct evbuffer_file_segment` of the C door.
#ifndef PERCORE_NET_BUFFER_FILE_SEGMENT_H_
#define PERCORE_NET_BUFFER_FILE_SEGMENT_H_

#include <event2/buffer.h>
#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace percore {

class FileSegment {
 public:
  // `length` bytes from `offset`; -1: to the end of the file. `flags` are
  // EVBUF_FS_*. Null with errno: not a file with that region, or no memory.
  static FileSegment* Create(int fd, std::int64_t offset, std::int64_t length,
                             unsigned flags);
  static FileSegment* From(evbuffer_file_segment* s) {
    return reinterpret_cast<FileSegment*>(s);
  }
  evbuffer_file_segment* c() {
    return reinterpret_cast<evbuffer_file_segment*>(this);
  }

  // Any thread. The last Unref unmaps, closes, and runs the clean-up.
  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

  // One callback, for when the segment goes. Before it is shared.
  void SetCleanup(evbuffer_file_segment_cleanup_cb fn, void* arg) {
    cleanup_ = fn;
    cleanup_arg_ = arg;
  }

  // The bytes in memory, or null with errno. Any thread.
  const unsigned char* Bytes();

  bool may_sendfile() const {
    return (flags_ & EVBUF_FS_DISABLE_SENDFILE) == 0;
  }
  int fd() const { return fd_; }
  std::int64_t file_offset() const { return offset_; }
  std::int64_t length() const { return length_; }
  unsigned flags() const { return flags_; }

 private:
  template <typename T, typename... Args>
  friend T* MemNew(Args&&...) noexcept;
  template <typename T>
  friend void MemDelete(T*) noexcept;
  FileSegment() = default;
  ~FileSegment() = default;

  bool Map();
  bool ReadAll();

  std::atomic<std::uint32_t> references_{1};
  unsigned flags_ = 0;
  int fd_ = -1;
  std::int64_t offset_ = 0;
  std::int64_t length_ = 0;
  std::atomic<const unsigned char*> bytes_{nullptr};
  void* mapping_ = nullptr;
  std::size_t mapping_size_ = 0;
  unsigned char* copy_ = nullptr;
  pthread_mutex_t loading_ = PTHREAD_MUTEX_INITIALIZER;
  evbuffer_file_segment_cleanup_cb cleanup_ = nullptr;
  void* cleanup_arg_ = nullptr;
};

}  // namespace percore

#endif  // PERCORE_NET_BUFFER_FILE_SEGMENT_H_
