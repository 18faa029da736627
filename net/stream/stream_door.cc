#include "percore/net/stream/stream_door.h"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "percore/net/stream/pair_stream.h"
#include "percore/net/stream/stream_limit.h"
#include "percore/runtime/system/sockets.h"

namespace percore::stream_internal {

// Keeps the door while its callback is on the stack.
class StreamDoor::Hold {
 public:
  explicit Hold(void* arg) : door_(static_cast<StreamDoor*>(arg)) {
    door_->Ref();
  }
  ~Hold() { door_->Unref(); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  StreamDoor* operator->() const { return door_; }

 private:
  StreamDoor* door_;
};

StreamDoor::StreamDoor(Stream* s, bool open, StreamHooks hooks)
    : stream_(s), base_(s->base()), open_(open), hooks_(hooks) {
  base_->InitCallback(&wake_, base_->priorities() / 2, &OnWake, this);
  s->SetCallbacks(&OnRead, &OnWrite, &OnEvent, this);
  s->extension = this;
  FitReadWatermark();
  SetWriteLimit(write_limit_);
}

StreamDoor::~StreamDoor() {
  Close();
  base_->CancelCallback(&wake_);
}

void StreamDoor::Close() {
  if (stream_ == nullptr) return;
  Stream* s = stream_;
  // A pair has no descriptor whose closing would tell the other end.
  if (s->kind() == StreamKind::kPair && PairPartner(s) != nullptr) {
    s->Flush(EV_READ | EV_WRITE, BEV_FINISHED);
  }
  Detach(absl::CancelledError("the stream was closed"));
  s->Free();
}

Stream* StreamDoor::Release() {
  Stream* s = stream_;
  if (s == nullptr) return nullptr;
  Detach(absl::CancelledError("the stream was given away"));
  s->extension = nullptr;
  s->SetCallbacks(nullptr, nullptr, nullptr, nullptr);
  return s;
}

void StreamDoor::Detach(const absl::Status& why) {
  if (rate_limit_ != nullptr) StreamLimit::SetOwn(Bottom(), nullptr);
  stream_ = nullptr;
  open_ = false;
  Settle(StreamWait::kAllSides, why);
  if (waits_ != nullptr) base_->ScheduleCallback(&wake_);
}

// --- What is set ------------------------------------------------------------

void StreamDoor::SetReadLimit(std::size_t bytes) {
  read_limit_ = std::max<std::size_t>(bytes, 1);
  FitReadWatermark();
}

// The program's limit, or more if somebody waits for more.
void StreamDoor::FitReadWatermark() {
  if (stream_ == nullptr) return;
  std::size_t high = read_limit_;
  for (StreamWait* w = waits_; w != nullptr; w = w->next_) {
    high = std::max(high, w->need_);
  }
  if (stream_->wm_read.high != high) stream_->SetWatermark(EV_READ, 0, high);
}

void StreamDoor::SetWriteLimit(std::size_t bytes) {
  write_limit_ = std::max<std::size_t>(bytes, 1);
  if (stream_ != nullptr) {
    stream_->SetWatermark(EV_WRITE, write_limit_ / 2, write_limit_);
  }
}

int StreamDoor::SetTimeouts(const timeval& read, const timeval& write) {
  read_timeout_ = read;
  write_timeout_ = write;
  return stream_ == nullptr ? -1 : stream_->SetTimeouts(&read, &write);
}

void StreamDoor::SetConnectTimeout(const timeval& timeout) {
  stream_->SetTimeouts(&read_timeout_, &timeout);
}

Stream* StreamDoor::Bottom() const {
  Stream* s = stream_;
  while (Stream* below = s->Underlying()) s = below;
  return s;
}

int StreamDoor::SetRateLimit(const ev_token_bucket_cfg* limit) {
  if (stream_ == nullptr) return -1;
  std::unique_ptr<ev_token_bucket_cfg> copy;
  if (limit != nullptr) copy = std::make_unique<ev_token_bucket_cfg>(*limit);
  if (StreamLimit::SetOwn(Bottom(), copy.get()) < 0) return -1;
  rate_limit_ = std::move(copy);
  return 0;
}

void StreamDoor::SetCallbacks(StreamCallbacks callbacks) {
  callbacks_ = std::make_shared<StreamCallbacks>(std::move(callbacks));
}

// --- What the stream tells --------------------------------------------------

void StreamDoor::OnRead(bufferevent*, void* arg) {
  Hold door(arg);
  if (door->Waits(StreamWait::kRead)) {
    door->Wake(StreamWait::kRead);
  } else if (const auto callbacks = door->callbacks_;
             callbacks != nullptr && callbacks->on_read) {
    callbacks->on_read();
    return;
  }
  // A full buffer that nobody takes from would be told in each turn
  // (semantics 10.3); the next read enables it again.
  Stream* s = door->stream_;
  if (s != nullptr && !door->Waits(StreamWait::kRead) && s->wm_read.high != 0 &&
      s->input_buffer.size() >= s->wm_read.high) {
    s->Disable(EV_READ);
  }
}

void StreamDoor::OnWrite(bufferevent*, void* arg) {
  Hold door(arg);
  if (door->Waits(StreamWait::kWrite)) {
    door->Wake(StreamWait::kWrite);
  } else if (const auto callbacks = door->callbacks_;
             callbacks != nullptr && callbacks->on_write) {
    callbacks->on_write();
  }
}

void StreamDoor::OnEvent(bufferevent*, short what, void* arg) {
  const int error = errno;
  Hold door(arg);
  const bool connecting = door->Waits(StreamWait::kConnect);
  // What a connect has left behind that was given up.
  if (!door->open_ && !connecting && door->callbacks_ == nullptr) return;
  absl::Status why;
  if (what & BEV_EVENT_CONNECTED) {
    door->Connected();
  } else {
    why = door->StatusOf(what, error);
    if (!door->open_) {
      door->ConnectFailed(why);
    } else if (what & BEV_EVENT_TIMEOUT) {
      door->TimedOut(what, why);
    } else {
      door->Ended(what, why);
    }
  }
  if (connecting) return;
  const auto callbacks = door->callbacks_;
  if (callbacks != nullptr && callbacks->on_event) {
    callbacks->on_event(what, why);
  }
}

void StreamDoor::Connected() {
  open_ = true;
  stream_->Enable(EV_WRITE);
  if (!Waits(StreamWait::kConnect)) return;
  stream_->SetTimeouts(&read_timeout_, &write_timeout_);
  Settle(StreamWait::kConnect, absl::OkStatus());
  Wake(StreamWait::kConnect);
}

absl::Status StreamDoor::StatusOf(short what, int error) const {
  const char* doing = !open_                       ? "connect"
                      : (what & BEV_EVENT_READING) ? "read"
                      : (what & BEV_EVENT_WRITING) ? "write"
                                                   : "stream";
  if (what & BEV_EVENT_TIMEOUT) {
    return absl::DeadlineExceededError(std::string(doing) + ": timed out");
  }
  if (hooks_.explain != nullptr) {
    absl::Status why = hooks_.explain(stream_);
    if (!why.ok()) return why;
  }
  if ((what & BEV_EVENT_EOF) && !open_) {
    return absl::UnavailableError("connect: the peer has hung up");
  }
  if (what & BEV_EVENT_EOF) {
    return absl::OutOfRangeError("the peer has ended the stream");
  }
  if (!open_ && stream_->dns_error != 0) {
    return absl::NotFoundError(std::string("cannot find the host: ") +
                               gai_strerror(stream_->dns_error));
  }
  // 0: a filter, or TLS, has seen something wrong that is no system error.
  if (error == 0) {
    return absl::DataLossError(std::string(doing) + ": the stream is broken");
  }
  return absl::ErrnoToStatus(error, doing);
}

void StreamDoor::ConnectFailed(const absl::Status& why) {
  if (!Waits(StreamWait::kConnect)) return;
  // Who waits may destroy the stream: this comes first.
  if (stream_->kind() == StreamKind::kSocket) {
    AbandonConnect();
  } else {
    read_end_ = write_end_ = why;
  }
  Settle(StreamWait::kConnect, why);
  Wake(StreamWait::kConnect);
}

// The stream goes on with the next read or write.
void StreamDoor::TimedOut(short what, const absl::Status& why) {
  unsigned sides = 0;
  if (what & BEV_EVENT_READING) sides |= StreamWait::kRead;
  if (what & BEV_EVENT_WRITING) {
    sides |= StreamWait::kWrite;
    stalled_ = !Waits(StreamWait::kWrite);
  }
  Settle(sides, why);
  Wake(sides);
}

// Those who wait see it when they look: reads take what came before the end.
void StreamDoor::Ended(short what, const absl::Status& why) {
  const bool at_end = (what & BEV_EVENT_EOF) != 0;
  unsigned sides = 0;
  // TLS over a stream tells the end of that one without a direction.
  if (!at_end || (what & BEV_EVENT_READING) || !(what & BEV_EVENT_WRITING)) {
    sides |= StreamWait::kRead;
    read_end_ = why;
  }
  if (!at_end || (what & BEV_EVENT_WRITING)) {
    sides |= StreamWait::kWrite;
    output_ended_ = at_end;
    write_end_ =
        at_end ? absl::UnavailableError("write: the peer takes no more") : why;
  }
  Wake(sides);
}

void StreamDoor::AbandonConnect() {
  if (stream_ == nullptr) return;
  open_ = false;
  const evutil_socket_t fd = stream_->Fd();
  stream_->SetFd(-1);
  if (fd >= 0) CloseSocket(fd);
  stream_->pending_event = 0;
  stream_->SetTimeouts(&read_timeout_, &write_timeout_);
}

// --- Waits ------------------------------------------------------------------

bool StreamDoor::Waits(unsigned sides) const {
  for (const StreamWait* w = waits_; w != nullptr; w = w->next_) {
    if (w->side_ & sides) return true;
  }
  return false;
}

void StreamDoor::Settle(unsigned sides, const absl::Status& why) {
  for (StreamWait* w = waits_; w != nullptr; w = w->next_) {
    if ((w->side_ & sides) && !w->settled()) w->Settle(why);
  }
}

// Who is resumed may do anything to the others: each time from the start. The
// caller holds the door.
void StreamDoor::Wake(unsigned sides) {
  StreamWait* w = waits_;
  while (w != nullptr) {
    if ((w->side_ & sides) && (w->settled() || w->Look())) {
      w->Leave();
      w->waiter_.resume();
      w = waits_;
    } else {
      w = w->next_;
    }
  }
}

void StreamDoor::WakeSoon() { base_->ScheduleCallback(&wake_); }

void StreamDoor::OnWake(event_callback*, void* arg) {
  Hold door(arg);
  door->Wake(door->stream_ == nullptr ? StreamWait::kAllSides
                                      : StreamWait::kWrite);
}

bool StreamWait::await_ready() {
  if (door_ == nullptr || door_->stream() == nullptr) {
    Settle(absl::FailedPreconditionError("the stream is closed"));
  } else if (side_ != kWrite && door_->Waits(side_)) {
    Settle(absl::FailedPreconditionError(
        side_ == kRead ? "another coroutine reads from the stream"
                       : "another coroutine connects the stream"));
  } else if (side_ == kRead && !door_->open()) {
    Settle(absl::FailedPreconditionError("the stream is not connected"));
  } else if (!settled_) {
    Begin();
  }
  return settled_ || Look();
}

void StreamWait::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  waiting_ = true;
  StreamWait** at = &door_->waits_;
  while (*at != nullptr) at = &(*at)->next_;
  *at = this;
  Stream* s = stream();
  if (side_ == kRead) {
    if (need_ != 0) door_->FitReadWatermark();
    if (!(s->enabled & EV_READ)) s->Enable(EV_READ);
  } else if (side_ == kWrite && !(s->enabled & EV_WRITE)) {
    s->Enable(EV_WRITE);
  }
}

void StreamWait::Leave() {
  waiting_ = false;
  StreamWait** at = &door_->waits_;
  while (*at != this) at = &(*at)->next_;
  *at = next_;
  next_ = nullptr;
  if (need_ != 0) door_->FitReadWatermark();
}

StreamWait::~StreamWait() {
  if (waiting_) Leave();
  if (door_ != nullptr) door_->Unref();
}

}  // namespace percore::stream_internal
