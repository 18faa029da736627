// Streams on a base, without the C door, and the other end of their sockets.
#ifndef PERCORE_TESTS_NET_STREAM_STREAM_FIXTURE_H_
#define PERCORE_TESTS_NET_STREAM_STREAM_FIXTURE_H_

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "percore/net/stream/socket_stream.h"
#include "percore/net/stream/stream.h"
#include "percore/runtime/loop/base_config.h"
#include "percore/runtime/loop/event_base.h"

namespace percore {

struct FreeEventBase {
  void operator()(EventBase* base) const { base->Free(true); }
};
using EventBasePtr = std::unique_ptr<EventBase, FreeEventBase>;

// `owned`: for one thread (EVENT_BASE_FLAG_NOLOCK).
inline EventBasePtr NewEventBase(bool owned) {
  BaseConfig config;
  if (owned) config.flags |= EVENT_BASE_FLAG_NOLOCK;
  return EventBasePtr(EventBase::Create(&config));
}

struct SocketEnds {
  int ours = -1;
  int theirs = -1;
  SocketEnds() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ours = fds[0];
    theirs = fds[1];
  }
};

// What a stream calls.
struct Calls {
  std::function<void(Stream*)> on_read;
  std::function<void(Stream*)> on_write;
  std::function<void(Stream*, short)> on_event;
  int reads = 0;
  int writes = 0;

  void Attach(Stream* s) {
    s->SetCallbacks(
        [](bufferevent* b, void* self) {
          auto* calls = static_cast<Calls*>(self);
          ++calls->reads;
          if (calls->on_read) calls->on_read(Stream::From(b));
        },
        [](bufferevent* b, void* self) {
          auto* calls = static_cast<Calls*>(self);
          ++calls->writes;
          if (calls->on_write) calls->on_write(Stream::From(b));
        },
        [](bufferevent* b, short what, void* self) {
          auto* calls = static_cast<Calls*>(self);
          if (calls->on_event) calls->on_event(Stream::From(b), what);
        },
        this);
  }
};

}  // namespace percore

#endif  // PERCORE_TESTS_NET_STREAM_STREAM_FIXTURE_H_
