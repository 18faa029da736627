#include "percore/net/stream/buffer_event.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "percore/net/stream/filter_stream.h"
#include "percore/net/stream/pair_stream.h"
#include "percore/net/stream/socket_stream.h"
#include "percore/runtime/loop/event_base.h"

namespace percore {
namespace {

using stream_internal::ConnectWait;
using stream_internal::DoorRef;
using stream_internal::InputWait;
using stream_internal::MoveWait;
using stream_internal::ReadWait;
using stream_internal::StreamDoor;
using stream_internal::WriteWait;

absl::Status NoMemory() {
  return absl::ResourceExhaustedError("no memory for a stream");
}

// Rounded up; zero or less, and what is as good as for ever: none.
timeval TimevalOf(std::chrono::nanoseconds duration) {
  const std::int64_t ns = duration.count();
  if (ns <= 0 || ns > INT64_MAX / 4) return {};
  return {ns / 1000000000, (ns % 1000000000 + 999) / 1000};
}

// Of connecting: zero would be no limit, and the caller has said "at once".
timeval ConnectTimeoutOf(std::chrono::nanoseconds duration) {
  return TimevalOf(std::max(duration, std::chrono::nanoseconds(1)));
}

struct Transforms {
  BufferEvent::Transform input;
  BufferEvent::Transform output;
  // Of the stream below.
  std::unique_ptr<ev_token_bucket_cfg> rate_limit;

