// Tasks that nobody awaits: started on a core, joined or cancelled from
// anywhere.
//
//   JoinHandle<int> handle = Spawn(runtime, 1, Count());
//   absl::StatusOr<int> n = co_await handle.Join();      // on any core
//   absl::StatusOr<int> m = BlockOn(runtime, 0, Count());  // thread outside
//
// A spawned task ends when it returns, when it is cancelled, or when the
// runtime has quiesced and ends what is left, before its services are
// destroyed. Cancelling destroys the suspended task on its core, from the
// loop and never under code that the task is running, and waits for what it
// has lent (Borrow).
#ifndef PERCORE_RUNTIME_CORE_SPAWN_H_
#define PERCORE_RUNTIME_CORE_SPAWN_H_

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "percore/runtime/core/call.h"
#include "percore/runtime/core/core_check.h"
#include "percore/runtime/core/runtime.h"
#include "percore/runtime/core/task.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/sync/mutex.h"

namespace percore {
namespace task_internal {

// The part of a spawned task that its handle shares with it.
template <typename T>
class SpawnState : public std::enable_shared_from_this<SpawnState<T>> {
 public:
  using Answer = AnswerOf<T>;
  using Call = call_internal::Call<Answer>;

  SpawnState(RuntimeCore* runtime, int core, Task<T> task)
      : runtime_(runtime), core_(core), task_(std::move(task)) {}

  // Any thread. An answer that cannot be had otherwise is given at once.
  void Submit() {
    struct Envelope {
      std::shared_ptr<SpawnState> state;
      explicit Envelope(std::shared_ptr<SpawnState> s) : state(std::move(s)) {}
      Envelope(Envelope&&) noexcept = default;
      void operator()() { std::exchange(state, nullptr)->Start(); }
      ~Envelope() {
        if (state == nullptr) return;
        state->Complete(absl::UnavailableError("the core did not start it"));
      }
    };
    const SendResult sent =
        runtime_->Post(core(), Message(Envelope(this->shared_from_this())));
    if (sent != SendResult::kOk) Complete(StatusOfSend(sent));
  }

  // Any thread.
  void Cancel() {
    struct Node : ControlNode {
      std::shared_ptr<SpawnState> state;
    };
    auto* node = new Node;
    node->state = this->shared_from_this();
    node->run = [](ControlNode* self, bool closed) {
      auto* cancel = static_cast<Node*>(self);
      SpawnState* state = cancel->state.get();
      // It may have moved on to another core.
      if (!closed && state->runtime_->CurrentCore() != state->core() &&
          state->runtime_->mailbox(state->core())->SendControl(cancel)) {
        return;
      }
      if (!closed) state->CancelHere();
      delete cancel;
    };
    if (!runtime_->mailbox(core())->SendControl(node)) delete node;
  }

  // The call gets the answer; or it is here already and taken: true.
  bool TakeOrAwait(Call* call) {
    MutexLock lock(&mutex_);
    if (done_) {
      Give(call);
      return true;
    }
    waiter_ = call;
    return false;
  }

  // Blocks.
  Answer Wait() {
    MutexLock lock(&mutex_);
    // The runtime may be gone by the time that it is done.
    if (!done_ && !runtime_->Await(&mutex_, &changed_, INT64_MAX / 4,
                                   [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
                                     return done_;
                                   })) {
      return absl::DeadlineExceededError("nothing runs that could end it");
    }
    taken_ = true;
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, {}));
    return std::move(*answer_);
  }

  // Nobody will ask for the answer.
  void Forget() {
    MutexLock lock(&mutex_);
    forgotten_ = true;
    if (done_) ReportLost();
  }

 private:
  class Root;

  int core() const { return core_.load(std::memory_order_acquire); }

  void Start();

  void CancelHere() {
    cancelled_ = true;
    if (root_ != nullptr) root_->End();
  }

  void Complete(Answer answer) {
    MutexLock lock(&mutex_);
    if (done_) return;
    answer_.emplace(std::move(answer));
    Publish();
  }
  void Fail(std::exception_ptr error) {
    MutexLock lock(&mutex_);
    error_ = std::move(error);
    Publish();
  }

  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    done_ = true;
    changed_.SignalAll();
    if (waiter_ != nullptr) {
      Call* call = std::exchange(waiter_, nullptr);
      Give(call);
      call->Reply();
    } else if (forgotten_) {
      ReportLost();
    }
  }
  void Give(Call* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    taken_ = true;
    call->answer = std::move(answer_);
    call->error = std::exchange(error_, {});
  }
  void ReportLost() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (taken_ || error_ == nullptr) return;
    taken_ = true;
    try {
      std::rethrow_exception(std::exchange(error_, {}));
    } catch (const std::exception& e) {
      LogWarnx("a task that nobody joins ended with an exception: %s",
               e.what());
    } catch (...) {
      LogWarnx("a task that nobody joins ended with an exception");
    }
  }

  RuntimeCore* runtime_;
  std::atomic<int> core_;  // where it is, or is bound for
  // The core's.
  Task<T> task_;
  ScopedRoot* root_ = nullptr;
  bool cancelled_ = false;

  Mutex mutex_;
  CondVar changed_;
  std::optional<Answer> answer_ ABSL_GUARDED_BY(mutex_);
  std::exception_ptr error_ ABSL_GUARDED_BY(mutex_);
  Call* waiter_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  bool taken_ ABSL_GUARDED_BY(mutex_) = false;
  bool forgotten_ ABSL_GUARDED_BY(mutex_) = false;
};

