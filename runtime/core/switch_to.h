// co_await SwitchTo(core): a spawned task goes on, as a whole, on another core
// of its runtime, and belongs there from then on.
//
// The task and everything that awaits it, up to its root, moves: they are one
// line of control. Objects in their frames that are bound to the old core
// (timers, streams) must not live across it. Only a task below Spawn can move:
// not a branch of WhenAll, WhenAny or WithTimeout, nor one that a shard or an
// actor serves, for somebody on this core waits for those; that is checked.
#ifndef PERCORE_RUNTIME_CORE_SWITCH_TO_H_
#define PERCORE_RUNTIME_CORE_SWITCH_TO_H_

#include <event2/event_struct.h>

#include <coroutine>

#include "percore/runtime/core/runtime_core.h"
#include "percore/runtime/core/task.h"
#include "percore/runtime/observe/log.h"

namespace percore {

class [[nodiscard]] SwitchToAwaiter : public ControlNode {
 public:
  explicit SwitchToAwaiter(int core)
      : runtime_(RuntimeCore::Current()), core_(core) {
    PERCORE_CHECK(runtime_ != nullptr);
    PERCORE_CHECK(core >= 0 && core < runtime_->cores());
  }

  SwitchToAwaiter(const SwitchToAwaiter&) = delete;
  SwitchToAwaiter& operator=(const SwitchToAwaiter&) = delete;
  ~SwitchToAwaiter() {
    if (base_ != nullptr) base_->CancelCallback(&leave_);
  }

  bool await_ready() const { return runtime_->CurrentCore() == core_; }

  template <typename P>
    requires task_internal::HasContext<P>
  void await_suspend(std::coroutine_handle<P> waiter) {
    TaskContext* context = waiter.promise().context();
    PERCORE_CHECK(context != nullptr && context->movable() != nullptr);
    root_ = context->movable();
    waiter_ = waiter;
    // It leaves from the loop: those that started us are still on this
    // thread's stack and will look whether we have ended.
    base_ = runtime_->base(runtime_->CurrentCore());
    base_->InitCallback(
        &leave_, base_->priorities() / 2,
        [](event_callback*, void* self) {
          static_cast<SwitchToAwaiter*>(self)->Leave();
        },
        this);
    base_->ScheduleCallback(&leave_);
  }
  void await_resume() const noexcept {}

 private:
  void Leave() {
    base_ = nullptr;
    run = [](ControlNode* self, bool closed) {
      static_cast<SwitchToAwaiter*>(self)->Arrive(closed);
    };
    root_->LeaveScope();
    // On its way it cannot be destroyed: it is lent to the mailbox. From
    // SetCore on, a cancellation goes to the other core and finds it lent.
    root_->Lend();
    root_->SetCore(core_);
    if (!runtime_->mailbox(core_)->SendControl(this)) Arrive(true);
  }

  void Arrive(bool closed) {
    MovableRoot* root = root_;
    if (!root->Return()) return;  // cancelled meanwhile, and gone
    if (closed || !runtime_->scope(core_)->Add(root)) return root->End();
    waiter_.resume();
  }

  RuntimeCore* runtime_;
  int core_;
  EventBase* base_ = nullptr;  // while it waits to leave
  event_callback leave_;
  MovableRoot* root_ = nullptr;
  std::coroutine_handle<> waiter_;
};

// A task below Spawn; on a core.
inline SwitchToAwaiter SwitchTo(int core) { return SwitchToAwaiter(core); }

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_SWITCH_TO_H_
