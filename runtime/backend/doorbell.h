// The doorbell of Linux's backends: an eventfd that stands in the set beside
// the program's descriptors.
#ifndef PERCORE_RUNTIME_BACKEND_DOORBELL_H_
#define PERCORE_RUNTIME_BACKEND_DOORBELL_H_

#include <sys/eventfd.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace percore {

class Doorbell {
 public:
  Doorbell() = default;
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;
  ~Doorbell() {
    if (fd_ >= 0) close(fd_);
  }

  // False with errno set.
  bool Open() {
    fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd_ >= 0;
  }

  // Readable from a Ring() until Clear().
  int fd() const { return fd_; }

  // Any thread, async-signal-safe; keeps errno.
  void Ring() {
    const int saved = errno;
    const std::uint64_t one = 1;
    // EAGAIN (the counter is full) is as good as a ring: it is readable.
    [[maybe_unused]] ssize_t n = write(fd_, &one, sizeof(one));
    errno = saved;
  }

  // The waiting thread.
  void Clear() {
    std::uint64_t count;
    [[maybe_unused]] ssize_t n = read(fd_, &count, sizeof(count));
  }

 private:
  int fd_ = -1;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_BACKEND_DOORBELL_H_
