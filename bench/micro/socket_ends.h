// The two ends of a stream that cases send over.

#ifndef PERCORE_BENCH_MICRO_SOCKET_ENDS_H_
#define PERCORE_BENCH_MICRO_SOCKET_ENDS_H_

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace percore::bench {

// Unix sockets: nothing but the copy is done in the kernel.
class SocketEnds {
 public:
  SocketEnds() {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   fds_) != 0) {
      std::abort();
    }
  }
  ~SocketEnds() {
    for (int fd : fds_) {
      if (fd >= 0) close(fd);
    }
  }
  SocketEnds(const SocketEnds&) = delete;
  SocketEnds& operator=(const SocketEnds&) = delete;

  int operator[](int end) const { return fds_[end]; }
  // Somebody else closes it.
  int Release(int end) {
    const int fd = fds_[end];
    fds_[end] = -1;
    return fd;
  }

 private:
  int fds_[2];
};

// Kind "echo": how often `size` bytes go there and back in one sample.
inline int EchoRounds(int size) { return size < 16384 ? 1500 : 200; }

// Detail of kind "echo".
enum EchoStyle { kPlainEcho, kEchoWithTimeouts, kEchoThroughFilters };

// Kind "one_way": pieces in one sample.
inline constexpr int kOneWayPieces = 400;

// Kind "in_flight": answers in one sample.
inline constexpr int kFlights = 16000;

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_SOCKET_ENDS_H_
