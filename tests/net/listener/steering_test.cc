#include "percore/net/listener/steering.h"

#include <cerrno>

#include "percore/tests/net/listener/listener_fixture.h"

namespace percore {
namespace {

TEST(SteeringTest, RefusesWhatCannotBeSteered) {
  const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  const int twice[] = {0, 1, 0};
  EXPECT_EQ(SteerByCpu(fd.get(), twice, 3), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(SteerByCpu(fd.get(), twice, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(SteerByCpu(-1, twice, 2), -1);
  EXPECT_EQ(errno, EBADF);
}

}  // namespace
}  // namespace percore
