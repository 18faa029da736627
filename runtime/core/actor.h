// ActorRef<T>: a T that lives on one core, reached from anywhere.
//
//   auto counter = ActorRef<Counter>::Spawn(runtime, 1, {}, /*start=*/10);
//   counter.Tell([](Counter& c) { c.Increment(); });
//   absl::StatusOr<int> n = co_await counter.Ask(&Counter::Get);
//
// T is constructed, called and destroyed on its core, one call at a time
// (calls that are coroutines take turns). It lives until Stop, the runtime's
// drain, or a failure: an exception that leaves a function called on it. Then
// its RestartPolicy says whether a new T takes its place, made from the same
// arguments; each T has a generation, from 1. References are counted and
// cheap to copy; they keep the name, not the T, alive.
//
// Death is visible to whoever asks: a call that failed, or was under way when
// T died, answers Aborted; later ones answer Unavailable with the reason if T
// is dead, or reach the next generation.
#ifndef PERCORE_RUNTIME_CORE_ACTOR_H_
#define PERCORE_RUNTIME_CORE_ACTOR_H_

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "percore/runtime/core/actor_cell.h"
#include "percore/runtime/core/object_call.h"
#include "percore/runtime/core/runtime.h"

namespace percore {

template <typename T>
class ActorRef {
  using Cell = actor_internal::Cell<T>;

 public:
  // Refers to nothing.
  ActorRef() = default;

  // A T(args...) on `core`, constructed there soon: before anything sent to
  // it arrives. Arguments must be copyable, for restarts, and own what they
  // hold. Any thread. Never null; if the core has stopped, the actor is dead.
  template <typename... Args>
  static ActorRef Spawn(RuntimeCore* runtime, int core, RestartPolicy policy,
                        Args... args) {
    static_assert((CrossesCores<Args> && ...),
                  "an actor's arguments cross cores: pass owners");
    PERCORE_CHECK(core >= 0 && core < runtime->cores());
    auto cell = std::make_shared<Cell>(
        runtime, core, policy,
        [args = std::make_tuple(std::move(args)...)](std::optional<T>* slot) {
          std::apply([slot](const auto&... a) { slot->emplace(a...); }, args);
        });
    cell->Launch();
    return ActorRef(std::move(cell));
  }
  template <typename... Args>
  static ActorRef Spawn(Runtime& runtime, int core, RestartPolicy policy,
                        Args... args) {
    return Spawn(runtime.core(), core, policy, std::move(args)...);
  }

  explicit operator bool() const { return cell_ != nullptr; }
  int core() const { return cell_->core(); }

  // How many T there have been: 0 before the first, then 1. Any thread; a
  // view of the moment.
  std::uint64_t generation() const { return cell_->generation(); }
  // False once it has died for good. Any thread; a view of the moment.
  bool alive() const { return cell_->alive(); }

  // To be awaited, on a core: as Sharded::On, but always by mail, behind what
  // this core has sent before. What T throws is answered as Aborted.
  template <typename F, typename... Args>
  auto Ask(F fn, Args&&... args) const {
    return ObjectCall<Cell, F, std::decay_t<Args>...>(
        cell_->runtime(), cell_->core(), cell_, nullptr, std::move(fn),
        std::forward<Args>(args)...);
  }

  // Sends and forgets. kOk says it is under way; a dead T drops it. Any
  // thread.
  template <typename F>
  SendResult Tell(F fn) const {
    static_assert(std::is_invocable_v<F&, T&>, "fn takes a T&");
    return cell_->runtime()->Post(
        cell_->core(), Message([cell = cell_, f = std::move(fn)]() mutable {
          cell->Received(-1);
          T* object = cell->object();
          if (object == nullptr) return;
          try {
            f(*object);
          } catch (...) {
            (void)cell->Failed(std::current_exception());
          }
        }));
  }

  // Destroys T on its core, soon, after what this thread sent before (unless
  // the mailbox is full: then before). For good: no restart. Any thread.
  void Stop() const { cell_->RequestStop(); }

  friend bool operator==(const ActorRef& a, const ActorRef& b) {
    return a.cell_ == b.cell_;
  }

 private:
  explicit ActorRef(std::shared_ptr<Cell> cell) : cell_(std::move(cell)) {}
  std::shared_ptr<Cell> cell_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_ACTOR_H_
