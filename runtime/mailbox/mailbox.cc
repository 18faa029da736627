#include "percore/runtime/mailbox/mailbox.h"

#include "percore/runtime/mailbox/outbox.h"
#include "percore/runtime/mailbox/thread_leases.h"
#include "percore/runtime/system/cycles.h"

namespace percore {
namespace {

// A message that found no lease, as a node of the control lane.
struct OverflowNode : ControlNode {
  Message message;
  Mailbox* mailbox;
};

void RunOverflow(ControlNode* self, bool closed) {
  auto* node = static_cast<OverflowNode*>(self);
  Message message = std::move(node->message);
  node->mailbox->CountOut(1);
  MemDelete(node);
  if (!closed) message.Run();
}

}  // namespace

Mailbox* Mailbox::Create() { return MemNewAligned<Mailbox>(); }

Mailbox::~Mailbox() {
  if (MessageLane* lane = messages_.load(std::memory_order_acquire)) {
    MemDelete(lane);
  }
}

void Mailbox::Unref() {
  // Release: what this holder did happens before the deletion; acquire by the
  // one that deletes.
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    MemDeleteAligned(this);
  }
}

bool Mailbox::Announce() {
  switch (gate_.Notify()) {
    case Gate<>::Notified::kQuiet:
      return true;
    case Gate<>::Notified::kRing:
      rings_.fetch_add(1, std::memory_order_relaxed);
      doorbell_->Ring();
      gate_.EndRing();
      return true;
    case Gate<>::Notified::kClosed:
      return false;
  }
  return false;
}

void Mailbox::PushActivation(event* ev) {
  activations_.Push(ev);
  // Closed: the event must not stay on a list that nobody drains, for its
  // owner may free it as soon as this returns.
  if (!Announce()) Discard();
}

bool Mailbox::SendControl(ControlNode* node) {
  if (gate_.IsClosed()) return false;
  control_.Push(node);
  if (!Announce()) Discard();
  return true;
}

void Mailbox::SetControl(std::uint32_t bits) {
  control_bits_.fetch_or(bits, std::memory_order_release);  // TakeControlBits
  Announce();
}

void Mailbox::CountSignal(int number) {
  signal_counts_[number].fetch_add(1, std::memory_order_relaxed);
  // Pairs with the acquire exchange in TakeSignalsFlag.
  signals_flag_.store(true, std::memory_order_release);
  Announce();
}

MessageLane* Mailbox::messages() {
  MessageLane* lane = messages_.load(std::memory_order_acquire);
  if (lane != nullptr) return lane;
  MessageLane* fresh = MemNew<MessageLane>();
  if (fresh == nullptr) return nullptr;
  fresh->SetShuffle(shuffle_);
  if (messages_.compare_exchange_strong(lane, fresh,
                                        std::memory_order_acq_rel)) {
    return fresh;
  }
  MemDelete(fresh);
  return lane;
}

bool Mailbox::CountIn(std::size_t n) {
  if (bound_ == 0) return true;
  const auto add = static_cast<std::int64_t>(n);
  if (waiting_.fetch_add(add, std::memory_order_relaxed) + add <=
      static_cast<std::int64_t>(bound_)) {
    return true;
  }
  waiting_.fetch_sub(add, std::memory_order_relaxed);
  return false;
}

void Mailbox::CountOut(std::size_t n) {
  if (bound_ == 0) return;
  waiting_.fetch_sub(static_cast<std::int64_t>(n), std::memory_order_relaxed);
}

SendResult Mailbox::Send(Message&& message) {
  if (Outboxes* mine = Outboxes::Current()) {
    return mine->Post(this, std::move(message));
  }
  return SendNow(std::move(message));
}

SendResult Mailbox::SendNow(Message&& message) {
  if (!message.ok()) return SendResult::kNoMemory;
  if (gate_.IsClosed()) return SendResult::kClosed;
  if (!CountIn(1)) return SendResult::kFull;
  if (timed()) [[unlikely]]
    message.NoteSent(Cycles());
  MessageLane::Lease* lease = ThreadLeases::For(this);
  SendResult result = SendResult::kNoMemory;
  if (lease != nullptr) {
    result = SendBatch(lease, &message, 1);
  } else if (auto* node = MemNew<OverflowNode>()) {
    overflowed_.fetch_add(1, std::memory_order_relaxed);
    node->run = &RunOverflow;
    node->is_message = true;
    node->mailbox = this;
    node->message = std::move(message);
    if (SendControl(node)) return SendResult::kOk;
    message = std::move(node->message);
    MemDelete(node);
    result = SendResult::kClosed;
  }
  if (result != SendResult::kOk) CountOut(1);
  return result;
}

SendResult Mailbox::SendBatch(MessageLane::Lease* lease, Message* messages,
                              std::size_t n) {
  MessageLane* lane = messages_.load(std::memory_order_acquire);
  if (!lane->Enqueue(lease, messages, n)) return SendResult::kNoMemory;
  if (Announce()) return SendResult::kOk;
  Discard();
  return SendResult::kClosed;
}

void Mailbox::Close() {
  gate_.Close();
  doorbell_ = nullptr;
  Discard();
}

void Mailbox::Discard() {
  // A sender that was overtaken by Close does this for its own message, so
  // several may come; the lanes have one consumer at a time.
  while (discarding_.exchange(true, std::memory_order_acquire)) {
    RealAtomics::Pause();
  }
  while (event* ev = activations_.TakeAll()) {
    while (ev != nullptr) {
      event* next = ActivationLaneTraits::Next(ev);
      TakeActivation(PendingWord(ev));
      ev = next;
    }
  }
  ControlNode* nodes = control_.TakeAll();
  Message batch[16];
  MessageLane* lane = messages_.load(std::memory_order_acquire);
  while (lane != nullptr) {
    const std::size_t n = lane->Dequeue(batch, 16);
    if (n == 0) break;
    for (std::size_t i = 0; i < n; ++i) batch[i].Reset();
  }
  discarding_.store(false, std::memory_order_release);
  while (nodes != nullptr) {
    ControlNode* next = nodes->next;
    nodes->run(nodes, /*closed=*/true);
    nodes = next;
  }
}

}  // namespace percore
