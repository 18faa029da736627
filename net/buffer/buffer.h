// Buffer: a queue of bytes in a chain of segments.
//
// This room holds bytes between a descriptor and a program: append at the end,
// take from the front, look anywhere, and move between buffers without a copy.
// It knows descriptors only as things to read from and write to, and nothing
// of loops but that change callbacks may be deferred to one.
//
// `struct evbuffer` of the C door is this class (net/capi/capi_buffer.cc).
//
// Threads: one at a time, unless EnableLocking was called. Sizes are bytes;
// every total is kept below SSIZE_MAX, and what would pass it is refused.
// Errors: false, -1 or null, and nothing has changed. A frozen end refuses what
// would change it (semantics 9.2).
//
//   percore::Buffer b;
//   b.Add("GET / HTTP/1.1\r\n");
//   b.Write(fd);
#ifndef PERCORE_NET_BUFFER_BUFFER_H_
#define PERCORE_NET_BUFFER_BUFFER_H_

#include <event2/buffer.h>
#include <event2/buffer_compat.h>
#include <sys/uio.h>

#include <climits>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "percore/net/buffer/buffer_lock.h"
#include "percore/net/buffer/segment.h"

namespace percore {

class EventBase;
class FileSegment;
struct BufferCallbacks;

class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  // Runs the clean-ups of references. Not with a callback of it on the stack.
  ~Buffer();

  static Buffer* From(evbuffer* b) { return reinterpret_cast<Buffer*>(b); }
  static const Buffer* From(const evbuffer* b) {
    return reinterpret_cast<const Buffer*>(b);
  }
  evbuffer* c() { return reinterpret_cast<evbuffer*>(this); }

  // The C door's life: one reference at first; the last one frees.
  static Buffer* New();
  void Ref();
  void Unref();

  // --- Size ---------------------------------------------------------------

  std::size_t size() const {
    return lock_bits_ == 0 ? length_ : SizeUnderLock();
  }
  bool empty() const { return size() == 0; }
  // Of the first segment.
  std::size_t ContiguousSize() const;

  // --- Adding (buffer.cc) -------------------------------------------------

  bool Add(const void* data, std::size_t n) {
    Segment* tail = Plain(kAddIsSlow) ? tail_ : nullptr;
    if (tail != nullptr && tail->flags == Segment::kOwned &&
        n <= tail->tail_room() && n <= SSIZE_MAX - length_) [[likely]] {
      CopySmall(tail->end, data, n);
      tail->end += n;
      length_ += n;
      return true;
    }
    return AddSlow(data, n);
  }
  bool Add(std::string_view s) { return Add(s.data(), s.size()); }
  bool Prepend(const void* data, std::size_t n) {
    Segment* s = Plain(kTakeIsSlow) ? first_ : nullptr;
    if (s != nullptr && s->flags == Segment::kOwned && s->begin != s->end &&
        n <= s->head_room() && n <= SSIZE_MAX - length_) [[likely]] {
      s->begin -= n;
      CopySmall(s->begin, data, n);
      length_ += n;
      return true;
    }
    return PrependSlow(data, n);
  }
  // The bytes added: fewer when one failed.
  std::size_t AddVectors(const iovec* vectors, int n);
  // The bytes added, or -1.
  int AddFormatted(const char* format, std::va_list args);
  // Room for `n` more bytes in one piece.
  bool Expand(std::size_t n);

  // --- Moving and sharing (buffer_move.cc) --------------------------------

  // All of `source` to the end, or before the front. No copy.
  bool Take(Buffer* source);
  bool TakeInFront(Buffer* source);
  // The first `n` bytes of this to the end of `target`; how many, or -1.
  ev_ssize_t MoveTo(Buffer* target, std::size_t n) {
    return Move(target, n, /*frozen=*/false);
  }
  // Shows the bytes of `source` too; they become immutable.
  bool Share(Buffer* source);
  // `cleanup` (may be null) runs when the bytes are no longer used; never when
  // this fails.
  bool AddReference(const void* data, std::size_t offset, std::size_t n,
                    evbuffer_ref_cleanup_cb cleanup, void* arg);
  // A region of a file; takes a reference to it on success.
  bool AddFile(FileSegment* file, std::int64_t offset, std::int64_t n);

  // --- Taking and looking (buffer_take.cc) --------------------------------

