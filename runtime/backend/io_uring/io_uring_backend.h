// io_uring as a readiness backend: all changes of interest and the wait are
// one system call a turn.
//
// A level-triggered interest is a one-shot poll request that is made again at
// the wait after its report, so that what is still ready is reported again; an
// edge-triggered one is a multishot request. Each request has a serial number
// in its user data: a completion of one that has been replaced is recognised
// and dropped here, so the loop never sees a stale report.
//
// The ring is made disabled and bound by the thread that first waits
// (SINGLE_ISSUER, DEFER_TASKRUN); when another thread waits it is made anew.
// No other thread enters it: in a shared base an update leaves its change in a
// list and rings, and the owner submits it in the wait under way. After a fork
// it is closed and nothing else.
//
// What differs from epoll:
//   - regular files are watched (always ready);
//   - a pending request keeps its file open. Update() and Commit() before
//     close() let go of it (evutil_closesocket and streams do); after a plain
//     close() of a watched descriptor the peer sees the end only when the
//     event is deleted and the loop turns;
//   - kernels without DEFER_TASKRUN (before 6.1) may report what was ready
//     between two waits and is no longer.
#ifndef PERCORE_RUNTIME_BACKEND_IO_URING_IO_URING_BACKEND_H_
#define PERCORE_RUNTIME_BACKEND_IO_URING_IO_URING_BACKEND_H_

#include <cstdint>

#include "percore/runtime/backend/backend.h"

namespace percore {

inline constexpr int kIoUringFeatures = kFeatureEdgeTriggered |
                                        kFeatureConstantTime | kFeatureAnyFd |
                                        kFeatureEarlyClose;

// Null with errno set, and the reason logged, when the system refuses.
Backend* NewIoUringBackend(const BackendOptions& options);

// The same with queues of another size, for tests of full ones.
Backend* NewIoUringBackendSized(const BackendOptions& options,
                                std::uint32_t submissions,
                                std::uint32_t completions);

// Whether the kernel has an io_uring that will do and lets this process use
// it; found out once, and not logged. Any thread.
bool IoUringAvailable();

// Why the kernel refused with `error`; `disabled` is the value of
// kernel.io_uring_disabled, negative if there is none.
const char* IoUringRefusal(int error, int disabled);

}  // namespace percore

#endif  // PERCORE_RUNTIME_BACKEND_IO_URING_IO_URING_BACKEND_H_
