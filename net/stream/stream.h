// Stream: what every buffered stream has; `struct bufferevent` is its head.
//
// A stream joins a source and sink of bytes (a socket, another stream, the
// other end of a pair, TLS) to an input and an output Buffer, and calls the
// program when there is input, when output is written, and when its state
// changes. This room knows the loop and buffers; each kind is a table of
// functions (StreamOps) and a struct that begins with Stream. Kinds may live
// in several copies of this code in one process: a kind is told by
// StreamOps::kind, never by an address.
//
// Life. One reference from its creator, given up by Free, and one for each
// callback that is queued or on a stack. With the last one gone the stream is
// unlinked at once and destroyed at the end of the loop's current pass (the
// loop may still hold one of its events in its hands), or at once when the
// loop is not running.
//
// Threads. The owner's, or any with BEV_OPT_THREADSAFE: see BufferLock for
// its two levels. Below, "Leaf" functions need only the leaf lock and may be
// called while another thread runs this stream's callbacks.
#ifndef PERCORE_NET_STREAM_STREAM_H_
#define PERCORE_NET_STREAM_STREAM_H_

#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>

#include <cstddef>
#include <cstdint>

#include "percore/net/buffer/buffer.h"
#include "percore/runtime/loop/event_base.h"

namespace percore {

struct Stream;
struct StreamLimit;
struct ConnectState;

enum class StreamKind : std::uint8_t { kSocket, kPair, kFilter, kTls };

}  // namespace percore

// The functions of a kind. All are called with the outer lock or the leaf.
struct bufferevent_ops {
  percore::StreamKind kind;
  // EV_READ and EV_WRITE bits that may start, or are to stop. 0 or -1.
  int (*enable)(percore::Stream*, short what);
  int (*disable)(percore::Stream*, short what);
  // May be null: after a program's enable, without the leaf lock; `leaf_only`
  // as in output_changed.
  void (*after_enable)(percore::Stream*, short what, bool leaf_only);
  // The last reference is gone: no more ties to other objects.
  void (*unlink)(percore::Stream*);
  // Releases what the kind owns; the memory itself is freed after.
  void (*destruct)(percore::Stream*);
  // The times in timeout_read and timeout_write have changed.
  int (*adjust_timeouts)(percore::Stream*);
  int (*flush)(percore::Stream*, short what, bufferevent_flush_mode mode);
  // The fd, or -1; -1: cannot be set.
  evutil_socket_t (*get_fd)(percore::Stream*);
  int (*set_fd)(percore::Stream*, evutil_socket_t fd);
  percore::Stream* (*underlying)(percore::Stream*);
  // Output was added to or taken from; without a lock or with the outer one
  // unless `leaf_only`.
  void (*output_changed)(percore::Stream*, std::size_t added,
                         std::size_t removed, bool leaf_only);
};

namespace percore {

using StreamOps = bufferevent_ops;

// Why a direction is held back although it is enabled.
enum Suspension : std::uint8_t {
  kSuspendWatermark = 1,
  kSuspendLimit = 2,
  kSuspendGroup = 4,
  kSuspendLookup = 8,
  kSuspendFilter = 16,
};

inline constexpr std::size_t kDefaultSingleLimit = 16384;  // as reported
inline constexpr std::size_t kReadMost = 65536;            // as done
inline constexpr std::size_t kWriteMost = 1 << 20;

struct Stream : bufferevent {
  Buffer input_buffer;
  Buffer output_buffer;

  BufferLock* lock;
  StreamLimit* limit;            // null: no rate limit
  ConnectState* connect;         // null: no connect by name under way
  void* extension;               // of the C++ door
  Stream* above;                 // the filter or TLS stream over this one
  std::size_t max_single_read;   // 0: not set
  std::size_t max_single_write;  // 0: not set

  event_callback deferred;  // the program's callbacks, from the loop
  event_callback flush;     // a write at the end of the turn
  ControlNode release_node;
  std::uint64_t flushed_turn;

  std::uint32_t references;
  int pending_errno;
  int dns_error;
  int connect_error;  // that was seen before the write event told of it
  short pending_event;
  std::uint8_t options;
  std::uint8_t read_suspended;  // Suspension bits
  std::uint8_t write_suspended;
  bool readcb_pending;
  bool writecb_pending;
  bool connecting;

  bool nodelay;      // for sockets that we connect
  bool write_armed;  // ev_write was added, and not deleted since
  bool tell_empty;   // writing was enabled with nothing to write
  bool moving;       // to another base: see move.h
  bool dead;         // the last reference is gone

  static Stream* From(bufferevent* b) { return static_cast<Stream*>(b); }
  static const Stream* From(const bufferevent* b) {
    return static_cast<const Stream*>(b);
  }
  EventBase* base() { return EventBase::From(ev_base); }
  StreamKind kind() const { return be_ops->kind; }

  // --- Making and freeing (stream.cc) -------------------------------------

