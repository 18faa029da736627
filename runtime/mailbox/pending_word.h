// The word that says whether an event is in the activation lane.
//
// It sits in the padding of struct event and holds a pending bit, the result
// flags asked for so far, and the call count of a signal event. Only the thread
// that turns pending on pushes the event, so an event is in the lane at most
// once, and activating one that is already pending is a single instruction.
//
// Orderings. [W1] the release half of Mark pairs with the acquire exchange of
// Take: what a thread did before activating is seen by the callback, also when
// its activation merged into an earlier one.
#ifndef PERCORE_RUNTIME_MAILBOX_PENDING_WORD_H_
#define PERCORE_RUNTIME_MAILBOX_PENDING_WORD_H_

#include <atomic>
#include <cstdint>

namespace percore {

struct PendingActivation {
  std::uint32_t bits;
  bool pending() const { return (bits >> 31) != 0; }
  short result() const { return static_cast<short>(bits & 0xffff); }
  short ncalls() const { return static_cast<short>((bits >> 16) & 0x7fff); }
};

inline constexpr std::uint32_t kActivationPending = 1u << 31;

constexpr std::uint32_t ActivationBits(short result, short ncalls) {
  return kActivationPending | static_cast<std::uint16_t>(result) |
         (static_cast<std::uint32_t>(ncalls < 0 ? 0 : ncalls) << 16);
}

// Adds to the word; true if the caller must push the event now. The count of
// an activation that merges into a pending one is dropped, as libevent does.
// `Word` is an atomic, an atomic_ref or the checker's. Any thread.
template <class Word>
bool MarkActivation(Word&& word, short result, short ncalls) {
  if (ncalls <= 0) {
    return (word.fetch_or(ActivationBits(result, 0),
                          std::memory_order_acq_rel) &  // [W1] [W2]
            kActivationPending) == 0;
  }
  std::uint32_t old = word.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint32_t now = (old & kActivationPending)
                                  ? old | ActivationBits(result, 0)
                                  : ActivationBits(result, ncalls);
    if (word.compare_exchange_weak(old, now,
                                   std::memory_order_acq_rel,  // [W1] [W2]
                                   std::memory_order_relaxed)) {
      return (old & kActivationPending) == 0;
    }
  }
}

// Clears the word and returns what was in it. Owner, before the callback, and
// after its last look at the link.
template <class Word>
PendingActivation TakeActivation(Word&& word) {
  return {word.exchange(0, std::memory_order_acq_rel)};  // [W1] [W2]
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_MAILBOX_PENDING_WORD_H_
