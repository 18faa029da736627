#include "percore/net/buffer/segment_pool.h"

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "percore/net/buffer/buffer.h"
#include "percore/net/buffer/segment.h"

namespace percore {
namespace {

// Sanitizer builds keep nothing, so that they see each block.
bool Keeps() {
  SegmentPool::ReleaseThread();
  SegmentPool::Give(SegmentPool::Take(kLargestGrowth), kLargestGrowth);
  const bool keeps = SegmentPool::KeptByThread() == 1;
  SegmentPool::ReleaseThread();
  return keeps;
}

TEST(SegmentPoolTest, RecyclesWhatItKeeps) {
  if (!Keeps()) GTEST_SKIP() << "SKIP: a sanitizer's build keeps nothing";
  for (const std::size_t size : {kLargestGrowth, kReadSegment}) {
    void* block = SegmentPool::Take(size);
    ASSERT_NE(block, nullptr);
    SegmentPool::Give(block, size);
    EXPECT_EQ(SegmentPool::Take(size), block);
    SegmentPool::Give(block, size);
  }
  EXPECT_EQ(SegmentPool::KeptByThread(), 2u);
  SegmentPool::Give(SegmentPool::Take(5000), 5000);
  EXPECT_EQ(SegmentPool::KeptByThread(), 2u);
  SegmentPool::ReleaseThread();
  EXPECT_EQ(SegmentPool::KeptByThread(), 0u);
}

TEST(SegmentPoolTest, KeepsABoundedNumber) {
  if (!Keeps()) GTEST_SKIP() << "SKIP: a sanitizer's build keeps nothing";
  std::vector<void*> blocks;
  std::set<void*> different;
  for (int i = 0; i < 1000; ++i) {
    blocks.push_back(SegmentPool::Take(kLargestGrowth));
    different.insert(blocks.back());
  }
  EXPECT_EQ(different.size(), blocks.size());
  for (void* block : blocks) SegmentPool::Give(block, kLargestGrowth);
  EXPECT_GT(SegmentPool::KeptByThread(), 0u);
  EXPECT_LE(SegmentPool::KeptByThread(), 64u);
  SegmentPool::ReleaseThread();
}

// A leak checker sees what is not returned at the thread's end.
TEST(SegmentPoolTest, ABlockGivenOnAnotherThreadStaysThere) {
  if (!Keeps()) GTEST_SKIP() << "SKIP: a sanitizer's build keeps nothing";
  void* block = SegmentPool::Take(kReadSegment);
  std::thread([block] {
    EXPECT_EQ(SegmentPool::KeptByThread(), 0u);
    SegmentPool::Give(block, kReadSegment);
    EXPECT_EQ(SegmentPool::KeptByThread(), 1u);
  }).join();
  EXPECT_EQ(SegmentPool::KeptByThread(), 0u);
}

// After the first round a buffer of this thread costs the allocator nothing.
TEST(SegmentPoolTest, ABufferUsesIt) {
  if (!Keeps()) GTEST_SKIP() << "SKIP: a sanitizer's build keeps nothing";
  Buffer b;
  const std::string bytes(200000, 'x');
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(b.Expand(kLargestGrowth - sizeof(Segment)));
    ASSERT_TRUE(b.Add(bytes));
    ASSERT_TRUE(b.Drain(bytes.size()));
  }
  EXPECT_GT(SegmentPool::KeptByThread(), 0u);
  SegmentPool::ReleaseThread();
}

}  // namespace
}  // namespace percore
