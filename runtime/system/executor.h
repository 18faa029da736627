// Who runs a runtime's cores, and what belongs to whoever runs.
//
// In production each core is a thread, and nobody is injected. In `sim`
// (runtime/backend/sim) all cores take turns on one thread: an Executor is
// injected (RuntimeOptions::executor), gives out the turns, and is asked
// wherever a thread would have blocked. So nothing above asks for the thread's
// id or keeps a thread_local of its own: who runs is *current(), and what
// belongs to whoever runs stands in `executor_locals`, which the executor
// exchanges with every turn.
#ifndef PERCORE_RUNTIME_SYSTEM_EXECUTOR_H_
#define PERCORE_RUNTIME_SYSTEM_EXECUTOR_H_

#include <cstdint>
#include <functional>

namespace percore {

class Clock;
struct BackendKind;

// One set for each thread, and for each core under an executor. The rooms
// above say what their entries point to.
struct ExecutorLocals {
  void* outboxes = nullptr;             // runtime/mailbox: Outboxes
  const void* running_loops = nullptr;  // runtime/loop: RunningLoops
  const void* runtime = nullptr;        // runtime/core: RuntimeCore
  int core = -1;                        // of that runtime
};

// Of whoever runs on this thread now.
extern constinit thread_local ExecutorLocals executor_locals
    __attribute__((visibility("hidden")));

// Its own thread calls everything here.
class Executor {
 public:
  virtual ~Executor() = default;

  // Time and readiness for the cores' bases.
  virtual Clock* clock() = 0;
  virtual const BackendKind* backend() = 0;

  // Names who runs: never 0, the same for all that is outside the cores. For
  // EventBase::SetExecutor.
  virtual const std::uintptr_t* current() = 0;

  // Order of what is unordered in a base that is made: a seed, never 0.
  virtual std::uint64_t NextShuffleSeed() = 0;

  // Has `main(arg)` run as a core, from its first turn to its return. 0, or an
  // errno value.
  virtual int Start(void (*main)(void*), void* arg) = 0;

  // Gives turns to the cores until `done` answers true; false: it still does
  // not and `deadline_ns` have passed (negative: no limit), or nothing can
  // happen any more. `done` is asked again and again and must change nothing.
  // Not on a core.
  virtual bool RunUntil(std::int64_t deadline_ns,
                        const std::function<bool()>& done) = 0;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_EXECUTOR_H_
