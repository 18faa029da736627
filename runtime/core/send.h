// Sending to a core whose mailbox is bounded.
//
// TrySend answers at once: ok, full or closed. co_await Send waits for room:
// it asks the full loop for a sign that it has gone round (a control node,
// which takes no room), and then tries again. It costs nothing while it waits.
#ifndef PERCORE_RUNTIME_CORE_SEND_H_
#define PERCORE_RUNTIME_CORE_SEND_H_

#include <coroutine>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "percore/runtime/core/call.h"
#include "percore/runtime/core/runtime.h"
#include "percore/runtime/core/runtime_core.h"
#include "percore/runtime/core/task.h"

namespace percore {

// Runs `fn` on `core`, soon, if there is room for it. Any thread.
template <typename F>
SendResult TrySend(Runtime& runtime, int core, F&& fn) {
  return runtime.Post(core, std::forward<F>(fn));
}

namespace call_internal {

// Resumes when the loop of another core (or this one) has begun a turn.
class TurnOf {
 public:
  TurnOf(RuntimeCore* runtime, int core) : runtime_(runtime), core_(core) {}
  TurnOf(const TurnOf&) = delete;
  TurnOf& operator=(const TurnOf&) = delete;
  ~TurnOf() {
    if (visit_ != nullptr) visit_->Release();
  }
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    visit_ = new (std::nothrow) Visit;
    if (visit_ == nullptr) return false;
    visit_->waiter = waiter;
    visit_->caller = runtime_->mailbox(runtime_->CurrentCore());
    visit_->run = [](ControlNode* self, bool) {
      static_cast<Visit*>(self)->ReplyByNode();
    };
    if (runtime_->mailbox(core_)->SendControl(visit_)) return true;
    visit_->arrived = true;
    return false;
  }
  void await_resume() const noexcept {}

 private:
  struct Visit : CallBase {};
  RuntimeCore* runtime_;
  int core_;
  Visit* visit_ = nullptr;
};

inline Task<absl::Status> SendWhenRoom(RuntimeCore* runtime, int core,
                                       Message message) {
  for (;;) {
    const SendResult sent = runtime->mailbox(core)->Send(std::move(message));
    if (sent != SendResult::kFull) co_return StatusOfSend(sent);
    co_await TurnOf(runtime, core);
  }
}

}  // namespace call_internal

// To be awaited: OK when `fn` is under way, Unavailable when the core has
// stopped, ResourceExhausted when there is no memory. `fn` owns what it
// captures. On a core.
template <typename F>
Task<absl::Status> Send(Runtime& runtime, int core, F&& fn) {
  return call_internal::SendWhenRoom(runtime.core(), core,
                                     Message(std::forward<F>(fn)));
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_SEND_H_
