// Time as the loop and its callbacks see it (semantics 2.2, 2.3, 2.8).
#include <cerrno>

#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/cycles.h"

namespace percore {
namespace {

// How long a measured difference between the clocks is used.
constexpr std::int64_t kWallOffsetLifeNs = 5000000000;

// The tag of a common timeout in tv_usec: the top nibble 5, the index below.
constexpr long kCommonTag = 0x50000000;
constexpr int kCommonShift = 20;
constexpr std::size_t kMostCommon = 256;
constexpr long kMicroseconds = 0x000fffff;

}  // namespace

int EventBase::CachedTimeOfDay(timeval* tv) {
  Entrance entrance(this);
  const std::int64_t wall_now = [this] {
    return clock_ == nullptr ? RealWallNs() : clock_->WallNs();
  }();
  if (!time_cached_) {
    *tv = NsToTimeval(wall_now);
    return 0;
  }
  if (wall_offset_read_ns_ == 0 ||
      now_ns_ - wall_offset_read_ns_ > kWallOffsetLifeNs) {
    wall_offset_ns_ = wall_now - ReadClock();
    wall_offset_read_ns_ = now_ns_;
  }
  *tv = NsToTimeval(now_ns_ + wall_offset_ns_);
  return 0;
}

int EventBase::UpdateCachedTime() {
  Entrance entrance(this);
  // Outside the loop there is no cache to refresh.
  if (running_) {
    now_ns_ = ReadClock();
    time_cached_ = (flags_ & EVENT_BASE_FLAG_NO_CACHE_TIME) == 0;
  }
  return 0;
}

const timeval* EventBase::CommonTimeout(const timeval* duration) {
  Entrance entrance(this);
  timeval plain = *duration;
  if (plain.tv_usec > 1000000) {  // semantics 2.9
    if ((plain.tv_usec & 0xf0000000) == kCommonTag) {
      plain.tv_usec &= kMicroseconds;
    } else {
      plain.tv_sec += plain.tv_usec / 1000000;
      plain.tv_usec %= 1000000;
    }
  }
  for (timeval* known : common_timeouts_) {
    if (known->tv_sec == plain.tv_sec &&
        (known->tv_usec & kMicroseconds) == plain.tv_usec) {
      return known;
    }
  }
  const std::size_t index = common_timeouts_.size();
  if (index == kMostCommon) {
    LogWarnx(
        "event_base_init_common_timeout: Too many common timeouts "
        "already in use; we only support %d per event_base",
        static_cast<int>(kMostCommon));
    return nullptr;
  }
  if (!common_timeouts_.Reserve(index + 1)) return nullptr;
  auto* made = MemNew<timeval>();
  if (made == nullptr) return nullptr;
  made->tv_sec = plain.tv_sec;
  made->tv_usec =
      plain.tv_usec | kCommonTag | static_cast<long>(index) << kCommonShift;
  common_timeouts_.PushReserved(made);
  return made;
}

std::uint64_t EventBase::BeginTiming(const void* what) {
  const std::uint64_t began = Cycles() | 1;
  progress_.what.store(what, std::memory_order_relaxed);
  // Sequentially consistent with the watcher, which says that it sleeps and
  // then looks at every loop once more.
  progress_.began.store(began, std::memory_order_seq_cst);
  StallWatch* watch = progress_.watch;
  if (watch != nullptr && watch->asleep.load(std::memory_order_seq_cst) &&
      watch->asleep.exchange(false)) {
    watch->wake(watch);
  }
  return began;
}

void EventBase::EndTiming(std::uint64_t began) {
  progress_.began.store(0, std::memory_order_relaxed);
  const std::uint64_t ns = NanosecondsOf(Cycles() - began);
  stats_.busy_ns += ns;
  stats_.callback_ns.Add(ns);
}

LoopStats EventBase::Stats() {
  Entrance entrance(this);
  LoopStats copy = stats_;
  copy.wakeups_sent = mailbox_->rings();
  copy.overflowed_messages = mailbox_->overflowed();
  copy.messages_posted = outboxes_.posted();
  copy.message_batches = outboxes_.batches();
  return copy;
}

std::uint64_t Histogram::Quantile(double share) const {
  const std::uint64_t total = Total();
  if (total == 0) return 0;
  const double wanted = share * static_cast<double>(total);
  std::uint64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += counts[static_cast<std::size_t>(i)];
    if (static_cast<double>(seen) >= wanted) {
      return i == 0 ? 0 : std::uint64_t{1} << i;
    }
  }
  return std::uint64_t{1} << (kBuckets - 1);
}

}  // namespace percore
