// A connection that a listener took, on its way to who serves it.
#ifndef PERCORE_NET_LISTENER_ACCEPTED_H_
#define PERCORE_NET_LISTENER_ACCEPTED_H_

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "percore/runtime/system/sockets.h"

namespace percore {

// Owns the socket until it is released. One thread at a time.
class Accepted {
 public:
  // Takes over `fd`; copies the address.
  Accepted(int fd, const sockaddr* peer, socklen_t size)
      : fd_(fd), peer_size_(std::min<socklen_t>(size, sizeof(peer_))) {
    std::memcpy(&peer_, peer, peer_size_);
  }
  Accepted(Accepted&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        peer_size_(other.peer_size_),
        peer_(other.peer_) {}
  Accepted& operator=(Accepted&& other) noexcept {
    std::swap(fd_, other.fd_);
    peer_size_ = other.peer_size_;
    peer_ = other.peer_;
    return *this;
  }
  ~Accepted() {
    if (fd_ >= 0) CloseSocket(fd_);
  }

  int fd() const { return fd_; }
  // The caller closes it from now on.
  int Release() { return std::exchange(fd_, -1); }

  // Who connected; a local peer has mostly no name.
  const sockaddr* peer() const {
    return reinterpret_cast<const sockaddr*>(&peer_);
  }
  socklen_t peer_size() const { return peer_size_; }

 private:
  int fd_;
  socklen_t peer_size_;
  sockaddr_storage peer_{};
};

}  // namespace percore

#endif  // PERCORE_NET_LISTENER_ACCEPTED_H_
