// select(2): the oldest way to wait.
//
// The sets are bitmaps as large as the highest descriptor needs, beyond
// FD_SETSIZE: Linux reads as many bits as it is told. A wait is O(highest
// descriptor). In a shared base another thread may change the sets while the
// owner waits on copies; the change rings the doorbell.
//
// It cannot tell the peer's half close from data, so EV_CLOSED alone is never
// reported. A descriptor that was closed under its event makes the call fail;
// it is then looked for, and reported as ready.
#ifndef PERCORE_RUNTIME_BACKEND_SELECT_SELECT_BACKEND_H_
#define PERCORE_RUNTIME_BACKEND_SELECT_SELECT_BACKEND_H_

#include "percore/runtime/backend/backend.h"

namespace percore {

inline constexpr int kSelectFeatures = kFeatureAnyFd;

// Null with errno set when there is no descriptor or no memory for it.
Backend* NewSelectBackend(const BackendOptions& options);

}  // namespace percore

#endif  // PERCORE_RUNTIME_BACKEND_SELECT_SELECT_BACKEND_H_
