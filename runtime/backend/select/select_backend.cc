#include "percore/runtime/backend/select/select_backend.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <climits>
#include <cstring>

#include "percore/runtime/backend/doorbell.h"
#include "percore/runtime/backend/wait_limit.h"
#include "percore/runtime/sync/mutex.h"

namespace percore {
namespace {

using Word = unsigned long;  // what the kernel's sets are made of
constexpr std::size_t kWordBits = sizeof(Word) * CHAR_BIT;

// A set of descriptors of any size.
class BitSet {
 public:
  [[nodiscard]] bool Grow(std::size_t words) {
    return words <= words_.size() || words_.Resize(words);
  }
  void Set(int fd, bool on) {
    const auto index = static_cast<std::size_t>(fd);
    const Word bit = Word{1} << (index % kWordBits);
    if (on) {
      words_[index / kWordBits] |= bit;
    } else {
      words_[index / kWordBits] &= ~bit;
    }
  }
  bool Has(int fd) const {
    const auto index = static_cast<std::size_t>(fd);
    return (words_[index / kWordBits] >> (index % kWordBits) & 1) != 0;
  }
  // Requires room for the other's words.
  void CopyFrom(const BitSet& other, std::size_t words) {
    std::memcpy(words_.data(), other.words_.data(), words * sizeof(Word));
  }
  Word word(std::size_t i) const { return words_[i]; }
  std::size_t words() const { return words_.size(); }
  fd_set* system() { return reinterpret_cast<fd_set*>(words_.data()); }

 private:
  PodVector<Word> words_;
};

class SelectBackend final : public Backend {
 public:
  explicit SelectBackend(const BackendOptions& options)
      : precise_(options.precise_timer), shared_(options.shared) {}

  // False with errno set.
  bool Open() {
    MutexLockIf lock(&mutex_, shared_);
    if (!doorbell_.Open() || !Grow(doorbell_.fd())) return false;
    readers_.Set(doorbell_.fd(), true);
    highest_ = doorbell_.fd();
    return true;
  }

  const char* name() const override { return "select"; }
  int features() const override { return kSelectFeatures; }

  int Update(int fd, std::uint32_t generation, Interest before,
             Interest now) override {
    // select() would fail as a whole. Removal needs no open file.
    const bool open = now == kInterestNone || fcntl(fd, F_GETFD) >= 0;
    MutexLockIf lock(&mutex_, shared_);
    const int error = open ? Put(fd, generation, now)
                           : (Put(fd, generation, kInterestNone), EBADF);
    if (waiting_) doorbell_.Ring();
    return error;
  }

  int Wait(std::int64_t timeout_ns, ReadyList* ready) override {
    MutexLockIf lock(&mutex_, shared_);
    const int highest = highest_;
    const std::size_t words = WordsFor(highest);
    if (!found_readers_.Grow(words) || !found_writers_.Grow(words)) {
      return ENOMEM;
    }
    found_readers_.CopyFrom(readers_, words);
    found_writers_.CopyFrom(writers_, words);
    const std::uint64_t seen = updates_;
    waiting_ = shared_;
    lock.Release();
    timespec limit;
    const int n =
        pselect(highest + 1, found_readers_.system(), found_writers_.system(),
                nullptr, WaitLimit(timeout_ns, precise_, &limit), nullptr);
    const int error = n < 0 ? errno : 0;
    lock.Relock();
    waiting_ = false;
    if (error == EINTR) return 0;
    if (error == EBADF) {
      AskEach(highest);
    } else if (error != 0) {
      return error;
    }
    if (error == 0 && n == 0) return 0;
    Report(highest, seen, ready);
    return 0;
  }

  void Ring() override { doorbell_.Ring(); }

 private:
  struct Watch {
    std::uint32_t generation;
    Interest interest;
    std::uint64_t updated;  // updates_ then
  };

  static std::size_t WordsFor(int fd) {
    return static_cast<std::size_t>(fd) / kWordBits + 1;
  }

