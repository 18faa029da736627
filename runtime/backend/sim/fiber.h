// A function with a stack of its own, which takes turns with the stack that
// made it.
//
// Cores are fibers, so that a core's loop runs as it does in production, from
// its first turn to its last, and gives its turn away where a thread would
// have slept: in Backend::Wait.
#ifndef PERCORE_RUNTIME_BACKEND_SIM_FIBER_H_
#define PERCORE_RUNTIME_BACKEND_SIM_FIBER_H_

#include <ucontext.h>

#include <cstddef>

namespace percore::sim {

// All of one thread.
class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  // It has not been started, or has finished: what stands on its stack is not
  // unwound.
  ~Fiber();

  // Runs `main(arg)` from the first Enter on. False with errno: no memory.
  bool Start(void (*main)(void*), void* arg);

  // Runs the fiber until it leaves or finishes. Not on a fiber.
  void Enter();

  // Back to whoever entered, until the next Enter. On the fiber.
  void Leave();

  bool finished() const { return finished_; }

 private:
  static void Trampoline(unsigned high, unsigned low);
  void Main();

  void (*main_)(void*) = nullptr;
  void* arg_ = nullptr;
  void* stack_ = nullptr;
  bool finished_ = false;
  ucontext_t inside_;
  ucontext_t outside_;
  // What the sanitizers and the exception runtime keep for each stack.
  void* thread_sanitizer_inside_ = nullptr;
  void* thread_sanitizer_outside_ = nullptr;
  void* fake_stack_inside_ = nullptr;
  void* fake_stack_outside_ = nullptr;
  const void* outside_bottom_ = nullptr;
  std::size_t outside_size_ = 0;
  struct Exceptions {
    void* caught = nullptr;
    unsigned uncaught = 0;
  };
  void ExchangeExceptions();
  Exceptions exceptions_;  // of the side that does not run
};

}  // namespace percore::sim

#endif  // PERCORE_RUNTIME_BACKEND_SIM_FIBER_H_
