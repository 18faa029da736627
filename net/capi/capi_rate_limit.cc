// The rate limits of <event2/bufferevent.h>, one call deep.
#include <event2/bufferevent.h>

#include "percore/net/rate_limit/token_bucket.h"
#include "percore/net/stream/rate_limit_group.h"
#include "percore/net/stream/stream_limit.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"

using percore::EventBase;
using percore::RateLimitGroup;
using percore::Stream;
using percore::StreamLimit;

namespace {

ev_ssize_t OwnLevel(bufferevent* bev, bool read) {
  Stream* s = Stream::From(bev);
  percore::StreamScope scope(s);
  StreamLimit* limit = s->limit;
  if (limit == nullptr || limit->config == nullptr) return EV_SSIZE_MAX;
  limit->level.Update(*limit->config,
                      limit->config->TickOf(s->base()->NowNs()));
  return read ? limit->level.read : limit->level.write;
}

int ChargeOwn(bufferevent* bev, ev_ssize_t n, bool read) {
  Stream* s = Stream::From(bev);
  percore::StreamScope scope(s);
  PERCORE_CHECK(s->limit != nullptr && s->limit->config != nullptr);
  return StreamLimit::ChargeOwn(s, n, read);
}

std::size_t Single(std::size_t set) {
  return set != 0 ? set : percore::kDefaultSingleLimit;
}

}  // namespace

extern "C" {

struct ev_token_bucket_cfg* ev_token_bucket_cfg_new(
    size_t read_rate, size_t read_burst, size_t write_rate, size_t write_burst,
    const struct timeval* tick_len) {
  ev_token_bucket_cfg config;
  if (!percore::MakeTokenBucketConfig(read_rate, read_burst, write_rate,
                                      write_burst, tick_len, &config)) {
    return nullptr;
  }
  return percore::MemNew<ev_token_bucket_cfg>(config);
}

void ev_token_bucket_cfg_free(struct ev_token_bucket_cfg* cfg) {
  percore::MemDelete(cfg);
}

int bufferevent_set_rate_limit(struct bufferevent* bev,
                               struct ev_token_bucket_cfg* cfg) {
  return StreamLimit::SetOwn(Stream::From(bev), cfg);
}

struct bufferevent_rate_limit_group* bufferevent_rate_limit_group_new(
    struct event_base* base, const struct ev_token_bucket_cfg* cfg) {
  RateLimitGroup* g = RateLimitGroup::Create(EventBase::From(base), *cfg);
  return g != nullptr ? g->c() : nullptr;
}

int bufferevent_rate_limit_group_set_cfg(
    struct bufferevent_rate_limit_group* g,
    const struct ev_token_bucket_cfg* cfg) {
  if (g == nullptr || cfg == nullptr) return -1;
  RateLimitGroup::From(g)->SetConfig(*cfg);
  return 0;
}

int bufferevent_rate_limit_group_set_min_share(
    struct bufferevent_rate_limit_group* g, size_t share) {
  if (share > EV_SSIZE_MAX) return -1;
  RateLimitGroup::From(g)->SetMinimumShare(share);
  return 0;
}

void bufferevent_rate_limit_group_free(struct bufferevent_rate_limit_group* g) {
  RateLimitGroup::Free(RateLimitGroup::From(g));
}

int bufferevent_add_to_rate_limit_group(
    struct bufferevent* bev, struct bufferevent_rate_limit_group* g) {
  return StreamLimit::JoinGroup(Stream::From(bev), RateLimitGroup::From(g));
}

int bufferevent_remove_from_rate_limit_group(struct bufferevent* bev) {
  return StreamLimit::LeaveGroup(Stream::From(bev));
}

ev_ssize_t bufferevent_get_read_limit(struct bufferevent* bev) {
  return OwnLevel(bev, true);
}

ev_ssize_t bufferevent_get_write_limit(struct bufferevent* bev) {
  return OwnLevel(bev, false);
}

ev_ssize_t bufferevent_get_max_to_read(struct bufferevent* bev) {
  Stream* s = Stream::From(bev);
  percore::StreamScope scope(s);
  const std::size_t single = Single(s->max_single_read);
  return static_cast<ev_ssize_t>(
      s->limit == nullptr ? single : StreamLimit::ReadMax(s, single));
}

ev_ssize_t bufferevent_get_max_to_write(struct bufferevent* bev) {
  Stream* s = Stream::From(bev);
  percore::StreamScope scope(s);
  const std::size_t single = Single(s->max_single_write);
  return static_cast<ev_ssize_t>(
      s->limit == nullptr ? single : StreamLimit::WriteMax(s, single));
}

const struct ev_token_bucket_cfg* bufferevent_get_token_bucket_cfg(
    const struct bufferevent* bev) {
  const Stream* s = Stream::From(bev);
  return s->limit != nullptr ? s->limit->config : nullptr;
}

ev_ssize_t bufferevent_rate_limit_group_get_read_limit(
    struct bufferevent_rate_limit_group* g) {
  return RateLimitGroup::From(g)->level(true);
}

ev_ssize_t bufferevent_rate_limit_group_get_write_limit(
    struct bufferevent_rate_limit_group* g) {
  return RateLimitGroup::From(g)->level(false);
}

int bufferevent_decrement_read_limit(struct bufferevent* bev, ev_ssize_t decr) {
  return ChargeOwn(bev, decr, true);
}

int bufferevent_decrement_write_limit(struct bufferevent* bev,
                                      ev_ssize_t decr) {
  return ChargeOwn(bev, decr, false);
}

int bufferevent_rate_limit_group_decrement_read(
    struct bufferevent_rate_limit_group* g, ev_ssize_t decr) {
  RateLimitGroup::From(g)->Charge(decr, true, /*count_total=*/false);
  return 0;
}

int bufferevent_rate_limit_group_decrement_write(
    struct bufferevent_rate_limit_group* g, ev_ssize_t decr) {
  RateLimitGroup::From(g)->Charge(decr, false, /*count_total=*/false);
  return 0;
}

void bufferevent_rate_limit_group_get_totals(
    struct bufferevent_rate_limit_group* g, ev_uint64_t* total_read_out,
    ev_uint64_t* total_written_out) {
  RateLimitGroup::From(g)->Totals(total_read_out, total_written_out);
}

void bufferevent_rate_limit_group_reset_totals(
    struct bufferevent_rate_limit_group* g) {
  RateLimitGroup::From(g)->ResetTotals();
}

}  // extern "C"
