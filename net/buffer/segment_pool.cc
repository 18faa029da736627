#include "percore/net/buffer/segment_pool.h"

#include <cstdint>
#include <cstdlib>

#include "percore/net/buffer/segment.h"
#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kPooling = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
constexpr bool kPooling = false;
#else
constexpr bool kPooling = true;
#endif
#else
constexpr bool kPooling = true;
#endif

struct Kept {
  Kept* next;
};

constexpr std::size_t kClasses = 5;
constexpr std::uint32_t kBounds[kClasses] = {64, 64, 16, 8, 64};

// Plain data, so that reaching it needs no initialisation check.
struct ThreadPool {
  Kept* lists[kClasses];
  std::uint32_t counts[kClasses];
  enum : unsigned char { kUnused, kReturnedAtExit, kThreadEnds } state;
};

thread_local ThreadPool pool;

int ClassOf(std::size_t total) {
  if (total == kSmallestSegment) return 0;
  if (total == kLargestGrowth) return 1;
  if (total == 2 * kLargestGrowth) return 2;
  if (total == kReadSegment) return 3;
  if (total == kForeignSegment) return 4;
  return -1;
}

bool MayKeep() { return kPooling && State().malloc_fn == nullptr; }

// A thread that keeps blocks returns them when it ends.
struct ReturnAtThreadEnd {
  ~ReturnAtThreadEnd() {
    SegmentPool::ReleaseThread();
    pool.state = ThreadPool::kThreadEnds;
  }
};

bool StartKeeping() {
  if (pool.state != ThreadPool::kUnused) return false;
  thread_local ReturnAtThreadEnd returner;
  static_cast<void>(&returner);
  RegisterPoolRelease(&SegmentPool::ReleaseThread);
  pool.state = ThreadPool::kReturnedAtExit;
  return true;
}

}  // namespace

void* SegmentPool::Take(std::size_t total) {
  const int c = ClassOf(total);
  if (c >= 0) {
    ThreadPool& mine = pool;
    Kept* block = mine.lists[c];
    if (block != nullptr && MayKeep()) [[likely]] {
      mine.lists[c] = block->next;
      --mine.counts[c];
      return block;
    }
  }
  return MemAlloc(total);
}

void SegmentPool::Give(void* block, std::size_t total) {
  const int c = ClassOf(total);
  if (c >= 0 && MayKeep()) {
    ThreadPool& mine = pool;
    if (mine.counts[c] < kBounds[c] &&
        (mine.state == ThreadPool::kReturnedAtExit || StartKeeping()))
        [[likely]] {
      Kept* kept = static_cast<Kept*>(block);
      kept->next = mine.lists[c];
      mine.lists[c] = kept;
      ++mine.counts[c];
      return;
    }
  }
  MemFree(block);
}

void SegmentPool::ReleaseThread() {
  ThreadPool& mine = pool;
  for (std::size_t c = 0; c < kClasses; ++c) {
    while (Kept* block = mine.lists[c]) {
      mine.lists[c] = block->next;
      // Kept only while libc's functions were in use.
      std::free(block);
    }
    mine.counts[c] = 0;
  }
}

std::size_t SegmentPool::KeptByThread() {
  std::size_t n = 0;
  for (const std::uint32_t count : pool.counts) n += count;
  return n;
}

}  // namespace percore
