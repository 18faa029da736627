// Where an actor lives: its object, its state, its restarts. See actor.h.
//
//   kNew --first mail--> kAlive --failure--> kFailed --next turn--> kAlive
//     |                    |                    |                   or kDead
//     +------ Stop, drain -+--------------------+--> kDead
#ifndef PERCORE_RUNTIME_CORE_ACTOR_CELL_H_
#define PERCORE_RUNTIME_CORE_ACTOR_CELL_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "percore/runtime/core/runtime_core.h"
#include "percore/runtime/core/task_context.h"
#include "percore/runtime/mailbox/message.h"
#include "percore/runtime/observe/log.h"

namespace percore {

// What becomes of an actor that has failed.
struct RestartPolicy {
  // New objects that may take the place of failed ones; 0: it dies at once.
  int restarts = 0;
};

namespace actor_internal {

template <typename T>
class Cell final : public ScopedRoot,
                   public std::enable_shared_from_this<Cell<T>> {
 public:
  using value_type = T;
  using pointer = std::shared_ptr<Cell>;
  // One call at a time, in the order of sending: its own core sends mail too.
  static constexpr bool kInline = false;
  static constexpr bool kSupervised = true;
  using Factory = std::function<void(std::optional<T>*)>;

  Cell(RuntimeCore* runtime, int core, RestartPolicy policy, Factory factory)
      : ScopedRoot(&EndOfScope),
        runtime_(runtime),
        core_(core),
        restarts_left_(policy.restarts),
        factory_(std::move(factory)) {}

  // --- Any thread -----------------------------------------------------------

  RuntimeCore* runtime() const { return runtime_; }
  int core() const { return core_; }
  std::uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }
  bool alive() const { return !dead_.load(std::memory_order_acquire); }

  void Launch() {
    const SendResult sent = runtime_->Post(
        core_,
        Message([cell = this->shared_from_this()] { cell->Received(-1); }));
    // Full: the first mail that gets through makes it.
    if (sent == SendResult::kClosed) {
      dead_.store(true, std::memory_order_release);
    }
  }

  void RequestStop() {
    const auto stop = [cell = this->shared_from_this()] {
      cell->Die("it was stopped");
    };
    if (runtime_->Post(core_, Message(stop)) != SendResult::kFull) return;
    SendNode(&Cell::DieStopped);
  }

  // --- Its core -------------------------------------------------------------

  T* object() {
    return state_ == State::kAlive && object_.has_value() ? &*object_ : nullptr;
  }
  CoreScope* serving() { return &serving_; }

  absl::Status Refusal() const {
    if (state_ == State::kFailed) {
      return absl::AbortedError("the actor is being restarted: " + reason_);
    }
    return absl::UnavailableError("the actor is dead: " + reason_);
  }

  // Mail is here; nothing of T is on the stack.
  void Received(int) {
    if (state_ == State::kNew) {
      // On the core's list from its first breath to its death, which also
      // keeps the cell alive.
      self_ = this->shared_from_this();
      if (!runtime_->scope(core_)->Add(this)) return Die("the core stopped");
      Make();
    } else if (state_ == State::kFailed) {
      Replace();
    }
  }

  // A function of this generation has thrown. T may be on the stack, so its
  // end waits for the loop. What the failed call answers.
  absl::Status Failed(std::exception_ptr error) {
    const std::string what = WhatOf(error);
    if (state_ == State::kAlive) {
      state_ = State::kFailed;
      reason_ = what;
      SendNode(&Cell::Replace);
    }
    return absl::AbortedError("the actor failed: " + what);
  }

 private:
  enum class State { kNew, kAlive, kFailed, kDead };

  static void EndOfScope(TaskContext* context) {
    static_cast<Cell*>(context)->Die("the runtime is stopping");
  }

  static std::string WhatOf(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      return e.what();
    } catch (...) {
      return "an exception";
    }
  }

  void Make() {
    try {
      factory_(&object_);
      generation_.fetch_add(1, std::memory_order_release);
      state_ = State::kAlive;
    } catch (...) {
      // As a failure of the new generation, but there is nothing to end.
      generation_.fetch_add(1, std::memory_order_release);
      state_ = State::kFailed;
      reason_ = WhatOf(std::current_exception());
      SendNode(&Cell::Replace);
    }
  }

  void Replace() {
    if (state_ != State::kFailed) return;
    DestroyObject();
    if (restarts_left_ == 0) return Die(reason_);
    --restarts_left_;
    LogWarnx("an actor on core %d failed and is restarted: %s", core_,
             reason_.c_str());
    Make();
  }

  void DieStopped() { Die("it was stopped"); }

  void Die(std::string reason) {
    if (state_ == State::kDead) return;
    state_ = State::kDead;
    reason_ = std::move(reason);
    LeaveScope();
    DestroyObject();
    dead_.store(true, std::memory_order_release);
    const std::shared_ptr<Cell> last = std::move(self_);
  }

  void DestroyObject() {
    serving_.EndAll();  // their callers hear Aborted
    object_.reset();
  }

  // Calls a member from the loop. Takes no room in a mailbox.
  void SendNode(void (Cell::*member)()) {
    struct Node : ControlNode {
      std::shared_ptr<Cell> cell;
      void (Cell::*member)();
    };
    auto* node = new Node;
    node->cell = this->shared_from_this();
    node->member = member;
    node->run = [](ControlNode* n, bool closed) {
      std::unique_ptr<Node> owned(static_cast<Node*>(n));
      if (!closed) ((*owned->cell).*(owned->member))();
    };
    if (!runtime_->mailbox(core_)->SendControl(node)) delete node;
  }

  RuntimeCore* runtime_;
  const int core_;
  int restarts_left_;
  Factory factory_;
  State state_ = State::kNew;
  std::string reason_;
  std::optional<T> object_;
  CoreScope serving_;
  std::shared_ptr<Cell> self_;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<bool> dead_{false};
};

}  // namespace actor_internal
}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_ACTOR_CELL_H_
