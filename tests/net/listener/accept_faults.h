// accept4 with faults: a file that includes this takes the place of libc's.
#ifndef PERCORE_TESTS_NET_LISTENER_ACCEPT_FAULTS_H_
#define PERCORE_TESTS_NET_LISTENER_ACCEPT_FAULTS_H_

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <deque>

namespace percore {

struct AcceptFaults {
  std::deque<int> errors;   // of the next calls, in turn
  int always = 0;           // of every call after those; 0: the system's
  bool no_address = false;  // the peer's address is empty
  int calls = 0;
};
inline AcceptFaults accept_faults;

}  // namespace percore

extern "C" int accept4(int fd, sockaddr* peer, socklen_t* size, int flags) {
  percore::AcceptFaults& faults = percore::accept_faults;
  ++faults.calls;
  int error = faults.always;
  if (!faults.errors.empty()) {
    error = faults.errors.front();
    faults.errors.pop_front();
  }
  if (error != 0) {
    errno = error;
    return -1;
  }
  const long result = syscall(SYS_accept4, fd, peer, size, flags);
  if (result >= 0 && faults.no_address) *size = 0;
  return static_cast<int>(result);
}

#endif  // PERCORE_TESTS_NET_LISTENER_ACCEPT_FAULTS_H_
