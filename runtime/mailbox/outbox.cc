#include "percore/runtime/mailbox/outbox.h"

#include "percore/runtime/system/cycles.h"

namespace percore {
namespace {

// Read at every entry into a loop: without a call of __tls_get_addr.
[[gnu::tls_model("initial-exec")]] thread_local Outboxes* current = nullptr;

}  // namespace

Outboxes* Outboxes::Current() { return current; }

Outboxes* Outboxes::SetCurrent(Outboxes* outboxes) {
  Outboxes* previous = current;
  current = outboxes;
  return previous;
}

Outboxes::~Outboxes() {
  Flush();
  while (!boxes_.empty()) Drop(boxes_.size() - 1);
}

Outboxes::Box* Outboxes::Find(Mailbox* target) {
  for (Box* box : boxes_) {
    if (box->target == target) return last_ = box;
  }
  // A new target is rare: let go of those that have closed.
  for (std::size_t i = boxes_.size(); i-- > 0;) {
    if (boxes_[i]->target->IsClosed() && boxes_[i]->count == 0) Drop(i);
  }
  MessageLane* lane = target->messages();
  if (lane == nullptr || !boxes_.Reserve(boxes_.size() + 1)) return nullptr;
  Box* box = MemNew<Box>();
  if (box == nullptr) return nullptr;
  box->lease = lane->Acquire();
  if (box->lease == nullptr) {
    MemDelete(box);
    return nullptr;
  }
  target->Ref();
  box->target = target;
  box->count = 0;
  boxes_.PushReserved(box);
  return last_ = box;
}

SendResult Outboxes::Post(Mailbox* target, Message&& message) {
  if (!message.ok()) return SendResult::kNoMemory;
  if (target->IsClosed()) return SendResult::kClosed;
  Box* box = last_;
  if (box == nullptr || box->target != target) {
    box = Find(target);
    if (box == nullptr) return target->SendNow(std::move(message));
  }
  if (box->count == kBatch) {
    // The last flush found no memory, and what waits is not given up for it.
    FlushBox(box);
    if (box->count == kBatch) return SendResult::kNoMemory;
  }
  if (!target->CountIn(1)) return SendResult::kFull;
  if (waiting_ == 0) oldest_ = Cycles();
  box->messages[box->count++] = std::move(message);
  ++waiting_;
  ++posted_;
  if (box->count == kBatch) FlushBox(box);
  return SendResult::kOk;
}

void Outboxes::FlushBox(Box* box) {
  if (box->count == 0) return;
  const std::size_t n = box->count;
  const SendResult result =
      box->target->SendBatch(box->lease, box->messages, n);
  // Out of memory: they wait for the next flush.
  if (result == SendResult::kNoMemory) return;
  if (result != SendResult::kOk) {
    for (std::size_t i = 0; i < n; ++i) box->messages[i].Reset();
    box->target->CountOut(n);
  }
  box->count = 0;
  waiting_ -= n;
  ++batches_;
}

void Outboxes::Flush() {
  if (waiting_ == 0) return;
  for (std::size_t i = 0; i < boxes_.size(); ++i) FlushBox(boxes_[i]);
}

void Outboxes::Drop(std::size_t index) {
  Box* box = boxes_[index];
  if (box == last_) last_ = nullptr;
  for (std::size_t i = 0; i < box->count; ++i) box->messages[i].Reset();
  waiting_ -= box->count;
  box->target->messages_if_any()->Return(box->lease);
  box->target->Unref();
  MemDelete(box);
  boxes_[index] = boxes_.back();
  boxes_.Truncate(boxes_.size() - 1);
}

}  // namespace percore
