#include "percore/runtime/backend/io_uring/io_uring_backend.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "percore/runtime/backend/doorbell.h"
#include "percore/runtime/backend/io_uring/ring.h"
#include "percore/runtime/backend/poll_bits.h"
#include "percore/runtime/backend/wait_limit.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/sync/mutex.h"
#include "percore/runtime/system/clock.h"

namespace percore {
namespace {

// Some 30 KiB of locked memory, which a user has for all rings together; what
// is tried when that is too much needs 12 KiB. Full queues cost system calls,
// never a report.
constexpr std::uint32_t kSubmissions = 128;
constexpr std::uint32_t kCompletions = 1024;
constexpr std::uint32_t kFewSubmissions = 32;
constexpr std::uint32_t kFewCompletions = 128;
constexpr std::size_t kFirstReady = 64;

// User data: the descriptor, the serial number above it. Bit 31, which no
// descriptor has, marks requests that are no watches.
constexpr std::uint64_t kSpecial = std::uint64_t{1} << 31;
constexpr std::uint64_t kRemoval = kSpecial;
constexpr std::uint64_t kDoorbell = kSpecial | 1;

std::uint64_t UserData(int fd, std::uint32_t serial) {
  return static_cast<std::uint64_t>(serial) << 32 |
         static_cast<std::uint32_t>(fd);
}

int DisabledSetting() {
  const int fd =
      open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  char digit = 0;
  const bool some = read(fd, &digit, 1) == 1;
  close(fd);
  return some && digit >= '0' && digit <= '9' ? digit - '0' : -1;
}

class IoUringBackend final : public Backend {
 public:
  IoUringBackend(const BackendOptions& options, std::uint32_t submissions,
                 std::uint32_t completions)
      : precise_(options.precise_timer),
        shared_(options.shared),
        submissions_(submissions),
        completions_(completions) {}

  // False with errno set.
  bool Open() {
    if (!doorbell_.Open()) return false;
    const int error = OpenRing();
    if (error == 0) return true;
    LogWarnx("io_uring is refused: %s",
             IoUringRefusal(error, DisabledSetting()));
    errno = error;
    return false;
  }

  const char* name() const override { return "io_uring"; }
  int features() const override { return kIoUringFeatures; }

  int Update(int fd, std::uint32_t generation, Interest before,
             Interest now) override {
    // The request would say so only in the wait.
    const bool open = now == kInterestNone || fcntl(fd, F_GETFD) >= 0;
    MutexLockIf lock(&mutex_, shared_);
    const int error = open ? Put(fd, generation, now)
                           : (Put(fd, generation, kInterestNone), EBADF);
    if (waiting_) doorbell_.Ring();
    return error;
  }

  int Wait(std::int64_t timeout_ns, ReadyList* ready) override {
    if (!ready->Reserve(kFirstReady) && ready->capacity() == 0) return ENOMEM;
    timeout_ns = WaitLimitNs(timeout_ns, precise_);
    const std::int64_t deadline =
        timeout_ns > 0 ? RealMonotonicNs() + timeout_ns : 0;
    MutexLockIf lock(&mutex_, shared_);
    for (bool again = false;; again = true) {
      if (int error = Bind()) return error;
      const bool all_queued = Queue();
      waiting_ = shared_;
      lock.Release();
      const int error =
          ring_.Enter(all_queued && timeout_ns != 0 ? 1 : 0, timeout_ns);
      lock.Relock();
      waiting_ = false;
      if (error == EEXIST && !again) {
        // Another thread under the name of the one that was bound.
        ring_.Close();
        continue;
      }
      if (error == EBADR) {
        ring_.Close();  // the kernel had no memory for a completion
        return 0;
      }
      const Taken taken = Take(ready);
      if (!ready->empty() || taken == Taken::kRing || timeout_ns == 0) {
        return 0;
      }
      switch (error) {
        case 0:
        case EBUSY:
          // Only what is no news: go on waiting. Nothing at all is a timeout
          // or a signal that the submissions of the same call hide.
          if (taken == Taken::kNothing && all_queued) return 0;
          break;
        case ETIME:
        case EINTR:
        case EAGAIN:
          return 0;
        default:
          return error;
      }
      if (timeout_ns > 0) {
        timeout_ns = deadline - RealMonotonicNs();
        if (timeout_ns <= 0) return 0;
      }
    }
  }

  void Ring() override { doorbell_.Ring(); }

