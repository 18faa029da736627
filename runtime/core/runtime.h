// Runtime: one pinned event loop on each core. The C++ door.
//
//   percore::Runtime runtime;                  // a loop for each usable core
//   percore::Sharded<Store> store(runtime);    // a Store for each core
//   ...
//   return runtime.Run();                      // SIGINT, SIGTERM drain it
//
// It takes over neither main nor malloc, several can live in one process, and
// threads outside can send work to it. After a fork the child has none of its
// threads: calls answer FailedPrecondition.
#ifndef PERCORE_RUNTIME_CORE_RUNTIME_H_
#define PERCORE_RUNTIME_CORE_RUNTIME_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "percore/runtime/core/runtime_core.h"

namespace percore {

// What an errno value of a runtime or a base means.
inline absl::Status StatusOfErrno(int error, const char* what) {
  if (error == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(error, what);
}

// What a send answered, as a status.
inline absl::Status StatusOfSend(SendResult result) {
  switch (result) {
    case SendResult::kOk:
      return absl::OkStatus();
    case SendResult::kFull:
      return absl::ResourceExhaustedError("the core's mailbox is full");
    case SendResult::kClosed:
      return absl::UnavailableError("the core has stopped");
    case SendResult::kNoMemory:
      return absl::ResourceExhaustedError("no memory for a message");
  }
  return absl::InternalError("unknown send result");
}

class Runtime {
 public:
  // Bases for all cores, not yet running. If they cannot be made, status()
  // and every later call say why.
  explicit Runtime(const RuntimeOptions& options = {})
      : core_(RuntimeCore::Create(options)) {
    if (core_ == nullptr) {
      status_ = StatusOfErrno(errno, "cannot make the loops");
    }
  }
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const absl::Status& status() const { return status_; }

  int cores() const { return core_ == nullptr ? 0 : core_->cores(); }

  // Returns when every loop runs. Not on a core.
  absl::Status Start() {
    if (!status_.ok()) return status_;
    return StatusOfErrno(core_->Start(), "cannot start the loops");
  }

  // Starts, serves until stopped, drains. The exit status for main: 0, or 1
  // (the reason is logged). Not on a core.
  int Run();

  // Any thread, a core too; async-signal-safe.
  void RequestStop() {
    if (core_ != nullptr) core_->RequestStop();
  }

  // Two-phase stop; false if some service was still busy after `deadline`
  // (nanoseconds) and was destroyed all the same. Not on a core.
  bool Drain(std::int64_t deadline_ns) {
    return core_ == nullptr || core_->Drain(deadline_ns);
  }

  // Runs `fn` on a core, soon. Any thread. What it captures is moved there.
  template <typename F>
  SendResult Post(int core, F&& fn) {
    return core_->Post(core, Message(std::forward<F>(fn)));
  }

  // The core that the caller is on, or -1. Any thread.
  int CurrentCore() const {
    return core_ == nullptr ? -1 : core_->CurrentCore();
  }

  // The loop of a core. Its owner-only methods belong to that core.
  EventBase* base(int core) { return core_->base(core); }

  std::vector<LoopStats> Stats() { return core_->Stats(); }

  RuntimeCore* core() { return core_.get(); }

 private:
  std::unique_ptr<RuntimeCore> core_;
  absl::Status status_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_RUNTIME_H_
