// A call from one core to another and its answer, as one block of memory.
//
//   caller's core                          callee's core
//   send: outgoing mail --- request --->   run the function
//   <--- the same block, with the answer --- reply
//
// The block belongs to whoever is running with it; both ways are mail, so
// nothing in it is atomic. Its last step is always on the caller's core: there
// it resumes the waiting coroutine, or, if that was destroyed meanwhile
// (detached), is freed with the answer in it. A reply never fails for want of
// room: it goes as a message, and as a control node if that is refused.
#ifndef PERCORE_RUNTIME_CORE_CALL_H_
#define PERCORE_RUNTIME_CORE_CALL_H_

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "percore/runtime/core/crossing.h"
#include "percore/runtime/core/task.h"
#include "percore/runtime/core/task_context.h"
#include "percore/runtime/mailbox/mailbox.h"

namespace percore {

namespace crossing {
template <typename T>
struct PointsElsewhere<absl::StatusOr<T>>
    : std::bool_constant<std::is_reference_v<T> || PointsElsewhere<T>::value> {
};
}  // namespace crossing

// What co_await of a call to a function that returns R gives: absl::Status
// for void and Status, absl::StatusOr<R> otherwise; a Task or a StatusOr is
// looked into.
template <typename R>
struct AnswerTo {
  using type = absl::StatusOr<R>;
};
template <>
struct AnswerTo<void> {
  using type = absl::Status;
};
template <>
struct AnswerTo<absl::Status> {
  using type = absl::Status;
};
template <typename R>
struct AnswerTo<absl::StatusOr<R>> {
  using type = absl::StatusOr<R>;
};
template <typename R>
struct AnswerTo<Task<R>> : AnswerTo<R> {};
template <typename R>
using AnswerOf = typename AnswerTo<R>::type;

namespace call_internal {

// Told on the caller's core that a call is over.
class CallCounter {
 public:
  virtual void CallReturned() = 0;

 protected:
  ~CallCounter() = default;
};

class CallBase : public ControlNode {
 public:
  Mailbox* caller = nullptr;       // of the runtime, which outlives this
  CallCounter* counter = nullptr;  // null: nobody counts
  TaskContext* lender = nullptr;   // set while something is lent
  std::coroutine_handle<> waiter;
  bool arrived = false;
  bool detached = false;

  // On the caller's core, or wherever the loops are being freed (`closed`).
  void Arrive(bool closed) {
    arrived = true;
    if (counter != nullptr && !closed) counter->CallReturned();
    bool go_on = true;
    if (lender != nullptr) {
      // This may destroy the coroutine that waits, and so detach us.
      destroying_ = true;
      go_on = std::exchange(lender, nullptr)->Return();
      destroying_ = false;
    }
    if (detached) {
      Destroy();
    } else if (go_on && !closed && waiter != nullptr) {
      std::exchange(waiter, nullptr).resume();
    }
  }

  // The caller wants no answer any more.
  void Release() {
    // Another core is using memory that is going away: see Borrow.
    PERCORE_CHECK(lender == nullptr);
    if (arrived && !destroying_) {
      Destroy();
    } else {
      detached = true;
      waiter = nullptr;
    }
  }

  // Sends the block back. From the callee's core; not to be touched after.
  void Reply() {
    Message message(Envelope{this});
    const SendResult sent = caller->Send(std::move(message));
    if (sent == SendResult::kOk || !message.ok()) return;
    returning_ = true;  // still ours: the envelope must not act
    message.Reset();
    ReplyByNode();
  }

  // As Reply, from where messages cannot be sent: while one is destroyed.
  void ReplyByNode() {
    run = [](ControlNode* self, bool closed) {
      static_cast<CallBase*>(self)->Arrive(closed);
    };
    if (!caller->SendControl(this)) Arrive(true);
  }

 protected:
  CallBase() = default;
  virtual ~CallBase() = default;

 private:
  struct Envelope {
    CallBase* call;
    explicit Envelope(CallBase* c) : call(c) {}
    Envelope(Envelope&& other) noexcept
        : call(std::exchange(other.call, nullptr)) {}
    void operator()() { std::exchange(call, nullptr)->Arrive(false); }
    ~Envelope() {
      // Lost on its way: the caller's loop is gone.
      if (call != nullptr && !call->returning_) call->Arrive(true);
    }
  };

  void Destroy() { delete this; }

  bool returning_ = false;
  bool destroying_ = false;
};

// With the answer, of type A (Status or StatusOr<X>).
template <typename A>
class Call : public CallBase {
 public:
  std::optional<A> answer;
  std::exception_ptr error;

  A TakeAnswer() {
    if (error != nullptr) std::rethrow_exception(std::exchange(error, {}));
    if (!answer.has_value()) {
      return A(absl::UnavailableError("the core stopped before it answered"));
    }
    return std::move(*answer);
  }
};

// Runs `invoke` and keeps what it returns, or throws.
template <typename A, typename F>
void AnswerWith(Call<A>* call, F&& invoke) {
  using R = std::invoke_result_t<F&>;
  try {
    if constexpr (std::is_void_v<R>) {
      invoke();
      call->answer.emplace(absl::OkStatus());
    } else {
      call->answer.emplace(invoke());
    }
  } catch (...) {
    call->error = std::current_exception();
  }
}

}  // namespace call_internal
}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_CALL_H_
