// BufferEvent: a buffered stream for C++ and for coroutines.
//
//   Task<absl::Status> Echo(BufferEvent peer) {
//     for (;;) {
//       absl::StatusOr<std::string> line = co_await peer.ReadLine();
//       if (IsEndOfStream(line.status())) co_return co_await peer.Drain();
//       if (!line.ok()) co_return line.status();
//       absl::Status sent = co_await peer.Write(*line + "\n");
//       if (!sent.ok()) co_return sent;
//     }
//   }
//
// It owns a Stream of any kind: a socket, one end of a pair, a filter over
// another BufferEvent, or one that another room made (Adopt).
//
// Reading goes on by itself from the first read on: up to read_limit() bytes
// lie in input() before the peer is made to wait. Write appends and waits only
// while more than write_limit() bytes are unsent.
//
// One coroutine at a time may read, any number may write. Giving up a wait, by
// destroying the coroutine (WithTimeout, WhenAny, Cancel), takes nothing from
// the input and leaves the stream usable; a Write that was given up has
// appended its bytes all the same.
//
// Statuses:
//   OutOfRange          the peer has ended the stream (IsEndOfStream)
//   DeadlineExceeded    SetTimeouts' time has passed; the stream stays usable
//   Cancelled           the stream was closed while the coroutine waited
//   FailedPrecondition  closed, not connected, or a second reader
//   ResourceExhausted   a line longer than its limit, or no memory
//   NotFound            no such host
//   others              of the system call that failed (absl::ErrnoToStatus):
//                       Unavailable for a reset or refused connection
//
// It stays on its base: Stream::MoveTo is refused while it holds the stream.
//
// Belongs to the thread of its base's loop, every method. It may be closed,
// moved or destroyed by any callback or coroutine, its own too.
#ifndef PERCORE_NET_STREAM_BUFFER_EVENT_H_
#define PERCORE_NET_STREAM_BUFFER_EVENT_H_

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "percore/net/buffer/buffer.h"
#include "percore/net/rate_limit/token_bucket.h"
#include "percore/net/stream/stream.h"
#include "percore/net/stream/stream_door.h"
#include "percore/net/stream/stream_waits.h"
#include "percore/runtime/core/task.h"

namespace percore {

// Whether a read ended because the peer has ended the stream in good order.
inline bool IsEndOfStream(const absl::Status& status) {
  return absl::IsOutOfRange(status);
}

class BufferEvent {
 public:
  static constexpr std::size_t kLineLimit = std::size_t{64} << 10;

  // Takes from `source` and adds to `target` at most `limit` bytes (negative:
  // any number). BEV_ERROR ends the stream.
  using Transform = absl::AnyInvocable<bufferevent_filter_result(
      Buffer& source, Buffer& target, ev_ssize_t limit,
      bufferevent_flush_mode mode)>;

  // Without a stream, as after Close.
  BufferEvent() = default;
  BufferEvent(BufferEvent&& other) noexcept
      : door_(std::exchange(other.door_, nullptr)) {}
  BufferEvent& operator=(BufferEvent&& other) noexcept {
    if (this != &other) {
      Close();
      door_ = std::exchange(other.door_, nullptr);
    }
    return *this;
  }
  // As Close.
  ~BufferEvent() { Close(); }

  // --- Making -------------------------------------------------------------

  // Over a connected, non-blocking socket, which it closes in the end; when
  // this fails the socket is still the caller's. -1: Connect makes one.
  static absl::StatusOr<BufferEvent> Socket(EventBase* base,
                                            evutil_socket_t fd = -1);
  // Two ends in memory: what is written to one is read from the other.
  static absl::StatusOr<std::pair<BufferEvent, BufferEvent>> Pair(
      EventBase* base);
  // Over another stream, which it owns from now on: `input` changes what comes
  // from it, `output` what goes to it. Empty ones pass bytes through.
  static absl::StatusOr<BufferEvent> Filter(BufferEvent below, Transform input,
                                            Transform output);
  // Takes over a stream of any kind, whose callbacks it replaces. `connected`:
  // it can be read from and written to.
  static BufferEvent Adopt(Stream* stream, bool connected = true,
                           StreamHooks hooks = {});

  // The stream, without callbacks, the caller's to free. Null if closed.
  Stream* Release();