// The coroutine above a spawned task, in two parts: the root, which is also
// the continuation that the task resumes.
template <typename T>
class SpawnState<T>::Root {
 public:
  class promise_type : public MovableRoot {
   public:
    explicit promise_type(std::shared_ptr<SpawnState>& state)
        : MovableRoot(&Destroy), state_(state.get()) {
      state_->root_ = this;
    }
    ~promise_type() override { state_->root_ = nullptr; }
    Root get_return_object() noexcept { return Root(this); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    TaskContext* context() { return this; }
    void SetCore(int core) override {
      state_->core_.store(core, std::memory_order_release);
    }

   private:
    static void Destroy(TaskContext* context) {
      std::coroutine_handle<promise_type>::from_promise(
          *static_cast<promise_type*>(context))
          .destroy();
    }
    SpawnState* state_;
  };

  // Ends the answer however the coroutine ends.
  class Ending {
   public:
    explicit Ending(SpawnState* state) : state_(state) {}
    ~Ending() {
      state_->task_.Reset();
      if (error != nullptr) {
        state_->Fail(std::move(error));
      } else if (answer.has_value()) {
        state_->Complete(std::move(*answer));
      } else {
        state_->Complete(absl::CancelledError("the task was cancelled"));
      }
    }
    std::optional<Answer> answer;
    std::exception_ptr error;

   private:
    SpawnState* state_;
  };

  static Root Run(std::shared_ptr<SpawnState> state) {
    Ending ending(state.get());
    try {
      if constexpr (std::is_void_v<T>) {
        co_await state->task_;
        ending.answer.emplace(absl::OkStatus());
      } else {
        ending.answer.emplace(co_await state->task_);
      }
    } catch (...) {
      ending.error = std::current_exception();
    }
  }

  promise_type* promise;

 private:
  explicit Root(promise_type* p) : promise(p) {}
};

template <typename T>
void SpawnState<T>::Start() {
  if (cancelled_) {
    task_.Reset();
    return Complete(absl::CancelledError("the task was cancelled"));
  }
  Root root = Root::Run(this->shared_from_this());
  const auto handle =
      std::coroutine_handle<typename Root::promise_type>::from_promise(
          *root.promise);
  if (!runtime_->scope(core())->Add(root.promise)) {
    handle.destroy();
    task_.Reset();
    return Complete(absl::UnavailableError("the core is stopping"));
  }
  handle.resume();
}

}  // namespace task_internal

// One task that was spawned. Dropping the handle lets the task run on; then
// its answer is dropped, and an exception is logged.
template <typename T>
class [[nodiscard]] JoinHandle {
  using State = task_internal::SpawnState<T>;

 public:
  // absl::StatusOr<T>, or absl::Status for void.
  using Answer = typename State::Answer;

  JoinHandle() = default;
  explicit JoinHandle(std::shared_ptr<State> state)
      : state_(std::move(state)) {}
  JoinHandle(JoinHandle&&) noexcept = default;
  JoinHandle& operator=(JoinHandle&& other) noexcept {
    if (this != &other) {
      Drop();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~JoinHandle() { Drop(); }

  // Asks for the task's end: it is destroyed where it waits. Its answer is
  // then Cancelled, unless it has ended before. Any thread.
  void Cancel() { state_->Cancel(); }

  // Waits, without a coroutine, and gives the answer; an exception is thrown
  // again. Once, and instead of Join. Not on a core.
  Answer BlockingJoin() {
    PERCORE_CHECK(RuntimeCore::Current() == nullptr);
    return state_->Wait();
  }

  class Awaiter {
   public:
    explicit Awaiter(std::shared_ptr<State> state) : state_(std::move(state)) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (call_ != nullptr) call_->Release();
    }
    bool await_ready() {
      RuntimeCore* runtime = RuntimeCore::Current();
      PERCORE_CHECK(runtime != nullptr);
      call_ = new call_internal::Call<Answer>;
      call_->caller = runtime->mailbox(runtime->CurrentCore());
      call_->arrived = true;  // ours, until it is handed over
      return false;
    }
    bool await_suspend(std::coroutine_handle<> waiter) {
      call_->waiter = waiter;
      call_->arrived = false;
      if (!state_->TakeOrAwait(call_)) return true;
      call_->arrived = true;
      return false;
    }
    Answer await_resume() { return call_->TakeAnswer(); }

   private:
    std::shared_ptr<State> state_;
    call_internal::Call<Answer>* call_ = nullptr;
  };

  // To be awaited once, on any core of any runtime; gives the Answer.
  Awaiter Join() { return Awaiter(state_); }

 private:
  void Drop() {
    if (state_ != nullptr) state_->Forget();
    state_.reset();
  }
  std::shared_ptr<State> state_;
};

// Starts `task` on `core`, soon. Any thread. The task starts there: what its
// frame holds is moved across, so give it owners and no views.
template <typename T>
JoinHandle<T> Spawn(RuntimeCore* runtime, int core, Task<T> task) {
  PERCORE_CHECK(core >= 0 && core < runtime->cores());
  auto state = std::make_shared<task_internal::SpawnState<T>>(runtime, core,
                                                              std::move(task));
  state->Submit();
  return JoinHandle<T>(std::move(state));
}
template <typename T>
JoinHandle<T> Spawn(Runtime& runtime, int core, Task<T> task) {
  return Spawn(runtime.core(), core, std::move(task));
}

// Runs `task` on `core` and waits for its answer; throws what it throws.
// FailedPrecondition if the runtime does not run. Not on a core.
template <typename T>
AnswerOf<T> BlockOn(Runtime& runtime, int core, Task<T> task) {
  if (!runtime.core()->running()) {
    return absl::FailedPreconditionError("the runtime does not run");
  }
  return Spawn(runtime, core, std::move(task)).BlockingJoin();
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_SPAWN_H_
