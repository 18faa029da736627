// Waiting for time, on the core's own loop.
#ifndef PERCORE_RUNTIME_CORE_SLEEP_H_
#define PERCORE_RUNTIME_CORE_SLEEP_H_

#include <event2/event_struct.h>

#include <chrono>
#include <coroutine>
#include <cstdint>

#include "percore/runtime/core/runtime_core.h"
#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/observe/log.h"

namespace percore {

// The loop of the core that the caller is on. A core.
inline EventBase* CurrentBase() {
  RuntimeCore* runtime = RuntimeCore::Current();
  PERCORE_CHECK(runtime != nullptr);
  return runtime->base(runtime->CurrentCore());
}

// As a timeval, rounded up, never negative.
inline timeval TimeoutOf(std::chrono::nanoseconds duration) {
  const std::int64_t ns = duration.count();
  return NsToTimeval(ns <= 0              ? 0
                     : ns > INT64_MAX / 4 ? INT64_MAX / 4
                                          : ns + 999);
}

// A timeout of the current core's loop, withdrawn by its destructor. What
// awaiters that wait for time are made of.
class CoreTimeout {
 public:
  CoreTimeout() = default;
  CoreTimeout(const CoreTimeout&) = delete;
  CoreTimeout& operator=(const CoreTimeout&) = delete;
  ~CoreTimeout() { Cancel(); }

  // Calls run(arg) once, `duration` from now. A core. False: no memory.
  bool Start(std::chrono::nanoseconds duration, void (*run)(void*), void* arg) {
    base_ = CurrentBase();
    run_ = run;
    arg_ = arg;
    EventBase::Assign(
        &event_, base_, -1, 0,
        [](evutil_socket_t, short, void* self) {
          auto* timeout = static_cast<CoreTimeout*>(self);
          timeout->base_ = nullptr;
          timeout->run_(timeout->arg_);
        },
        this);
    const timeval timeout = TimeoutOf(duration);
    if (base_->Add(&event_, &timeout) == 0) return true;
    base_ = nullptr;
    return false;
  }

  // That core.
  void Cancel() {
    if (base_ == nullptr) return;
    base_->Del(&event_, DelWait::kNever);
    base_ = nullptr;
  }

 private:
  EventBase* base_ = nullptr;
  void (*run_)(void*) = nullptr;
  void* arg_ = nullptr;
  event event_;
};

class [[nodiscard]] SleepAwaiter {
 public:
  explicit SleepAwaiter(std::chrono::nanoseconds duration)
      : duration_(duration) {}
  bool await_ready() const noexcept { return false; }
  // Without memory for the timeout it goes on at once, as if woken early.
  bool await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    return timeout_.Start(
        duration_,
        [](void* self) { static_cast<SleepAwaiter*>(self)->waiter_.resume(); },
        this);
  }
  void await_resume() const noexcept {}

 private:
  std::chrono::nanoseconds duration_;
  std::coroutine_handle<> waiter_;
  CoreTimeout timeout_;
};

// co_await Sleep(5ms): never early; zero or less is one turn of the loop. A
// core.
inline SleepAwaiter Sleep(std::chrono::nanoseconds duration) {
  return SleepAwaiter(duration);
}

// co_await Yield(): lets everything else that is ready run first. A core.
class [[nodiscard]] YieldAwaiter {
 public:
  YieldAwaiter() = default;
  YieldAwaiter(const YieldAwaiter&) = delete;
  YieldAwaiter& operator=(const YieldAwaiter&) = delete;
  ~YieldAwaiter() {
    if (base_ != nullptr) base_->CancelCallback(&callback_);
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    base_ = CurrentBase();
    base_->InitCallback(
        &callback_, base_->priorities() / 2,
        [](event_callback*, void* self) {
          auto* yield = static_cast<YieldAwaiter*>(self);
          yield->base_ = nullptr;
          yield->waiter_.resume();
        },
        this);
    base_->ScheduleCallback(&callback_);
  }
  void await_resume() const noexcept {}

 private:
  EventBase* base_ = nullptr;
  std::coroutine_handle<> waiter_;
  event_callback callback_;
};
inline YieldAwaiter Yield() { return {}; }

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_SLEEP_H_
