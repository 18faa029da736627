#include "percore/runtime/loop/closing.h"

#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/system/executor.h"
#include "percore/runtime/system/sockets.h"

namespace percore {
namespace {

void BeforeClose(int fd) {
  for (const RunningLoops* loop = RunningLoops::Innermost(); loop != nullptr;
       loop = loop->outer()) {
    loop->base()->FlushFd(fd);
  }
}

}  // namespace

void InstallCloseObserver() { SetCloseObserver(&BeforeClose); }

RunningLoops::RunningLoops(EventBase* base) : base_(base), outer_(Innermost()) {
  executor_locals.running_loops = this;
}
RunningLoops::~RunningLoops() { executor_locals.running_loops = outer_; }

const RunningLoops* RunningLoops::Innermost() {
  return static_cast<const RunningLoops*>(executor_locals.running_loops);
}

}  // namespace percore
