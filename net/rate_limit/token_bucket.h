// Token buckets: how many bytes may move now, given a rate and a burst.
//
// Time is cut into ticks of the configuration, counted in nanoseconds of the
// monotonic clock. At each new tick a level rises by the rate, up to the
// burst. A level may fall below zero (one large read); nothing moves until it
// is above again. No division by zero, no overflow: the configuration refuses
// ticks under a millisecond, and rises stop at the burst.
//
// This room is arithmetic: it knows no stream and no loop. Any thread, one at
// a time for each level.
#ifndef PERCORE_NET_RATE_LIMIT_TOKEN_BUCKET_H_
#define PERCORE_NET_RATE_LIMIT_TOKEN_BUCKET_H_

#include <event2/bufferevent.h>
#include <sys/time.h>

#include <cstddef>
#include <cstdint>

// A configuration; the type of the C door.
struct ev_token_bucket_cfg {
  std::size_t read_rate;   // bytes a tick
  std::size_t read_burst;  // the highest level
  std::size_t write_rate;
  std::size_t write_burst;
  timeval tick;
  std::int64_t tick_ns;

  std::int64_t TickOf(std::int64_t now_ns) const { return now_ns / tick_ns; }
};

namespace percore {

// Fills `config`. `tick` null: one second. False: a rate of zero, a rate above
// its burst, a number above EV_RATE_LIMIT_MAX, or a tick that is negative,
// under 1 ms, or longer than nanoseconds can count.
bool MakeTokenBucketConfig(std::size_t read_rate, std::size_t read_burst,
                           std::size_t write_rate, std::size_t write_burst,
                           const timeval* tick, ev_token_bucket_cfg* config);

struct TokenBucketLevel {
  ev_ssize_t read;
  ev_ssize_t write;
  std::int64_t tick;  // of the last rise

  // `fresh`: the levels begin at the rates; else they are cut to the bursts.
  void Init(const ev_token_bucket_cfg& config, std::int64_t tick_now,
            bool fresh);
  // Rises for the ticks since; true if there were any. A clock that goes back
  // or jumps absurdly far changes nothing but the tick.
  bool Update(const ev_token_bucket_cfg& config, std::int64_t tick_now);

  // Takes `n` (gives, if negative) without overflow.
  static void Take(ev_ssize_t* level, ev_ssize_t n);
};

// The same for C++ programs that limit something of their own; it refills
// continuously.
//
//   TokenBucket bucket(1000000, 1000000000, 65536, now);  // 1 MB a second
class TokenBucket {
 public:
  // `rate` tokens each `period_ns`, at most `burst`; begins full. A rate or a
  // period of zero or less gives nothing.
  TokenBucket(std::int64_t rate, std::int64_t period_ns, std::int64_t burst,
              std::int64_t now_ns);

  // Takes `n` if there are that many.
  bool TryTake(std::int64_t n, std::int64_t now_ns);
  // Takes `n` whatever is there; the level may fall below zero.
  void Take(std::int64_t n, std::int64_t now_ns);
  // Tokens there now.
  std::int64_t Level(std::int64_t now_ns);
  // Nanoseconds until `n` are there; INT64_MAX: never.
  std::int64_t TimeUntil(std::int64_t n, std::int64_t now_ns);

 private:
  void Refill(std::int64_t now_ns);

  std::int64_t rate_;
  std::int64_t period_ns_;
  std::int64_t burst_;
  std::int64_t level_;
  std::uint64_t part_ = 0;   // of the next token, in parts of a period
  std::int64_t counted_ns_;  // up to here both are counted
};

}  // namespace percore

#endif  // PERCORE_NET_RATE_LIMIT_TOKEN_BUCKET_H_