  bool Drain(std::size_t n) {
    Segment* s = Plain(kTakeIsSlow) ? first_ : nullptr;
    if (s != nullptr && n < s->size()) [[likely]] {
      s->begin += n;
      length_ -= n;
      return true;
    }
    return DrainSlow(n);
  }
  // Copied and drained, or -1.
  int Remove(void* data, std::size_t n) {
    Segment* s = Plain(kTakeIsSlow) ? first_ : nullptr;
    if (s != nullptr && n <= INT_MAX && n < s->size() && s->in_memory())
        [[likely]] {
      CopySmall(data, s->begin, n);
      s->begin += n;
      length_ -= n;
      return static_cast<int>(n);
    }
    return RemoveSlow(data, n);
  }
  // Copied, or -1; `from` null: the front.
  ev_ssize_t CopyOut(const evbuffer_ptr* from, void* data, std::size_t n);
  // The first `n` bytes (negative: all) in one piece. Null when n is 0 or more
  // than there is.
  unsigned char* PullUp(ev_ssize_t n);
  int Peek(ev_ssize_t n, const evbuffer_ptr* from, iovec* vectors, int n_vec);
  std::string ToString();

  // --- Space (buffer_space.cc) --------------------------------------------

  int Reserve(ev_ssize_t n, iovec* vectors, int n_vec) {
    Segment* tail = Plain(kFrozenEnd) ? tail_ : nullptr;
    if (n_vec >= 1 && n > 0 && tail != nullptr &&
        tail->flags == Segment::kOwned &&
        static_cast<std::size_t>(n) <= tail->tail_room()) [[likely]] {
      vectors[0].iov_base = tail->end;
      vectors[0].iov_len = tail->tail_room();
      return 1;
    }
    return ReserveSlow(n, vectors, n_vec);
  }
  bool Commit(const iovec* vectors, int n_vec) {
    Segment* tail = Plain(kAddIsSlow) ? tail_ : nullptr;
    if (n_vec == 1 && tail != nullptr && tail->flags == Segment::kOwned &&
        tail->end == vectors[0].iov_base &&
        vectors[0].iov_len <= tail->tail_room() &&
        vectors[0].iov_len <= SSIZE_MAX - length_) [[likely]] {
      tail->end += vectors[0].iov_len;
      length_ += vectors[0].iov_len;
      return true;
    }
    return CommitSlow(vectors, n_vec);
  }

  // --- Search (buffer_search.cc) ------------------------------------------

  evbuffer_ptr Search(const char* what, std::size_t n, const evbuffer_ptr* from,
                      const evbuffer_ptr* to);
  // The first match, in one piece with all before it; null: none.
  unsigned char* Find(const char* what, std::size_t n);
  evbuffer_ptr SearchEol(const evbuffer_ptr* from, std::size_t* eol_size,
                         evbuffer_eol_style style);
  bool SetPosition(evbuffer_ptr* p, std::size_t position, evbuffer_ptr_how how);
  // A line without its end, NUL-terminated, in memory of MemAlloc; null when
  // there is no whole line.
  char* ReadLine(std::size_t* n, evbuffer_eol_style style);

  // --- Descriptors (buffer_io.cc) -----------------------------------------

  // One read of at most `limit` bytes (negative: max_read()). Bytes, 0 at the
  // end, -1 with errno.
  int Read(int fd, ev_ssize_t limit);
  // One write of at most `limit` bytes (negative: all). Bytes, -1 with errno.
  int Write(int fd, ev_ssize_t limit);
  bool SetMaxRead(std::size_t n);
  std::size_t max_read() const { return max_read_; }

  // --- Freezing, flags ----------------------------------------------------

  void Freeze(bool front);
  void Unfreeze(bool front);
  void SetFlags(std::uint32_t flags);
  void ClearFlags(std::uint32_t flags);
  std::uint32_t flags() const { return flags_; }

  // --- Callbacks (buffer_callbacks.cc) ------------------------------------

  evbuffer_cb_entry* AddCallback(evbuffer_cb_func fn, void* arg);
  evbuffer_cb_entry* AddOldCallback(evbuffer_cb fn, void* arg);
  bool RemoveCallback(evbuffer_cb_entry* entry);
  bool RemoveCallback(evbuffer_cb_func fn, void* arg);
  void RemoveAllCallbacks();
  void SetCallbackFlags(evbuffer_cb_entry* entry, std::uint32_t set,
                        std::uint32_t clear);
  // From now on callbacks run from the loop of `base`.
  bool DeferCallbacks(EventBase* base);

  // --- Locking ------------------------------------------------------------

  // False if there is a lock, or none can be made.
  bool EnableLocking(void* lock);
  void Lock();
  void Unlock();

