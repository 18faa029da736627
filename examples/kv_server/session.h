// What happens on one connection between its bytes: commands in, answers out,
// in the same order, whatever shard makes each answer.
//
// Commands are taken in rounds. A round is all complete commands that have
// come (up to a bound): those of this shard's keys are carried out at once,
// the others travel in one batch for each owner; the answers are put in order
// as the batches come back, and only then the next round starts. So a command
// sees every earlier one of its connection: those of its key because a key has
// one owner, who keeps their order; all of them if it is one of the whole
// server (flush_all, stats), which is a round of its own.
//
// Bounds. Input is taken (WantsInput) up to 64 KiB, or as long as the one
// command that is arriving; no round starts and no batch goes on while
// kOutputHigh bytes wait to be sent; a batch comes back when it has 64 KiB of
// answers. What a client can make a session hold is then that, and a value
// more in each place: about (shards + 3) * 1.1 MiB, and next to nothing while
// it is idle.
//
// Every method is for the thread of the session's shard.

#ifndef PERCORE_EXAMPLES_KV_SERVER_SESSION_H_
#define PERCORE_EXAMPLES_KV_SERVER_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "percore/examples/kv_server/batch.h"
#include "percore/examples/kv_server/byte_queue.h"
#include "percore/examples/kv_server/protocol.h"

namespace percore::kv {

// What a session needs of the server around it.
class Router {
 public:
  virtual ~Router() = default;

  virtual size_t shards() const = 0;
  // This session's shard, its store and its counters.
  virtual size_t here() const = 0;
  virtual Store& store() = 0;
  virtual ConnectionCounters& counters() = 0;

  // Has `batch` run by `shard`, which is not here(), and given to the session
  // named in it by OnBatch(), later. Messages to one shard keep their order.
  virtual void Send(size_t shard, std::unique_ptr<Batch> batch) = 0;
  // The same for an order, to any shard; OnOrder() is called later.
  virtual void Send(size_t shard, std::unique_ptr<Order> order) = 0;

  // The answers to `stats` and `stats settings`, END included.
  virtual void AppendStats(const ShardStats& stats, std::string* out) = 0;
  virtual void AppendSettings(const ShardStats& stats, std::string* out) = 0;
};

class Session {
 public:
  static constexpr size_t kInputHigh = size_t{64} << 10;
  static constexpr size_t kOutputHigh = size_t{256} << 10;

  // `id` is what batches bring back.
  Session(Router& router, uint64_t id);

  // Bytes from the client; Advance() works on them.
  void Receive(std::string_view bytes) { input_.Append(bytes); }
  bool WantsInput() const;

  // What has to be sent; Consume() what was.
  ByteQueue& output() { return output_; }

  // Does what can be done now. True: there is more of it. Advance() is then to
  // be called again, after others have had their turn, and when the output has
  // fallen below kOutputHigh.
  bool Advance();

  // What the router brings back; Advance() next.
  void OnBatch(std::unique_ptr<Batch> batch);
  void OnOrder(std::unique_ptr<Order> order);

  // Batches and orders on their way: the session must live until 0.
  size_t travelling() const { return travelling_; }
  // The client has said goodbye, or what it says is no text protocol: close
  // when the output is sent.
  bool finished() const { return finished_ && !Waiting(); }
  // Nothing on its way and nothing to do until more input comes.
  bool AtRest() const {
    return !Waiting() && order_ == nullptr && !get_.active && starved_;
  }

 private:
  // Where the next piece of the output comes from.
  struct Slot {
    size_t shard;  // kInline, or the next answer of the shard's batch
    size_t size;   // of an inline piece
  };
  static constexpr size_t kInline = ~size_t{0};

  struct Lane {
    std::unique_ptr<Batch> batch;  // null while it travels, and before
    bool used = false;             // in this round
  };

  // A get of many keys, worked on over several rounds. Offsets are from the
  // start of the input, which stays until the last key.
  struct OpenGet {
    bool active = false;
    Verb verb = Verb::kGet;
    size_t at = 0;
    size_t end = 0;
    size_t consumed = 0;
  };

  bool Waiting() const { return head_ < slots_.size() || orders_ > 0; }
  void Emit();
  void Resume();
  bool StartRound();
  bool RoundIsFull() const;
  void ContinueGet();
  void Take(const Command& command, size_t consumed);
  void RunKeyed(const Command& command);
  void AppendInline(std::string_view bytes);
  void AddInlineSlot(size_t size);
  void SendBatches();
  void EndRound();
  void TakeOrder(const Command& command);
  void StartOrder();
  void FinishOrder();

  Router& router_;
  const uint64_t id_;
  Parser parser_;
  ByteQueue input_;
  ByteQueue output_;
  OpenGet get_;
  std::vector<Slot> slots_;
  size_t head_ = 0;
  std::string inline_;       // the inline pieces of the round
  std::string inline_text_;  // one of them, while it is made
  size_t inline_at_ = 0;
  std::vector<Lane> lanes_;
  size_t round_commands_ = 0;
  size_t round_bytes_ = 0;
  size_t travelling_ = 0;
  // The command of the whole server that waits for its round, or is in it.
  std::unique_ptr<Order> order_;
  size_t orders_ = 0;  // shards that have not answered
  bool finished_ = false;
  bool starved_ = true;
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_SESSION_H_
