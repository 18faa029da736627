// What holds a stream's bytes a second down: its own bucket and its group's.
// See net/rate_limit for the arithmetic.
#ifndef PERCORE_NET_STREAM_STREAM_LIMIT_H_
#define PERCORE_NET_STREAM_STREAM_LIMIT_H_

#include <event2/bufferevent.h>

#include "percore/net/rate_limit/token_bucket.h"
#include "percore/net/stream/stream.h"

namespace percore {

class RateLimitGroup;

struct StreamLimit {
  // Own limit. `config` stays the caller's, and must outlive its use.
  const ev_token_bucket_cfg* config;
  TokenBucketLevel level;
  event refill;  // the next tick, while something is held back

  // The group, and the ring of its members.
  RateLimitGroup* group;
  Stream* next;
  Stream* previous;

  // As bufferevent_set_rate_limit. 0 or -1.
  static int SetOwn(Stream* s, const ev_token_bucket_cfg* config);
  static int JoinGroup(Stream* s, RateLimitGroup* group);
  static int LeaveGroup(Stream* s);
  // Everything; the stream goes.
  static void Remove(Stream* s);

  // Bytes that may move now, 0 or more: the smallest of the single-call limit,
  // the level, and the share of the group. `single` is that limit.
  static std::size_t ReadMax(Stream* s, std::size_t single);
  static std::size_t WriteMax(Stream* s, std::size_t single);
  // Takes from the buckets, and holds the stream back when they are empty. A
  // negative number gives back.
  static int ChargeRead(Stream* s, ev_ssize_t n);
  static int ChargeWrite(Stream* s, ev_ssize_t n);
  // The own bucket only.
  static int ChargeOwn(Stream* s, ev_ssize_t n, bool read);

 private:
  static StreamLimit* Ensure(Stream* s);
  static void ReleaseIfUnused(Stream* s);
  static std::size_t Max(Stream* s, std::size_t single, bool read);
  static void OnTick(evutil_socket_t fd, short what, void* arg);
};

// The limit of one call to the system, or of one step of a filter.
inline std::size_t ReadMaxOf(Stream* s) {
  const std::size_t single =
      s->max_single_read != 0 ? s->max_single_read : kReadMost;
  return s->limit == nullptr ? single : StreamLimit::ReadMax(s, single);
}
inline std::size_t WriteMaxOf(Stream* s) {
  const std::size_t single =
      s->max_single_write != 0 ? s->max_single_write : kWriteMost;
  return s->limit == nullptr ? single : StreamLimit::WriteMax(s, single);
}

}  // namespace percore

#endif  // PERCORE_NET_STREAM_STREAM_LIMIT_H_
