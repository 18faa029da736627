// RateLimitGroup: streams that share one bucket; `struct
// bufferevent_rate_limit_group` of the C door.
//
// A member may move its share: what is left divided by the members, at least
// the minimum share. An empty bucket holds all members back until a tick fills
// it; they are let go in an order that starts somewhere else each time.
//
// Threads. The group has a lock of its own when locks are installed: a leaf
// below the streams' leaf locks. Members are held back and let go on the
// thread of the group's base; with streams of other threads they must be
// THREADSAFE.
#ifndef PERCORE_NET_STREAM_RATE_LIMIT_GROUP_H_
#define PERCORE_NET_STREAM_RATE_LIMIT_GROUP_H_

#include <pthread.h>

#include "percore/net/rate_limit/token_bucket.h"
#include "percore/net/stream/stream.h"

namespace percore {

class RateLimitGroup {
 public:
  // Null when there is no memory.
  static RateLimitGroup* Create(EventBase* base,
                                const ev_token_bucket_cfg& config);
  // Must have no member.
  static void Free(RateLimitGroup* group);

  static RateLimitGroup* From(bufferevent_rate_limit_group* g) {
    return reinterpret_cast<RateLimitGroup*>(g);
  }
  bufferevent_rate_limit_group* c() {
    return reinterpret_cast<bufferevent_rate_limit_group*>(this);
  }

  void SetConfig(const ev_token_bucket_cfg& config);
  void SetMinimumShare(std::size_t bytes);

  void Join(Stream* s);
  // Lets the stream go on, as far as the group is concerned.
  void Leave(Stream* s);

  // Groups of several bases that stand for one: a stream that moves from a
  // base to another goes on in the group of that base. Both ways; before
  // either has members.
  void MakeTwins(RateLimitGroup* other);
  // The one of them on `base`, or null.
  RateLimitGroup* TwinOn(EventBase* base);

  // A member's share now; negative: nothing.
  ev_ssize_t Share(bool read);
  // Takes from the bucket; holds all back, or lets them go.
  void Charge(ev_ssize_t n, bool read, bool count_total);

  ev_ssize_t level(bool read);
  void Totals(std::uint64_t* read, std::uint64_t* written);
  void ResetTotals();

 private:
  template <typename T, typename... Args>
  friend T* MemNew(Args&&...) noexcept;
  template <typename T>
  friend void MemDelete(T*) noexcept;
  class Guard;

  RateLimitGroup() : next_twin_(this) {}
  ~RateLimitGroup() = default;

  static void OnTick(evutil_socket_t fd, short what, void* arg);
  void Tick();
  void HoldBack(bool read);
  void LetGo(bool read);
  void Fit();

  ev_token_bucket_cfg config_ = {};
  TokenBucketLevel level_ = {};
  event refill_ = {};
  EventBase* base_ = nullptr;
  RateLimitGroup* next_twin_;  // a ring
  Stream* members_ = nullptr;
  std::size_t count_ = 0;
  std::size_t minimum_share_ = 64;
  std::size_t asked_share_ = 64;
  std::uint64_t total_read_ = 0;
  std::uint64_t total_written_ = 0;
  std::uint64_t chance_ = 0x9e3779b97f4a7c15u;
  bool read_held_ = false;
  bool write_held_ = false;
  pthread_mutex_t lock_ = PTHREAD_MUTEX_INITIALIZER;
};

}  // namespace percore

#endif  // PERCORE_NET_STREAM_RATE_LIMIT_GROUP_H_
