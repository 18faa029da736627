#include "percore/runtime/backend/backend.h"
#include "percore/runtime/backend/epoll/epoll_backend.h"
#include "percore/runtime/backend/io_uring/io_uring_backend.h"
#include "percore/runtime/backend/poll/poll_backend.h"
#include "percore/runtime/backend/select/select_backend.h"

namespace percore {
namespace {

constexpr BackendKind kBackends[] = {
    {"epoll", kEpollFeatures, /*implicit=*/true, /*listed=*/true,
     &NewEpollBackend},
    {"poll", kPollFeatures, /*implicit=*/true, /*listed=*/true,
     &NewPollBackend},
    {"select", kSelectFeatures, /*implicit=*/true, /*listed=*/true,
     &NewSelectBackend},
    // Asked for by name only.
    {"io_uring", kIoUringFeatures, /*implicit=*/false, /*listed=*/true,
     &NewIoUringBackend, &IoUringAvailable},
    {nullptr, 0, false, false, nullptr},
};

}  // namespace

const BackendKind* BackendKinds() { return kBackends; }

}  // namespace percore
