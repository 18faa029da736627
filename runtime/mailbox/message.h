// A closure on its way to another loop.
//
// Move-only; runs at most once; 48 bytes of captures travel without touching
// the heap, larger ones in one block of the replaceable memory (none when that
// fails: ok() is false). A message that never runs is destroyed.
#ifndef PERCORE_RUNTIME_MAILBOX_MESSAGE_H_
#define PERCORE_RUNTIME_MAILBOX_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "percore/runtime/system/memory.h"

namespace percore {

class Message {
 public:
  static constexpr std::size_t kInlineBytes = 48;

  Message() noexcept = default;

  template <typename F, typename = std::enable_if_t<
                            !std::is_same_v<std::decay_t<F>, Message>>>
  explicit Message(F&& f) {
    using Fn = std::decay_t<F>;
    static_assert(std::is_invocable_v<Fn&>, "a message takes no arguments");
    if constexpr (kFits<Fn>) {
      new (storage_) Fn(std::forward<F>(f));
      ops_ = &kInlineOps<Fn>;
    } else {
      void* p = MemAllocAligned(alignof(Fn), sizeof(Fn));
      if (p == nullptr) return;
      new (p) Fn(std::forward<F>(f));
      new (storage_) void*(p);
      ops_ = &kHeapOps<Fn>;
    }
  }

  Message(Message&& other) noexcept { Take(other); }
  Message& operator=(Message&& other) noexcept {
    if (this != &other) {
      Reset();
      Take(other);
    }
    return *this;
  }
  ~Message() { Reset(); }

  // False for an empty message, and when there was no memory for a large one.
  bool ok() const { return ops_ != nullptr; }

  // The address of the callable's code path, for reports of slow callbacks.
  const void* identity() const { return static_cast<const void*>(ops_); }

  // When it was sent, in Cycles(), for the statistics of mail; 0: not noted.
  // Those that note it are one of a batch, and only while the receiver asks.
  void NoteSent(std::uint64_t cycles) { sent_ = cycles; }
  std::uint64_t sent() const { return sent_; }

  // Runs and destroys the closure. Requires ok().
  void Run() {
    struct Guard {
      Message* message;
      ~Guard() { message->Reset(); }
    } guard{this};
    ops_->run(storage_);
  }

  void Reset() noexcept {
    if (ops_ == nullptr) return;
    const Ops* ops = ops_;
    ops_ = nullptr;
    ops->destroy(storage_);
  }

 private:
  struct Ops {
    void (*run)(void*);
    void (*move)(void* from, void* to) noexcept;  // and destroys `from`
    void (*destroy)(void*) noexcept;
  };

  template <typename Fn>
  static constexpr bool kFits =
      sizeof(Fn) <= kInlineBytes && alignof(Fn) <= alignof(void*) &&
      std::is_nothrow_move_constructible_v<Fn>;

  template <typename Fn>
  static constexpr Ops kInlineOps = {
      [](void* p) { (*static_cast<Fn*>(p))(); },
      [](void* from, void* to) noexcept {
        Fn* f = static_cast<Fn*>(from);
        new (to) Fn(std::move(*f));
        f->~Fn();
      },
      [](void* p) noexcept { static_cast<Fn*>(p)->~Fn(); },
  };

  template <typename Fn>
  static constexpr Ops kHeapOps = {
      [](void* p) { (**static_cast<Fn**>(p))(); },
      [](void* from, void* to) noexcept {
        new (to) void*(*static_cast<void**>(from));
      },
      [](void* p) noexcept {
        Fn* f = *static_cast<Fn**>(p);
        f->~Fn();
        MemFreeAligned(f);
      },
  };

  void Take(Message& other) noexcept {
    ops_ = other.ops_;
    if (ops_ == nullptr) return;
    ops_->move(other.storage_, storage_);
    sent_ = other.sent_;
    other.ops_ = nullptr;
  }

  alignas(void*) unsigned char storage_[kInlineBytes];
  const Ops* ops_ = nullptr;
  std::uint64_t sent_ = 0;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_MAILBOX_MESSAGE_H_
