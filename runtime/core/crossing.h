// What may cross from one core to another.
//
// Arguments and results of a call between cores are decayed and moved into
// the message. A view, a span, a pointer or a reference would still point into
// the sender's memory, so it does not compile; Borrow(x) lends x by name
// instead, and keeps the lender alive until the answer is there:
//
//   co_await store.On(key, &Store::Put, key, std::string(value));   // moved
//   co_await store.On(key, &Store::Fill, Borrow(buffer));           // lent
//
// Limit: what a lambda captures cannot be seen by the compiler's checks.
// Capture by value, and owners only.
#ifndef PERCORE_RUNTIME_CORE_CROSSING_H_
#define PERCORE_RUNTIME_CORE_CROSSING_H_

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace percore {

// An lvalue of the caller that the callee uses until it has answered. Made by
// Borrow; the callee's parameter is T&.
template <typename T>
class Borrowed {
 public:
  explicit Borrowed(T& value) : value_(&value) {}
  T& get() const { return *value_; }

 private:
  T* value_;
};

// Lends `value` for the time of one call. The coroutine that awaits the call
// is not destroyed before the answer: cancellation waits for it.
template <typename T>
Borrowed<T> Borrow(T& value) {
  return Borrowed<T>(value);
}

namespace crossing {

template <typename T>
struct IsBorrowed : std::false_type {};
template <typename T>
struct IsBorrowed<Borrowed<T>> : std::true_type {};

// Points into memory that somebody else owns.
template <typename T>
struct PointsElsewhere
    : std::bool_constant<std::is_pointer_v<T> &&
                         !std::is_function_v<std::remove_pointer_t<T>>> {};
template <typename C, typename Traits>
struct PointsElsewhere<std::basic_string_view<C, Traits>> : std::true_type {};
template <typename T, std::size_t N>
struct PointsElsewhere<std::span<T, N>> : std::true_type {};
template <typename T>
struct PointsElsewhere<std::reference_wrapper<T>> : std::true_type {};
// The usual wrappers are looked into.
template <typename T>
struct PointsElsewhere<std::optional<T>> : PointsElsewhere<T> {};
template <typename T, typename A>
struct PointsElsewhere<std::vector<T, A>> : PointsElsewhere<T> {};
template <typename A, typename B>
struct PointsElsewhere<std::pair<A, B>>
    : std::bool_constant<std::is_reference_v<A> || std::is_reference_v<B> ||
                         PointsElsewhere<A>::value ||
                         PointsElsewhere<B>::value> {};
template <typename... Ts>
struct PointsElsewhere<std::tuple<Ts...>>
    : std::bool_constant<(
          (std::is_reference_v<Ts> || PointsElsewhere<Ts>::value) || ...)> {};
template <typename... Ts>
struct PointsElsewhere<std::variant<Ts...>>
    : std::bool_constant<(PointsElsewhere<Ts>::value || ...)> {};

template <typename T>
decltype(auto) Unwrap(T& value) {
  if constexpr (IsBorrowed<T>::value) {
    return value.get();  // T&
  } else {
    return std::move(value);
  }
}

}  // namespace crossing

// May be passed to another core, after decay. std::decay turns an array into
// a pointer, so a string literal does not cross: pass std::string.
template <typename T>
concept CrossesCores = std::move_constructible<std::decay_t<T>> &&
                       (crossing::IsBorrowed<std::decay_t<T>>::value ||
                        !crossing::PointsElsewhere<std::decay_t<T>>::value);

// May be a result: a value, and nothing lent.
template <typename T>
concept ReturnsAcrossCores =
    std::is_void_v<T> ||
    (!std::is_reference_v<T> && !crossing::IsBorrowed<T>::value &&
     !crossing::PointsElsewhere<T>::value);

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_CROSSING_H_
