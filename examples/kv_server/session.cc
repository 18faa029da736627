#include "percore/examples/kv_server/session.h"

#include <algorithm>
#include <utility>

#include "percore/examples/kv_server/answer.h"
#include "percore/examples/kv_server/execute.h"

namespace percore::kv {
namespace {

// A round's bounds: commands, and bytes copied into batches.
constexpr size_t kRoundCommands = 512;
constexpr size_t kRoundBytes = size_t{256} << 10;
// Rounds before others of this core have their turn.
constexpr int kRoundsPerTurn = 4;

// What is kept for the next round.
constexpr size_t kKeptBytes = 4096;
constexpr size_t kKeptSlots = 128;

constexpr uint64_t kLeastMemlimit = 8;  // MiB, memcached's
constexpr std::string_view kMemlimitTooSmall =
    "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n";

}  // namespace

Session::Session(Router& router, uint64_t id)
    : router_(router),
      id_(id),
      parser_(kMaxValueSize),
      lanes_(router.shards()) {}

bool Session::WantsInput() const {
  return !finished_ && input_.size() < std::max(kInputHigh, parser_.wanted());
}

bool Session::Advance() {
  for (int rounds = 0;; ++rounds) {
    Emit();
    const bool full = output_.size() >= kOutputHigh;
    if (head_ < slots_.size()) {
      Resume();
      return full;
    }
    if (orders_ > 0 || finished_) return false;
    if (full) return true;
    if (order_ != nullptr) {
      StartOrder();
      return false;
    }
    if (rounds == kRoundsPerTurn) return true;
    if (!StartRound()) return false;
  }
}

void Session::OnBatch(std::unique_ptr<Batch> batch) {
  --travelling_;
  Lane& lane = lanes_[batch->to()];
  lane.batch = std::move(batch);
}

void Session::OnOrder(std::unique_ptr<Order> order) {
  --travelling_;
  order_->stats.Add(order->stats);
  if (--orders_ == 0) FinishOrder();
}

// Moves answers that are there, in order, to the output.
void Session::Emit() {
  while (head_ < slots_.size() && output_.size() < kOutputHigh) {
    const Slot& slot = slots_[head_];
    if (slot.shard == kInline) {
      output_.Append(std::string_view(inline_).substr(inline_at_, slot.size));
      inline_at_ += slot.size;
    } else {
      Batch* batch = lanes_[slot.shard].batch.get();
      if (batch == nullptr || !batch->HasAnswer()) break;
      output_.Append(batch->TakeAnswer());
    }
    ++head_;
  }
  if (head_ > 0 && head_ == slots_.size()) EndRound();
}

// Sends on the batches that came back before their end.
void Session::Resume() {
  if (output_.size() >= kOutputHigh) return;
  for (size_t shard = 0; shard < lanes_.size(); ++shard) {
    Lane& lane = lanes_[shard];
    if (!lane.used || lane.batch == nullptr) continue;
    if (lane.batch->HasAnswer() || lane.batch->complete()) continue;
    ++travelling_;
    router_.Send(shard, std::move(lane.batch));
  }
}

// False: there is no complete command.
bool Session::StartRound() {
  round_commands_ = round_bytes_ = 0;
  starved_ = false;
  bool any = false;
  while (!RoundIsFull() && order_ == nullptr && !finished_) {
    if (get_.active) {
      any = true;
      ContinueGet();
      continue;
    }
    Command command;
    size_t consumed = 0;
    if (parser_.Next(input_.data(), &consumed, &command) ==
        Parser::Status::kNeedMore) {
      input_.Consume(consumed);
      starved_ = true;
      break;
    }
    any = true;
    Take(command, consumed);
  }
  SendBatches();
  return any;
}

bool Session::RoundIsFull() const {
  return round_commands_ >= kRoundCommands || round_bytes_ >= kRoundBytes ||
         output_.size() + inline_.size() >= kOutputHigh;
}

void Session::ContinueGet() {
  const std::string_view keys =
      input_.data().substr(get_.at, get_.end - get_.at);
  KeyCursor cursor(keys);
  Command command;
  command.verb = get_.verb;
  while (!RoundIsFull()) {
    if (!cursor.Next(&command.key)) {
      AppendInline(kEnd);
      input_.Consume(get_.consumed);
      get_ = {};
      return;
    }
    RunKeyed(command);
  }
  get_.at = get_.end - cursor.rest().size();
}

void Session::Take(const Command& command, size_t consumed) {
  ++round_commands_;
  switch (command.verb) {
    case Verb::kGet:
    case Verb::kGets:
      get_.active = true;
      get_.verb = command.verb;
      get_.at = static_cast<size_t>(command.keys.data() - input_.data().data());
      get_.end = get_.at + command.keys.size();
      get_.consumed = consumed;
      return;
    case Verb::kFlushAll:
    case Verb::kStats:
    case Verb::kCacheMemlimit:
      TakeOrder(command);
      break;
    case Verb::kVersion:
      inline_text_.clear();
      AppendVersion(&inline_text_);
      AppendInline(inline_text_);
      break;
    case Verb::kVerbosity:
      if (!command.noreply) AppendInline(kOk);
      break;
    case Verb::kFatal:
    case Verb::kQuit:
      finished_ = true;
      [[fallthrough]];
    case Verb::kError:
      if (!command.noreply) AppendInline(command.text);
      break;
    default:
      RunKeyed(command);
  }
  input_.Consume(consumed);
}

void Session::RunKeyed(const Command& command) {
  ++round_commands_;
  const size_t owner = OwnerOf(HashOf(command.key), router_.shards());
  if (owner == router_.here()) {
    const size_t before = inline_.size();
    Execute(command, router_.store(), &inline_);
    AddInlineSlot(inline_.size() - before);
    return;
  }
  Lane& lane = lanes_[owner];
  if (lane.batch == nullptr) {
    lane.batch =
        std::make_unique<Batch>(ReturnAddress{router_.here(), id_}, owner);
  }
  lane.used = true;
  lane.batch->Add(command);
  slots_.push_back({owner, 0});
  round_bytes_ += command.key.size() + command.value.size();
}

void Session::AppendInline(std::string_view bytes) {
  inline_.append(bytes);
  AddInlineSlot(bytes.size());
}

void Session::AddInlineSlot(size_t size) {
  if (size == 0) return;
  if (!slots_.empty() && slots_.back().shard == kInline) {
    slots_.back().size += size;
  } else {
    slots_.push_back({kInline, size});
  }
}

void Session::SendBatches() {
  for (size_t shard = 0; shard < lanes_.size(); ++shard) {
    Lane& lane = lanes_[shard];
    if (!lane.used) continue;
    ++travelling_;
    router_.Send(shard, std::move(lane.batch));
  }
}

void Session::EndRound() {
  slots_.clear();
  head_ = 0;
  inline_.clear();
  inline_at_ = 0;
  if (inline_.capacity() > kKeptBytes) std::string().swap(inline_);
  if (slots_.capacity() > kKeptSlots) std::vector<Slot>().swap(slots_);
  for (Lane& lane : lanes_) {
    if (!lane.used) continue;
    lane.used = false;
    lane.batch->Clear();
  }
}

// Makes `command` the order that runs when this round is over.
void Session::TakeOrder(const Command& command) {
  auto order = std::make_unique<Order>();
  order->from = {router_.here(), id_};
  order->verb = command.verb;
  order->delay = command.exptime;
  order->noreply = command.noreply;
  if (command.verb == Verb::kStats) {
    if (command.key.empty()) {
      order->topic = Order::Topic::kGeneral;
    } else if (command.key == "settings") {
      order->topic = Order::Topic::kSettings;
    } else if (command.key == "reset") {
      order->topic = Order::Topic::kReset;
    } else if (command.key == "items" || command.key == "slabs") {
      // There are no slabs; nothing is a legal answer.
      return AppendInline(kEnd);
    } else if (command.key == "sizes") {
      return AppendInline("STAT sizes_status disabled\r\nEND\r\n");
    } else {
      return AppendInline(kUnknownCommand);
    }
  }
  if (command.verb == Verb::kCacheMemlimit) {
    if (command.number < kLeastMemlimit) {
      if (!command.noreply) AppendInline(kMemlimitTooSmall);
      return;
    }
    const uint64_t mebibytes =
        std::min<uint64_t>(command.number, uint64_t{1} << 40);
    order->memory_limit = (mebibytes << 20) / router_.shards();
  }
  order_ = std::move(order);
}

void Session::StartOrder() {
  if (order_->verb == Verb::kFlushAll) ++router_.counters().cmd_flush;
  orders_ = router_.shards();
  travelling_ += orders_;
  for (size_t shard = 0; shard < router_.shards(); ++shard) {
    router_.Send(shard, std::make_unique<Order>(*order_));
  }
}

void Session::FinishOrder() {
  std::string text;
  if (order_->verb != Verb::kStats) {
    if (!order_->noreply) text = kOk;
  } else if (order_->topic == Order::Topic::kReset) {
    text = kReset;
  } else if (order_->topic == Order::Topic::kSettings) {
    router_.AppendSettings(order_->stats, &text);
  } else {
    router_.AppendStats(order_->stats, &text);
  }
  output_.Append(text);
  order_.reset();
}

}  // namespace percore::kv
