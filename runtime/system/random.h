// Random bytes fit for keys (semantics 15.7).
//
// Every byte comes from the kernel's generator at the time of the call. There
// is no state in the process, so nothing that a fork could duplicate and
// nothing to lock. Any thread.
#ifndef PERCORE_RUNTIME_SYSTEM_RANDOM_H_
#define PERCORE_RUNTIME_SYSTEM_RANDOM_H_

#include <sys/types.h>

#include <cstddef>

namespace percore {

// Fills `out`. Ends the process if the system has no generator: weak bytes
// would be worse.
void SecureRandom(void* out, std::size_t size);

// Whether the system has a generator: 0, or -1.
int CheckSecureRandom();

// The file to read where the kernel has no getrandom(2), by default
// /dev/urandom. `path` is kept, not copied.
void SetRandomDevice(const char* path);

// Where the bytes come from; tests put faults in.
struct EntropySource {
  // As getrandom(2) with no flags.
  ssize_t (*getrandom)(void* out, std::size_t size, unsigned flags);
  const char* device;
};

// Fills `out` from `source`: getrandom, and where that is missing (ENOSYS, or
// EPERM of a seccomp filter) the device. False when neither can; errno says
// why.
bool FillRandom(const EntropySource& source, void* out, std::size_t size);

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_RANDOM_H_
