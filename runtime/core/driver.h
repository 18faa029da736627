// The coroutine at the root: nobody awaits it, it destroys itself at its end.
#ifndef PERCORE_RUNTIME_CORE_DRIVER_H_
#define PERCORE_RUNTIME_CORE_DRIVER_H_

#include <coroutine>
#include <exception>
#include <utility>

#include "percore/runtime/core/task_context.h"

namespace percore {

// Its body must not let an exception out. Until it ends it stands in the
// scope that Start puts it in, which may end it early, while it is suspended.
class Driver {
 public:
  class promise_type : public ScopedRoot {
   public:
    promise_type() : ScopedRoot(&End) {}
    Driver get_return_object() noexcept {
      return Driver(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    TaskContext* context() { return this; }

   private:
    static void End(TaskContext* context) {
      std::coroutine_handle<promise_type>::from_promise(
          *static_cast<promise_type*>(context))
          .destroy();
    }
  };

  // Runs it until it first waits. The scope's core. The driver may be gone
  // when this returns. In a closed scope it is destroyed at once; its locals
  // have not been made then, only its parameters.
  void Start(CoreScope* scope) && {
    if (!scope->Add(&handle_.promise())) return handle_.destroy();
    handle_.resume();
  }

 private:
  explicit Driver(std::coroutine_handle<promise_type> handle)
      : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_DRIVER_H_
