// A call of a function on an object that lives on some core: what Sharded::On
// and ActorRef::Ask give to co_await.
//
// Target is where the object lives, reached by a Target::pointer. It has
//   T* object()            null when the object is gone
//   absl::Status Refusal() why it is gone
//   CoreScope* serving()   the coroutines that work for it
//   void Received(int from)  mail of a core is here
//   kInline                  a call from its own core is a plain call
//   kSupervised, and if so absl::Status Failed(exception): a function threw
#ifndef PERCORE_RUNTIME_CORE_OBJECT_CALL_H_
#define PERCORE_RUNTIME_CORE_OBJECT_CALL_H_

#include <functional>
#include <new>
#include <tuple>
#include <utility>

#include "percore/runtime/core/call.h"
#include "percore/runtime/core/core_check.h"
#include "percore/runtime/core/driver.h"
#include "percore/runtime/core/runtime.h"
#include "percore/runtime/core/runtime_core.h"

namespace percore {

// Counts what one core has sent; its core.
class CallSource : public call_internal::CallCounter {
 public:
  // OK, or why nothing may be sent any more.
  virtual absl::Status MaySend() = 0;
  virtual void Sent(int to) = 0;
  virtual void CallSent() = 0;

 protected:
  ~CallSource() = default;
};

namespace call_internal {

// The function and its arguments, decayed; used once.
template <typename F, typename... Args>
struct Payload {
  F function;
  std::tuple<Args...> arguments;

  template <typename T>
  decltype(auto) Invoke(T& object) {
    return std::apply(
        [&](auto&... args) -> decltype(auto) {
          return std::invoke(std::move(function), object,
                             crossing::Unwrap(args)...);
        },
        arguments);
  }
};

template <typename T, typename F, typename... Args>
using ResultOf =
    decltype(std::declval<Payload<F, Args...>&>().Invoke(std::declval<T&>()));

template <typename Target, typename F, typename... Args>
class Request final
    : public Call<AnswerOf<ResultOf<typename Target::value_type, F, Args...>>> {
 public:
  using T = typename Target::value_type;
  using R = ResultOf<T, F, Args...>;
  using A = AnswerOf<R>;

  Request(typename Target::pointer t, Payload<F, Args...>&& payload)
      : target(std::move(t)), payload_(std::move(payload)) {}

  typename Target::pointer target;
  int from = -1;
  bool local = false;

  // Carries the request; if it is lost, the caller hears of it.
  struct Envelope {
    Request* request;
    explicit Envelope(Request* r) : request(r) {}
    Envelope(Envelope&& other) noexcept
        : request(std::exchange(other.request, nullptr)) {}
    void operator()() {
      Request* r = std::exchange(request, nullptr);
      r->target->Received(r->from);
      r->Serve();
    }
    ~Envelope() {
      if (request == nullptr || request->kept_) return;
      request->payload_.reset();
      request->answer.emplace(absl::UnavailableError("the core has stopped"));
      request->ReplyByNode();
    }
  };

  // Sends; if it cannot be sent the request is still the caller's.
  SendResult Send(Mailbox* to) {
    Message message(Envelope{this});
    const SendResult sent = to->Send(std::move(message));
    if (sent == SendResult::kOk || !message.ok()) return SendResult::kOk;
    kept_ = true;
    message.Reset();
    return sent;
  }

  // On the target's core. Replies, now or later; not to be touched after.
  void Serve() {
    T* object = target->object();
    if (object == nullptr) {
      this->answer.emplace(target->Refusal());
      Finish();
    } else if constexpr (task_internal::IsTask<R>::value) {
      Drive(this, object).Start(target->serving());
    } else {
      AnswerWith(static_cast<Call<A>*>(this),
                 [&]() -> R { return payload_->Invoke(*object); });
      CheckFailed();
      Finish();
    }
  }

 private:
  // Ends the call however the coroutine ends.
  struct Ending {
    Request* request;
    ~Ending() {
      request->task_ = {};
      if (!request->answer.has_value() && request->error == nullptr) {
        request->answer.emplace(absl::AbortedError(
            "the callee was destroyed while it was answering"));
      }
      request->CheckFailed();
      request->Finish();
    }
  };

  static Driver Drive(Request* self, T* object) {
    Ending ending{self};
    try {
      self->task_ = self->payload_->Invoke(*object);
      if constexpr (std::is_void_v<typename R::value_type>) {
        co_await self->task_;
        self->answer.emplace(absl::OkStatus());
      } else {
        self->answer.emplace(co_await self->task_);
      }
    } catch (...) {
      self->error = std::current_exception();
    }
  }

  void CheckFailed() {
    if constexpr (Target::kSupervised) {
      if (this->error == nullptr) return;
      this->answer.emplace(target->Failed(std::exchange(this->error, {})));
    }
  }

  void Finish() {
    payload_.reset();
    if (local) {
      this->Arrive(false);
    } else {
      this->Reply();
    }
  }

  struct None {};
  std::optional<Payload<F, Args...>> payload_;
  std::conditional_t<task_internal::IsTask<R>::value, R, None> task_;
  bool kept_ = false;
};

}  // namespace call_internal

// Awaited once, on a core. Sends when it is awaited, or at Start(). Dropping
// it afterwards detaches: the callee finishes, and its answer is dropped on
// the caller's core.
template <typename Target, typename F, typename... Args>
class [[nodiscard]] ObjectCall {
  using Request = call_internal::Request<Target, F, Args...>;
  using Payload = call_internal::Payload<F, Args...>;

