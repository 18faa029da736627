// The gate of a mailbox: tells the owner that there is mail, and makes sure
// that it is woken exactly once for each time it really sleeps.
//
// One atomic word on its own cache lines:
//
//            Notify()                PrepareSleep()           Wake/Drain
//   idle  ----------------> mail                       (owner clears mail)
//   idle  --(owner)-------> armed  --Notify()--> mail + 1 ringer --Ring-->
//   any   --(owner)-------> closed (no ringer is left when Close returns)
//
// Producer, any thread: publish in a lane, then Notify(). Its one
// read-modify-write sets mail and, if the owner was armed (about to sleep),
// clears armed and counts the producer as a ringer in the same step; only then
// is the doorbell rung. A producer that is no ringer touches nothing of the
// mailbox after that step, and the ringer only the gate.
//
// Owner: TakeMail() before it looks into the lanes: mail is cleared first, so
// that what is published after the look sets it again. PrepareSleep() arms and
// refuses when there is mail; Awake() disarms and takes the mail in one step.
//
// Orderings. [G1] the release half of Notify's update publishes the lane's
// contents to the acquire half of the owner's update that clears mail.
// [G2] armed: the owner's PrepareSleep and the producer's Notify are both
// read-modify-writes of the one word, so one of them sees the other: either
// the owner finds mail, or the producer finds armed. [G3] EndRing's release
// pairs with the acquire load in Close: the doorbell is not touched later.
#ifndef PERCORE_RUNTIME_MAILBOX_GATE_H_
#define PERCORE_RUNTIME_MAILBOX_GATE_H_

#include <cstdint>

#include "percore/runtime/sync/atomic.h"

namespace percore {

template <class P = RealAtomics>
class alignas(64) Gate {
 public:
  enum class Notified {
    kQuiet,   // the owner is awake, or somebody else has woken it
    kRing,    // the caller must ring the doorbell, then call EndRing()
    kClosed,  // closed before: nobody drains any more
  };

  // After publishing in a lane. Any thread, async-signal-safe.
  Notified Notify() {
    std::uint32_t old = word_.load(std::memory_order_relaxed);
    std::uint32_t now;
    do {
      now = old | kMail;
      if (old & kArmed) now = (now & ~kArmed) + kOneRinger;
    } while (!word_.compare_exchange_weak(old, now,
                                          std::memory_order_acq_rel,  // [G1]
                                          std::memory_order_relaxed));
    if (old & kArmed) return Notified::kRing;
    return (old & kClosed) ? Notified::kClosed : Notified::kQuiet;
  }

  // The ringer's last touch. Any thread, async-signal-safe.
  void EndRing() {
    word_.fetch_sub(kOneRinger, std::memory_order_release);  // [G3]
  }

  // Whether sending is still of use. Any thread. A false answer may be out of
  // date; Notify tells for certain.
  bool IsClosed() const {
    return (word_.load(std::memory_order_relaxed) & kClosed) != 0;
  }

  // One relaxed load, however many peers there are. Owner.
  bool HasMail() const {
    return (word_.load(std::memory_order_relaxed) & kMail) != 0;
  }

  // Takes the mail flag; true if it was set: now look into the lanes. Owner.
  bool TakeMail() {
    if (!HasMail()) return false;
    word_.fetch_and(~kMail, std::memory_order_acquire);  // [G1]
    return true;
  }

  // Something was left in a lane: the next TakeMail is true. Owner.
  void LeaveMail() { word_.fetch_or(kMail, std::memory_order_relaxed); }

  // Announces sleep. False if there is mail: the owner must not sleep, and is
  // not armed. Owner.
  bool PrepareSleep() {
    const std::uint32_t old =
        word_.fetch_or(kArmed, std::memory_order_acq_rel);  // [G2]
    if ((old & kMail) == 0) return true;
    // A producer may have taken `armed` meanwhile and ring: that costs one
    // spurious wake-up and nothing else.
    word_.fetch_and(~kArmed, std::memory_order_relaxed);
    return false;
  }

  // After a sleep that PrepareSleep allowed: disarms, takes the mail flag; true
  // if it was set. Owner.
  bool Awake() {
    const std::uint32_t old =
        word_.fetch_and(~(kArmed | kMail), std::memory_order_acquire);  // [G1]
    return (old & kMail) != 0;
  }

  // Refuses all that comes later and waits for the last ringer, so that the
  // doorbell may be destroyed. What was published before stays in the lanes.
  // Owner; idempotent.
  void Close() {
    word_.fetch_or(kClosed, std::memory_order_acq_rel);
    // No ringer can come after this: armed is cleared and never set again.
    word_.fetch_and(~kArmed, std::memory_order_acq_rel);
    AwaitRingers();
  }

  // Waits until nobody is ringing. While the owner is awake nobody starts to:
  // the doorbell may be exchanged. Owner.
  void AwaitRingers() const {
    while (word_.load(std::memory_order_acquire) >= kOneRinger) {  // [G3]
      P::Pause();
    }
  }

  // In the child of a fork: the threads that rang are not here, nor is whoever
  // armed. Mail and closing stay. Owner.
  void ForgetOthers() {
    word_.fetch_and(kMail | kClosed, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kMail = 1;
  static constexpr std::uint32_t kArmed = 2;
  static constexpr std::uint32_t kClosed = 4;
  static constexpr std::uint32_t kOneRinger = 8;  // a count from here up

  typename P::template Atomic<std::uint32_t> word_{0};
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_MAILBOX_GATE_H_
