// The time that a turn of the loop keeps.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"

namespace compat {
namespace {

// Longer than a tick of a coarse clock.
constexpr int kSlowMs = 12;

class CachedTimeTest : public testing::Test {
 protected:
  void Make(int flags) {
    ConfigPtr cfg(event_config_new());
    event_config_set_flag(cfg.get(), flags);
    base_.reset(event_base_new_with_config(cfg.get()));
    ASSERT_NE(base_, nullptr);
  }
  void SetUp() override { Make(0); }
  event_base* base() const { return base_.get(); }
  int64_t Cached() {
    timeval tv = {};
    EXPECT_EQ(event_base_gettimeofday_cached(base(), &tv), 0);
    return ToUs(tv);
  }
  // Runs `then` inside a callback.
  void Inside(Probe::Then then) {
    Probe user(base(), &journal_, "u");
    user.OnCall(then);
    user.Activate();
    event_base_dispatch(base());
    EXPECT_EQ(user.calls(), 1);
  }
  BasePtr base_;
  Journal journal_;
};

// semantics 2.2
// semantics 2.3
// api event_base_gettimeofday_cached
TEST_F(CachedTimeTest, StandsStillInsideACallback) {
  Inside([&] {
    const int64_t a = Cached();
    SleepMs(kSlowMs);  // Real time passes.
    EXPECT_EQ(Cached(), a);
  });
}

// semantics 2.2: the same for all callbacks of a pass, and renewed by the next
// poll.
TEST_F(CachedTimeTest, SharedByThePass) {
  int64_t first = 0;
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  Probe next(base(), &journal_, "next");
  a.OnCall([&] {
    first = Cached();
    next.Add(Us(0));
    SleepMs(kSlowMs);  // Real time passes.
  });
  b.OnCall([&] { EXPECT_EQ(Cached(), first); });
  next.OnCall([&] { EXPECT_GT(Cached(), first); });
  a.Activate();
  b.Activate();
  event_base_dispatch(base());
  EXPECT_EQ(journal_.names(), "a b next");
}

// semantics 2.3: it is wall-clock time.
TEST_F(CachedTimeTest, IsWallClockTime) {
  Inside([&] {
    const int64_t difference = Cached() - WallUs();
    EXPECT_LT(difference, 20000);
    EXPECT_GT(difference, -20000 - 1000000);
  });
}

// semantics 2.2: outside of the loop nothing is cached.
TEST_F(CachedTimeTest, NotCachedOutside) {
  const int64_t a = Cached();
  SleepMs(kSlowMs);  // Real time passes.
  EXPECT_GE(Cached(), a + kSlowMs * 1000 - 1000);
  Inside([] {});
  const int64_t b = Cached();
  SleepMs(kSlowMs);  // Real time passes.
  EXPECT_GE(Cached(), b + kSlowMs * 1000 - 1000);
}

// semantics 2.2
// api event_base_update_cache_time
TEST_F(CachedTimeTest, UpdateRefreshes) {
  Inside([&] {
    const int64_t a = Cached();
    SleepMs(kSlowMs);  // Real time passes.
    EXPECT_EQ(event_base_update_cache_time(base()), 0);
    const int64_t b = Cached();
    EXPECT_GT(b, a);
    SleepMs(kSlowMs);  // Real time passes.
    EXPECT_EQ(Cached(), b);
  });
}

// api event_base_update_cache_time: outside of the loop: no cache is begun.
TEST_F(CachedTimeTest, UpdateOutsideCachesNothing) {
  EXPECT_EQ(event_base_update_cache_time(base()), 0);
  const int64_t a = Cached();
  SleepMs(kSlowMs);  // Real time passes.
  EXPECT_GT(Cached(), a);
}

// semantics 2.2
// api EVENT_BASE_FLAG_NO_CACHE_TIME
TEST_F(CachedTimeTest, NoCacheTime) {
  Make(EVENT_BASE_FLAG_NO_CACHE_TIME);
  Inside([&] {
    const int64_t a = Cached();
    SleepMs(kSlowMs);  // Real time passes.
    EXPECT_GT(Cached(), a);
    // update does not turn it on.
    EXPECT_EQ(event_base_update_cache_time(base()), 0);
    const int64_t b = Cached();
    SleepMs(kSlowMs);  // Real time passes.
    EXPECT_GT(Cached(), b);
  });
}

// semantics 2.2: a timeout counts from the cached time, so a slow callback
// makes it short.
TEST_F(CachedTimeTest, TimeoutsCountFromTheCachedTime) {
  Probe first(base(), &journal_, "first");
  Probe second(base(), &journal_, "second");
  Inside([&] {
    first.Add(Ms(60000));
    SleepMs(kSlowMs);  // Real time passes.
    second.Add(Ms(60000));
    EXPECT_EQ(ExpiryUs(*first.ev()), ExpiryUs(*second.ev()));
    event_base_update_cache_time(base());
    second.Add(Ms(60000));
    EXPECT_LT(ExpiryUs(*first.ev()), ExpiryUs(*second.ev()));
    event_base_loopbreak(base());
  });
}

// semantics 2.2: without the cache they count from now.
TEST_F(CachedTimeTest, TimeoutsWithoutTheCache) {
  Make(EVENT_BASE_FLAG_NO_CACHE_TIME);
  Probe first(base(), &journal_, "first");
  Probe second(base(), &journal_, "second");
  Inside([&] {
    first.Add(Ms(60000));
    SleepMs(kSlowMs);  // Real time passes.
    second.Add(Ms(60000));
    EXPECT_LT(ExpiryUs(*first.ev()), ExpiryUs(*second.ev()));
    event_base_loopbreak(base());
  });
}

}  // namespace
}  // namespace compat
