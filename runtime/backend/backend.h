// A backend: one system's way to wait for file descriptors.
//
// The loop (runtime/loop) keeps what each event wants, hands a backend the
// interest in a descriptor when it changes, waits in it once a turn, and gets
// back which descriptors are ready. A backend knows no events, no timers and
// no callbacks; it is used by its loop only, except Ring().
//
// How the systems fit:
//
// - epoll, kqueue: one kernel object; Update() is one call (kqueue: one or two
//   changes kept for the next kevent()); Wait() reports; Ring() is an eventfd,
//   EVFILT_USER.
// - poll, select, /dev/poll, Windows select: the set lives here (for /dev/poll
//   in the kernel, POLLREMOVE before a narrower set); Ring() is a descriptor
//   in the set (a loopback socket pair on Windows).
// - event ports: an association is consumed by its report. Wait() remembers
//   what it reported and associates it again at the next Wait(), unless an
//   Update() came between. Ring() is port_send().
// - io_uring: Update() writes a POLL_ADD / POLL_REMOVE entry; Wait() submits
//   all of them and waits in one call. A completion carries the generation in
//   its user data, so that one that was under way when the interest changed is
//   told apart. Ring() is an eventfd (or MSG_RING from another ring).
// - IOCP and AFD polling: Update() starts or cancels an AFD poll, whose packet
//   is one-shot as an event port's; Ring() is PostQueuedCompletionStatus().
//
// Completion transports (io_uring, IOCP): net's streams ask completions() for
// an object with accept, connect, receive and send operations whose results
// are delivered by Wait() through the same turn, before it returns; a backend
// without one answers null and streams use readiness. Nothing in this
// interface needs to change for that: Wait() may run completion handlers,
// which only activate events or callbacks on the loop.
#ifndef PERCORE_RUNTIME_BACKEND_BACKEND_H_
#define PERCORE_RUNTIME_BACKEND_BACKEND_H_

#include <cerrno>
#include <cstdint>
#include <new>

#include "percore/runtime/system/memory.h"

namespace percore {

class CompletionTransport;

// Interest and readiness, the values of EV_READ, EV_WRITE, EV_ET, EV_CLOSED.
using Interest = std::uint8_t;
inline constexpr Interest kInterestNone = 0;
inline constexpr Interest kInterestRead = 0x02;
inline constexpr Interest kInterestWrite = 0x04;
inline constexpr Interest kInterestEdge = 0x20;
inline constexpr Interest kInterestClosed = 0x80;

// The values of EV_FEATURE_*.
inline constexpr int kFeatureEdgeTriggered = 0x01;
inline constexpr int kFeatureConstantTime = 0x02;
inline constexpr int kFeatureAnyFd = 0x04;
inline constexpr int kFeatureEarlyClose = 0x08;

// One descriptor that is ready. `what` has kInterestEdge too if the backend
// can watch edges (an event that asked for them gets EV_ET back).
struct Ready {
  int fd;
  std::uint32_t generation;  // of the Update() that it answers
  Interest what;
};

using ReadyList = PodVector<Ready>;

struct BackendOptions {
  bool precise_timer = false;    // waits are not rounded to milliseconds
  bool changelist_flag = false;  // EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST
  bool shared = false;           // Update() may come from any thread
  // Wait() may be a cancellation point of pthreads, as libevent's is. The
  // threads of a Runtime are nobody's to cancel, and being cancellable costs
  // two atomic read-modify-writes a wait.
  bool cancellable = true;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // As event_base_get_method gives it. Static storage. Any thread.
  virtual const char* name() const = 0;

  // kFeature* bits. Any thread.
  virtual int features() const = 0;

  // The interest in `fd` was `before` and is to be `now`; kInterestNone is
  // "not held". At most one registration of a number is held. `generation` is
  // reported with the readiness from here on. 0, or an errno value: then the
  // descriptor is not held any more. A change of a descriptor that the system
  // has lost (closed and opened again) becomes an add. Removal never fails in
  // a way that matters, except to tell a stale report from a live one.
  // Owner thread; in a shared base any thread, under the base's lock, also
  // while the owner is in Wait() - then it must take effect in that wait.
  virtual int Update(int fd, std::uint32_t generation, Interest before,
                     Interest now) = 0;

  // Waits until something is ready, Ring() was called, a signal came or
  // `timeout_ns` passed (negative: no limit; 0: does not wait), never less
  // than the timeout otherwise. Appends to `ready`, which the caller cleared;
  // what does not fit for lack of memory is reported again later. 0, or an
  // errno value. Interrupted by a signal is 0 with nothing ready.
  // Owner thread, without the base's lock.
  virtual int Wait(std::int64_t timeout_ns, ReadyList* ready) = 0;

  // Ends the Wait() under way or the next one. Any thread,
  // async-signal-safe; keeps errno.
  virtual void Ring() = 0;

  // Makes the Update()s so far hold in the system now, if this backend leaves
  // them to the next Wait(): called before a descriptor is closed, so that
  // nothing in the system keeps its file. As Update().
  virtual void Commit() {}

  // The other transport, or null.
  virtual CompletionTransport* completions() { return nullptr; }

  // Backends live in replaceable memory.
  static void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return MemAlloc(size);
  }
  static void operator delete(void* p) noexcept { MemFree(p); }
  static void operator delete(void* p, const std::nothrow_t&) noexcept {
    MemFree(p);
  }
};

// A backend of class T that has opened what it needs of the system: T(args),
// then `bool Open()` (false with errno set). Null with errno set.
template <typename T, typename... Args>
Backend* NewOpened(const Args&... args) {
  auto* backend = new (std::nothrow) T(args...);
  if (backend == nullptr) return nullptr;
  if (backend->Open()) return backend;
  const int error = errno;
  delete backend;
  errno = error;
  return nullptr;
}

// How a backend is made. One for each kind, in kBackends' order of preference.
struct BackendKind {
  const char* name;
  int features;
  // Chosen without being asked for.
  bool implicit;
  // Listed by event_get_supported_methods, if also Available().
  bool listed;
  // Null with errno set when the system refuses. A reason beyond errno is
  // logged where it helps.
  Backend* (*create)(const BackendOptions& options);
  // Whether the running system offers it: found out once. Null: always.
  bool (*available)() = nullptr;

  bool Available() const { return available == nullptr || available(); }
};

// Whether event_get_supported_methods names it. The same answer every time.
inline bool IsListed(const BackendKind& kind) {
  return kind.listed && kind.Available();
}

// All kinds of this platform; the last has a null name.
const BackendKind* BackendKinds();

}  // namespace percore

#endif  // PERCORE_RUNTIME_BACKEND_BACKEND_H_
