// The mailbox of one loop: how every other thread reaches it.
//
//      any thread                                the owner, once a turn
//   SendActivation ---> activation lane --+
//   SendControl ------> control lane -----+--> gate.TakeMail(), then the lanes:
//   SetControl -------> control bits -----+    control, activations, messages
//   Send -------------> message lane -----+
//   (signal handler) -> signal counts ----+
//
// The gate (gate.h) wakes the owner if it sleeps. Activations, control bits
// and control nodes allocate nothing and cannot fail. Handles count
// references; the mailbox outlives its loop and then answers kClosed.
//
// This room knows nodes and closures, not what an event means: the loop
// (runtime/loop) drains.
#ifndef PERCORE_RUNTIME_MAILBOX_MAILBOX_H_
#define PERCORE_RUNTIME_MAILBOX_MAILBOX_H_

#include <event2/event_struct.h>

#include <atomic>
#include <cstdint>

#include "percore/runtime/backend/backend.h"
#include "percore/runtime/mailbox/gate.h"
#include "percore/runtime/mailbox/intrusive_lane.h"
#include "percore/runtime/mailbox/message.h"
#include "percore/runtime/mailbox/message_lane.h"
#include "percore/runtime/mailbox/pending_word.h"

namespace percore {

// What became of a message.
enum class SendResult {
  kOk,
  kFull,    // the mailbox is bounded and at its bound
  kClosed,  // its loop is gone, or going: see Send
  kNoMemory,
};

// The same as percore_post_result of <percore/percore.h>.
constexpr int ToPostResult(SendResult result) {
  switch (result) {
    case SendResult::kOk:
      return 0;
    case SendResult::kFull:
      return -1;
    case SendResult::kClosed:
      return -2;
    case SendResult::kNoMemory:
      return -3;
  }
  return -3;
}

// A caller-owned note to the loop; `run` is called once on the owner, in the
// loop's turn, or with `closed` when the loop ended before. It may free the
// node.
struct ControlNode {
  ControlNode* next = nullptr;
  // Runs in its place among the messages, without the base's lock.
  bool is_message = false;
  void (*run)(ControlNode* self, bool closed) = nullptr;
};

struct ControlLaneTraits {
  using Node = ControlNode;
  static Node* Next(Node* n) { return n->next; }
  static void SetNext(Node* n, Node* next) { n->next = next; }
};

struct ActivationLaneTraits {
  using Node = event;
  static Node* Next(Node* n) { return n->ev_.ev_percore_.mail_next_; }
  static void SetNext(Node* n, Node* next) {
    n->ev_.ev_percore_.mail_next_ = next;
  }
};

// The pending word of an event, in its padding.
inline std::atomic_ref<std::uint32_t> PendingWord(event* ev) {
  return std::atomic_ref<std::uint32_t>(ev->ev_mail_pending_);
}

// Loop control from other threads.
enum ControlBits : std::uint32_t {
  kControlBreak = 1,
  kControlContinue = 2,
  kControlExit = 4,
  kControlStop = 8,  // sticky: survives loop entry (Runtime)
};

inline constexpr int kSignalNumbers = 65;  // NSIG on Linux

class Mailbox {
 public:
  // One reference, the caller's. Null when there is no memory.
  static Mailbox* Create();
  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

  // --- Any thread -------------------------------------------------------

  // event_active from a thread that is not the owner. The event must stay
  // valid until this has returned. Async-signal-safe.
  void SendActivation(event* ev, short result, short ncalls) {
    if (MarkActivation(PendingWord(ev), result, ncalls)) PushActivation(ev);
  }

  // The node is the mailbox's until its run is called. False: closed, the
  // node is still the caller's. Async-signal-safe.
  bool SendControl(ControlNode* node);

  // Adds bits. Async-signal-safe.
  void SetControl(std::uint32_t bits);

  // One more of signal `number`. Async-signal-safe.
  void CountSignal(int number);

  // A closure for the owner to run. From a loop's thread it may wait in that
  // loop's outbox until the end of its turn (see outbox.h); from elsewhere it
  // goes at once. On kOk the message is moved from; otherwise it is as it was.
  // Only a message that is handed over while the loop closes is moved from
  // although the answer is kClosed: then it has been destroyed here, or the
  // loop ran it in its last turn.
  SendResult Send(Message&& message);

  // As Send, but never through an outbox.
  SendResult SendNow(Message&& message);

  // `n` messages in one step through a lease of this mailbox. The caller has
  // counted them (CountIn). For outboxes.
  SendResult SendBatch(MessageLane::Lease* lease, Message* messages,
                       std::size_t n);

  bool IsClosed() const { return gate_.IsClosed(); }

  // Counts messages of a bounded mailbox; false: full. Always true without a
  // bound, and then touches nothing.
  bool CountIn(std::size_t n);
  void CountOut(std::size_t n);

  // The lane, made on first use; null when there is no memory.
  MessageLane* messages();