  static bufferevent_filter_result Run(BufferEvent::Transform& transform,
                                       evbuffer* source, evbuffer* target,
                                       ev_ssize_t limit,
                                       bufferevent_flush_mode mode) {
    return transform(*Buffer::From(source), *Buffer::From(target), limit, mode);
  }
  static bufferevent_filter_result Input(evbuffer* source, evbuffer* target,
                                         ev_ssize_t limit,
                                         bufferevent_flush_mode mode,
                                         void* self) {
    return Run(static_cast<Transforms*>(self)->input, source, target, limit,
               mode);
  }
  static bufferevent_filter_result Output(evbuffer* source, evbuffer* target,
                                          ev_ssize_t limit,
                                          bufferevent_flush_mode mode,
                                          void* self) {
    return Run(static_cast<Transforms*>(self)->output, source, target, limit,
               mode);
  }
};

// Whether bytes may be appended; a side that a timeout had stopped goes on.
absl::Status ReadyToAppend(StreamDoor* door) {
  if (door == nullptr || door->stream() == nullptr) {
    return absl::FailedPreconditionError("the stream is closed");
  }
  if (!door->write_end().ok()) return door->write_end();
  return absl::OkStatus();
}

absl::Status Appended(StreamDoor* door, bool ok) {
  if (!ok) return absl::ResourceExhaustedError("no memory for the bytes");
  if (!(door->stream()->enabled & EV_WRITE)) door->stream()->Enable(EV_WRITE);
  return absl::OkStatus();
}

// Not a member: it must not mind a BufferEvent that moves.
Task<absl::Status> ShutdownOf(DoorRef door) {
  absl::Status status =
      co_await WriteWait(door.get(), absl::OkStatus(), WriteWait::kDrained);
  if (!status.ok()) co_return status;
  Stream* s = door->stream();
  if (s->kind() != StreamKind::kSocket) {
    // TLS may have last words, a filter too, a pair its other end to tell.
    WriteWait::Until until = WriteWait::kDrained;
    if (door->hooks().shutdown != nullptr) {
      status = door->hooks().shutdown(s);
      if (!status.ok()) co_return status;
      until = WriteWait::kEnded;
    } else {
      s->Flush(EV_WRITE, BEV_FINISHED);
    }
    status = co_await WriteWait(door.get(), absl::OkStatus(), until);
    // close_notify says all; a cut after it would be one thing more.
    if (!status.ok() || until == WriteWait::kEnded) co_return status;
    s = door->stream();
  }
  const evutil_socket_t fd = s->Fd();
  if (fd >= 0 && shutdown(fd, SHUT_WR) != 0) {
    co_return absl::ErrnoToStatus(errno, "shutdown");
  }
  co_return absl::OkStatus();
}

}  // namespace

// --- Making -----------------------------------------------------------------

absl::StatusOr<BufferEvent> BufferEvent::Socket(EventBase* base,
                                                evutil_socket_t fd) {
  Stream* s = NewSocketStream(base, fd, BEV_OPT_CLOSE_ON_FREE);
  if (s == nullptr) return NoMemory();
  return Adopt(s, fd >= 0);
}

absl::StatusOr<std::pair<BufferEvent, BufferEvent>> BufferEvent::Pair(
    EventBase* base) {
  Stream* ends[2];
  if (NewPair(base, 0, ends) < 0) return NoMemory();
  return std::pair(Adopt(ends[0]), Adopt(ends[1]));
}

absl::StatusOr<BufferEvent> BufferEvent::Filter(BufferEvent below,
                                                Transform input,
                                                Transform output) {
  if (below.closed()) {
    return absl::FailedPreconditionError("the stream below is closed");
  }
  auto transforms = std::make_unique<Transforms>();
  transforms->input = std::move(input);
  transforms->output = std::move(output);
  transforms->rate_limit = below.door_->TakeRateLimit();
  const bool connected = below.connected();
  Stream* under = below.Release();
  Stream* s = NewFilter(
      under, transforms->input ? &Transforms::Input : nullptr,
      transforms->output ? &Transforms::Output : nullptr, BEV_OPT_CLOSE_ON_FREE,
      [](void* context) { delete static_cast<Transforms*>(context); },
      transforms.get());
  if (s == nullptr) {
    under->Free();
    return NoMemory();
  }
  transforms.release();
  return Adopt(s, connected);
}

BufferEvent BufferEvent::Adopt(Stream* stream, bool connected,
                               StreamHooks hooks) {
  return BufferEvent(new StreamDoor(stream, connected, hooks));
}

Stream* BufferEvent::Release() {
  if (door_ == nullptr) return nullptr;
  StreamDoor* door = std::exchange(door_, nullptr);
  Stream* s = door->Release();
  door->Unref();
  return s;
}

// --- Operations -------------------------------------------------------------

ConnectWait BufferEvent::Connect(const sockaddr* address, socklen_t size,
                                 std::chrono::nanoseconds timeout) {
  return ConnectWait(door_, address, size, ConnectTimeoutOf(timeout));
}

ConnectWait BufferEvent::Connect(std::string host, int port,
                                 std::chrono::nanoseconds timeout) {
  return ConnectWait(door_, std::move(host), port, ConnectTimeoutOf(timeout));
}

ConnectWait BufferEvent::AwaitConnected() { return ConnectWait(door_); }

ReadWait BufferEvent::Read(std::size_t max) {
  return ReadWait(door_, 1, std::max<std::size_t>(max, 1));
}

ReadWait BufferEvent::ReadExactly(std::size_t n) {
  return ReadWait(door_, n, n);
}

ReadWait BufferEvent::ReadUntil(std::string delimiter, std::size_t limit) {
  return ReadWait(door_, std::move(delimiter), limit, /*is_line=*/false);
}

ReadWait BufferEvent::ReadLine(std::size_t limit) {
  return ReadWait(door_, "\n", limit, /*is_line=*/true);
}

MoveWait BufferEvent::ReadInto(Buffer* target, std::size_t max) {
  return MoveWait(door_, target, std::max<std::size_t>(max, 1));
}

InputWait BufferEvent::AwaitInput(std::size_t n) { return InputWait(door_, n); }

WriteWait BufferEvent::Write(std::string_view data) {
  absl::Status status = ReadyToAppend(door_);
  if (status.ok()) status = Appended(door_, output().Add(data));
  return WriteWait(door_, std::move(status), WriteWait::kRoom);
}

WriteWait BufferEvent::Write(Buffer* data) {
  absl::Status status = ReadyToAppend(door_);
  if (status.ok()) status = Appended(door_, output().Take(data));
  return WriteWait(door_, std::move(status), WriteWait::kRoom);
}

WriteWait BufferEvent::Drain() {
  return WriteWait(door_, absl::OkStatus(), WriteWait::kDrained);
}

Task<absl::Status> BufferEvent::Shutdown() {
  return ShutdownOf(DoorRef(door_));
}

// --- Settings ---------------------------------------------------------------

void BufferEvent::SetCallbacks(StreamCallbacks callbacks) {
  if (door_ != nullptr) door_->SetCallbacks(std::move(callbacks));
}

int BufferEvent::Enable(short what) {
  return stream() == nullptr ? -1 : stream()->Enable(what);
}

int BufferEvent::Disable(short what) {
  return stream() == nullptr ? -1 : stream()->Disable(what);
}

void BufferEvent::SetTimeouts(std::chrono::nanoseconds read,
                              std::chrono::nanoseconds write) {
  if (door_ != nullptr) door_->SetTimeouts(TimevalOf(read), TimevalOf(write));
}

void BufferEvent::SetReadLimit(std::size_t bytes) {
  if (door_ != nullptr) door_->SetReadLimit(bytes);
}

void BufferEvent::SetWriteLimit(std::size_t bytes) {
  if (door_ != nullptr) door_->SetWriteLimit(bytes);
}

std::size_t BufferEvent::read_limit() const {
  return door_ == nullptr ? 0 : door_->read_limit();
}

std::size_t BufferEvent::write_limit() const {
  return door_ == nullptr ? 0 : door_->write_limit();
}

absl::Status BufferEvent::SetRateLimit(std::size_t read_rate,
                                       std::size_t read_burst,
                                       std::size_t write_rate,
                                       std::size_t write_burst) {
  if (closed()) return absl::FailedPreconditionError("the stream is closed");
  // A tenth of a second: a limit that lets go once a second is felt.
  const timeval tick = {0, 100000};
  const auto part = [](std::size_t rate) {
    return rate == 0 ? 0 : std::max<std::size_t>(rate / 10, 1);
  };
  ev_token_bucket_cfg config;
  if (!MakeTokenBucketConfig(part(read_rate), read_burst, part(write_rate),
                             write_burst, &tick, &config)) {
    return absl::InvalidArgumentError(
        "a rate must be at least 1, and a tenth of it at most its burst");
  }
  if (door_->SetRateLimit(&config) < 0) return NoMemory();
  return absl::OkStatus();
}

void BufferEvent::ClearRateLimit() {
  if (door_ != nullptr) door_->SetRateLimit(nullptr);
}

}  // namespace percore
