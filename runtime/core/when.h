// Several tasks at once, on the core of the one that awaits.
//
//   auto [a, b] = co_await WhenAll(Left(), Right());
//   std::variant<Reply, std::monostate> r = co_await WhenAny(Ask(), Stop());
//
// WhenAll waits for every task and gives their values; if some have thrown,
// the first of them, in the order given, is thrown again after all have ended.
// WhenAny gives what the first to end gave (or throws it) and destroys the
// others; one that has lent something to another core (Borrow) is waited for.
// The value of a Task<void> is std::monostate. Tasks start in order; WhenAny
// does not start those behind one that ended at once.
#ifndef PERCORE_RUNTIME_CORE_WHEN_H_
#define PERCORE_RUNTIME_CORE_WHEN_H_

#include <coroutine>
#include <cstddef>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "percore/runtime/core/branch_group.h"
#include "percore/runtime/core/task.h"

namespace percore {
namespace task_internal {

template <typename T>
using ValueOf = typename Outcome<T>::Value;

// The common half of the awaiters. They are neither copied nor moved: the
// branches point into them.
class GroupAwaiter {
 public:
  GroupAwaiter(const GroupAwaiter&) = delete;
  GroupAwaiter& operator=(const GroupAwaiter&) = delete;
  bool await_ready() const noexcept { return false; }
  template <typename P>
  bool await_suspend(std::coroutine_handle<P> parent) {
    return group_.Start(parent, ContextOf(parent));
  }

 protected:
  explicit GroupAwaiter(bool first_only) : group_(first_only) {}
  BranchGroup group_;
};

template <typename... Ts>
class [[nodiscard]] TupleAwaiter : public GroupAwaiter {
 protected:
  TupleAwaiter(bool first_only, Task<Ts>... tasks) : GroupAwaiter(first_only) {
    std::apply(
        [&](Outcome<Ts>&... outcomes) {
          (group_.Add(RunBranch(std::move(tasks), &outcomes)), ...);
        },
        outcomes_);
  }
  std::tuple<Outcome<Ts>...> outcomes_;
};

template <typename... Ts>
class AllAwaiter : public TupleAwaiter<Ts...> {
 public:
  explicit AllAwaiter(Task<Ts>... tasks)
      : TupleAwaiter<Ts...>(false, std::move(tasks)...) {}
  std::tuple<ValueOf<Ts>...> await_resume() {
    return std::apply(
        [](Outcome<Ts>&... outcomes) {
          // In braces: evaluated from the left.
          return std::tuple<ValueOf<Ts>...>{outcomes.Take()...};
        },
        this->outcomes_);
  }
};

template <typename... Ts>
class AnyAwaiter : public TupleAwaiter<Ts...> {
 public:
  using Result = std::variant<ValueOf<Ts>...>;
  explicit AnyAwaiter(Task<Ts>... tasks)
      : TupleAwaiter<Ts...>(true, std::move(tasks)...) {}
  Result await_resume() { return Pick<0>(); }

 private:
  template <std::size_t I>
  Result Pick() {
    if constexpr (I + 1 < sizeof...(Ts)) {
      if (this->group_.first() != I) return Pick<I + 1>();
    }
    return Result(std::in_place_index<I>, std::get<I>(this->outcomes_).Take());
  }
};

template <typename T>
class [[nodiscard]] VectorAwaiter : public GroupAwaiter {
 protected:
  VectorAwaiter(bool first_only, std::vector<Task<T>> tasks)
      : GroupAwaiter(first_only), outcomes_(tasks.size()) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      group_.Add(RunBranch(std::move(tasks[i]), &outcomes_[i]));
    }
  }
  std::vector<Outcome<T>> outcomes_;
};

template <typename T>
class AllOfVectorAwaiter : public VectorAwaiter<T> {
 public:
  explicit AllOfVectorAwaiter(std::vector<Task<T>> tasks)
      : VectorAwaiter<T>(false, std::move(tasks)) {}
  std::vector<ValueOf<T>> await_resume() {
    std::vector<ValueOf<T>> values;
    values.reserve(this->outcomes_.size());
    for (auto& outcome : this->outcomes_) values.push_back(outcome.Take());
    return values;
  }
};

template <typename T>
class AnyOfVectorAwaiter : public VectorAwaiter<T> {
 public:
  explicit AnyOfVectorAwaiter(std::vector<Task<T>> tasks)
      : VectorAwaiter<T>(true, std::move(tasks)) {}
  std::pair<std::size_t, ValueOf<T>> await_resume() {
    const std::size_t i = this->group_.first();
    return {i, this->outcomes_[i].Take()};
  }
};

}  // namespace task_internal

// std::tuple of the values.
template <typename... Ts>
auto WhenAll(Task<Ts>... tasks) {
  return task_internal::AllAwaiter<Ts...>(std::move(tasks)...);
}
// std::vector of the values.
template <typename T>
auto WhenAll(std::vector<Task<T>> tasks) {
  return task_internal::AllOfVectorAwaiter<T>(std::move(tasks));
}

// std::variant of the values; index() tells which task it was. At least one.
template <typename... Ts>
  requires(sizeof...(Ts) > 0)
auto WhenAny(Task<Ts>... tasks) {
  return task_internal::AnyAwaiter<Ts...>(std::move(tasks)...);
}
// std::pair of the index and the value. At least one task.
template <typename T>
auto WhenAny(std::vector<Task<T>> tasks) {
  PERCORE_CHECK(!tasks.empty());
  return task_internal::AnyOfVectorAwaiter<T>(std::move(tasks));
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_WHEN_H_
