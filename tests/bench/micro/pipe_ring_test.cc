#include "percore/bench/micro/pipe_ring.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace percore::bench {
namespace {

bool Readable(const PipeRing& ring, int i) {
  pollfd p = {ring.read_end(i), POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

// Runs a ring by looking at each pipe in turn; the number of passes it took.
int RunByScanning(PipeRing* ring) {
  for (int passes = 0;;) {
    for (int i = 0; i < ring->size(); ++i) {
      if (!Readable(*ring, i)) continue;
      ++passes;
      if (ring->Pass(i)) return passes;
    }
  }
}

TEST(PipeRing, ARunHasThePassesAskedForAndLeavesThePipesEmpty) {
  PipeRing ring(10);
  for (int run = 0; run < 2; ++run) {
    ring.Start(3, 50);
    EXPECT_EQ(RunByScanning(&ring), 50);
    for (int i = 0; i < ring.size(); ++i) EXPECT_FALSE(Readable(ring, i));
  }
}

TEST(PipeRing, TheActiveOnesAreSpread) {
  PipeRing ring(10);
  ring.Start(2, 2);
  EXPECT_TRUE(Readable(ring, 0));
  EXPECT_TRUE(Readable(ring, 5));
  EXPECT_FALSE(Readable(ring, 1));
  EXPECT_FALSE(ring.Pass(0));
  EXPECT_TRUE(ring.Pass(5));
}

}  // namespace
}  // namespace percore::bench