  // Messages that found no lease and went as nodes, so far.
  std::uint64_t overflowed() const {
    return overflowed_.load(std::memory_order_relaxed);
  }
  // Times a doorbell was rung for this mailbox, so far.
  std::uint64_t rings() const { return rings_.load(std::memory_order_relaxed); }

  // Whether the owner measures how long messages take: then the first of each
  // batch notes when it was sent.
  bool timed() const { return timed_.load(std::memory_order_relaxed); }

  // Wakes the owner if it sleeps, as if there were mail. Any thread.
  void Nudge() { Announce(); }

  // --- Owner ------------------------------------------------------------

  // At most `n` messages may wait; 0: no bound. Before anyone sends.
  void SetBound(std::uint64_t n) { bound_ = n; }
  // Tests: messages of different senders are taken in an order made from
  // `seed`; 0: as it comes. Before anyone sends.
  void SetShuffle(std::uint64_t seed) { shuffle_ = seed; }

  void SetTimed(bool on) { timed_.store(on, std::memory_order_relaxed); }

  // The doorbell; not while armed. Waits for ringers of the last one.
  void SetDoorbell(Backend* doorbell) {
    gate_.AwaitRingers();
    doorbell_ = doorbell;
  }

  Gate<>& gate() { return gate_; }
  const Gate<>& gate() const { return gate_; }

  event* TakeActivations() { return activations_.TakeAll(); }
  bool HasActivations() const { return !activations_.Empty(); }
  ControlNode* TakeControl() { return control_.TakeAll(); }
  bool HasControlBits() const {
    return control_bits_.load(std::memory_order_relaxed) != 0;
  }
  std::uint32_t TakeControlBits() {
    if (control_bits_.load(std::memory_order_relaxed) == 0) return 0;
    return control_bits_.exchange(0, std::memory_order_acquire);
  }
  // Whether CountSignal was called; then take every number's count.
  bool TakeSignalsFlag() {
    if (!signals_flag_.load(std::memory_order_relaxed)) return false;
    return signals_flag_.exchange(false, std::memory_order_acquire);
  }
  std::uint32_t TakeSignalCount(int number) {
    auto& count = signal_counts_[number];
    if (count.load(std::memory_order_relaxed) == 0) return 0;
    return count.exchange(0, std::memory_order_relaxed);
  }
  // Null if nobody has sent a message yet.
  MessageLane* messages_if_any() const {
    return messages_.load(std::memory_order_acquire);
  }

  // No message, node or doorbell touch after this. What had been sent is
  // answered: nodes are run as closed, messages destroyed. Idempotent.
  void Close();

 private:
  template <typename T, typename... Args>
  friend T* MemNewAligned(Args&&...) noexcept;
  template <typename T>
  friend void MemDeleteAligned(T*) noexcept;
  Mailbox() = default;
  ~Mailbox();

  // Of an event that has just been marked.
  void PushActivation(event* ev);
  // Notify and ring. False if the mailbox was closed before.
  bool Announce();
  // Destroys what is left after closing; any thread, one at a time.
  void Discard();

  Gate<> gate_;
  alignas(64) IntrusiveLane<ActivationLaneTraits> activations_;
  IntrusiveLane<ControlLaneTraits> control_;
  std::atomic<std::uint32_t> control_bits_{0};
  std::atomic<bool> signals_flag_{false};
  std::atomic<MessageLane*> messages_{nullptr};
  std::atomic<bool> discarding_{false};

  // Read-mostly for senders.
  alignas(64) Backend* doorbell_ = nullptr;
  std::uint64_t bound_ = 0;
  std::atomic<bool> timed_{false};
  std::uint64_t shuffle_ = 0;
  std::atomic<std::uint32_t> references_{1};
  std::atomic<std::int64_t> waiting_{0};  // bounded mailboxes only
  std::atomic<std::uint64_t> overflowed_{0};
  std::atomic<std::uint64_t> rings_{0};
  std::atomic<std::uint32_t> signal_counts_[kSignalNumbers] = {};
};

// A counted reference to a mailbox.
class MailboxRef {
 public:
  MailboxRef() = default;
  explicit MailboxRef(Mailbox* mailbox) : mailbox_(mailbox) {
    if (mailbox_ != nullptr) mailbox_->Ref();
  }
  MailboxRef(const MailboxRef& other) : MailboxRef(other.mailbox_) {}
  MailboxRef(MailboxRef&& other) noexcept : mailbox_(other.mailbox_) {
    other.mailbox_ = nullptr;
  }
  MailboxRef& operator=(MailboxRef other) noexcept {
    std::swap(mailbox_, other.mailbox_);
    return *this;
  }
  ~MailboxRef() {
    if (mailbox_ != nullptr) mailbox_->Unref();
  }
  Mailbox* get() const { return mailbox_; }
  Mailbox* operator->() const { return mailbox_; }
  explicit operator bool() const { return mailbox_ != nullptr; }

 private:
  Mailbox* mailbox_ = nullptr;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_MAILBOX_MAILBOX_H_
