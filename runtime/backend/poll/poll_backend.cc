#include "percore/runtime/backend/poll/poll_backend.h"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <cstring>

#include "percore/runtime/backend/doorbell.h"
#include "percore/runtime/backend/poll_bits.h"
#include "percore/runtime/backend/wait_limit.h"
#include "percore/runtime/sync/mutex.h"

namespace percore {
namespace {

class PollBackend final : public Backend {
 public:
  explicit PollBackend(const BackendOptions& options)
      : precise_(options.precise_timer), shared_(options.shared) {}

  // False with errno set.
  bool Open() {
    if (!doorbell_.Open()) return false;
    MutexLockIf lock(&mutex_, shared_);
    return set_.Push({doorbell_.fd(), POLLIN, 0});
  }

  const char* name() const override { return "poll"; }
  int features() const override { return kPollFeatures; }

  int Update(int fd, std::uint32_t generation, Interest before,
             Interest now) override {
    // poll() would say so only in the wait. Removal needs no open file.
    const bool open = now == kInterestNone || fcntl(fd, F_GETFD) >= 0;
    MutexLockIf lock(&mutex_, shared_);
    const int error = open ? Put(fd, generation, now)
                           : (Put(fd, generation, kInterestNone), EBADF);
    changed_ = true;
    if (waiting_) doorbell_.Ring();
    return error;
  }

  int Wait(std::int64_t timeout_ns, ReadyList* ready) override {
    MutexLockIf lock(&mutex_, shared_);
    if (shared_ && changed_) {
      if (!copy_.Resize(set_.size())) return ENOMEM;
      std::memcpy(copy_.data(), set_.data(), set_.size() * sizeof(pollfd));
      changed_ = false;
    }
    PodVector<pollfd>& polled = shared_ ? copy_ : set_;
    const std::uint64_t seen = updates_;
    waiting_ = shared_;
    lock.Release();
    timespec limit;
    const int n = ppoll(polled.data(), polled.size(),
                        WaitLimit(timeout_ns, precise_, &limit), nullptr);
    const int error = n < 0 ? errno : 0;
    lock.Relock();
    waiting_ = false;
    if (error != 0) return error == EINTR ? 0 : error;
    Report(&polled, n, seen, ready);
    return 0;
  }

  void Ring() override { doorbell_.Ring(); }

 private:
  struct Place {
    std::uint32_t at;  // in set_; 0 (the doorbell's): not held
    std::uint32_t generation;
    std::uint64_t updated;  // updates_ then
  };

  int Put(int fd, std::uint32_t generation, Interest now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::size_t index = static_cast<std::size_t>(fd);
    if (now == kInterestNone) {
      if (index >= places_.size() || places_[index].at == 0) return ENOENT;
      const std::uint32_t at = places_[index].at;
      set_[at] = set_.back();
      places_[static_cast<std::size_t>(set_[at].fd)].at = at;
      set_.Truncate(set_.size() - 1);
      places_[index] = {0, generation, ++updates_};
      return 0;
    }
    if (index >= places_.size() && !places_.Resize(index + 1)) return ENOMEM;
    Place& place = places_[index];
    if (place.at == 0) {
      if (!set_.Push({fd, 0, 0})) return ENOMEM;
      place.at = static_cast<std::uint32_t>(set_.size() - 1);
    }
    set_[place.at].events = static_cast<short>(ToPollBits(now));
    place.generation = generation;
    place.updated = ++updates_;
    return 0;
  }

  // `n` entries of `polled` have something to say.
  void Report(PodVector<pollfd>* polled, int n, std::uint64_t seen,
              ReadyList* ready) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (n > 0 && (*polled)[0].revents != 0) {
      doorbell_.Clear();
      --n;
    }
    // With less room the rest is reported by the next wait.
    [[maybe_unused]] const bool room =
        ready->Reserve(ready->size() + static_cast<std::size_t>(n));
    for (std::size_t i = 1; n > 0 && i < polled->size(); ++i) {
      const pollfd& one = (*polled)[i];
      if (one.revents == 0) continue;
      --n;
      const Place& place = places_[static_cast<std::size_t>(one.fd)];
      // Changed by another thread since: the report may be of another file.
      if (place.at == 0 || place.updated > seen) continue;
      const Interest what =
          FromPollBits(static_cast<std::uint16_t>(one.revents));
      if (what == 0) continue;
      if (ready->size() == ready->capacity()) return;
      ready->PushReserved({one.fd, place.generation, what});
    }
  }

  const bool precise_;
  const bool shared_;
  Doorbell doorbell_;
  // What follows is guarded by mutex_ in a shared base.
  Mutex mutex_;
  PodVector<pollfd> set_ ABSL_GUARDED_BY(mutex_);    // the doorbell first
  PodVector<Place> places_ ABSL_GUARDED_BY(mutex_);  // by descriptor
  std::uint64_t updates_ ABSL_GUARDED_BY(mutex_) = 0;
  // Since copy_ was made.
  bool changed_ ABSL_GUARDED_BY(mutex_) = true;
  // The owner polls copy_.
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  // The owner's.
  PodVector<pollfd> copy_;
};

}  // namespace

Backend* NewPollBackend(const BackendOptions& options) {
  return NewOpened<PollBackend>(options);
}

}  // namespace percore
