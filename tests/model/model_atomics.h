// The atomics policy under which the mailbox's templates run in the checker.
//
// The same members as RealAtomics (runtime/sync/atomic.h). Every operation
// carries the place that it was called from, so that a schedule can name it and
// a test can weaken it.

#ifndef PERCORE_TESTS_MODEL_MODEL_ATOMICS_H_
#define PERCORE_TESTS_MODEL_MODEL_ATOMICS_H_

#include <atomic>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "percore/tests/model/explorer.h"
#include "percore/tests/model/operation.h"

namespace percore::model {

template <class T>
class ModelAtomic {
 public:
  using Where = std::source_location;
  using Order = std::memory_order;
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);

  ModelAtomic() : ModelAtomic(T{}) {}
  ModelAtomic(T value)  // NOLINT: as std::atomic
      : location_(CreateLocation(ToBits(value))) {}
  ~ModelAtomic() { DestroyLocation(location_); }
  ModelAtomic(const ModelAtomic&) = delete;
  ModelAtomic& operator=(const ModelAtomic&) = delete;

  // What schedules call it.
  void Name(const char* name) { NameLocation(location_, name); }

  T load(Order order = Order::seq_cst,
         const Where& where = Where::current()) const {
    return Do(Kind::kLoad, T{}, order, where);
  }
  void store(T value, Order order = Order::seq_cst,
             const Where& where = Where::current()) {
    Do(Kind::kStore, value, order, where);
  }
  T exchange(T value, Order order = Order::seq_cst,
             const Where& where = Where::current()) {
    return Do(Kind::kExchange, value, order, where);
  }
  T fetch_or(T value, Order order = Order::seq_cst,
             const Where& where = Where::current()) {
    return Do(Kind::kFetchOr, value, order, where);
  }
  T fetch_and(T value, Order order = Order::seq_cst,
              const Where& where = Where::current()) {
    return Do(Kind::kFetchAnd, value, order, where);
  }
  T fetch_xor(T value, Order order = Order::seq_cst,
              const Where& where = Where::current()) {
    return Do(Kind::kFetchXor, value, order, where);
  }
  T fetch_add(T value, Order order = Order::seq_cst,
              const Where& where = Where::current()) {
    return Do(Kind::kFetchAdd, value, order, where);
  }
  T fetch_sub(T value, Order order = Order::seq_cst,
              const Where& where = Where::current()) {
    return Do(Kind::kFetchSub, value, order, where);
  }
  bool compare_exchange_weak(T& expected, T desired, Order success,
                             Order failure,
                             const Where& where = Where::current()) {
    return CompareExchange(expected, desired, success, failure, true, where);
  }
  bool compare_exchange_strong(T& expected, T desired, Order success,
                               Order failure,
                               const Where& where = Where::current()) {
    return CompareExchange(expected, desired, success, failure, false, where);
  }
  bool compare_exchange_weak(T& expected, T desired,
                             Order order = Order::seq_cst,
                             const Where& where = Where::current()) {
    return CompareExchange(expected, desired, order, FailureOf(order), true,
                           where);
  }
  bool compare_exchange_strong(T& expected, T desired,
                               Order order = Order::seq_cst,
                               const Where& where = Where::current()) {
    return CompareExchange(expected, desired, order, FailureOf(order), false,
                           where);
  }

 protected:
  // Never inlined, so that a finished operation leaves nothing in the caller's
  // frame (see WipeStack).
  [[gnu::noinline]] T Do(Kind kind, T value, Order order,
                         const Where& where) const {
    WipeStack();
    Operation operation = {.kind = kind};
    operation.order = order;
    operation.location = location_;
    operation.operand = ToBits(value);
    operation.mask = kMask;
    operation.site = where;
    Perform(&operation);
    return FromBits(operation.result);
  }

 private:
  static constexpr uint64_t kMask =
      sizeof(T) == 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * sizeof(T))) - 1;

  static Order FailureOf(Order order) {
    if (order == Order::acq_rel) return Order::acquire;
    return order == Order::release ? Order::relaxed : order;
  }

  [[gnu::noinline]] bool CompareExchange(T& expected, T desired, Order success,
                                         Order failure, bool weak,
                                         const Where& where) {
    WipeStack();
    Operation operation = {.kind = Kind::kCompareExchange, .weak = weak};
    operation.order = success;
    operation.failure_order = failure;
    operation.location = location_;
    operation.operand = ToBits(desired);
    operation.expected = ToBits(expected);
    operation.mask = kMask;
    operation.site = where;
    Perform(&operation);
    if (operation.wrote) return true;
    expected = FromBits(operation.result);
    return false;
  }

  static uint64_t ToBits(T value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(T));
    return bits;
  }
  static T FromBits(uint64_t bits) {
    T value;
    memcpy(&value, &bits, sizeof(T));
    return value;
  }

  const int location_;
};

// A plain shared variable: unordered accesses are a data race.
template <class T>
class ModelVar {
 public:
  ModelVar() : ModelVar(T{}) {}
  ModelVar(T value) : plain_(CreatePlain()), value_(value) {}  // NOLINT
  ~ModelVar() { DestroyPlain(plain_); }
  ModelVar(const ModelVar&) = delete;
  ModelVar& operator=(const ModelVar&) = delete;

  T Get() const {
    ReadPlain(plain_);
    return value_;
  }
  void Set(T value) {
    WritePlain(plain_);
    value_ = value;
  }

 private:
  const int plain_;
  T value_;
};

struct ModelAtomics {
  template <class T>
  using Atomic = ModelAtomic<T>;
  template <class T>
  using Var = ModelVar<T>;
  static void Pause() { PauseThread(); }
  static void Fence(
      std::memory_order order,
      const std::source_location& where = std::source_location::current()) {
    model::Fence(order, where);
  }
};

// What the kernel gives: a level that Ring() sets and Wait() waits for and
// takes. By default it orders nothing, which is less than an eventfd does: code
// that passes needs no help from the system call.
class Doorbell : private ModelAtomic<uint32_t> {
 public:
  explicit Doorbell(bool orders = false)
      : ModelAtomic<uint32_t>(0), orders_(orders) {
    Name("doorbell");
  }
  void Ring(const Where& where = Where::current()) {
    Do(Kind::kExchange, 1,
       orders_ ? std::memory_order_release : std::memory_order_relaxed, where);
  }
  // Blocks until rung.
  void Wait(const Where& where = Where::current()) {
    Do(Kind::kWait, 0,
       orders_ ? std::memory_order_acquire : std::memory_order_relaxed, where);
  }

 private:
  const bool orders_;
};

}  // namespace percore::model

#endif  // PERCORE_TESTS_MODEL_MODEL_ATOMICS_H_
