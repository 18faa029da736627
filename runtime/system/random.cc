#include "percore/runtime/system/random.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "percore/runtime/observe/log.h"

namespace percore {
namespace {

std::atomic<const char*> device{"/dev/urandom"};

EntropySource SystemSource() {
  return {&getrandom, device.load(std::memory_order_acquire)};
}

// A regular file in the device's place would give the same bytes each time.
bool IsCharacterDevice(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return false;
  if (S_ISCHR(info.st_mode)) return true;
  errno = ENODEV;
  return false;
}

bool FillFromDevice(const char* path, char* out, std::size_t size) {
  int fd;
  do {
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return false;
  bool ok = IsCharacterDevice(fd);
  while (ok && size > 0) {
    const ssize_t got = read(fd, out, size);
    if (got > 0) {
      out += got;
      size -= static_cast<std::size_t>(got);
    } else if (got == 0 || errno != EINTR) {
      if (got == 0) errno = EIO;
      ok = false;
    }
  }
  const int saved = errno;
  close(fd);
  errno = saved;
  return ok;
}

}  // namespace

bool FillRandom(const EntropySource& source, void* out, std::size_t size) {
  char* at = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t got = source.getrandom(at, size, 0);
    if (got > 0) {
      at += got;
      size -= static_cast<std::size_t>(got);
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    return FillFromDevice(source.device, at, size);
  }
  return true;
}

void SecureRandom(void* out, std::size_t size) {
  const int saved = errno;
  if (!FillRandom(SystemSource(), out, size)) {
    LogErr(1, "no source of random bytes");
  }
  errno = saved;
}

int CheckSecureRandom() {
  char byte;
  return FillRandom(SystemSource(), &byte, 1) ? 0 : -1;
}

void SetRandomDevice(const char* path) {
  device.store(path, std::memory_order_release);
}

}  // namespace percore