  // Takes back the requests of removed descriptors, and no more: a request
  // made now could complete with what is no longer so at the wait.
  void Commit() override {
    MutexLockIf lock(&mutex_, shared_);
    if (!ring_.enabled() || !pthread_equal(bound_to_, pthread_self())) return;
    bool any = false;
    for (int fd : pending_) {
      Watch& watch = watches_[static_cast<std::size_t>(fd)];
      if (watch.wanted != kInterestNone || watch.serial == 0) continue;
      if (!Remove(fd, &watch)) return;  // at the wait, then
      any = true;
    }
    if (any) ring_.Enter(0, 0);
  }

 private:
  struct Watch {
    std::uint32_t generation;
    std::uint32_t serial;  // of its request in the kernel; 0: none
    Interest wanted;
    bool changed;  // since that request was made
    bool pending;  // listed in pending_
  };
  enum class Taken { kNothing, kNoNews, kRing };

  bool Grow(int fd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::size_t index = static_cast<std::size_t>(fd);
    if (index < watches_.size()) return true;
    std::size_t n = watches_.size() < 32 ? 32 : watches_.size();
    while (n <= index) n *= 2;
    // Room in the list first: listing a watch must not fail.
    return pending_.Reserve(n) && watches_.Resize(n);
  }

  int Put(int fd, std::uint32_t generation, Interest now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (now == kInterestNone &&
        (static_cast<std::size_t>(fd) >= watches_.size() ||
         watches_[static_cast<std::size_t>(fd)].wanted == kInterestNone)) {
      return ENOENT;
    }
    if (!Grow(fd)) return ENOMEM;
    Watch& watch = watches_[static_cast<std::size_t>(fd)];
    watch.generation = generation;
    watch.wanted = now;
    watch.changed = true;
    if (now != kInterestNone || watch.serial != 0) MakePending(fd, &watch);
    return 0;
  }

  void MakePending(int fd, Watch* watch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (watch->pending) return;
    watch->pending = true;
    pending_.PushReserved(fd);
  }

  int OpenRing() {
    const int error = ring_.Open(submissions_, completions_);
    return error == ENOMEM ? ring_.Open(kFewSubmissions, kFewCompletions)
                           : error;
  }

  // The ring, open and bound to this thread. 0, or an errno value.
  int Bind() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ring_.enabled() && pthread_equal(bound_to_, pthread_self())) return 0;
    if (ring_.enabled()) ring_.Close();
    if (!ring_.open()) {
      if (int error = OpenRing()) return error;
      doorbell_armed_ = false;
      for (std::size_t i = 0; i < watches_.size(); ++i) {
        Watch& watch = watches_[i];
        watch.serial = 0;
        if (watch.wanted != kInterestNone) {
          MakePending(static_cast<int>(i), &watch);
        }
      }
    }
    if (int error = ring_.Enable()) return error;
    bound_to_ = pthread_self();
    return 0;
  }

  // An entry; a full queue is submitted first. Null when that is of no help.
  uring::Sqe* NextEntry() {
    if (uring::Sqe* sqe = ring_.NextSqe()) return sqe;
    ring_.Enter(0, 0);
    return ring_.NextSqe();
  }

  bool Remove(int fd, Watch* watch) {
    uring::Sqe* sqe = NextEntry();
    if (sqe == nullptr) return false;
    sqe->opcode = uring::kOpPollRemove;
    sqe->fd = -1;
    sqe->addr = UserData(fd, watch->serial);
    sqe->user_data = kRemoval;
    if (ring_.can_skip_success()) sqe->flags = uring::kSqeCqeSkipSuccess;
    watch->serial = 0;
    return true;
  }

  bool Add(int fd, std::uint32_t events, bool multishot,
           std::uint64_t user_data) {
    uring::Sqe* sqe = NextEntry();
    if (sqe == nullptr) return false;
    sqe->opcode = uring::kOpPollAdd;
    sqe->fd = fd;
    // The kernel wants the halves exchanged on a big-endian machine.
    sqe->op_flags = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
                        ? events << 16 | events >> 16
                        : events;
    if (multishot) sqe->len = uring::kPollAddMulti;
    sqe->user_data = user_data;
    return true;
  }

