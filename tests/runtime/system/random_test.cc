#include "percore/runtime/system/random.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace percore {
namespace {

int calls = 0;

// Byte i of the stream is i: what is missing or twice there shows.
unsigned char next_byte = 0;

void Fill(void* out, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    static_cast<unsigned char*>(out)[i] = next_byte++;
  }
}

ssize_t ShortAndInterrupted(void* out, std::size_t size, unsigned) {
  if (++calls % 2 == 1) {
    errno = EINTR;
    return -1;
  }
  const std::size_t n = size < 3 ? size : 3;
  Fill(out, n);
  return static_cast<ssize_t>(n);
}

ssize_t Missing(void*, std::size_t, unsigned) {
  errno = ENOSYS;
  return -1;
}

ssize_t MissingAfterThree(void* out, std::size_t size, unsigned) {
  if (++calls > 1) {
    errno = EPERM;
    return -1;
  }
  Fill(out, size < 3 ? size : 3);
  return 3;
}

class RandomTest : public testing::Test {
 protected:
  RandomTest() {
    calls = 0;
    next_byte = 0;
  }
};

TEST_F(RandomTest, ShortReadsAndInterruptionsAreGoneOnFrom) {
  unsigned char out[11];
  std::memset(out, 0xff, sizeof(out));
  ASSERT_TRUE(FillRandom({&ShortAndInterrupted, "/nonexistent"}, out, 10));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(out[i], i);
  EXPECT_EQ(out[10], 0xff) << "wrote too far";
}

TEST_F(RandomTest, WithoutTheCallTheDeviceIsRead) {
  std::vector<unsigned char> out(5000, 0);
  ASSERT_TRUE(FillRandom({&Missing, "/dev/urandom"}, out.data(), out.size()));
  // 5000 bytes: a zero tail of 64 would be one chance in 2^512.
  EXPECT_NE(std::vector<unsigned char>(out.end() - 64, out.end()),
            std::vector<unsigned char>(64, 0));
}

TEST_F(RandomTest, TheDeviceGoesOnWhereTheCallStopped) {
  unsigned char out[40] = {};
  ASSERT_TRUE(FillRandom({&MissingAfterThree, "/dev/urandom"}, out, 40));
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[1], 1);
  EXPECT_EQ(out[2], 2);
  EXPECT_NE(std::string(out + 3, out + 40), std::string(37, '\0'));
}

TEST_F(RandomTest, NoDevice) {
  unsigned char out[4];
  EXPECT_FALSE(FillRandom({&Missing, "/nonexistent/urandom"}, out, 4));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_TRUE(FillRandom({&Missing, "/nonexistent/urandom"}, out, 0))
      << "nothing was asked for";
}

TEST_F(RandomTest, AFileInPlaceOfTheDeviceIsRefused) {
  char path[] = "/tmp/percore_random_XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "0123456789", 10), 10);
  close(fd);
  unsigned char out[4];
  EXPECT_FALSE(FillRandom({&Missing, path}, out, 4));
  EXPECT_EQ(errno, ENODEV);
  unlink(path);
}

TEST_F(RandomTest, ADeviceThatEndsIsRefused) {
  unsigned char out[4];
  EXPECT_FALSE(FillRandom({&Missing, "/dev/null"}, out, 4));
  EXPECT_EQ(errno, EIO);
}

TEST_F(RandomTest, LeavesErrnoAlone) {
  errno = EDOM;
  char out[8];
  SecureRandom(out, sizeof(out));
  EXPECT_EQ(errno, EDOM);
}

// Two children forked from one state, and the parent: all differ.
TEST_F(RandomTest, ForkedProcessesDoNotShareBytes) {
  std::string seen[3];
  char bytes[32];
  SecureRandom(bytes, sizeof(bytes));
  for (int i = 0; i < 2; ++i) {
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    const pid_t child = fork();
    if (child == 0) {
      SecureRandom(bytes, sizeof(bytes));
      _exit(write(fds[1], bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : 1);
    }
    close(fds[1]);
    ASSERT_EQ(read(fds[0], bytes, sizeof(bytes)),
              static_cast<ssize_t>(sizeof(bytes)));
    seen[i].assign(bytes, sizeof(bytes));
    close(fds[0]);
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  SecureRandom(bytes, sizeof(bytes));
  seen[2].assign(bytes, sizeof(bytes));
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_NE(seen[1], seen[2]);
  EXPECT_NE(seen[0], seen[2]);
}

}  // namespace
}  // namespace percore
