// Files and the far ends of descriptors for the buffer tests.

#ifndef PERCORE_TESTS_COMPAT_BUFFER_FILES_H_
#define PERCORE_TESTS_COMPAT_BUFFER_FILES_H_

#include <event2/buffer.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace compat {

// A descriptor of a file that holds `data` and has no name; the caller closes
// it, or whoever it is given to.
inline int NewFile(const std::string& data) {
  const char* folder = getenv("TEST_TMPDIR");
  std::string name = std::string(folder ? folder : "/tmp") + "/bufferXXXXXX";
  const int fd = mkstemp(name.data());
  EXPECT_GE(fd, 0);
  unlink(name.c_str());
  EXPECT_EQ(write(fd, data.data(), data.size()),
            static_cast<ssize_t>(data.size()));
  return fd;
}

inline bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

// Two connected non-blocking descriptors: what is written to in() comes out of
// out().
class Channel {
 public:
  enum Kind { kSocket, kPipe };

  explicit Channel(Kind kind) {
    if (kind == kPipe) {
      EXPECT_EQ(pipe2(fd_, O_NONBLOCK | O_CLOEXEC), 0);
    } else {
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                           0, fd_),
                0);
    }
  }
  ~Channel() {
    CloseOut();
    CloseIn();
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int out() const { return fd_[0]; }
  int in() const { return fd_[1]; }
  void CloseOut() { Close(&fd_[0]); }
  void CloseIn() { Close(&fd_[1]); }

  // What has arrived.
  std::string Arrived() {
    std::string text;
    char piece[65536];
    ssize_t n;
    while ((n = read(fd_[0], piece, sizeof(piece))) > 0) text.append(piece, n);
    return text;
  }
  // Fills it up, so that a write would block; returns how many bytes it took.
  size_t Fill() {
    const std::string block(4096, 'f');
    size_t total = 0;
    ssize_t n;
    while ((n = write(fd_[1], block.data(), block.size())) > 0) total += n;
    while ((n = write(fd_[1], block.data(), 1)) > 0) total += n;
    return total;
  }

 private:
  static void Close(int* fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
  int fd_[2] = {-1, -1};
};

// Writes all of the buffer to the channel, reading what arrives.
inline std::string Pump(evbuffer* buf, Channel* channel) {
  std::string text;
  // A write that would block is no progress, and the reading ends that.
  for (int idle = 0; evbuffer_get_length(buf) > 0 && idle < 3;) {
    idle = evbuffer_write(buf, channel->in()) > 0 ? 0 : idle + 1;
    text += channel->Arrived();
  }
  EXPECT_EQ(evbuffer_get_length(buf), 0u) << "it does not drain";
  return text + channel->Arrived();
}

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_BUFFER_FILES_H_
