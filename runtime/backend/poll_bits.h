// Interest and readiness in the bits of poll(2), which are also those of
// epoll(7) and of io_uring's poll requests.
#ifndef PERCORE_RUNTIME_BACKEND_POLL_BITS_H_
#define PERCORE_RUNTIME_BACKEND_POLL_BITS_H_

#include <poll.h>
#include <sys/epoll.h>

#include <cstdint>

#include "percore/runtime/backend/backend.h"

namespace percore {

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
              EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP);

// Edges are none of poll(2)'s: ToEpollBits.
inline std::uint32_t ToPollBits(Interest interest) {
  std::uint32_t events = 0;
  if (interest & kInterestRead) events |= POLLIN;
  if (interest & kInterestWrite) events |= POLLOUT;
  if (interest & kInterestClosed) events |= POLLRDHUP;
  return events;
}

inline std::uint32_t ToEpollBits(Interest interest) {
  const std::uint32_t edge = (interest & kInterestEdge) ? EPOLLET : 0u;
  return ToPollBits(interest) | edge;
}

// semantics 3.10: an error, or a hang-up that is not just the peer's half
// close, is for readers and writers. A descriptor that is closed (poll alone
// says so) is ready for all that is watched.
inline Interest FromPollBits(std::uint32_t events) {
  if (events & POLLNVAL) {
    return kInterestRead | kInterestWrite | kInterestClosed;
  }
  if ((events & POLLERR) || ((events & POLLHUP) && !(events & POLLRDHUP))) {
    return kInterestRead | kInterestWrite;
  }
  Interest what = 0;
  if (events & POLLIN) what |= kInterestRead;
  if (events & POLLOUT) what |= kInterestWrite;
  if (events & POLLRDHUP) what |= kInterestClosed;
  return what;
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_BACKEND_POLL_BITS_H_
