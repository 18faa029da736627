// Task<T>: a coroutine that runs on the core where it is awaited.
//
//   Task<int> Sum(std::string a, std::string b) {
//     co_return co_await Length(std::move(a)) + co_await Length(std::move(b));
//   }
//
// Lazy: it starts when it is awaited, and is awaited once. It resumes on the
// core that it was on. Its frame is its only allocation. An exception that
// leaves its body is thrown again from co_await.
//
// Cancellation is destruction: a Task that is destroyed while it is suspended
// takes everything under it along, and awaiters withdraw in their destructors.
// Never destroy a task from code that it is running; JoinHandle, WithTimeout
// and WhenAny see to that by themselves.
//
// The awaiting coroutine starts its child by a nested resume and learns
// whether it ended at once; a child that ends later transfers symmetrically.
// So a loop that awaits tasks without waiting does not grow the stack, in
// debug and sanitizer builds either, where g++ makes no tail calls. A chain
// of n tasks that await each other needs stack for n starts.
//
// Faults of g++ 12, each with a test that shows the safe spelling
// (tests/runtime/core/gcc_coroutine_test.cc):
//   1. An aggregate given in braces as an argument inside a co_await
//      expression is copied bitwise into the frame and destroyed twice:
//      name it first, or give it a constructor.
//   2. co_await inside a braced initializer list does not compile: await
//      into names first.
//   3. co_await in a branch of ?: destroys the temporaries of both branches:
//      write if and else, or choose the task and await it once.
//   4. `if (!(co_await a).ok()) co_return;` before `while ((co_await b).ok())`
//      has given a body that never ran (not reduced yet, so without a test):
//      name the answers.
// And two of the language: the captures of a lambda coroutine live in the
// lambda, which must outlive the coroutine (pass them as parameters); a
// reference parameter is kept as a reference.
#ifndef PERCORE_RUNTIME_CORE_TASK_H_
#define PERCORE_RUNTIME_CORE_TASK_H_

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "percore/runtime/core/task_context.h"

namespace percore {

template <typename T = void>
class [[nodiscard]] Task;

namespace task_internal {

// A promise that knows its root.
template <typename P>
concept HasContext = requires(P& p) {
  { p.context() } -> std::convertible_to<TaskContext*>;
};

template <typename P>
TaskContext* ContextOf(std::coroutine_handle<P> handle) {
  if constexpr (HasContext<P>) {
    return handle.promise().context();
  } else {
    return nullptr;
  }
}

class PromiseBase {
 public:
  struct Final {
    bool await_ready() const noexcept { return false; }
    template <typename P>
    std::coroutine_handle<> await_suspend(
        std::coroutine_handle<P> self) const noexcept {
      PromiseBase& promise = self.promise();
      // Ended within its own start: the starter goes on by itself.
      if (promise.starting_) return std::noop_coroutine();
      return promise.continuation_;
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { error_ = std::current_exception(); }

  TaskContext* context() const { return context_; }

  // Runs the task on behalf of `parent`. True: it waits for something and
  // resumes `parent` at its end. False: it has ended.
  template <typename P>
  static bool Start(std::coroutine_handle<P> self,
                    std::coroutine_handle<> parent, TaskContext* context) {
    PromiseBase& promise = self.promise();
    promise.continuation_ = parent;
    promise.context_ = context;
    promise.starting_ = true;
    self.resume();
    if (self.done()) return false;
    promise.starting_ = false;
    return true;
  }

 protected:
  void ThrowIfFailed() {
    if (error_ != nullptr) std::rethrow_exception(std::move(error_));
  }

 private:
  std::coroutine_handle<> continuation_;
  TaskContext* context_ = nullptr;
  std::exception_ptr error_;
  bool starting_ = false;
};

template <typename T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <typename U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T Take() {
    ThrowIfFailed();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  inline Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void Take() { ThrowIfFailed(); }
};

}  // namespace task_internal

template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = task_internal::Promise<T>;
  using value_type = T;
  static_assert(!std::is_reference_v<T>, "a task gives a value");

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      Reset();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() { Reset(); }

  bool valid() const { return handle_ != nullptr; }
  bool done() const { return handle_ != nullptr && handle_.done(); }

  // Destroys the coroutine and with it what it awaits. Its core; not from
  // code that it is running.
  void Reset() {
    if (handle_ != nullptr) std::exchange(handle_, {}).destroy();
  }

  class Awaiter {
   public:
    explicit Awaiter(Task* task) : task_(task) {}
    bool await_ready() const noexcept { return false; }
    template <typename P>
    bool await_suspend(std::coroutine_handle<P> parent) {
      return promise_type::Start(task_->handle_, parent,
                                 task_internal::ContextOf(parent));
    }
    T await_resume() { return task_->handle_.promise().Take(); }

   private:
    Task* task_;
  };

  // Of a named task or of the result of a call; the task is used up.
  Awaiter operator co_await() & { return Awaiter(this); }
  Awaiter operator co_await() && { return Awaiter(this); }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

namespace task_internal {

template <typename T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}

inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

template <typename T>
struct IsTask : std::false_type {};
template <typename T>
struct IsTask<Task<T>> : std::true_type {};

}  // namespace task_internal
}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_TASK_H_
