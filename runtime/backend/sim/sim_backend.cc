#include "percore/runtime/backend/sim/sim_backend.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <new>
#include <utility>
#include <vector>

#include "percore/runtime/backend/wait_limit.h"
#include "percore/runtime/observe/log.h"

namespace percore::sim {
namespace {

// semantics 3.10, as the poll backend has it.
Interest AskSystem(int fd, Interest interest) {
  pollfd asked{fd, 0, 0};
  if (interest & kInterestRead) asked.events |= POLLIN;
  if (interest & kInterestWrite) asked.events |= POLLOUT;
  if (interest & kInterestClosed) asked.events |= POLLRDHUP;
  if (poll(&asked, 1, 0) <= 0 || (asked.revents & POLLNVAL)) return 0;
  if ((asked.revents & POLLERR) ||
      ((asked.revents & POLLHUP) && !(asked.revents & POLLRDHUP))) {
    return kInterestRead | kInterestWrite;
  }
  Interest what = 0;
  if (asked.revents & POLLIN) what |= kInterestRead;
  if (asked.revents & POLLOUT) what |= kInterestWrite;
  if (asked.revents & POLLRDHUP) what |= kInterestClosed;
  return what;
}

Backend* Create(const BackendOptions& options) {
  World* world = World::Current();
  if (world == nullptr) {
    errno = ENOTSUP;
    return nullptr;
  }
  return new (std::nothrow) SimBackend(world, options);
}

}  // namespace

const BackendKind* SimBackendKind() {
  static constexpr BackendKind kKind = {"sim", kSimFeatures, /*implicit=*/false,
                                        /*listed=*/false, &Create};
  return &kKind;
}

SimBackend::SimBackend(World* world, const BackendOptions& options)
    : world_(world), precise_(options.precise_timer) {
  world_->Add(this);
}

SimBackend::~SimBackend() { world_->Remove(this); }

int SimBackend::Update(int fd, std::uint32_t generation, Interest before,
                       Interest now) {
  if (now == kInterestNone) {
    const bool held = place_.contains(fd);
    Forget(fd);
    return held ? 0 : ENOENT;
  }
  struct stat status;
  if (fstat(fd, &status) != 0) {
    Forget(fd);
    return EBADF;
  }
  if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) return EPERM;
  const auto known = place_.find(fd);
  // A change keeps its place: a replay need not know what changes are.
  const std::uint64_t at =
      known != place_.end() ? known->second : next_place_++;
  place_[fd] = at;
  entries_[at] = {fd, generation, now, world_->network().Find(fd)};
  return 0;
}

void SimBackend::Forget(int fd) {
  const auto it = place_.find(fd);
  if (it == place_.end()) return;
  entries_.erase(it->second);
  place_.erase(it);
}

Interest SimBackend::ReadyNow(Entry* entry) const {
  const bool edge = (entry->interest & kInterestEdge) != 0;
  if (entry->socket == nullptr) {
    const Interest what = static_cast<Interest>(
        AskSystem(entry->fd, entry->interest) & entry->interest);
    if (!edge) return what;
    entry->told &= what;
    return static_cast<Interest>(what & ~entry->told);
  }
  Interest what = static_cast<Interest>(
      entry->socket->Ready(world_->network().faults().buffer) &
      entry->interest);
  if (edge && entry->read_told == entry->socket->read_edges) {
    what = static_cast<Interest>(what & ~(kInterestRead | kInterestClosed));
  }
  if (edge && entry->write_told == entry->socket->write_edges) {
    what = static_cast<Interest>(what & ~kInterestWrite);
  }
  return what;
}

void SimBackend::Told(Entry* entry, Interest what) const {
  if (entry->socket == nullptr) {
    entry->told |= what;
    return;
  }
  if (what & (kInterestRead | kInterestClosed)) {
    entry->read_told = entry->socket->read_edges;
  }
  if (what & kInterestWrite) entry->write_told = entry->socket->write_edges;
}

bool SimBackend::AnyReady() {
  for (auto& [at, entry] : entries_) {
    if (ReadyNow(&entry) != 0) return true;
  }
  return false;
}

int SimBackend::Wait(std::int64_t timeout_ns, ReadyList* ready) {
  const std::int64_t limit = WaitLimitNs(timeout_ns, precise_);
  const std::int64_t deadline =
      limit < 0 ? INT64_MAX : world_->MonotonicNs() + limit;
  const bool something = world_->Block(deadline, [this] {
    return rung_.load(std::memory_order_acquire) || AnyReady();
  });
  if (!something && deadline == INT64_MAX) {
    LogErrx(kFatalInternal,
            "sim: a loop outside of the cores waits without limit and nothing "
            "can happen any more (seed %llu)",
            static_cast<unsigned long long>(world_->seed()));
  }
  rung_.store(false, std::memory_order_relaxed);
  Report(ready);
  return 0;
}

void SimBackend::Report(ReadyList* ready) {
  std::vector<std::pair<Entry*, Interest>> found;
  for (auto& [at, entry] : entries_) {
    const Interest what = ReadyNow(&entry);
    if (what != 0) found.push_back({&entry, what});
  }
  if (found.empty()) return;
  Random& random = world_->random();
  for (std::size_t i = found.size(); i > 1; --i) {
    std::swap(found[i - 1], found[random.Below(i)]);
  }
  // The rest comes with the next wait, as it does when the kernel is given
  // little room.
  if (random.OneIn(world_->network().faults().partial_report)) {
    found.resize(1 + random.Below(found.size()));
  }
  for (auto [entry, what] : found) {
    const Interest edge = entry->interest & kInterestEdge;
    if (!ready->Push({entry->fd, entry->generation,
                      static_cast<Interest>(what | edge)})) {
      break;
    }
    Told(entry, what);
  }
}

}  // namespace percore::sim
