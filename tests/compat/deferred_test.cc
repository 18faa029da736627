// What is deferred to the loop, and what of it one turn runs; which objects
// share a lock.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "percore/tests/compat/thread_fixture.h"

namespace percore::compat {
namespace {

using Deferred = ThreadTest;

// semantics 1.15: what is deferred counts as active, and runs once however
// often it was asked for.
TEST_F(Deferred, CountsAsActive) {
  event_base* base = event_base_new();
  ASSERT_NE(base, nullptr);
  evbuffer* b = evbuffer_new();
  evbuffer_defer_callbacks(b, base);
  size_t added = 0;
  evbuffer_add_cb(
      b,
      [](evbuffer*, const evbuffer_cb_info* info, void* arg) {
        *static_cast<size_t*>(arg) += info->n_added;
      },
      &added);
  evbuffer_add(b, "xy", 2);
  evbuffer_add(b, "z", 1);
  EXPECT_EQ(added, 0u);
  EXPECT_EQ(event_base_get_num_events(base, EVENT_BASE_COUNT_ACTIVE), 1);
  EXPECT_EQ(event_base_dispatch(base), 1);
  EXPECT_EQ(added, 3u);
  evbuffer_free(b);
  event_base_free(base);
}

// semantics 1.15: a callback that always defers more starves no timer.
TEST_F(Deferred, DeferringForEverStarvesNothing) {
  event_base* base = event_base_new();
  constexpr int kBuffers = 40;
  struct Cycle {
    std::vector<evbuffer*> buffers;
    int ran = 0;
  } cycle;
  for (int i = 0; i < kBuffers; ++i) {
    evbuffer* b = evbuffer_new();
    evbuffer_defer_callbacks(b, base);
    evbuffer_add_cb(
        b,
        [](evbuffer* self, const evbuffer_cb_info*, void* arg) {
          auto* c = static_cast<Cycle*>(arg);
          ++c->ran;
          // Each asks for all again.
          for (evbuffer* other : c->buffers) {
            if (other != self) evbuffer_add(other, "x", 1);
          }
        },
        &cycle);
    cycle.buffers.push_back(b);
  }
  evbuffer_add(cycle.buffers[0], "x", 1);
  const timeval soon = {0, 2000};
  event_base_loopexit(base, &soon);
  EXPECT_EQ(event_base_dispatch(base), 0);
  EXPECT_GT(cycle.ran, kBuffers);
  for (evbuffer* b : cycle.buffers) evbuffer_free(b);
  event_base_free(base);
}

// True if another thread can take from `b` while this one holds `bev`'s lock.
bool FreeWhileLocked(bufferevent* bev, evbuffer* b) {
  bufferevent_lock(bev);
  std::atomic<int> tid{0};
  std::atomic<bool> done{false};
  std::thread other([&] {
    tid = ThreadId();
    evbuffer_lock(b);
    done = true;
    evbuffer_unlock(b);
  });
  while (tid == 0) std::this_thread::yield();
  if (!done) AwaitAsleep(tid);
  const bool was_free = done;
  bufferevent_unlock(bev);
  other.join();
  return was_free;
}

// semantics 8.5
TEST_F(Deferred, WhoSharesALock) {
  event_base* base = event_base_new();
  bufferevent* alone = bufferevent_socket_new(base, -1, BEV_OPT_THREADSAFE);
  EXPECT_FALSE(FreeWhileLocked(alone, bufferevent_get_input(alone)));
  EXPECT_FALSE(FreeWhileLocked(alone, bufferevent_get_output(alone)));
  bufferevent* pair[2];
  ASSERT_EQ(bufferevent_pair_new(base, BEV_OPT_THREADSAFE, pair), 0);
  EXPECT_FALSE(FreeWhileLocked(pair[0], bufferevent_get_input(pair[1])));
  bufferevent* filter = bufferevent_filter_new(
      alone, nullptr, nullptr, BEV_OPT_THREADSAFE, nullptr, nullptr);
  ASSERT_NE(filter, nullptr);
#ifndef TESTING_DEBIAN_LIBEVENT
  // Better: with locks of their own, as there, they can deadlock.
  EXPECT_FALSE(FreeWhileLocked(alone, bufferevent_get_input(filter)));
  EXPECT_FALSE(FreeWhileLocked(filter, bufferevent_get_output(alone)));
#endif
  bufferevent_free(filter);
  bufferevent_free(alone);
  bufferevent_free(pair[0]);
  bufferevent_free(pair[1]);
  event_base_free(base);
}

}  // namespace
}  // namespace percore::compat
