#include "percore/net/rate_limit/token_bucket.h"

#include <climits>

namespace percore {
namespace {

constexpr std::int64_t kSecondNs = 1000000000;
constexpr std::int64_t kMillisecondNs = 1000000;

__extension__ using Wide = unsigned __int128;

// b - a for a <= b, whatever their signs.
std::uint64_t Distance(std::int64_t a, std::int64_t b) {
  return static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a);
}

// What a level gains, without overflow: at most up to the burst.
void Rise(ev_ssize_t* level, std::size_t rate, std::size_t burst,
          std::int64_t ticks) {
  const auto top = static_cast<ev_ssize_t>(burst);
  if (*level >= top) {
    *level = top;
    return;
  }
  if (Distance(*level, top) / rate < static_cast<std::uint64_t>(ticks)) {
    *level = top;
  } else {
    *level += static_cast<ev_ssize_t>(rate) * static_cast<ev_ssize_t>(ticks);
  }
}

}  // namespace

bool MakeTokenBucketConfig(std::size_t read_rate, std::size_t read_burst,
                           std::size_t write_rate, std::size_t write_burst,
                           const timeval* tick, ev_token_bucket_cfg* config) {
  if (read_rate > read_burst || write_rate > write_burst || read_rate < 1 ||
      write_rate < 1 || read_burst > EV_RATE_LIMIT_MAX ||
      write_burst > EV_RATE_LIMIT_MAX) {
    return false;
  }
  const timeval second = {1, 0};
  if (tick == nullptr) tick = &second;
  if (tick->tv_sec < 0 || tick->tv_usec < 0 ||
      tick->tv_sec > INT64_MAX / kSecondNs / 2 || tick->tv_usec > INT_MAX) {
    return false;
  }
  const std::int64_t ns = tick->tv_sec * kSecondNs +
                          static_cast<std::int64_t>(tick->tv_usec) * 1000;
  if (ns < kMillisecondNs) return false;
  *config = {read_rate, read_burst, write_rate, write_burst, *tick, ns};
  return true;
}

void TokenBucketLevel::Init(const ev_token_bucket_cfg& config,
                            std::int64_t tick_now, bool fresh) {
  if (fresh) {
    read = static_cast<ev_ssize_t>(config.read_rate);
    write = static_cast<ev_ssize_t>(config.write_rate);
  } else {
    const auto read_top = static_cast<ev_ssize_t>(config.read_burst);
    const auto write_top = static_cast<ev_ssize_t>(config.write_burst);
    if (read > read_top) read = read_top;
    if (write > write_top) write = write_top;
  }
  tick = tick_now;
}

bool TokenBucketLevel::Update(const ev_token_bucket_cfg& config,
                              std::int64_t tick_now) {
  const std::int64_t passed = tick_now - tick;
  if (passed == 0) return false;
  tick = tick_now;
  // semantics 11.1
  if (passed < 0 || passed > INT_MAX) return false;
  Rise(&read, config.read_rate, config.read_burst, passed);
  Rise(&write, config.write_rate, config.write_burst, passed);
  return true;
}

void TokenBucketLevel::Take(ev_ssize_t* level, ev_ssize_t n) {
  ev_ssize_t result;
  if (__builtin_sub_overflow(*level, n, &result)) {
    result = n > 0 ? -SSIZE_MAX : SSIZE_MAX;
  }
  *level = result < -SSIZE_MAX ? -SSIZE_MAX : result;
}

// --- TokenBucket ------------------------------------------------------------

TokenBucket::TokenBucket(std::int64_t rate, std::int64_t period_ns,
                         std::int64_t burst, std::int64_t now_ns)
    : rate_(rate < 0 ? 0 : rate),
      period_ns_(period_ns < 0 ? 0 : period_ns),
      burst_(burst < 0 ? 0 : burst),
      level_(burst_),
      counted_ns_(now_ns) {}

void TokenBucket::Refill(std::int64_t now_ns) {
  if (now_ns <= counted_ns_) return;
  const std::uint64_t passed = Distance(counted_ns_, now_ns);
  counted_ns_ = now_ns;
  // A full bucket gathers nothing.
  if (rate_ == 0 || period_ns_ == 0 || level_ >= burst_) return;
  const auto period = static_cast<std::uint64_t>(period_ns_);
  const Wide earned = Wide{passed} * static_cast<std::uint64_t>(rate_) + part_;
  const Wide gained = earned / period;
  if (gained >= Distance(level_, burst_)) {
    level_ = burst_;
    part_ = 0;
    return;
  }
  level_ += static_cast<std::int64_t>(gained);
  part_ = static_cast<std::uint64_t>(earned % period);
}

bool TokenBucket::TryTake(std::int64_t n, std::int64_t now_ns) {
  Refill(now_ns);
  if (level_ < n) return false;
  Take(n, now_ns);
  return true;
}

void TokenBucket::Take(std::int64_t n, std::int64_t now_ns) {
  Refill(now_ns);
  if (__builtin_sub_overflow(level_, n, &level_)) {
    level_ = n > 0 ? -INT64_MAX : burst_;
  }
  if (level_ > burst_) level_ = burst_;
}

std::int64_t TokenBucket::Level(std::int64_t now_ns) {
  Refill(now_ns);
  return level_;
}

std::int64_t TokenBucket::TimeUntil(std::int64_t n, std::int64_t now_ns) {
  Refill(now_ns);
  if (level_ >= n) return 0;
  if (rate_ == 0 || period_ns_ == 0 || n > burst_) return INT64_MAX;
  const auto rate = static_cast<std::uint64_t>(rate_);
  const Wide ns =
      (Wide{Distance(level_, n)} * static_cast<std::uint64_t>(period_ns_) -
       part_ + rate - 1) /
      rate;
  if (ns > static_cast<std::uint64_t>(INT64_MAX)) return INT64_MAX;
  return static_cast<std::int64_t>(ns);
}

}  // namespace percore
