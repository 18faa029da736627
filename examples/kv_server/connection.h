// One client's socket on the core that accepted it: moves bytes between the
// socket and its Session.

#ifndef PERCORE_EXAMPLES_KV_SERVER_CONNECTION_H_
#define PERCORE_EXAMPLES_KV_SERVER_CONNECTION_H_

#include <event2/event_struct.h>

#include <cstdint>

#include "percore/examples/kv_server/session.h"
#include "percore/runtime/loop/event_base.h"

namespace percore::kv {

class Shard;

// Owner thread, every method: the shard's.
class Connection {
 public:
  // Takes `fd`, a connected non-blocking socket. `shard` outlives this.
  Connection(Shard& shard, int fd, uint64_t id);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False if the socket cannot be watched: nothing will happen.
  bool Start();

  // What other shards bring back. The connection may be gone afterwards.
  void OnBatch(std::unique_ptr<Batch> batch);
  void OnOrder(std::unique_ptr<Order> order);

  // Takes what has arrived, answers it and closes. The connection may be gone
  // afterwards.
  void Drain();

 private:
  // One write for all answers of a turn: while a round is on its way, answers
  // wait for the rest of it unless there are this many bytes.
  static constexpr size_t kEarlyWrite = size_t{32} << 10;

  static void OnReadable(evutil_socket_t fd, short what, void* self);
  static void OnWritable(evutil_socket_t fd, short what, void* self);
  static void OnResume(event_callback* callback, void* self);

  // Receives what is there, up to `most` bytes. False: the connection failed.
  bool Receive(size_t most);
  // After anything has changed. The connection may be gone afterwards.
  void Work();
  bool Write();
  bool IsDone();
  void WatchReading();
  void Close();

  Shard& shard_;
  const int fd_;
  const uint64_t id_;
  Session session_;
  event readable_;
  event writable_;
  event_callback resume_;
  bool reading_ = false;
  bool writing_ = false;
  bool resuming_ = false;
  bool ended_ = false;  // the client sends no more
  bool draining_ = false;
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_CONNECTION_H_