  // --- For the stream that owns this buffer -------------------------------

  // kChanged: after each change and the callbacks, without the leaf lock;
  // `leaf_only`: the outer lock is not held, another thread's callback runs,
  // and no user code may run. kHold, kRelease: callbacks of this buffer are
  // about to run, have run; the stream must live in between.
  enum class Notice : std::uint8_t { kChanged, kHold, kRelease };
  using Observer = void (*)(Buffer*, Notice notice, std::size_t added,
                            std::size_t removed, bool leaf_only);
  // Once.
  void SetObserver(Observer observer) { observer_ = observer; }
  // Whether changes are of interest.
  void Observe(bool on);
  // The stream's lock, which outlives this; callbacks caused from a thread
  // other than the loop's are deferred to `base`.
  void ShareLock(BufferLock* lock, bool is_output);
  void SetBase(EventBase* base) { base_ = base; }
  BufferLock* lock() const { return lock_; }
  // As Read and Write, frozen or not.
  ev_ssize_t ReadForStream(int fd, std::size_t limit);
  ev_ssize_t WriteForStream(int fd, std::size_t limit);
  ev_ssize_t MoveForStream(Buffer* target, std::size_t n) {
    return Move(target, n, /*frozen=*/true);
  }

 private:
  friend class BufferGuard;
  friend class BufferPairGuard;
  friend struct BufferCallbacks;

  enum Bits : std::uint8_t {
    kFrozenFront = 1,
    kFrozenEnd = 2,
    kLocked = 4,
    kWatched = 8,  // callbacks or an observer
    kAppendsByLeaf = 16,
    kOwnsLock = 32,
    kObserved = 64,
  };
  static constexpr std::uint8_t kAddIsSlow = kFrozenEnd | kWatched;

  static constexpr std::uint8_t kTakeIsSlow = kFrozenFront | kWatched;

  // Small copies are most copies: without a call. The two ends of `n` bytes,
  // kHalf to twice that.
  template <std::size_t kHalf>
  static void CopyEnds(void* to, const void* from, std::size_t n) {
    unsigned char head[kHalf];
    unsigned char end[kHalf];
    const auto* p = static_cast<const unsigned char*>(from);
    auto* q = static_cast<unsigned char*>(to);
    std::memcpy(head, p, kHalf);
    std::memcpy(end, p + n - kHalf, kHalf);
    std::memcpy(q, head, kHalf);
    std::memcpy(q + n - kHalf, end, kHalf);
  }
  static void CopySmall(void* to, const void* from, std::size_t n) {
    if (n <= 64 && n >= 16) {
      // gcc 12 takes this branch to be possible for an array of fewer bytes and
      // warns of it; here it no longer knows where the bytes are.
      asm("" : "+r"(from));
      if (n <= 32) {
        CopyEnds<16>(to, from, n);
      } else {
        CopyEnds<32>(to, from, n);
      }
    } else if (n != 0) {
      std::memcpy(to, from, n);
    }
  }

  ev_ssize_t Move(Buffer* target, std::size_t n, bool frozen);
  ev_ssize_t ReadSome(int fd, std::size_t limit);
  std::size_t SizeUnderLock() const;
  // Without a lock, and none of these.
  bool Plain(std::uint8_t slow) const {
    return lock_bits_ == 0 && (bits_ & slow) == 0;
  }
  bool AddSlow(const void* data, std::size_t n);
  bool PrependSlow(const void* data, std::size_t n);
  bool DrainSlow(std::size_t n);
  void DrainOnly(Segment* only);
  // Filled and drained in turn, a buffer keeps one small segment. A stream's
  // does not: one that has nothing to do holds no memory for it.
  bool KeepsWhenDrained(const Segment* s) const {
    return observer_ == nullptr && s->capacity() < kSmallestSegment;
  }
  int RemoveSlow(void* data, std::size_t n);
  int ReserveSlow(ev_ssize_t n, iovec* vectors, int n_vec);
  bool CommitSlow(const iovec* vectors, int n_vec);
  bool AddLocked(const void* data, std::size_t n);
  bool PrependLocked(const void* data, std::size_t n);
  Segment* FirstSpare() const {
    return tail_ != nullptr ? tail_->next : first_;
  }
  void AppendData(Segment* s);
  void AppendSpare(Segment* s);
  void InsertFront(Segment* s);
  void DropSpares();
  bool ExpandLocked(std::size_t n);
  void MoveTailDown(std::size_t n);
  std::size_t NextSegmentSize(std::size_t n) const;

