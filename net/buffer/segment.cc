#include "percore/net/buffer/segment.h"

#include <climits>

#include "percore/net/buffer/file_segment.h"
#include "percore/net/buffer/segment_pool.h"

namespace percore {
namespace {

Segment* Initialise(void* p, std::size_t total) {
  Segment* s = new (p) Segment;
  s->next = nullptr;
  s->memory = reinterpret_cast<unsigned char*>(s + 1);
  s->begin = s->end = s->memory;
  s->limit = static_cast<unsigned char*>(p) + total;
  s->flags = Segment::kOwned;
  s->references.store(1, std::memory_order_relaxed);
  return s;
}

}  // namespace

Segment* NewSegment(std::size_t size) {
  if (size > SSIZE_MAX - sizeof(Segment)) return nullptr;
  const std::size_t need = size + sizeof(Segment);
  std::size_t total = kSmallestSegment;
  if (need > kReadSegment) {
    // Large: what is asked for, in whole pages; doubling would waste up to
    // half of it.
    total = need <= SIZE_MAX - 4095 ? (need + 4095) & ~std::size_t{4095} : need;
  } else if (need > 32768) {
    total = kReadSegment;  // these are recycled
  } else {
    while (total < need) total <<= 1;
  }
  void* p = SegmentPool::Take(total);
  if (p == nullptr) return nullptr;
  return Initialise(p, total);
}

Segment* NewForeignSegment(std::uint32_t flags) {
  void* p = SegmentPool::Take(kForeignSegment);
  if (p == nullptr) return nullptr;
  Segment* s = new (p) Segment;
  s->next = nullptr;
  s->begin = s->end = s->limit = s->memory = nullptr;
  s->flags = flags;
  s->references.store(1, std::memory_order_relaxed);
  return s;
}

void RecycleOwned(Segment* s) {
  SegmentPool::Give(s, static_cast<std::size_t>(
                           s->limit - reinterpret_cast<unsigned char*>(s)));
}

void ReleaseSlow(Segment* s) {
  // acq_rel: what other holders read of the bytes comes before they go. The
  // only holder need not count down: nobody else can begin to hold it.
  if (s->references.load(std::memory_order_acquire) != 1 &&
      s->references.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  if (s->flags & Segment::kOwned) {
    RecycleOwned(s);
    return;
  }
  if (s->flags & Segment::kReference) {
    // Read one by one, as they were written: a wide load of what was just
    // stored in parts waits for all of it.
    const ReferenceExtra* kept = Extra<ReferenceExtra>(s);
    if (kept->cleanup == nullptr) {
      SegmentPool::Give(s, kForeignSegment);
      return;
    }
    const ReferenceExtra extra = *kept;
    SegmentPool::Give(s, kForeignSegment);
    if (extra.cleanup != nullptr) {
      extra.cleanup(extra.data, extra.size, extra.arg);
    }
    return;
  }
  if (s->flags & Segment::kShared) {
    Segment* shown = Extra<SharedExtra>(s)->shown;
    SegmentPool::Give(s, kForeignSegment);
    ReleaseSlow(shown);
    return;
  }
  FileSegment* file = Extra<FileExtra>(s)->file;
  SegmentPool::Give(s, kForeignSegment);
  file->Unref();
}

}  // namespace percore
