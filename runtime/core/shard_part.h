// One core's share in the two-phase stop of a Sharded.
//
// A part has quiesced when its core sends nothing new, every call that it sent
// has come back, every message that it sent has arrived (each other core
// confirms the count: a fence), and its object has nothing under way.
//
// Belongs to its core.
#ifndef PERCORE_RUNTIME_CORE_SHARD_PART_H_
#define PERCORE_RUNTIME_CORE_SHARD_PART_H_

#include <cstdint>
#include <functional>
#include <new>
#include <utility>
#include <vector>

#include "percore/runtime/core/object_call.h"
#include "percore/runtime/core/runtime_core.h"

namespace percore {

class ShardPart : public CallSource {
 public:
  ShardPart(RuntimeCore* runtime, int core)
      : runtime_(runtime),
        core_(core),
        sent_(static_cast<std::size_t>(runtime->cores())),
        received_(static_cast<std::size_t>(runtime->cores())),
        fences_(static_cast<std::size_t>(runtime->cores())) {}
  ShardPart(const ShardPart&) = delete;
  ShardPart& operator=(const ShardPart&) = delete;
  virtual ~ShardPart() = default;

  int core() const { return core_; }
  bool closing() const { return closing_; }

  // --- CallSource ---------------------------------------------------------

  absl::Status MaySend() override {
    if (!closing_) return absl::OkStatus();
    return absl::UnavailableError("the shards are stopping");
  }
  void Sent(int to) override { ++sent_[Index(to)]; }
  void CallSent() override { ++calls_; }
  void CallReturned() override {
    --calls_;
    if (closing_) CheckQuiet();
  }

  // Mail of core `from` is here; negative: of a thread outside, not counted.
  void Received(int from) {
    if (from < 0) return;
    ++received_[Index(from)];
    if (Fence* fence = fences_[Index(from)]) CheckFence(fence);
  }

  // --- Stop ---------------------------------------------------------------

  // Sends nothing new, and calls `done` when quiet. `peers[i]` is core i's
  // part. `object_busy`: ObjectQuiet will be called too.
  template <typename Peers>
  void Quiesce(const Peers& peers, bool object_busy,
               std::function<void()> done) {
    closing_ = true;
    done_ = std::move(done);
    object_busy_ = object_busy;
    open_fences_ = 1;
    for (std::size_t i = 0; i < sent_.size(); ++i) {
      auto* fence = new (std::nothrow) Fence;
      if (fence == nullptr) continue;  // then its mail is not waited for
      ++open_fences_;
      fence->from = this;
      fence->to = &*peers[i];
      fence->count = sent_[i];
      fence->run = &Fence::Arrive;
      runtime_->mailbox(static_cast<int>(i))->SendControl(fence);
    }
    --open_fences_;
    CheckQuiet();
  }

  void ObjectQuiet() {
    object_busy_ = false;
    CheckQuiet();
  }

 private:
  struct Fence : ControlNode {
    ShardPart* from;
    ShardPart* to;
    std::uint64_t count;

    static void Arrive(ControlNode* self, bool closed) {
      auto* fence = static_cast<Fence*>(self);
      if (closed) {
        delete fence;
      } else {
        fence->to->CheckFence(fence);
      }
    }
    static void Return(ControlNode* self, bool closed) {
      auto* fence = static_cast<Fence*>(self);
      ShardPart* from = fence->from;
      delete fence;
      if (closed) return;
      --from->open_fences_;
      from->CheckQuiet();
    }
  };

  std::size_t Index(int core) const { return static_cast<std::size_t>(core); }

  void CheckFence(Fence* fence) {
    const std::size_t from = Index(fence->from->core_);
    if (received_[from] < fence->count) {
      fences_[from] = fence;
      return;
    }
    fences_[from] = nullptr;
    fence->run = &Fence::Return;
    if (!runtime_->mailbox(fence->from->core_)->SendControl(fence)) {
      delete fence;
    }
  }

  void CheckQuiet() {
    if (calls_ != 0 || open_fences_ != 0 || object_busy_ || !done_) return;
    std::exchange(done_, nullptr)();
  }

  RuntimeCore* runtime_;
  int core_;
  bool closing_ = false;
  bool object_busy_ = false;
  int open_fences_ = 0;
  std::uint64_t calls_ = 0;              // sent and not yet answered
  std::vector<std::uint64_t> sent_;      // to each core
  std::vector<std::uint64_t> received_;  // from each core
  std::vector<Fence*> fences_;           // of each core, waiting for its mail
  std::function<void()> done_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_SHARD_PART_H_
