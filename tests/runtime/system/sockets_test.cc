#include "percore/runtime/system/sockets.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace percore {
namespace {

std::vector<int>* closing = nullptr;
bool was_open = false;

void Record(int fd) {
  closing->push_back(fd);
  was_open = fcntl(fd, F_GETFD) != -1;
  errno = EDOM;  // an observer may do what it likes to errno
}

class CloseObserverTest : public testing::Test {
 protected:
  CloseObserverTest() {
    closing = &seen_;
    before_ = SetCloseObserver(&Record);
  }
  ~CloseObserverTest() override { SetCloseObserver(before_); }

  std::vector<int> seen_;
  CloseObserver before_;
};

TEST_F(CloseObserverTest, IsCalledBeforeTheNumberIsFree) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(CloseSocket(fd), 0);
  EXPECT_EQ(seen_, std::vector<int>{fd});
  EXPECT_TRUE(was_open);
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST_F(CloseObserverTest, ErrorsAreThoseOfClose) {
  EXPECT_EQ(CloseSocket(-1), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(seen_, std::vector<int>{-1});
}

TEST_F(CloseObserverTest, OneAtATime) {
  EXPECT_EQ(SetCloseObserver(nullptr), &Record);
  CloseSocket(-1);
  EXPECT_TRUE(seen_.empty());
  EXPECT_EQ(SetCloseObserver(&Record), nullptr);
}

TEST(Sockets, PairWithoutDescriptorsFails) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = dup(0);
  ASSERT_GE(next, 0);
  close(next);
  // Room for one descriptor, and a pair needs two.
  rlimit tight = limit;
  tight.rlim_cur = static_cast<rlim_t>(next) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  int fds[2] = {-7, -7};
  const int result = SocketPair(AF_UNIX, SOCK_STREAM, 0, fds);
  const int error = errno;
  const int after = dup(0);
  close(after);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(result, -1);
  EXPECT_EQ(error, EMFILE);
  EXPECT_EQ(after, next) << "a descriptor leaked";
}

// O_PATH descriptors have flags that can be read and not set.
TEST(Sockets, FlagsThatCannotBeSetWarn) {
  const int fd = open("/", O_PATH);
  ASSERT_GE(fd, 0);
  testing::internal::CaptureStderr();
  const int result = SetNonblocking(fd);
  const std::string log = testing::internal::GetCapturedStderr();
  close(fd);
  EXPECT_EQ(result, -1);
  EXPECT_NE(log.find("F_SETFL"), std::string::npos) << log;
}

TEST(Sockets, KeepAliveOfWhatIsNoTcpSocketFails) {
  int fds[2];
  ASSERT_EQ(SocketPair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  EXPECT_EQ(SetKeepAlive(fds[0], true, 10), -1);
  EXPECT_EQ(SetKeepAlive(fds[0], false, 10), 0);
  close(fds[0]);
  close(fds[1]);
}

}  // namespace
}  // namespace percore
