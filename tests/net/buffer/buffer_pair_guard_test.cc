#include "percore/net/buffer/buffer_pair_guard.h"

#include <event2/thread.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "percore/net/buffer/buffer.h"

namespace percore {
namespace {

class BufferPairGuardTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(evthread_use_pthreads(), 0); }
  BufferPairGuardTest() {
    EXPECT_TRUE(a_.EnableLocking(nullptr));
    EXPECT_TRUE(b_.EnableLocking(nullptr));
  }
  Buffer a_;
  Buffer b_;
};

// Moves in opposite directions would deadlock if each took its own side first.
TEST_F(BufferPairGuardTest, BothDirectionsFromTwoThreads) {
  ASSERT_TRUE(a_.Add(std::string(5000, 'a')));
  ASSERT_TRUE(b_.Add(std::string(5000, 'b')));
  const auto move = [](Buffer* from, Buffer* to) {
    for (int i = 0; i < 20000; ++i) {
      if (i % 7 == 0) {
        to->Take(from);
      } else if (i % 7 == 1) {
        to->TakeInFront(from);
      } else {
        from->MoveTo(to, 100);
      }
    }
  };
  std::thread one(move, &a_, &b_);
  std::thread two(move, &b_, &a_);
  one.join();
  two.join();
  // No byte is lost or doubled.
  std::string all = a_.ToString() + b_.ToString();
  EXPECT_EQ(all.size(), 10000u);
  EXPECT_EQ(std::count(all.begin(), all.end(), 'a'), 5000);
}

// A reader of both sees the bytes on one side or the other, never on neither.
TEST_F(BufferPairGuardTest, AMoveIsOneStepForWhoHoldsALock) {
  ASSERT_TRUE(a_.Add("12345678"));
  std::thread mover([this] {
    for (int i = 0; i < 20000; ++i) {
      b_.Take(&a_);
      a_.Take(&b_);
    }
  });
  for (int i = 0; i < 20000; ++i) {
    a_.Lock();
    const std::size_t size = a_.size();
    ASSERT_TRUE(size == 0 || size == 8) << size;
    a_.Unlock();
  }
  mover.join();
}

TEST_F(BufferPairGuardTest, ABufferAndItself) {
  ASSERT_TRUE(a_.Add("x"));
  a_.Take(&a_);
  EXPECT_EQ(a_.ToString(), "x");
}

}  // namespace
}  // namespace percore
