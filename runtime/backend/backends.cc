#include "percore/runtime/backend/backend.h"
#include "percore/runtime/backend/epoll/epoll_backend.h"

namespace percore {
namespace {

constexpr BackendKind kBackends[] = {
    {"epoll", kEpollFeatures, /*implicit=*/true, /*listed=*/true,
     &NewEpollBackend},
    {nullptr, 0, false, false, nullptr},
};

}  // namespace

const BackendKind* BackendKinds() { return kBackends; }

}  // namespace percore
