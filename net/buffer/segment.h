// Segment: one piece of memory in a Buffer's chain.
//
//   memory        begin          end            limit
//   | head room   | readable     | tail room    |
//
// Kinds: memory of its own behind the header; bytes of somebody else (a
// reference with its clean-up, a mapped file region, another segment); a file
// region that is not in memory at all. Only the first kind has room, and may
// be written: the others have memory == begin-of-data and limit == end, so
// that the fast paths test room and nothing else.
//
// A segment belongs to one buffer and is touched under that buffer's lock. Its
// reference count is atomic, since segments of other buffers may show its
// bytes (evbuffer_add_buffer_reference) on other threads.
#ifndef PERCORE_NET_BUFFER_SEGMENT_H_
#define PERCORE_NET_BUFFER_SEGMENT_H_

#include <event2/buffer.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace percore {

class FileSegment;

struct Segment {
  enum Flag : std::uint32_t {
    kOwned = 1,      // memory follows the header and may be written
    kReference = 2,  // ReferenceExtra
    kShared = 4,     // SharedExtra: shows the bytes of another segment
    kFile = 8,       // FileExtra
    kInFile = 16,    // kFile, not in memory: begin counts from NotInMemory()
    kFrozen = 32,    // kOwned, shown by others: must not be written any more
  };

  Segment* next;
  unsigned char* begin;
  unsigned char* end;
  unsigned char* limit;
  unsigned char* memory;
  std::uint32_t flags;
  std::atomic<std::uint32_t> references;

  std::size_t size() const { return static_cast<std::size_t>(end - begin); }
  std::size_t tail_room() const {
    return static_cast<std::size_t>(limit - end);
  }
  std::size_t head_room() const {
    return static_cast<std::size_t>(begin - memory);
  }
  bool writable() const { return (flags & (kOwned | kFrozen)) == kOwned; }
  bool in_memory() const { return (flags & kInFile) == 0; }
  std::size_t capacity() const {
    return static_cast<std::size_t>(limit - memory);
  }

  // Makes an owned, writable, empty segment's data start `room` bytes in.
  void ResetTo(std::size_t room) { begin = end = memory + room; }
};
static_assert(sizeof(Segment) == 48);

struct ReferenceExtra {
  evbuffer_ref_cleanup_cb cleanup;
  void* arg;
  const void* data;  // as given, for the clean-up
  std::size_t size;
};

struct SharedExtra {
  Segment* shown;  // holds one reference to it
};

struct FileExtra {
  FileSegment* file;    // holds one reference to it
  std::int64_t offset;  // of begin, within the segment
};

// Where the bytes of a region that is not in memory pretend to begin.
inline unsigned char* NotInMemory() {
  return reinterpret_cast<unsigned char*>(std::uintptr_t{4096});
}

// The extra part, behind the header.
template <typename T>
T* Extra(Segment* s) {
  return reinterpret_cast<T*>(s + 1);
}

inline constexpr std::size_t kSmallestSegment = 1024;  // with its header
inline constexpr std::size_t kLargestGrowth = 4096;
inline constexpr std::size_t kReadSegment = 65536 + sizeof(Segment);
// The header of a segment without memory, and the largest extra part.
inline constexpr std::size_t kForeignSegment = sizeof(Segment) + 32;

// An empty owned segment with room for at least `size` bytes; null when there
// is no memory or the size is absurd.
Segment* NewSegment(std::size_t size);

// A segment without memory, with the extra part of its kind behind the header.
Segment* NewForeignSegment(std::uint32_t flags);

// Drops one reference; the last one releases what the segment shows and runs
// its clean-up.
void ReleaseSlow(Segment* s);
void RecycleOwned(Segment* s);

inline void Release(Segment* s) {
  if (s->flags == Segment::kOwned) [[likely]] {
    RecycleOwned(s);
  } else {
    ReleaseSlow(s);
  }
}

}  // namespace percore

#endif  // PERCORE_NET_BUFFER_SEGMENT_H_
