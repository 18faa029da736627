#include "percore/net/stream/stream_limit.h"

#include "percore/net/stream/rate_limit_group.h"
#include "percore/runtime/system/memory.h"

namespace percore {
namespace {

std::int64_t TickNow(Stream* s, const ev_token_bucket_cfg& config) {
  return config.TickOf(s->base()->NowNs());
}

// How long until the next tick: a full one at most, as libevent waits.
void AwaitTick(Stream* s) {
  s->base()->Add(&s->limit->refill, &s->limit->config->tick);
}

}  // namespace

StreamLimit* StreamLimit::Ensure(Stream* s) {
  if (s->limit == nullptr) {
    s->limit = static_cast<StreamLimit*>(MemCalloc(1, sizeof(StreamLimit)));
    if (s->limit == nullptr) return nullptr;
    EventBase::Assign(&s->limit->refill, s->base(), -1, EV_FINALIZE, &OnTick,
                      s);
  }
  return s->limit;
}

int StreamLimit::SetOwn(Stream* s, const ev_token_bucket_cfg* config) {
  StreamScope scope(s);
  StreamLimit* limit = s->limit;
  if (config == nullptr) {
    if (limit == nullptr) return 0;
    limit->config = nullptr;
    s->DelEvent(&limit->refill);
    s->ResumeRead(kSuspendLimit);
    s->ResumeWrite(kSuspendLimit);
    return 0;
  }
  limit = Ensure(s);
  if (limit == nullptr) return -1;
  if (limit->config == config) return 0;
  limit->level.Init(*config, TickNow(s, *config), limit->config == nullptr);
  limit->config = config;
  s->DelEvent(&limit->refill);
  if (limit->level.read > 0) {
    s->ResumeRead(kSuspendLimit);
  } else {
    s->SuspendRead(kSuspendLimit);
    AwaitTick(s);
  }
  if (limit->level.write > 0) {
    s->ResumeWrite(kSuspendLimit);
  } else {
    s->SuspendWrite(kSuspendLimit);
    AwaitTick(s);
  }
  return 0;
}

int StreamLimit::JoinGroup(Stream* s, RateLimitGroup* group) {
  StreamScope scope(s);
  if (Ensure(s) == nullptr) return -1;
  if (s->limit->group == group) return 0;
  if (s->limit->group != nullptr) s->limit->group->Leave(s);
  group->Join(s);
  return 0;
}

int StreamLimit::LeaveGroup(Stream* s) {
  StreamScope scope(s);
  if (s->limit != nullptr && s->limit->group != nullptr) {
    s->limit->group->Leave(s);
  }
  return 0;
}

void StreamLimit::Remove(Stream* s) {
  if (s->limit->group != nullptr) s->limit->group->Leave(s);
  s->DelEvent(&s->limit->refill);
  MemFree(s->limit);
  s->limit = nullptr;
}

std::size_t StreamLimit::ReadMax(Stream* s, std::size_t single) {
  return Max(s, single, true);
}
std::size_t StreamLimit::WriteMax(Stream* s, std::size_t single) {
  return Max(s, single, false);
}

std::size_t StreamLimit::Max(Stream* s, std::size_t single, bool read) {
  StreamLimit& limit = *s->limit;
  ev_ssize_t most = static_cast<ev_ssize_t>(single);
  if (limit.config != nullptr) {
    limit.level.Update(*limit.config, TickNow(s, *limit.config));
    const ev_ssize_t level = read ? limit.level.read : limit.level.write;
    if (level < most) most = level;
  }
  if (limit.group != nullptr) {
    const ev_ssize_t share = limit.group->Share(read);
    if (share < 0) {
      if (read) {
        s->SuspendRead(kSuspendGroup);
      } else {
        s->SuspendWrite(kSuspendGroup);
      }
    }
    if (share < most) most = share;
  }
  return most > 0 ? static_cast<std::size_t>(most) : 0;
}

int StreamLimit::ChargeOwn(Stream* s, ev_ssize_t n, bool read) {
  StreamLimit* limit = s->limit;
  if (limit == nullptr || limit->config == nullptr) return 0;
  ev_ssize_t& level = read ? limit->level.read : limit->level.write;
  TokenBucketLevel::Take(&level, n);
  const std::uint8_t held = read ? s->read_suspended : s->write_suspended;
  if (level <= 0) {
    if (read) {
      s->SuspendRead(kSuspendLimit);
    } else {
      s->SuspendWrite(kSuspendLimit);
    }
    AwaitTick(s);
  } else if (held & kSuspendLimit) {
    const std::uint8_t other = read ? s->write_suspended : s->read_suspended;
    if ((other & kSuspendLimit) == 0) s->DelEvent(&limit->refill);
    if (read) {
      s->ResumeRead(kSuspendLimit);
    } else {
      s->ResumeWrite(kSuspendLimit);
    }
  }
  return 0;
}

int StreamLimit::ChargeRead(Stream* s, ev_ssize_t n) {
  if (s->limit == nullptr) return 0;
  const int result = ChargeOwn(s, n, true);
  if (s->limit->group != nullptr) s->limit->group->Charge(n, true, true);
  return result;
}

int StreamLimit::ChargeWrite(Stream* s, ev_ssize_t n) {
  if (s->limit == nullptr) return 0;
  const int result = ChargeOwn(s, n, false);
  if (s->limit->group != nullptr) s->limit->group->Charge(n, false, true);
  return result;
}

void StreamLimit::OnTick(evutil_socket_t, short, void* arg) {
  auto* s = static_cast<Stream*>(arg);
  StreamScope scope(s);
  StreamLimit* limit = s->limit;
  if (limit == nullptr || limit->config == nullptr) return;
  limit->level.Update(*limit->config, TickNow(s, *limit->config));
  bool again = false;
  if (s->read_suspended & kSuspendLimit) {
    if (limit->level.read > 0) {
      s->ResumeRead(kSuspendLimit);
    } else {
      again = true;
    }
  }
  if (s->write_suspended & kSuspendLimit) {
    if (limit->level.write > 0) {
      s->ResumeWrite(kSuspendLimit);
    } else {
      again = true;
    }
  }
  if (again) AwaitTick(s);
}

}  // namespace percore