  // --- Connecting ---------------------------------------------------------

  // To an address, or to every address of a name in turn; `timeout` is for all
  // of it. Looking a name up blocks the loop: give numbers where that matters.
  // OK; else the stream is as before and may be connected again.
  [[nodiscard]] stream_internal::ConnectWait Connect(
      const sockaddr* address, socklen_t size,
      std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max());
  [[nodiscard]] stream_internal::ConnectWait Connect(
      std::string host, int port,
      std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max());

  // Until what is under way, a TLS handshake, is done. absl::Status.
  [[nodiscard]] stream_internal::ConnectWait AwaitConnected();

  // --- Reading ------------------------------------------------------------

  // At least one byte, at most `max`: what is there. absl::StatusOr<string>.
  [[nodiscard]] stream_internal::ReadWait Read(std::size_t max = 65536);
  // Exactly `n` bytes. When the stream ends before, what had come stays in
  // input(). absl::StatusOr<string>.
  [[nodiscard]] stream_internal::ReadWait ReadExactly(std::size_t n);
  // All up to `delimiter`, which is taken and not given. ResourceExhausted if
  // it is not among the first `limit` bytes; they stay.
  [[nodiscard]] stream_internal::ReadWait ReadUntil(
      std::string delimiter, std::size_t limit = kLineLimit);
  // A line without its end, LF or CR LF.
  [[nodiscard]] stream_internal::ReadWait ReadLine(
      std::size_t limit = kLineLimit);
  // At least one byte, at most `max`, to the end of `target` without a copy;
  // how many. absl::StatusOr<size_t>.
  [[nodiscard]] stream_internal::MoveWait ReadInto(Buffer* target,
                                                   std::size_t max = 65536);
  // Until input() holds `n` bytes. absl::Status.
  [[nodiscard]] stream_internal::InputWait AwaitInput(std::size_t n = 1);

  // --- Writing ------------------------------------------------------------

  // Appends, and waits while too much is unsent. absl::Status; without
  // co_await it is only appended.
  stream_internal::WriteWait Write(std::string_view data);
  // All of `data`, without a copy.
  stream_internal::WriteWait Write(Buffer* data);
  // Until everything has been handed to the system. absl::Status.
  [[nodiscard]] stream_internal::WriteWait Drain();
  // Drain, and tell the peer that no more will come; reading goes on.
  Task<absl::Status> Shutdown();

  // Drops what is unsent. Who waits goes on with Cancelled, from the loop.
  void Close() {
    if (door_ == nullptr) return;
    auto* door = std::exchange(door_, nullptr);
    door->Close();
    door->Unref();
  }

  // --- Settings -----------------------------------------------------------

  // Instead of coroutines. Reading begins with Enable(EV_READ).
  void SetCallbacks(StreamCallbacks callbacks);
  int Enable(short what);
  int Disable(short what);

  // How long no byte may come while reading, or go while there are some; zero
  // is for ever.
  void SetTimeouts(std::chrono::nanoseconds read,
                   std::chrono::nanoseconds write);
  void SetReadLimit(std::size_t bytes);
  void SetWriteLimit(std::size_t bytes);
  std::size_t read_limit() const;
  std::size_t write_limit() const;

  // Bytes a second and the most at once, each way. InvalidArgument for a rate
  // of zero or above its burst.
  absl::Status SetRateLimit(std::size_t read_rate, std::size_t read_burst,
                            std::size_t write_rate, std::size_t write_burst);
  void ClearRateLimit();

  // --- What is there ------------------------------------------------------

  // Not when closed().
  Buffer& input() { return stream()->input_buffer; }
  Buffer& output() { return stream()->output_buffer; }

  bool closed() const { return door_ == nullptr; }
  bool connected() const { return door_ != nullptr && door_->open(); }
  // -1: none, or closed.
  evutil_socket_t fd() const { return closed() ? -1 : stream()->Fd(); }
  Stream* stream() const {
    return door_ == nullptr ? nullptr : door_->stream();
  }

 private:
  explicit BufferEvent(stream_internal::StreamDoor* door) : door_(door) {}

  stream_internal::StreamDoor* door_ = nullptr;
};

}  // namespace percore

#endif  // PERCORE_NET_STREAM_BUFFER_EVENT_H_
