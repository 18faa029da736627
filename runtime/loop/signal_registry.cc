#include "percore/runtime/loop/signal_registry.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>

#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

// Signals are held off while the registry is locked: a handler that ran on
// the locking thread must not find a half-made change, and the waiter in
// Unwatch must not wait for a handler that it is itself running under.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

 private:
  sigset_t previous_;
};

}  // namespace

SignalRegistry* SignalRegistry::Get() {
  SignalRegistry* registry = State().signals.load(std::memory_order_acquire);
  if (registry != nullptr) return registry;
  SignalRegistry* fresh = MemNew<SignalRegistry>();
  if (fresh == nullptr) return nullptr;
  if (State().signals.compare_exchange_strong(registry, fresh,
                                              std::memory_order_acq_rel)) {
    // Once is enough; each copy of this code may do it again, harmlessly.
    InstallForkHandler();
    static std::atomic<bool> installed{false};
    if (!installed.exchange(true, std::memory_order_relaxed)) {
      pthread_atfork(nullptr, nullptr, &ForgetOtherThreads);
    }
    return fresh;
  }
  MemDelete(fresh);
  return registry;
}

SignalRegistry::~SignalRegistry() {
  for (Number& number : numbers_) {
    Slot* slot = number.slots.load(std::memory_order_relaxed);
    while (slot != nullptr) {
      Slot* next = slot->next.load(std::memory_order_relaxed);
      MemDelete(slot);
      slot = next;
    }
  }
}

void SignalRegistry::Shutdown() {
  SignalRegistry* registry = State().signals.load(std::memory_order_acquire);
  if (registry == nullptr) return;
  for (const Number& number : registry->numbers_) {
    if (number.watchers != 0) return;  // a base is still alive
  }
  State().signals.store(nullptr, std::memory_order_release);
  MemDelete(registry);
}

void SignalRegistry::Lock() {
  while (locked_.exchange(true, std::memory_order_acquire)) sched_yield();
}
void SignalRegistry::Unlock() {
  locked_.store(false, std::memory_order_release);
}

// In the child of a fork, before anything else runs there. What another thread
// was just changing is left as it was: a slot is written in one step, and
// Watch looks after the rest.
void SignalRegistry::ForgetOtherThreads() {
  SignalRegistry* self = State().signals.load(std::memory_order_relaxed);
  if (self == nullptr) return;
  self->locked_.store(false, std::memory_order_relaxed);
  self->in_handler_.store(0, std::memory_order_relaxed);
}

void SignalRegistry::Handle(int number) {
  const int saved = errno;
  SignalRegistry* self = State().signals.load(std::memory_order_acquire);
  if (self == nullptr) return;
  // Sequentially consistent with Unwatch's store and load: either the handler
  // finds the slot empty, or Unwatch finds it at work and waits.
  self->in_handler_.fetch_add(1, std::memory_order_seq_cst);
  const pid_t pid = getpid();
  Slot* slot = self->numbers_[number].slots.load(std::memory_order_acquire);
  for (; slot != nullptr; slot = slot->next.load(std::memory_order_acquire)) {
    Mailbox* mailbox = slot->mailbox.load(std::memory_order_seq_cst);
    if (mailbox == nullptr) continue;
    if (slot->pid.load(std::memory_order_relaxed) != pid) continue;
    mailbox->CountSignal(number);
  }
  self->in_handler_.fetch_sub(1, std::memory_order_seq_cst);
  errno = saved;
}

SignalRegistry::Slot* SignalRegistry::FindSlot(int number, Mailbox* mailbox) {
  Slot* slot = numbers_[number].slots.load(std::memory_order_relaxed);
  while (slot != nullptr &&
         slot->mailbox.load(std::memory_order_relaxed) != mailbox) {
    slot = slot->next.load(std::memory_order_relaxed);
  }
  return slot;
}

SignalRegistry::Slot* SignalRegistry::TakeSlot(int number) {
  if (Slot* free = FindSlot(number, nullptr)) return free;
  Slot* fresh = MemNew<Slot>();
  if (fresh == nullptr) return nullptr;
  auto& head = numbers_[number].slots;
  fresh->next.store(head.load(std::memory_order_relaxed),
                    std::memory_order_relaxed);
  head.store(fresh, std::memory_order_release);  // Handle's acquire
  return fresh;
}

int SignalRegistry::Watch(int number, Mailbox* mailbox) {
  AllSignalsBlocked blocked;
  Lock();
  Slot* slot = TakeSlot(number);
  int error = slot == nullptr ? ENOMEM : 0;
  Number& entry = numbers_[number];
  if (error == 0) {
    slot->pid.store(getpid(), std::memory_order_relaxed);
    slot->mailbox.store(mailbox, std::memory_order_seq_cst);
    // After a fork that cut another thread off in here the count and the
    // disposition may tell different stories: the system copies dispositions
    // and memory one after the other.
    if (entry.watchers == 0 || entry.generation != ForkGeneration()) {
      entry.generation = ForkGeneration();
      struct sigaction action = {};
      action.sa_handler = &Handle;
      action.sa_flags = SA_RESTART;
      sigfillset(&action.sa_mask);
      struct sigaction previous;
      if (sigaction(number, &action, &previous) != 0) {
        error = errno;
      } else if (previous.sa_handler != &Handle) {
        entry.previous = previous;
      }
    }
    if (error == 0) {
      ++entry.watchers;
    } else {
      slot->mailbox.store(nullptr, std::memory_order_seq_cst);
    }
  }
  Unlock();
  return error;
}

void SignalRegistry::Unwatch(int number, Mailbox* mailbox) {
  AllSignalsBlocked blocked;
  Lock();
  Slot* slot = FindSlot(number, mailbox);
  if (slot != nullptr) {
    slot->mailbox.store(nullptr, std::memory_order_seq_cst);
    if (--numbers_[number].watchers == 0) {
      sigaction(number, &numbers_[number].previous, nullptr);
    }
    // In the child of a fork a handler may have been under way on a thread
    // that does not exist here; it cannot be waited for, nor does it run.
    if (slot->pid.load(std::memory_order_relaxed) == getpid()) {
      while (in_handler_.load(std::memory_order_seq_cst) != 0) sched_yield();
    }
  }
  Unlock();
}

void SignalRegistry::Adopt(int number, Mailbox* mailbox) {
  AllSignalsBlocked blocked;
  Lock();
  if (Slot* slot = FindSlot(number, mailbox)) {
    slot->pid.store(getpid(), std::memory_order_relaxed);
  }
  Unlock();
}

}  // namespace percore
