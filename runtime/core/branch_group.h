// Several tasks under one co_await: what WhenAll, WhenAny and WithTimeout are
// made of.
//
// Each task runs in a branch, a small coroutine with a TaskContext of its own,
// so that it can be ended alone and waits for what it has lent. The group
// lives in the awaiter; destroying it destroys all branches. One core.
#ifndef PERCORE_RUNTIME_CORE_BRANCH_GROUP_H_
#define PERCORE_RUNTIME_CORE_BRANCH_GROUP_H_

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "percore/runtime/core/task.h"
#include "percore/runtime/core/task_context.h"

namespace percore::task_internal {

class BranchGroup;

// How a task ended; empty: it has not.
template <typename T>
struct Outcome {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  std::optional<Value> value;
  std::exception_ptr error;

  bool has() const { return value.has_value() || error != nullptr; }
  Value Take() {
    if (error != nullptr) std::rethrow_exception(std::exchange(error, {}));
    return std::move(*value);
  }
};

class Branch {
 public:
  class promise_type : public TaskContext {
   public:
    struct Final {
      bool await_ready() const noexcept { return false; }
      inline std::coroutine_handle<> await_suspend(
          std::coroutine_handle<promise_type> self) const noexcept;
      void await_resume() const noexcept {}
    };
    promise_type() : TaskContext(nullptr, &DoEnd) {}
    Branch get_return_object() noexcept {
      return Branch{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    Final final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    TaskContext* context() { return this; }

    BranchGroup* group = nullptr;
    std::size_t index = 0;

   private:
    inline static void DoEnd(TaskContext* context);
  };

  std::coroutine_handle<promise_type> handle;
};

template <typename T>
Branch RunBranch(Task<T> task, Outcome<T>* outcome) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await task;
      outcome->value.emplace();
    } else {
      outcome->value.emplace(co_await task);
    }
  } catch (...) {
    outcome->error = std::current_exception();
  }
}

class BranchGroup {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  // `first_only`: when one has ended the others are ended too.
  explicit BranchGroup(bool first_only) : first_only_(first_only) {}
  BranchGroup(const BranchGroup&) = delete;
  BranchGroup& operator=(const BranchGroup&) = delete;
  ~BranchGroup() {
    for (auto& handle : branches_) {
      if (handle != nullptr) handle.destroy();
    }
  }

  void Add(Branch branch) { branches_.push_back(branch.handle); }

  // True: `parent` will be resumed. False: all is over already.
  bool Start(std::coroutine_handle<> parent, TaskContext* context) {
    parent_ = parent;
    busy_ = true;
    running_ = branches_.size();
    for (std::size_t i = 0; i < branches_.size(); ++i) {
      branches_[i].promise().group = this;
      branches_[i].promise().index = i;
      branches_[i].promise().SetOuter(context);
    }
    for (std::size_t i = 0; i < branches_.size(); ++i) {
      if (first_only_ && first_ != kNone) break;
      branches_[i].resume();
    }
    if (first_only_ && first_ != kNone) EndOthers();
    busy_ = false;
    return running_ != 0;
  }

  // Ends what still runs; then the parent goes on, at once or when what was
  // lent has come back. From the loop.
  void EndAll() {
    busy_ = true;
    EndOthers();
    busy_ = false;
    if (running_ == 0) parent_.resume();
  }

  // The one that ended first, or kNone.
  std::size_t first() const { return first_; }

 private:
  friend class Branch::promise_type;

  // A branch has come to its end: who goes on.
  std::coroutine_handle<> Finished(std::size_t index) {
    --running_;
    if (first_ == kNone) {
      first_ = index;
      if (first_only_ && !busy_) {
        busy_ = true;
        EndOthers();
        busy_ = false;
      }
    }
    if (busy_ || running_ != 0) return std::noop_coroutine();
    return parent_;
  }

  void EndOthers() {
    for (auto& handle : branches_) {
      if (handle != nullptr && !handle.done()) handle.promise().End();
    }
  }

  // A branch was ended and may be destroyed.
  void Ended(std::size_t index) {
    const bool stay = branches_[index].promise().OuterEnding();
    std::exchange(branches_[index], nullptr).destroy();
    --running_;
    if (!busy_ && running_ == 0 && !stay) parent_.resume();
  }

  const bool first_only_;
  bool busy_ = false;  // somebody above looks at running_ when done
  std::size_t running_ = 0;
  std::size_t first_ = kNone;
  std::coroutine_handle<> parent_;
  std::vector<std::coroutine_handle<Branch::promise_type>> branches_;
};

inline std::coroutine_handle<> Branch::promise_type::Final::await_suspend(
    std::coroutine_handle<promise_type> self) const noexcept {
  return self.promise().group->Finished(self.promise().index);
}

inline void Branch::promise_type::DoEnd(TaskContext* context) {
  auto* promise = static_cast<promise_type*>(context);
  promise->group->Ended(promise->index);
}

}  // namespace percore::task_internal

#endif  // PERCORE_RUNTIME_CORE_BRANCH_GROUP_H_
