// Sharded<T>: one T on each core of a runtime.
//
//   percore::Runtime runtime;
//   percore::Sharded<Store> store(runtime, options);   // Store(options) each
//   ...
//   absl::StatusOr<Value> v = co_await store.On(key, &Store::Get, key);
//
// Each T is constructed on its own core, lives there, is called only there and
// is destroyed there; it needs no locks. If the runtime is not running yet the
// objects are constructed in place, by the calling thread. A T may take a
// Shard as its first argument, and learns from it where it is. Arguments are
// copied for each core.
//
// Stop has two phases (RuntimeCore). First every core sends nothing new (calls
// answer Unavailable), calls under way finish, messages under way arrive, and
// T::Quiesce(done), if T has one, is called: it calls `done`, on its core,
// when T has nothing under way any more. When all cores have, each T is
// destroyed. What comes too late is refused with a status, for it finds no
// object. A Sharded is destroyed before its runtime; a few bytes for each core
// stay until the runtime's end, since late mail may look there.
//
// Functions are members of T or callables that take a T& first; they return a
// value, nothing, a Status, a StatusOr, or a Task of those, which then runs on
// T's core. What crosses is checked (crossing.h). Exceptions cross back.
#ifndef PERCORE_RUNTIME_CORE_SHARDED_H_
#define PERCORE_RUNTIME_CORE_SHARDED_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "percore/runtime/core/key_hash.h"
#include "percore/runtime/core/object_call.h"
#include "percore/runtime/core/runtime.h"
#include "percore/runtime/core/shard_part.h"

namespace percore {

// Where a shard is.
struct Shard {
  RuntimeCore* runtime;
  int core;

  int cores() const { return runtime->cores(); }
  EventBase* base() const { return runtime->base(core); }
};

// T can be asked to finish what it has under way.
template <typename T>
concept Quiesces =
    requires(T& t, std::function<void()> done) { t.Quiesce(std::move(done)); };

template <typename T>
class Sharded final : public Service {
  struct Slot final : ShardPart {
    using value_type = T;
    using pointer = Slot*;
    static constexpr bool kInline = true;
    static constexpr bool kSupervised = false;
    using ShardPart::ShardPart;

    T* object() { return object_.has_value() ? &*object_ : nullptr; }
    absl::Status Refusal() const {
      return absl::UnavailableError("the shard has stopped");
    }
    CoreScope* serving() { return &serving_; }
    void DestroyObject() {
      serving_.EndAll();  // the coroutines that work on it go first
      object_.reset();
    }

    std::optional<T> object_;
    CoreScope serving_;
  };
  struct Slots {
    std::vector<std::unique_ptr<Slot>> parts;
    std::atomic<bool> closing{false};  // for threads outside
  };

  template <typename F>
  using CallOf = ObjectCall<Slot, F>;

  // What OnAll gives for results of F.
  template <typename F>
  struct AllOf {
    using One = typename ObjectCall<Slot, F>::Answer;
    static constexpr bool kVoid = std::is_same_v<One, absl::Status>;
    template <typename X>
    struct Value {
      using type = int;
    };
    template <typename X>
    struct Value<absl::StatusOr<X>> {
      using type = X;
    };
    using Collected = std::vector<typename Value<One>::type>;
    using Answer =
        std::conditional_t<kVoid, absl::Status, absl::StatusOr<Collected>>;

    static bool Ok(const One& one) { return one.ok(); }
    static absl::Status StatusOfAnswer(const One& one) {
      if constexpr (kVoid) {
        return one;
      } else {
        return one.status();
      }
    }
    static void Collect(Collected* all, One&& one) {
      if constexpr (!kVoid) all->push_back(*std::move(one));
    }
    static Answer Result(Collected&& all) {
      if constexpr (kVoid) {
        return absl::OkStatus();
      } else {
        return Answer(std::move(all));
      }
    }
  };

 public:
  // Not on a core. Throws what a constructor of T throws.
  template <typename... Args>
  explicit Sharded(Runtime& runtime, const Args&... args)
      : runtime_(runtime.core()) {
    if (runtime_ == nullptr) {
      status_ = runtime.status();
      return;
    }
    slots_ = std::make_shared<Slots>();
    for (int core = 0; core < runtime_->cores(); ++core) {
      slots_->parts.push_back(std::make_unique<Slot>(runtime_, core));
    }
    runtime_->KeepUntilEnd(slots_);
    std::vector<std::exception_ptr> errors(slots_->parts.size());
    const auto construct = [&](int core) {
      try {
        Construct(core, args...);
      } catch (...) {
        errors[static_cast<std::size_t>(core)] = std::current_exception();
      }
    };
    if (runtime_->running()) {
      runtime_->OnEveryCore(
          [&construct](int core, std::function<void()> done) {
            construct(core);
            done();
          },
          INT64_MAX / 4);
    } else {
      for (int core = 0; core < runtime_->cores(); ++core) construct(core);
    }
    runtime_->Register(this);
    for (const auto& error : errors) {
      if (error == nullptr) continue;
      runtime_->Unregister(this);
      std::rethrow_exception(error);
    }
  }
  Sharded(const Sharded&) = delete;
  Sharded& operator=(const Sharded&) = delete;

  // Stops this one alone if the runtime has not stopped. Not on a core.
  ~Sharded() override {
    if (runtime_ != nullptr) runtime_->Unregister(this);
  }

