// Connected descriptors for tests of I/O.

#ifndef PERCORE_TESTS_COMPAT_SOCKETS_H_
#define PERCORE_TESTS_COMPAT_SOCKETS_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace compat {

// A connected, non-blocking stream pair; closes what is still open.
class SocketPair {
 public:
  SocketPair() {
    EXPECT_EQ(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd_),
        0);
  }
  ~SocketPair() {
    Close(0);
    Close(1);
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;

  int operator[](int side) const { return fd_[side]; }

  // Makes the other side readable.
  void Send(int side, const std::string& bytes = "x") {
    ASSERT_EQ(write(fd_[side], bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  // Reads what is there; returns how many bytes.
  int Drain(int side) {
    char buf[4096];
    int total = 0;
    ssize_t n;
    while ((n = read(fd_[side], buf, sizeof(buf))) > 0) total += n;
    return total;
  }
  // Writes until the socket takes no more; returns how many bytes.
  int Fill(int side) {
    const std::string block(4096, 'f');
    int total = 0;
    ssize_t n;
    while ((n = write(fd_[side], block.data(), block.size())) > 0) total += n;
    return total;
  }
  void Close(int side) {
    if (fd_[side] >= 0) close(fd_[side]);
    fd_[side] = -1;
  }
  // The caller has closed it, or keeps it.
  int Release(int side) {
    const int fd = fd_[side];
    fd_[side] = -1;
    return fd;
  }

 private:
  int fd_[2] = {-1, -1};
};

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_SOCKETS_H_
