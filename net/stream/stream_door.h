// What stands between a Stream and the C++ program: who waits for it, and how
// it ended. Of BufferEvent alone.
//
// A StreamDoor is shared by the BufferEvent, the waits and the callbacks under
// way, so each of them may destroy any other. Its waits are listed; each lives
// in the frame of the coroutine that waits. Owner thread, everything.
//
//   event of the stream --> note how a side has ended
//                       --> wake the waits of that side: each looks whether
//                           what it waits for is there, leaves the list, and
//                           is resumed at once, on the stack of the event
#ifndef PERCORE_NET_STREAM_STREAM_DOOR_H_
#define PERCORE_NET_STREAM_STREAM_DOOR_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "percore/net/rate_limit/token_bucket.h"
#include "percore/net/stream/stream.h"

namespace percore {

// What a program without coroutines is told; each may be empty. Of a side for
// which a coroutine waits the coroutine is told instead.
struct StreamCallbacks {
  absl::AnyInvocable<void()> on_read;
  absl::AnyInvocable<void()> on_write;
  // BEV_EVENT_ bits; OK with BEV_EVENT_CONNECTED, else why.
  absl::AnyInvocable<void(short what, const absl::Status& why)> on_event;
};

// What a kind that another room makes knows of its streams; each may be null.
struct StreamHooks {
  // Why it failed. OK: not known.
  absl::Status (*explain)(bufferevent* stream) = nullptr;
  // Begins an orderly end of the output, which the stream tells as
  // BEV_EVENT_EOF | BEV_EVENT_WRITING when it is done.
  absl::Status (*shutdown)(bufferevent* stream) = nullptr;
};

namespace stream_internal {

class StreamWait;

class StreamDoor {
 public:
  // Takes over the creator's reference. `open`: there is something to read
  // from and write to.
  StreamDoor(Stream* s, bool open, StreamHooks hooks = {});
  StreamDoor(const StreamDoor&) = delete;
  StreamDoor& operator=(const StreamDoor&) = delete;

  void Ref() { ++references_; }
  void Unref() {
    if (--references_ == 0) delete this;
  }

  // Null: closed.
  Stream* stream() const { return stream_; }
  bool open() const { return open_; }

  // Frees the stream; who waits goes on with Cancelled, from the loop.
  void Close();
  // As Close, but the stream lives on, without callbacks.
  Stream* Release();

  // The peer's end, or an error, that later reads or writes would meet again.
  const absl::Status& read_end() const { return read_end_; }
  const absl::Status& write_end() const { return write_end_; }
  // The output has come to its orderly end.
  bool output_ended() const { return output_ended_; }
  const StreamHooks& hooks() const { return hooks_; }
  // An unheard timeout of writing, which is so heard.
  bool TakeStall() { return std::exchange(stalled_, false); }

  // How much may lie in input and output before the peer, or the writer, is
  // made to wait.
  std::size_t read_limit() const { return read_limit_; }
  std::size_t write_limit() const { return write_limit_; }
  void SetReadLimit(std::size_t bytes);
  void SetWriteLimit(std::size_t bytes);
  int SetTimeouts(const timeval& read, const timeval& write);
  // Of the bottom of a stack: only that meets the network.
  int SetRateLimit(const ev_token_bucket_cfg* limit);
  // What the limit points to goes to the caller, to keep as long as the stream.
  std::unique_ptr<ev_token_bucket_cfg> TakeRateLimit() {
    return std::move(rate_limit_);
  }

  void SetCallbacks(StreamCallbacks callbacks);

  // Nothing is connected any more: the descriptor is closed.
  void AbandonConnect();
  // The write timeout is that of connecting, for as long.
  void SetConnectTimeout(const timeval& timeout);

  // Wakes the waits of writing from the loop.
  void WakeSoon();

 private:
  friend class StreamWait;
  class Hold;

  ~StreamDoor();
  static void OnRead(bufferevent*, void* arg);
  static void OnWrite(bufferevent*, void* arg);
  static void OnEvent(bufferevent*, short what, void* arg);
  static void OnWake(event_callback*, void* arg);

  absl::Status StatusOf(short what, int error) const;
  void ConnectFailed(const absl::Status& why);
  void TimedOut(short what, const absl::Status& why);
  void Ended(short what, const absl::Status& why);
  void Connected();
  void Settle(unsigned sides, const absl::Status& why);
  void Wake(unsigned sides);
  void Detach(const absl::Status& why);
  bool Waits(unsigned sides) const;
  void FitReadWatermark();
  Stream* Bottom() const;

  Stream* stream_;
  EventBase* base_;
  std::uint32_t references_ = 1;
  bool open_;
  bool stalled_ = false;
  bool output_ended_ = false;
  const StreamHooks hooks_;
  std::size_t read_limit_ = std::size_t{256} << 10;
  std::size_t write_limit_ = std::size_t{256} << 10;
  timeval read_timeout_ = {};
  timeval write_timeout_ = {};
  absl::Status read_end_;
  absl::Status write_end_;
  std::shared_ptr<StreamCallbacks> callbacks_;
  std::unique_ptr<ev_token_bucket_cfg> rate_limit_;
  StreamWait* waits_ = nullptr;  // in the order in which they came
  event_callback wake_;
};

// A share of a door.
class DoorRef {
 public:
  explicit DoorRef(StreamDoor* door) : door_(door) {
    if (door_ != nullptr) door_->Ref();
  }
  DoorRef(DoorRef&& other) noexcept
      : door_(std::exchange(other.door_, nullptr)) {}
  DoorRef& operator=(DoorRef&&) = delete;
  ~DoorRef() {
    if (door_ != nullptr) door_->Unref();
  }
  StreamDoor* get() const { return door_; }
  StreamDoor* operator->() const { return door_; }

 private:
  StreamDoor* door_;
};

// The common half of the awaiters.
class StreamWait {
 public:
  enum Side : unsigned { kRead = 1, kWrite = 2, kConnect = 4 };
  static constexpr unsigned kAllSides = kRead | kWrite | kConnect;

  StreamWait(const StreamWait&) = delete;
  StreamWait& operator=(const StreamWait&) = delete;

  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiter);

 protected:
  // `door` null: there is no stream.
  StreamWait(StreamDoor* door, Side side) : door_(door), side_(side) {
    if (door_ != nullptr) door_->Ref();
  }
  // Gives up the wait.
  virtual ~StreamWait();

  // Before the first look. It may settle.
  virtual void Begin() {}
  // Looks whether what is waited for is there, and takes it; or settles.
  virtual bool Look() = 0;

  // The wait is over with this status.
  void Settle(absl::Status status) {
    settled_ = true;
    status_ = std::move(status);
  }
  bool settled() const { return settled_; }
  bool waiting() const { return waiting_; }
  absl::Status& status() { return status_; }
  StreamDoor* door() const { return door_; }
  Stream* stream() const { return door_->stream(); }
  // Bytes of input that must have room for the wait to end.
  std::size_t need_ = 0;

 private:
  friend class StreamDoor;

  StreamDoor* door_;
  const Side side_;
  bool settled_ = false;
  bool waiting_ = false;
  absl::Status status_;
  std::coroutine_handle<> waiter_;
  StreamWait* next_ = nullptr;

  void Leave();
};

}  // namespace stream_internal
}  // namespace percore

#endif  // PERCORE_NET_STREAM_STREAM_DOOR_H_
