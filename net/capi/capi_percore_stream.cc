// The streams of <percore/percore.h>, one call deep.
#include <percore/percore.h>

#include <cerrno>

#include "percore/net/stream/rate_limit_group.h"
#include "percore/net/stream/socket_stream.h"
#include "percore/net/stream/stream.h"

using percore::EventBase;
using percore::RateLimitGroup;
using percore::Stream;

extern "C" {

int percore_bufferevent_move(struct bufferevent* bev,
                             struct event_base* target) {
  const int error = Stream::From(bev)->MoveTo(EventBase::From(target));
  if (error == 0) return 0;
  errno = error;
  return -1;
}

void percore_bufferevent_set_nodelay(struct bufferevent* bev, int on) {
  percore::SetNodelay(Stream::From(bev), on != 0);
}

void percore_rate_limit_group_make_twins(
    struct bufferevent_rate_limit_group* one,
    struct bufferevent_rate_limit_group* other) {
  RateLimitGroup::From(one)->MakeTwins(RateLimitGroup::From(other));
}

}  // extern "C"
