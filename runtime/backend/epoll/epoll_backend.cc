#include "percore/runtime/backend/epoll/epoll_backend.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

#include "percore/runtime/backend/doorbell.h"
#include "percore/runtime/backend/poll_bits.h"
#include "percore/runtime/backend/wait_limit.h"

namespace percore {
namespace {

constexpr std::size_t kFirstEvents = 32;
constexpr std::size_t kMostEvents = 4096;
constexpr std::uint64_t kDoorbell = ~std::uint64_t{0};

class EpollBackend final : public Backend {
 public:
  explicit EpollBackend(const BackendOptions& options)
      : precise_(options.precise_timer),
        cancellable_(options.cancellable),
        name_(options.changelist_flag ? "epoll (with changelist)" : "epoll") {}

  ~EpollBackend() override {
    if (epoll_fd_ >= 0) close(epoll_fd_);
  }

  // False with errno set.
  bool Open() {
    if (!events_.Resize(kFirstEvents)) return false;
    epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd_ < 0) return false;
    if (!doorbell_.Open()) return false;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = kDoorbell;
    return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, doorbell_.fd(), &event) == 0;
  }

  const char* name() const override { return name_; }
  int features() const override { return kEpollFeatures; }

  int Update(int fd, std::uint32_t generation, Interest before,
             Interest now) override {
    epoll_event event{};
    event.events = ToEpollBits(now);
    event.data.u64 = static_cast<std::uint64_t>(generation) << 32 |
                     static_cast<std::uint32_t>(fd);
    if (now == kInterestNone) {
      return Control(EPOLL_CTL_DEL, fd, &event);
    }
    if (before == kInterestNone) {
      const int error = Control(EPOLL_CTL_ADD, fd, &event);
      // The same file is still registered under this number: the program
      // closed a duplicate, or deleted and added around our backs.
      return error == EEXIST ? Control(EPOLL_CTL_MOD, fd, &event) : error;
    }
    const int error = Control(EPOLL_CTL_MOD, fd, &event);
    // The number was closed and is another file now.
    return error == ENOENT ? Control(EPOLL_CTL_ADD, fd, &event) : error;
  }

  int Wait(std::int64_t timeout_ns, ReadyList* ready) override {
    // Room first: an edge that is taken from the kernel must not be dropped.
    if (!ready->Reserve(events_.size())) {
      if (ready->capacity() == 0) return ENOMEM;
      events_.Truncate(ready->capacity());
    }
    const int n = WaitKernel(timeout_ns);
    if (n < 0) return errno == EINTR ? 0 : errno;
    for (int i = 0; i < n; ++i) {
      const std::uint64_t data = events_[static_cast<std::size_t>(i)].data.u64;
      if (data == kDoorbell) continue;
      const Interest what =
          FromPollBits(events_[static_cast<std::size_t>(i)].events);
      if (what == 0) continue;
      ready->PushReserved({static_cast<int>(data & 0xffffffffu),
                           static_cast<std::uint32_t>(data >> 32),
                           static_cast<Interest>(what | kInterestEdge)});
    }
    if (static_cast<std::size_t>(n) == events_.size() &&
        events_.size() < kMostEvents) {
      // A full array hints at more; failing to grow costs only turns.
      [[maybe_unused]] bool grown = events_.Resize(events_.size() * 2);
    }
    return 0;
  }

  void Ring() override { doorbell_.Ring(); }

 private:
  int Control(int operation, int fd, epoll_event* event) {
    return epoll_ctl(epoll_fd_, operation, fd, event) == 0 ? 0 : errno;
  }

  int WaitKernel(std::int64_t timeout_ns) {
    const int room = static_cast<int>(events_.size());
#ifdef SYS_epoll_pwait2
    if (precise_ && timeout_ns > 0 && have_pwait2_) {
      timespec limit;
      const long n =
          syscall(SYS_epoll_pwait2, epoll_fd_, events_.data(), room,
                  WaitLimit(timeout_ns, /*precise=*/true, &limit), nullptr, 0);
      if (n >= 0 || errno != ENOSYS) return static_cast<int>(n);
      have_pwait2_ = false;
    }
#endif
    const std::int64_t limit_ns = WaitLimitNs(timeout_ns, /*precise=*/false);
    const int timeout_ms =
        limit_ns < 0 ? -1 : static_cast<int>(limit_ns / 1000000);
#ifndef __SANITIZE_THREAD__  // which runs signal handlers in calls it knows
    if (!cancellable_) {
      return static_cast<int>(syscall(SYS_epoll_pwait, epoll_fd_,
                                      events_.data(), room, timeout_ms, nullptr,
                                      0));
    }
#endif
    return epoll_wait(epoll_fd_, events_.data(), room, timeout_ms);
  }

  const bool precise_;
  [[maybe_unused]] const bool cancellable_;
  const char* const name_;
  bool have_pwait2_ = true;
  int epoll_fd_ = -1;
  Doorbell doorbell_;  // never cleared: an edge is news
  PodVector<epoll_event> events_;
};

}  // namespace

Backend* NewEpollBackend(const BackendOptions& options) {
  return NewOpened<EpollBackend>(options);
}

}  // namespace percore
