// poll(2): for descriptors that epoll refuses (regular files), and where there
// is no epoll.
//
// The set is an array here, with an index by descriptor: an update is O(1), a
// wait O(n). In a shared base the owner polls a copy, so that another thread
// may change the set meanwhile; the change rings the doorbell.
//
// A descriptor that was closed under its event is reported as ready for all
// that is watched (POLLNVAL): the program's read or write says why.
#ifndef PERCORE_RUNTIME_BACKEND_POLL_POLL_BACKEND_H_
#define PERCORE_RUNTIME_BACKEND_POLL_POLL_BACKEND_H_

#include "percore/runtime/backend/backend.h"

namespace percore {

inline constexpr int kPollFeatures = kFeatureAnyFd | kFeatureEarlyClose;

// Null with errno set when there is no descriptor or no memory for it.
Backend* NewPollBackend(const BackendOptions& options);

}  // namespace percore

#endif  // PERCORE_RUNTIME_BACKEND_POLL_POLL_BACKEND_H_