  bool Grow(int fd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (static_cast<std::size_t>(fd) < watches_.size()) return true;
    // By doubling: the owner's copies follow in Wait(). In an owned base they
    // are made here, so that the wait cannot fail.
    const std::size_t words = std::max(
        WordsFor(fd), std::min(readers_.words() * 2, readers_.words() + 1024));
    if (!shared_ &&
        !(found_readers_.Grow(words) && found_writers_.Grow(words))) {
      return false;
    }
    return readers_.Grow(words) && writers_.Grow(words) &&
           watches_.Resize(words * kWordBits);
  }

  int Put(int fd, std::uint32_t generation, Interest now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (now == kInterestNone &&
        (static_cast<std::size_t>(fd) >= watches_.size() ||
         watches_[static_cast<std::size_t>(fd)].interest == kInterestNone)) {
      return ENOENT;
    }
    if (!Grow(fd)) return ENOMEM;
    readers_.Set(fd, (now & kInterestRead) != 0);
    writers_.Set(fd, (now & kInterestWrite) != 0);
    watches_[static_cast<std::size_t>(fd)] = {generation, now, ++updates_};
    if (now != kInterestNone) {
      highest_ = std::max(highest_, fd);
    } else if (fd == highest_) {
      while (highest_ != doorbell_.fd() &&
             watches_[static_cast<std::size_t>(highest_)].interest ==
                 kInterestNone) {
        --highest_;
      }
    }
    return 0;
  }

  // The call failed because a descriptor is closed, which must not starve the
  // others: asks one by one. The closed ones count as ready.
  void AskEach(int highest) {
    for (int fd = 0; fd <= highest; ++fd) {
      const bool reader = found_readers_.Has(fd);
      const bool writer = found_writers_.Has(fd);
      if (!reader && !writer) continue;
      pollfd one{fd, POLLIN | POLLOUT, 0};
      poll(&one, 1, 0);
      const bool both = (one.revents & (POLLNVAL | POLLERR)) != 0;
      found_readers_.Set(
          fd, reader && (both || (one.revents & (POLLIN | POLLHUP)) != 0));
      found_writers_.Set(fd, writer && (both || (one.revents & POLLOUT) != 0));
    }
  }

  void Report(int highest, std::uint64_t seen, ReadyList* ready)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::size_t words = WordsFor(highest);
    for (std::size_t i = 0; i < words; ++i) {
      Word any = found_readers_.word(i) | found_writers_.word(i);
      for (; any != 0; any &= any - 1) {
        const int fd = static_cast<int>(
            i * kWordBits + static_cast<std::size_t>(std::countr_zero(any)));
        if (fd == doorbell_.fd()) {
          doorbell_.Clear();
          continue;
        }
        const Watch& watch = watches_[static_cast<std::size_t>(fd)];
        // Changed by another thread since: it may be another file.
        if (watch.interest == kInterestNone || watch.updated > seen) continue;
        Interest what = 0;
        if (found_readers_.Has(fd)) what |= kInterestRead;
        if (found_writers_.Has(fd)) what |= kInterestWrite;
        // With less room the rest is reported by the next wait.
        if (!ready->Push({fd, watch.generation, what})) return;
      }
    }
  }

  const bool precise_;
  const bool shared_;
  Doorbell doorbell_;
  // What follows is guarded by mutex_ in a shared base.
  Mutex mutex_;
  BitSet readers_ ABSL_GUARDED_BY(mutex_);
  BitSet writers_ ABSL_GUARDED_BY(mutex_);
  PodVector<Watch> watches_ ABSL_GUARDED_BY(mutex_);  // by descriptor
  int highest_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t updates_ ABSL_GUARDED_BY(mutex_) = 0;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  // The owner's: asked, then answered.
  BitSet found_readers_;
  BitSet found_writers_;
};

}  // namespace

Backend* NewSelectBackend(const BackendOptions& options) {
  return NewOpened<SelectBackend>(options);
}

}  // namespace percore
