#include "percore/runtime/loop/closing.h"

#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/system/sockets.h"

namespace percore {
namespace {

// Read at every entry into a loop: without a call of __tls_get_addr.
[[gnu::tls_model("initial-exec")]] thread_local RunningLoops* innermost =
    nullptr;

void BeforeClose(int fd) {
  for (const RunningLoops* loop = innermost; loop != nullptr;
       loop = loop->outer()) {
    loop->base()->FlushFd(fd);
  }
}

}  // namespace

void InstallCloseObserver() { SetCloseObserver(&BeforeClose); }

RunningLoops::RunningLoops(EventBase* base) : base_(base), outer_(innermost) {
  innermost = this;
}
RunningLoops::~RunningLoops() { innermost = outer_; }

const RunningLoops* RunningLoops::Innermost() { return innermost; }

}  // namespace percore