  // Why the runtime could not be made; then nothing may be called.
  const absl::Status& status() const { return status_; }
  int cores() const { return runtime_ == nullptr ? 0 : runtime_->cores(); }

  // The core that a key belongs to. Any thread.
  template <typename K>
  int CoreOf(const K& key) const {
    return CoreOfHash(KeyHash(key), runtime_->cores());
  }

  // The caller's own T. A core.
  T& Local() {
    PERCORE_DCHECK_ON_CORE(runtime_, -1, "Sharded::Local", this);
    return *slot(runtime_->CurrentCore()).object();
  }

  // To be awaited, on a core: calls `fn` with the T of that core, or of the
  // core that owns the key, and gives StatusOr of its result (Status if there
  // is none). On the caller's own core it is a plain call. Errors:
  // Unavailable (stopping, stopped), ResourceExhausted (the mailbox is at its
  // bound, no memory), Aborted (destroyed while it answered).
  template <typename F, typename... Args>
  auto On(int core, F fn, Args&&... args) {
    PERCORE_CHECK(core >= 0 && core < runtime_->cores());
    return ObjectCall<Slot, F, std::decay_t<Args>...>(
        runtime_, core, &slot(core), Source(), std::move(fn),
        std::forward<Args>(args)...);
  }
  // Anything but an int is a key; for int keys there is OnKey.
  template <typename K, typename F, typename... Args>
    requires(!std::is_same_v<K, int>)
  auto On(const K& key, F fn, Args&&... args) {
    return On(CoreOf(key), std::move(fn), std::forward<Args>(args)...);
  }
  template <typename K, typename F, typename... Args>
  auto OnKey(const K& key, F fn, Args&&... args) {
    return On(CoreOf(key), std::move(fn), std::forward<Args>(args)...);
  }

  // Sends and forgets: `fn` is called later with the T of `core`, this core's
  // own included. kOk says it is under way; if T is gone by then it is
  // dropped. An exception passes through the loop. Any thread.
  template <typename F>
  SendResult Tell(int core, F fn) {
    static_assert(std::is_invocable_v<F&, T&>, "fn takes a T&");
    PERCORE_CHECK(core >= 0 && core < runtime_->cores());
    const int from = runtime_->CurrentCore();
    if (from < 0) {
      if (slots_->closing.load(std::memory_order_relaxed)) {
        return SendResult::kClosed;
      }
    } else if (slot(from).closing()) {
      return SendResult::kClosed;
    }
    const SendResult sent = runtime_->Post(
        core, Message([to = &slot(core), from, f = std::move(fn)]() mutable {
          to->Received(from);
          if (T* object = to->object()) f(*object);
        }));
    if (from >= 0 && sent == SendResult::kOk) slot(from).Sent(core);
    return sent;
  }

  // Calls fn(T&) on every core at once; gives StatusOr<vector of results>, by
  // core, or Status; the first error if there was one. A core.
  template <typename F>
  auto OnAll(F fn) -> Task<typename AllOf<F>::Answer> {
    std::vector<CallOf<F>> calls;
    calls.reserve(static_cast<std::size_t>(cores()));
    for (int core = 0; core < cores(); ++core) {
      calls.push_back(On(core, fn));
      calls.back().Start();
    }
    typename AllOf<F>::Collected all;
    absl::Status status;
    for (auto& call : calls) {
      auto answer = co_await call;
      if (!AllOf<F>::Ok(answer)) {
        if (status.ok()) status = AllOf<F>::StatusOfAnswer(answer);
      } else if (status.ok()) {
        AllOf<F>::Collect(&all, std::move(answer));
      }
    }
    if (!status.ok()) co_return status;
    co_return AllOf<F>::Result(std::move(all));
  }

  // OnAll, then value = reduce(value, result) in the order of the cores.
  template <typename V, typename M, typename R>
  auto MapReduce(V value, M map, R reduce) -> Task<absl::StatusOr<V>> {
    auto results = co_await OnAll(std::move(map));
    if (!results.ok()) co_return results.status();
    for (auto& result : *results) {
      value = reduce(std::move(value), std::move(result));
    }
    co_return value;
  }

  // --- Service. The runtime's calls. --------------------------------------

  void Quiesce(int core, std::function<void()> done) override {
    slots_->closing.store(true, std::memory_order_relaxed);
    Slot& part = slot(core);
    constexpr bool kAsk = Quiesces<T>;
    part.ShardPart::Quiesce(slots_->parts, kAsk && part.object() != nullptr,
                            std::move(done));
    if constexpr (kAsk) {
      if (part.object() != nullptr) {
        part.object()->Quiesce([&part] { part.ObjectQuiet(); });
      }
    }
  }

  void Destroy(int core) override {
    slots_->closing.store(true, std::memory_order_relaxed);
    slot(core).DestroyObject();
  }

 private:
  Slot& slot(int core) {
    return *slots_->parts[static_cast<std::size_t>(core)];
  }

  CallSource* Source() {
    const int here = runtime_->CurrentCore();
    return here < 0 ? nullptr : &slot(here);
  }

  template <typename... Args>
  void Construct(int core, const Args&... args) {
    if constexpr (std::is_constructible_v<T, Shard, const Args&...>) {
      slot(core).object_.emplace(Shard{runtime_, core}, args...);
    } else {
      slot(core).object_.emplace(args...);
    }
  }

  RuntimeCore* runtime_;
  std::shared_ptr<Slots> slots_;
  absl::Status status_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_SHARDED_H_
