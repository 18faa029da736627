// The memory of segments, recycled per thread: per core in a sharded program.
//
// Five sizes are kept (1, 4, 8, 64 KiB, headers), a bounded number of each;
// everything else goes to the allocator. A block given on another thread than
// it was taken stays there: the bounds keep that from growing, and no core
// writes another's lists.
//
// With replaced memory functions (event_set_mem_functions), and in sanitizer
// builds, nothing is kept: the program's own allocator is to see each block.
// Kept blocks go back in event_base_free, libevent_global_shutdown, and when
// the thread ends.
#ifndef PERCORE_NET_BUFFER_SEGMENT_POOL_H_
#define PERCORE_NET_BUFFER_SEGMENT_POOL_H_

#include <cstddef>

namespace percore {

class SegmentPool {
 public:
  // `total` bytes, or null. Any thread.
  static void* Take(std::size_t total);
  static void Give(void* block, std::size_t total);

  // Returns what this thread has kept.
  static void ReleaseThread();

  // Blocks kept by this thread now.
  static std::size_t KeptByThread();
};

}  // namespace percore

#endif  // PERCORE_NET_BUFFER_SEGMENT_POOL_H_
