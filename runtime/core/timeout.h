// co_await WithTimeout(2s, Fetch()): a task that may take only so long.
#ifndef PERCORE_RUNTIME_CORE_TIMEOUT_H_
#define PERCORE_RUNTIME_CORE_TIMEOUT_H_

#include <chrono>
#include <coroutine>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "percore/runtime/core/branch_group.h"
#include "percore/runtime/core/call.h"
#include "percore/runtime/core/sleep.h"
#include "percore/runtime/core/task.h"

namespace percore {

template <typename T>
class [[nodiscard]] TimeoutAwaiter {
 public:
  TimeoutAwaiter(std::chrono::nanoseconds duration, Task<T> task)
      : duration_(duration), group_(/*first_only=*/false) {
    group_.Add(task_internal::RunBranch(std::move(task), &outcome_));
  }
  TimeoutAwaiter(const TimeoutAwaiter&) = delete;
  TimeoutAwaiter& operator=(const TimeoutAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  template <typename P>
  bool await_suspend(std::coroutine_handle<P> parent) {
    if (!group_.Start(parent, task_internal::ContextOf(parent))) return false;
    // Without memory for the timeout the task has all the time it wants.
    timeout_.Start(
        duration_,
        [](void* self) { static_cast<TimeoutAwaiter*>(self)->group_.EndAll(); },
        this);
    return true;
  }
  AnswerOf<T> await_resume() {
    timeout_.Cancel();
    if (!outcome_.has()) {
      return absl::DeadlineExceededError("the task took too long");
    }
    if constexpr (std::is_void_v<T>) {
      outcome_.Take();
      return absl::OkStatus();
    } else {
      return outcome_.Take();
    }
  }

 private:
  std::chrono::nanoseconds duration_;
  task_internal::Outcome<T> outcome_;
  task_internal::BranchGroup group_;
  CoreTimeout timeout_;
};

// StatusOr of the task's value (Status for void; a Status or StatusOr is not
// wrapped again), DeadlineExceeded if it had not ended after `duration`: then
// it has been destroyed, as soon as what it had lent was back. An exception is
// thrown again. On a core.
template <typename T>
TimeoutAwaiter<T> WithTimeout(std::chrono::nanoseconds duration, Task<T> task) {
  return TimeoutAwaiter<T>(duration, std::move(task));
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_TIMEOUT_H_
