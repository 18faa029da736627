// The one shim through which percore's lock-free code touches memory that
// threads share.
//
// Mailbox code is a template over a policy. RealAtomics is std::atomic and
// plain variables and compiles to nothing more; the interleaving checker in
// tests/model substitutes its own, so that every access is a point at which
// another thread may run and every data race on a Var is seen.
#ifndef PERCORE_RUNTIME_SYNC_ATOMIC_H_
#define PERCORE_RUNTIME_SYNC_ATOMIC_H_

#include <atomic>

namespace percore {

struct RealAtomics {
  template <typename T>
  using Atomic = std::atomic<T>;

  // A plain variable that is shared under some other ordering.
  template <typename T>
  class Var {
   public:
    Var() = default;
    explicit Var(T value) : value_(value) {}
    T Get() const { return value_; }
    void Set(T value) { value_ = value; }

   private:
    T value_{};
  };

  // In a loop that waits for another thread.
  static void Pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYNC_ATOMIC_H_
