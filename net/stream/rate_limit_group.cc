#include "percore/net/stream/rate_limit_group.h"

#include <climits>
#include <utility>

#include "percore/net/stream/stream_limit.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"

namespace percore {

class RateLimitGroup::Guard {
 public:
  explicit Guard(RateLimitGroup* g) : g_(g) { pthread_mutex_lock(&g_->lock_); }
  ~Guard() { pthread_mutex_unlock(&g_->lock_); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  RateLimitGroup* g_;
};

RateLimitGroup* RateLimitGroup::Create(EventBase* base,
                                       const ev_token_bucket_cfg& config) {
  auto* g = MemNew<RateLimitGroup>();
  if (g == nullptr) return nullptr;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  // Holding a member back may charge nothing, but ask for its share.
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&g->lock_, &attributes);
  pthread_mutexattr_destroy(&attributes);
  g->base_ = base;
  g->config_ = config;
  g->level_.Init(config, config.TickOf(base->NowNs()), true);
  g->Fit();
  EventBase::Assign(&g->refill_, base, -1, EV_PERSIST | EV_FINALIZE, &OnTick,
                    g);
  if (base->Add(&g->refill_, &config.tick) < 0) {
    Free(g);
    return nullptr;
  }
  return g;
}

void RateLimitGroup::Free(RateLimitGroup* g) {
  PERCORE_CHECK(g->count_ == 0);
  RateLimitGroup* before = g;
  while (before->next_twin_ != g) before = before->next_twin_;
  before->next_twin_ = g->next_twin_;
  g->base_->Del(&g->refill_, DelWait::kUnlessFinalize);
  pthread_mutex_destroy(&g->lock_);
  MemDelete(g);
}

void RateLimitGroup::MakeTwins(RateLimitGroup* other) {
  std::swap(next_twin_, other->next_twin_);
}

RateLimitGroup* RateLimitGroup::TwinOn(EventBase* base) {
  for (RateLimitGroup* g = next_twin_; g != this; g = g->next_twin_) {
    if (g->base_ == base) return g;
  }
  return nullptr;
}

void RateLimitGroup::SetConfig(const ev_token_bucket_cfg& config) {
  Guard guard(this);
  const bool same_tick = config.tick_ns == config_.tick_ns;
  config_ = config;
  level_.Init(config, config.TickOf(base_->NowNs()), false);
  if (!same_tick) base_->Add(&refill_, &config.tick);
  Fit();
}

void RateLimitGroup::SetMinimumShare(std::size_t bytes) {
  Guard guard(this);
  asked_share_ = bytes;
  Fit();
}

// No member may be promised more than the whole rate.
void RateLimitGroup::Fit() {
  minimum_share_ = asked_share_;
  if (minimum_share_ > config_.read_rate) minimum_share_ = config_.read_rate;
  if (minimum_share_ > config_.write_rate) minimum_share_ = config_.write_rate;
}

void RateLimitGroup::Join(Stream* s) {
  Guard guard(this);
  StreamLimit* limit = s->limit;
  limit->group = this;
  limit->previous = nullptr;
  limit->next = members_;
  if (members_ != nullptr) members_->limit->previous = s;
  members_ = s;
  ++count_;
  if (read_held_) s->SuspendRead(kSuspendGroup);
  if (write_held_) s->SuspendWrite(kSuspendGroup);
}

void RateLimitGroup::Leave(Stream* s) {
  {
    Guard guard(this);
    StreamLimit* limit = s->limit;
    (limit->previous != nullptr ? limit->previous->limit->next : members_) =
        limit->next;
    if (limit->next != nullptr) {
      limit->next->limit->previous = limit->previous;
    }
    limit->group = nullptr;
    --count_;
  }
  if (s->dead) return;
  s->ResumeRead(kSuspendGroup);
  s->ResumeWrite(kSuspendGroup);
}

ev_ssize_t RateLimitGroup::Share(bool read) {
  Guard guard(this);
  if (read ? read_held_ : write_held_) return -1;
  ev_ssize_t share = (read ? level_.read : level_.write) /
                     static_cast<ev_ssize_t>(count_ != 0 ? count_ : 1);
  const auto least = static_cast<ev_ssize_t>(minimum_share_);
  return share < least ? least : share;
}

void RateLimitGroup::Charge(ev_ssize_t n, bool read, bool count_total) {
  Guard guard(this);
  if (count_total) {
    (read ? total_read_ : total_written_) += static_cast<std::uint64_t>(n);
  }
  ev_ssize_t& level = read ? level_.read : level_.write;
  TokenBucketLevel::Take(&level, n);
  if (level <= 0) {
    HoldBack(read);
  } else if (read ? read_held_ : write_held_) {
    LetGo(read);
  }
}

void RateLimitGroup::HoldBack(bool read) {
  (read ? read_held_ : write_held_) = true;
  for (Stream* s = members_; s != nullptr; s = s->limit->next) {
    if (read) {
      s->SuspendRead(kSuspendGroup);
    } else {
      s->SuspendWrite(kSuspendGroup);
    }
  }
}

void RateLimitGroup::LetGo(bool read) {
  (read ? read_held_ : write_held_) = false;
  if (count_ == 0) return;
  // From a random member on, and round: none is always first.
  chance_ ^= chance_ << 13;
  chance_ ^= chance_ >> 7;
  chance_ ^= chance_ << 17;
  std::size_t skip = chance_ % count_;
  Stream* s = members_;
  while (skip-- != 0) s = s->limit->next;
  for (std::size_t i = 0; i < count_; ++i) {
    if (read) {
      s->ResumeRead(kSuspendGroup);
    } else {
      s->ResumeWrite(kSuspendGroup);
    }
    s = s->limit->next != nullptr ? s->limit->next : members_;
  }
}

void RateLimitGroup::OnTick(evutil_socket_t, short, void* arg) {
  static_cast<RateLimitGroup*>(arg)->Tick();
}

void RateLimitGroup::Tick() {
  Guard guard(this);
  level_.Update(config_, config_.TickOf(base_->NowNs()));
  const auto least = static_cast<ev_ssize_t>(minimum_share_);
  if (read_held_ && level_.read >= least) LetGo(true);
  if (write_held_ && level_.write >= least) LetGo(false);
}

ev_ssize_t RateLimitGroup::level(bool read) {
  Guard guard(this);
  return read ? level_.read : level_.write;
}

void RateLimitGroup::Totals(std::uint64_t* read, std::uint64_t* written) {
  Guard guard(this);
  if (read != nullptr) *read = total_read_;
  if (written != nullptr) *written = total_written_;
}

void RateLimitGroup::ResetTotals() {
  Guard guard(this);
  total_read_ = total_written_ = 0;
}

}  // namespace percore
