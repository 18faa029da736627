// The limit of events on one descriptor.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>

#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

void Nothing(evutil_socket_t, short, void*) {}

// semantics 3.8: at most 65535 for each direction.
TEST(FdLimitTest, AtMost65535OfADirection) {
  BasePtr base(event_base_new());
  SocketPair pair;
  std::vector<event> readers(65536);
  for (size_t i = 0; i < readers.size(); ++i) {
    event_assign(&readers[i], base.get(), pair[0], EV_READ | EV_PERSIST,
                 Nothing, nullptr);
  }
  for (size_t i = 0; i < 65535; ++i) {
    ASSERT_EQ(event_add(&readers[i], nullptr), 0) << i;
  }
  LogCapture log;
  EXPECT_EQ(event_add(&readers[65535], nullptr), -1);
  EXPECT_EQ(log.Warnings(), 1);
  EXPECT_EQ(event_pending(&readers[65535], EV_READ, nullptr), 0);
  EXPECT_EQ(event_base_get_num_events(base.get(), EVENT_BASE_COUNT_ADDED),
            65535);
  // The other direction has its own count.
  event writer;
  event_assign(&writer, base.get(), pair[0], EV_WRITE, Nothing, nullptr);
  EXPECT_EQ(event_add(&writer, nullptr), 0);
  event_del(&writer);
  for (size_t i = 0; i < 65535; ++i) event_del(&readers[i]);
  EXPECT_EQ(event_add(&readers[65535], nullptr), 0);
  event_del(&readers[65535]);
}

}  // namespace
}  // namespace compat
