// Many descriptors at once.

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class ManyFdsTest : public BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    // Beyond select's FD_SETSIZE and the first growth of epoll's array.
    pairs_ = std::min<int>(1500, (static_cast<int>(limit.rlim_cur) - 100) / 2);
#ifdef TESTING_DEBIAN_LIBEVENT
    // better: Debian's build is fortified and aborts in FD_SET beyond 1024.
    if (IsSelect()) pairs_ = 450;
#endif
  }
  int pairs_ = 0;
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND_AND_FLAG(ManyFdsTest);

// semantics 5.2: all of them ready in one turn or a few.
// semantics 5.5: select and poll beyond 1024.
// main/many_events
TEST_P(ManyFdsTest, AllReady) {
  std::vector<std::unique_ptr<SocketPair>> pairs;
  std::vector<std::unique_ptr<Probe>> readers;
  for (int i = 0; i < pairs_; ++i) {
    pairs.push_back(std::make_unique<SocketPair>());
    readers.push_back(
        std::make_unique<Probe>(base(), nullptr, "r", (*pairs[i])[0], EV_READ));
    ASSERT_EQ(readers[i]->Add(), 0);
  }
  for (auto& pair : pairs) pair->Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  for (auto& reader : readers) ASSERT_EQ(reader->calls(), 1);
}

// Only the ready ones are told, wherever they are.
TEST_P(ManyFdsTest, AFewOfMany) {
  std::vector<std::unique_ptr<SocketPair>> pairs;
  std::vector<std::unique_ptr<Probe>> readers;
  for (int i = 0; i < pairs_; ++i) {
    pairs.push_back(std::make_unique<SocketPair>());
    readers.push_back(std::make_unique<Probe>(
        base(), nullptr, "r", (*pairs[i])[0], EV_READ | EV_PERSIST));
    readers[i]->Add();
  }
  pairs.front()->Send(1);
  pairs[pairs_ / 2]->Send(1);
  pairs.back()->Send(1);
  Turn();
  int calls = 0;
  for (auto& reader : readers) calls += reader->calls();
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(readers.back()->calls(), 1);
  // Half of them leave, the ready ones stay.
  for (int i = 1; i < pairs_; i += 2) readers[i]->Del();
  pairs.front()->Send(1);
  Turn();
  EXPECT_EQ(readers.front()->calls(), 2);
}

// main/many_events_slow_add: each callback deletes itself and adds the next.
TEST_P(ManyFdsTest, AddedAndDeletedInCallbacks) {
  constexpr int kPairs = 70;
  std::vector<std::unique_ptr<SocketPair>> pairs;
  std::vector<std::unique_ptr<Probe>> readers;
  for (int i = 0; i < kPairs; ++i) {
    pairs.push_back(std::make_unique<SocketPair>());
    pairs[i]->Send(1);
    readers.push_back(std::make_unique<Probe>(
        base(), nullptr, "r", (*pairs[i])[0], EV_READ | EV_PERSIST));
    readers[i]->OnCall([&readers, i] {
      readers[i]->Del();
      if (i + 1 < kPairs) readers[i + 1]->Add();
    });
  }
  readers[0]->Add();
  EXPECT_EQ(event_base_dispatch(base()), 1);
  for (auto& reader : readers) EXPECT_EQ(reader->calls(), 1);
}

}  // namespace
}  // namespace compat
