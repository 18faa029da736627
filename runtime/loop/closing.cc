#include "percore/runtime/loop/closing.h"

#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

thread_local RunningLoops* innermost = nullptr;

void BeforeClose(int fd) {
  for (const RunningLoops* loop = innermost; loop != nullptr;
       loop = loop->outer()) {
    loop->base()->FlushFd(fd);
  }
}

}  // namespace

void InstallCloseObserver() {
  State().before_close.store(&BeforeClose, std::memory_order_relaxed);
}

RunningLoops::RunningLoops(EventBase* base) : base_(base), outer_(innermost) {
  innermost = this;
}
RunningLoops::~RunningLoops() { innermost = outer_; }

const RunningLoops* RunningLoops::Innermost() { return innermost; }

}  // namespace percore