 public:
  using R = typename Request::R;
  using Answer = typename Request::A;
  static_assert((CrossesCores<Args> && ...),
                "a view, pointer or reference does not cross cores: pass a "
                "value, or Borrow() what outlives the call");
  static_assert(
      ReturnsAcrossCores<R> &&
          ReturnsAcrossCores<decltype(call_internal::Call<Answer>::answer)>,
      "a result that points into the callee's memory does not cross "
      "cores: return a value");
  static constexpr bool kLends = (crossing::IsBorrowed<Args>::value || ...);

  // `source` may be null: nobody counts.
  ObjectCall(RuntimeCore* runtime, int core, typename Target::pointer target,
             CallSource* source, F function, Args... arguments)
      : runtime_(runtime),
        core_(core),
        target_(std::move(target)),
        source_(source),
        payload_(Payload{std::move(function),
                         std::tuple<Args...>(std::move(arguments)...)}) {}
  ObjectCall(ObjectCall&& other) noexcept
      : runtime_(other.runtime_),
        core_(other.core_),
        target_(std::move(other.target_)),
        source_(other.source_),
        payload_(std::move(other.payload_)),
        call_(std::exchange(other.call_, nullptr)),
        ready_(std::move(other.ready_)),
        error_(std::move(other.error_)) {
    other.payload_.reset();
  }
  ObjectCall& operator=(ObjectCall&&) = delete;
  ~ObjectCall() {
    if (call_ != nullptr) call_->Release();
  }

  // Sends now, to be awaited later. A core.
  void Start() {
    if (!payload_.has_value()) return;
    const int here = runtime_->CurrentCore();
    PERCORE_DCHECK_ON_CORE(runtime_, -1, "an awaited call", &*target_);
    Payload payload = std::move(*payload_);
    payload_.reset();
    if (source_ != nullptr) {
      absl::Status refused = source_->MaySend();
      if (!refused.ok()) return Refuse(std::move(refused));
    }
    if constexpr (Target::kInline && !task_internal::IsTask<R>::value) {
      if (here == core_) return RunHere(payload);
    }
    auto* request = new (std::nothrow) Request(target_, std::move(payload));
    if (request == nullptr) {
      return Refuse(absl::ResourceExhaustedError("no memory for a call"));
    }
    request->from = here;
    request->caller = runtime_->mailbox(here);
    request->counter = source_;
    if (Target::kInline && here == core_) {
      request->local = true;
      if (source_ != nullptr) source_->CallSent();
      call_ = request;
      request->Serve();
      return;
    }
    const SendResult sent = request->Send(runtime_->mailbox(core_));
    if (sent != SendResult::kOk) {
      delete request;
      return Refuse(StatusOfSend(sent));
    }
    // From here on the request is not to be touched: it may be over there.
    if (source_ != nullptr) {
      source_->CallSent();
      source_->Sent(core_);
    }
    call_ = request;
  }

  bool await_ready() {
    Start();
    return call_ == nullptr || call_->arrived;
  }
  template <typename P>
  void await_suspend(std::coroutine_handle<P> waiter) {
    call_->waiter = waiter;
    if constexpr (kLends) {
      static_assert(task_internal::HasContext<P>,
                    "Borrow() needs a percore::Task to keep alive");
      call_->lender = waiter.promise().context();
      PERCORE_CHECK(call_->lender != nullptr);
      call_->lender->Lend();
    }
  }
  Answer await_resume() {
    if (call_ != nullptr) return call_->TakeAnswer();
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, {}));
    return std::move(*ready_);
  }

 private:
  void Refuse(absl::Status why) { ready_.emplace(std::move(why)); }

  void RunHere(Payload& payload) {
    auto* object = target_->object();
    if (object == nullptr) return Refuse(target_->Refusal());
    try {
      if constexpr (std::is_void_v<R>) {
        payload.Invoke(*object);
        ready_.emplace(absl::OkStatus());
      } else {
        ready_.emplace(payload.Invoke(*object));
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  RuntimeCore* runtime_;
  int core_;
  typename Target::pointer target_;
  CallSource* source_;
  std::optional<Payload> payload_;
  call_internal::Call<Answer>* call_ = nullptr;
  std::optional<Answer> ready_;
  std::exception_ptr error_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_OBJECT_CALL_H_