  // Makes the requests that are due. False when the queue was full and stays
  // so: the rest comes with the next call.
  bool Queue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!doorbell_armed_) {
      doorbell_armed_ = Add(doorbell_.fd(), EPOLLIN | EPOLLET, true, kDoorbell);
      if (!doorbell_armed_) return false;
    }
    std::size_t done = 0;
    while (done < pending_.size() && QueueOne(pending_[done])) ++done;
    std::size_t left = 0;
    for (std::size_t i = done; i < pending_.size(); ++i) {
      pending_[left++] = pending_[i];
    }
    pending_.Truncate(left);
    return left == 0;
  }

  bool QueueOne(int fd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Watch& watch = watches_[static_cast<std::size_t>(fd)];
    if (watch.serial != 0 && watch.changed && !Remove(fd, &watch)) return false;
    if (watch.wanted != kInterestNone && watch.serial == 0) {
      if (++last_serial_ == 0) ++last_serial_;
      if (!Add(fd, ToEpollBits(watch.wanted),
               (watch.wanted & kInterestEdge) != 0,
               UserData(fd, last_serial_))) {
        return false;
      }
      watch.serial = last_serial_;
    }
    watch.changed = false;
    watch.pending = false;
    return true;
  }

  // Completions into `ready`, as many as fit.
  Taken Take(ReadyList* ready) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Taken taken = Taken::kNothing;
    while (const uring::Cqe* cqe = ring_.Peek()) {
      if (ready->size() == ready->capacity() &&
          !ready->Reserve(ready->size() + 1)) {
        break;  // it stays in the queue
      }
      if (taken == Taken::kNothing) taken = Taken::kNoNews;
      if (cqe->user_data == kDoorbell) {
        taken = Taken::kRing;
        if (!(cqe->flags & uring::kCqeMore)) doorbell_armed_ = false;
      } else if (!(cqe->user_data & kSpecial)) {
        TakeOne(*cqe, ready);
      }
      ring_.Pop();
    }
    return taken;
  }

  void TakeOne(const uring::Cqe& cqe, ReadyList* ready)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const int fd = static_cast<int>(cqe.user_data & 0x7fffffff);
    Watch& watch = watches_[static_cast<std::size_t>(fd)];
    if (watch.serial != cqe.user_data >> 32) return;  // replaced since
    if (!(cqe.flags & uring::kCqeMore)) {
      watch.serial = 0;
      if (cqe.res != -EBADF) {
        // One-shot; or a multishot that the kernel gave up; or cancelled
        // because the thread that made it ended.
        if (watch.wanted != kInterestNone) MakePending(fd, &watch);
      }
    }
    // Updated since the request was made: the new request will tell.
    if (cqe.res < 0 || watch.changed) return;
    const Interest what = FromPollBits(static_cast<std::uint32_t>(cqe.res));
    if (what == 0) return;
    ready->PushReserved(
        {fd, watch.generation, static_cast<Interest>(what | kInterestEdge)});
  }

  const bool precise_;
  const bool shared_;
  const std::uint32_t submissions_;
  const std::uint32_t completions_;
  Doorbell doorbell_;
  // Entered by the thread it is bound to only.
  uring::Ring ring_;
  // What follows is guarded by mutex_ in a shared base.
  Mutex mutex_;
  pthread_t bound_to_ ABSL_GUARDED_BY(mutex_){};
  PodVector<Watch> watches_ ABSL_GUARDED_BY(mutex_);  // by descriptor
  PodVector<int> pending_
      ABSL_GUARDED_BY(mutex_);  // always has room for every watch
  std::uint32_t last_serial_ ABSL_GUARDED_BY(mutex_) = 0;
  bool doorbell_armed_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

Backend* NewIoUringBackendSized(const BackendOptions& options,
                                std::uint32_t submissions,
                                std::uint32_t completions) {
  return NewOpened<IoUringBackend>(options, submissions, completions);
}

Backend* NewIoUringBackend(const BackendOptions& options) {
  return NewIoUringBackendSized(options, kSubmissions, kCompletions);
}

bool IoUringAvailable() {
  // Found out by whoever comes first; all find the same.
  enum : int { kUnknown, kNo, kYes };
  static std::atomic<int> known{kUnknown};
  int answer = known.load(std::memory_order_relaxed);
  if (answer == kUnknown) {
    uring::Ring ring;
    const int error = ring.Open(2, 4);
    // A lack of descriptors is no answer to keep, but one must be given.
    answer = error == 0 || error == EMFILE || error == ENFILE ? kYes : kNo;
    known.store(answer, std::memory_order_relaxed);
  }
  return answer == kYes;
}

const char* IoUringRefusal(int error, int disabled) {
  switch (error) {
    case ENOSYS:
      return "this kernel has no io_uring";
    case EPERM:
      if (disabled == 2) {
        return "kernel.io_uring_disabled is 2: nobody may use it";
      }
      if (disabled == 1) {
        return "kernel.io_uring_disabled is 1: only the group "
               "kernel.io_uring_group and CAP_SYS_ADMIN may use it";
      }
      return "a security policy (seccomp, a security module) forbids it";
    case ENOMEM:
      return "no memory, or the limit of locked memory (ulimit -l) is too low";
    case EMFILE:
    case ENFILE:
      return "no descriptor is free";
    case EOPNOTSUPP:
      return "this kernel's io_uring is too old (5.13 is needed)";
    default:
      return "the kernel gave an unexpected error";
  }
}

}  // namespace percore
