// epoll(7): the backend of choice on Linux.
//
// epoll_data carries the descriptor and the generation of its registration, so
// that the loop recognises a report of a registration that should be gone.
// The doorbell is an eventfd, watched edge-triggered: it is never read.
#ifndef PERCORE_RUNTIME_BACKEND_EPOLL_EPOLL_BACKEND_H_
#define PERCORE_RUNTIME_BACKEND_EPOLL_EPOLL_BACKEND_H_

#include "percore/runtime/backend/backend.h"

namespace percore {

inline constexpr int kEpollFeatures =
    kFeatureEdgeTriggered | kFeatureConstantTime | kFeatureEarlyClose;

// Null with errno set when there is no descriptor or no memory for it.
Backend* NewEpollBackend(const BackendOptions& options);

}  // namespace percore

#endif  // PERCORE_RUNTIME_BACKEND_EPOLL_EPOLL_BACKEND_H_
