// A stack of its own that a model thread runs on.
//
// The explorer abandons most executions half-way, so a fiber can be started
// again while its last body is still suspended: the old frames are dropped and
// their destructors never run. Bodies therefore keep only plain data on the
// stack; what needs destroying belongs to the execution (see explorer.h).

#ifndef PERCORE_TESTS_MODEL_FIBER_H_
#define PERCORE_TESTS_MODEL_FIBER_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace percore::model {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Makes the next Resume() call entry(argument) on a fresh stack. `entry` must
  // not return: it ends with a Suspend() that is never resumed.
  void Start(void (*entry)(void*), void* argument);

  // Scheduler: runs the fiber until its next Suspend().
  void Resume();

  // Fiber: gives control back to whoever called Resume().
  void Suspend();

  // The words of the stack that are in use by a suspended fiber, registers
  // included: what it will do next depends on them and on the memory that they
  // point to. Empty where the machine does not let us look.
  std::span<const uint64_t> InUse() const;

 private:
  struct Context;
  static void Trampoline();

  char* stack_;
  Context* context_;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
};

}  // namespace percore::model

#endif  // PERCORE_TESTS_MODEL_FIBER_H_
