// Signals of the process, told to every base that watches them.
//
// There is one handler (DESIGN, Signals). It counts the signal into the
// mailbox of each base that watches it and wakes that base; it touches nothing
// else, so it is async-signal-safe, and it keeps errno. It compares the
// process with the one in which the base registered, and tells nothing to a
// base that was inherited by a fork and not re-initialised.
//
// The first watcher of a number installs the handler (SA_RESTART, full mask),
// the last one to leave restores what was there before.
//
// A fork leaves other threads behind wherever they are, the registry's lock
// held maybe: in the child it is free, and no handler is under way.
#ifndef PERCORE_RUNTIME_LOOP_SIGNAL_REGISTRY_H_
#define PERCORE_RUNTIME_LOOP_SIGNAL_REGISTRY_H_

#include <csignal>

#include <atomic>
#include <cstdint>

#include "percore/runtime/mailbox/mailbox.h"

namespace percore {

class SignalRegistry {
 public:
  // The process's registry, made on first use; null when there is no memory.
  static SignalRegistry* Get();

  // Frees it (libevent_global_shutdown). Requires that nobody watches.
  static void Shutdown();

  // Tells `mailbox` about signal `number` (1..64) from now on. 0, or an errno
  // value. A mailbox watches a number once. Any thread, not in a handler.
  int Watch(int number, Mailbox* mailbox);

  // Ends that. When this returns no handler touches the mailbox on behalf of
  // this number any more. Any thread, not in a handler.
  void Unwatch(int number, Mailbox* mailbox);

  // In the child of a fork: this base is alive here. Of no use elsewhere.
  void Adopt(int number, Mailbox* mailbox);

 private:
  template <typename T, typename... Args>
  friend T* MemNew(Args&&...) noexcept;
  template <typename T>
  friend void MemDelete(T*) noexcept;
  ~SignalRegistry();

  // A watcher's place; slots are reused and never freed.
  struct Slot {
    std::atomic<Mailbox*> mailbox{nullptr};
    std::atomic<pid_t> pid{0};
    std::atomic<Slot*> next{nullptr};
  };
  struct Number {
    std::atomic<Slot*> slots{nullptr};
    int watchers = 0;
    std::uint32_t generation = 0;  // ForkGeneration() of the installation
    struct sigaction previous;
  };

  static void Handle(int number);
  static void ForgetOtherThreads();
  Slot* FindSlot(int number, Mailbox* mailbox);
  Slot* TakeSlot(int number);
  void Lock();
  void Unlock();

  Number numbers_[kSignalNumbers];
  std::atomic<int> in_handler_{0};
  std::atomic<bool> locked_{false};
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_LOOP_SIGNAL_REGISTRY_H_
