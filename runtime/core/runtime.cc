#include "percore/runtime/core/runtime.h"

#include "percore/runtime/observe/log.h"

namespace percore {

int Runtime::Run() {
  const absl::Status status =
      status_.ok() ? StatusOfErrno(core_->Run(), "cannot start the loops")
                   : status_;
  if (status.ok()) return 0;
  LogWarnx("%s", status.ToString().c_str());
  return 1;
}

}  // namespace percore