  // Zeroed memory of `size` bytes, which begins with a Stream, made ready.
  // Null: the options do not go together, or no memory. `lock` null: as the
  // options say; else shared with another stream, whose it stays.
  static Stream* Create(std::size_t size, EventBase* base, const StreamOps* ops,
                        int options, BufferLock* lock = nullptr);
  // As Create's undoing, for constructors that fail.
  static void Discard(Stream* s);
  // Gives up the creator's reference; no callback begins after this.
  void Free();
  void Ref();
  // True if it was the last.
  bool Unref();

  // --- What programs set (stream.cc) --------------------------------------

  void SetCallbacks(bufferevent_data_cb read, bufferevent_data_cb write,
                    bufferevent_event_cb event, void* arg);
  int Enable(short what);  // Leaf.
  int Disable(short what);
  void SetWatermark(short what, std::size_t low, std::size_t high);
  int SetTimeouts(const timeval* read, const timeval* write);
  int Flush(short what, bufferevent_flush_mode mode);
  evutil_socket_t Fd();
  int SetFd(evutil_socket_t fd);
  Stream* Underlying();
  int SetBase(EventBase* base);
  int SetPriority(int priority);
  int Priority() const;
  // To another base, with everything it has: see move.h. 0, or an errno value.
  int MoveTo(EventBase* target);
  void Lock();    // bufferevent_lock
  void Unlock();  // bufferevent_unlock

  // --- Callbacks (stream_callbacks.cc) ------------------------------------

  // As bufferevent_trigger: what the watermarks allow, or all. From a thread
  // that would have to wait for another's callback: deferred. Leaf.
  void Trigger(short what, int options);
  // Leaf.
  void TriggerEvent(short what, int options);

  // --- For kinds ----------------------------------------------------------

  // Hold back a direction for one more reason, or one less; the kind's
  // disable or enable is called when it was the first, or the last. Leaf.
  void SuspendRead(Suspension why);
  void ResumeRead(Suspension why);
  void SuspendWrite(Suspension why);
  void ResumeWrite(Suspension why);

  // As Trigger and TriggerEvent; the outer lock is held.
  void RunRead(int options);
  void RunWrite(int options);
  void RunEvent(short what, int options);
  void TriggerLocked(short what, int options);

  // Timers of kinds without descriptors.
  void InitGenericTimeouts();
  int AdjustGenericTimeouts();
  // The direction has moved: its time starts again. Leaf.
  void TouchReadTimeout();
  void TouchWriteTimeout();

  // Writes at the end of this turn, or of the next when this turn has had
  // its write. Leaf.
  void ScheduleFlush();

  // Adds the event with this timeout (zero: none), 0 or -1.
  int AddEvent(event* ev, const timeval& timeout);
  void DelEvent(event* ev);
  // Enabled and not held back.
  bool MayRead() const;
  bool MayWrite() const;
  static bool IsSet(const timeval& tv) {
    return tv.tv_sec != 0 || tv.tv_usec != 0;
  }

 private:
  friend class StreamMove;
  void Defer();
  bool Undefer();
  void HoldOrRelease(Buffer::Notice notice);
  short DueNow(short what, int with) const;
  void CallRead();
  void CallWrite();
  void CallEvent(short what);
  void CheckInputWatermark();
  void Retire();
  static void RunDeferred(event_callback* cb, void* arg);
  static void DestroyFromLoop(event_callback* cb, void* arg);
  static void RetireOnOwner(ControlNode* node, bool closed);
  void Destroy();
  static void OnInput(Buffer* b, Buffer::Notice notice, std::size_t added,
                      std::size_t removed, bool leaf_only);
  static void OnOutput(Buffer* b, Buffer::Notice notice, std::size_t added,
                       std::size_t removed, bool leaf_only);
  static void OnReadTimeout(evutil_socket_t fd, short what, void* arg);
  static void OnWriteTimeout(evutil_socket_t fd, short what, void* arg);
};

// The leaf lock of a stream, if it has one.
class LeafGuard {
 public:
  explicit LeafGuard(const Stream* s) : lock_(s->lock) {
    if (lock_ != nullptr) [[unlikely]]
      lock_->LockLeaf();
  }
  ~LeafGuard() {
    if (lock_ != nullptr) [[unlikely]]
      lock_->UnlockLeaf();
  }
  LeafGuard(const LeafGuard&) = delete;
  LeafGuard& operator=(const LeafGuard&) = delete;

 private:
  BufferLock* lock_;
};

// The outer lock and a reference, for as long as something of the stream is
// on the stack.
class StreamScope {
 public:
  explicit StreamScope(Stream* s) : s_(s) {
    if (s->lock != nullptr) [[unlikely]]
      s->lock->LockOuter();
    s->Ref();
  }
  ~StreamScope() {
    // The lock may go with the stream: let go first.
    BufferLock* lock = s_->lock;
    if (lock != nullptr) [[unlikely]]
      lock->UnlockOuter();
    s_->Unref();
  }
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  Stream* s_;
};

}  // namespace percore

#endif  // PERCORE_NET_STREAM_STREAM_H_