  // Unlinks what is drained and hands it to `doomed`.
  void DrainLocked(std::size_t n, class BufferGuard* doomed);
  void TakeDrained(Segment* s, class BufferGuard* doomed);
  std::size_t CopyOutLocked(const evbuffer_ptr* from, void* data,
                            std::size_t n);
  unsigned char* PullUpLocked(std::size_t n, class BufferGuard* doomed);
  Segment* FindSegment(const evbuffer_ptr* p, std::size_t* offset) const;
  bool Materialise(Segment* s);
  bool MaterialiseFrom(Segment* s, std::size_t n);
  bool Trade(Buffer* source);
  void Splice(Buffer* source, bool in_front);
  Segment* ViewOf(Segment* s, std::size_t n);
  evbuffer_ptr PositionAt(std::size_t offset) const;
  evbuffer_ptr SearchLocked(const char* what, std::size_t n,
                            const evbuffer_ptr* from, const evbuffer_ptr* to);
  evbuffer_ptr SearchEolLocked(const evbuffer_ptr* from, std::size_t* eol_size,
                               evbuffer_eol_style style);
  int ReserveLocked(std::size_t n, iovec* vectors, int n_vec);
  bool CommitLocked(const iovec* vectors, int n_vec);
  int WriteLocked(int fd, std::size_t limit, class BufferGuard* doomed);

  // Counts for the callbacks, under the guard; what of RunNow is to be done.
  enum Due : unsigned { kNothing = 0, kCallbacks = 1, kObserver = 2 };
  unsigned NoteChange(std::size_t added, std::size_t removed, bool leaf_only);
  // Without a leaf lock.
  void RunDue(unsigned due, std::size_t added, std::size_t removed,
              bool leaf_only);
  void RunCallbacks();
  bool EnsureCallbacks();
  void UpdateWatched();

  Segment* first_ = nullptr;
  Segment* tail_ = nullptr;  // the last with data; null: none has
  Segment* last_ = nullptr;  // tail_, or the last spare
  std::size_t length_ = 0;
  BufferLock* lock_ = nullptr;
  Observer observer_ = nullptr;
  EventBase* base_ = nullptr;
  BufferCallbacks* callbacks_ = nullptr;
  std::uint32_t max_read_ = 4096;
  std::uint32_t references_ = 1;
  std::uint32_t flags_ = 0;
  std::uint8_t lock_bits_ = 0;   // kLocked and such: set before it is shared
  std::uint8_t bits_ = 0;        // under the lock
  bool reads_directly_ = false;  // the last read was of some KiB
};

// What one operation holds: the lock if there is one, and segments to release
// when no leaf lock is held any more.
class BufferGuard {
 public:
  enum Access { kFull, kAppend, kLook };
  explicit BufferGuard(const Buffer* b, Access access = kFull)
      : lock_(b->lock_bits_ != 0 ? b->lock_ : nullptr) {
    if (lock_ != nullptr) [[unlikely]] {
      held_ = access == kLook ? lock_->EnterLook()
              : access == kAppend && (b->lock_bits_ & Buffer::kAppendsByLeaf)
                  ? lock_->EnterAppend()
                  : lock_->EnterFull();
    }
  }
  ~BufferGuard() {
    if (lock_ != nullptr) [[unlikely]]
      lock_->Leave(held_);
    if (doomed_ != nullptr) ReleaseDoomed();
  }
  BufferGuard(const BufferGuard&) = delete;
  BufferGuard& operator=(const BufferGuard&) = delete;

  void Doom(Segment* s) {
    if (s->flags == Segment::kOwned) {
      RecycleOwned(s);
    } else {
      s->next = nullptr;
      *(doomed_ == nullptr ? &doomed_ : &last_->next) = s;
      last_ = s;
    }
  }
  // Last in an operation: what it did to `b`.
  void Changed(Buffer* b, std::size_t added, std::size_t removed) {
    if (b->bits_ & Buffer::kWatched) Notify(b, added, removed);
  }
  // The callbacks of `b`, which had been deferred.
  void RunCallbacks(Buffer* b);

 private:
  void Notify(Buffer* b, std::size_t added, std::size_t removed);
  void ReleaseDoomed();

  BufferLock* lock_;
  BufferLock::Held held_ = BufferLock::Held::kOuter;
  bool shared_ = false;  // keeps the lock: a callback may free its stream
  Segment* doomed_ = nullptr;
  Segment* last_ = nullptr;
};

}  // namespace percore

#endif  // PERCORE_NET_BUFFER_BUFFER_H_
