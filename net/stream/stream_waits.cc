#include "percore/net/stream/stream_waits.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "percore/net/stream/connect.h"

namespace percore::stream_internal {
namespace {

// The end, with what was left of what was asked for.
absl::Status EndBefore(const absl::Status& end, std::size_t have,
                       const std::string& wanted) {
  if (have == 0 || !absl::IsOutOfRange(end)) return end;
  return absl::OutOfRangeError("the peer has ended the stream after " +
                               std::to_string(have) + " bytes, before " +
                               wanted);
}

absl::Status NoMemory() {
  return absl::ResourceExhaustedError("no memory for the bytes");
}

}  // namespace

// --- Reading ----------------------------------------------------------------

ReadWait::ReadWait(StreamDoor* door, std::string delimiter, std::size_t limit,
                   bool is_line)
    : StreamWait(door, kRead),
      limit_(limit),
      delimiter_(std::move(delimiter)),
      is_line_(is_line) {
  if (delimiter_.empty()) {
    Settle(absl::InvalidArgumentError("an empty delimiter"));
  }
  need_ = limit_ > SIZE_MAX - delimiter_.size() ? SIZE_MAX
                                                : limit_ + delimiter_.size();
}

void ReadWait::Take(std::size_t n) {
  bytes_.resize(n);
  Buffer& input = stream()->input_buffer;
  input.CopyOut(nullptr, bytes_.data(), n);
  input.Drain(n);
  Settle(absl::OkStatus());
}

bool ReadWait::Look() {
  if (!delimiter_.empty()) return LookForDelimiter();
  const std::size_t have = stream()->input_buffer.size();
  if (have >= least_) {
    Take(std::min(have, limit_));
  } else if (!door()->read_end().ok()) {
    Settle(EndBefore(door()->read_end(), have,
                     "the " + std::to_string(least_) + " asked for"));
  }
  return settled();
}

bool ReadWait::LookForDelimiter() {
  Buffer& input = stream()->input_buffer;
  const std::size_t have = input.size();
  if (have >= searched_ + delimiter_.size()) {
    evbuffer_ptr from;
    input.SetPosition(&from, searched_, EVBUFFER_PTR_SET);
    const evbuffer_ptr at =
        input.Search(delimiter_.data(), delimiter_.size(), &from, nullptr);
    if (at.pos >= 0 && static_cast<std::size_t>(at.pos) <= limit_) {
      Take(static_cast<std::size_t>(at.pos));
      stream()->input_buffer.Drain(delimiter_.size());
      if (is_line_ && bytes_.ends_with('\r')) bytes_.pop_back();
      return true;
    }
    searched_ = have - (delimiter_.size() - 1);
  }
  if (have >= need_) {
    Settle(absl::ResourceExhaustedError(
        (is_line_ ? "no end of line in the first "
                  : "no delimiter after the first ") +
        std::to_string(limit_) + " bytes"));
  } else if (!door()->read_end().ok()) {
    Settle(EndBefore(door()->read_end(), have,
                     is_line_ ? "the end of the line" : "the delimiter"));
  }
  return settled();
}

absl::StatusOr<std::string> ReadWait::await_resume() {
  if (!status().ok()) return std::move(status());
  return std::move(bytes_);
}

bool MoveWait::Look() {
  Buffer& input = stream()->input_buffer;
  const std::size_t n = std::min(input.size(), most_);
  if (n != 0) {
    const ev_ssize_t moved = input.MoveTo(target_, n);
    if (moved < 0) {
      Settle(NoMemory());
    } else {
      moved_ = static_cast<std::size_t>(moved);
      Settle(absl::OkStatus());
    }
  } else if (!door()->read_end().ok()) {
    Settle(door()->read_end());
  }
  return settled();
}

absl::StatusOr<std::size_t> MoveWait::await_resume() {
  if (!status().ok()) return std::move(status());
  return moved_;
}

bool InputWait::Look() {
  const std::size_t have = stream()->input_buffer.size();
  if (have >= least_) {
    Settle(absl::OkStatus());
  } else if (!door()->read_end().ok()) {
    Settle(EndBefore(door()->read_end(), have,
                     "the " + std::to_string(least_) + " asked for"));
  }
  return settled();
}

// --- Writing ----------------------------------------------------------------

void WriteWait::OnBottomOutput(evbuffer*, const evbuffer_cb_info* info,
                               void* door) {
  if (info->n_deleted != 0) static_cast<StreamDoor*>(door)->WakeSoon();
}

bool WriteWait::AllIsOut() {
  bool all = true;
  Stream* bottom = nullptr;
  for (Stream* s = stream(); s != nullptr; s = s->Underlying()) {
    all = all && s->output_buffer.empty();
    bottom = s;
  }
  if (!all && bottom != stream() && bottom_ == nullptr) {
    bottom_ = bottom;
    bottom_->Ref();
    bottom_output_ = bottom->output_buffer.AddCallback(&OnBottomOutput, door());
    if (bottom_output_ == nullptr) {
      Settle(NoMemory());
    }
  }
  return all;
}

bool WriteWait::Look() {
  if (settled()) return true;
  if (until_ == kEnded && door()->output_ended()) {
    Settle(absl::OkStatus());
  } else if (!door()->write_end().ok()) {
    Settle(door()->write_end());
  } else if (door()->TakeStall()) {
    Settle(absl::DeadlineExceededError("write: timed out"));
  } else if (until_ == kDrained) {
    if (AllIsOut()) Settle(absl::OkStatus());
  } else if (until_ == kRoom) {
    // Once it waits, it waits for half.
    const std::size_t most =
        waiting() ? door()->write_limit() / 2 : door()->write_limit();
    if (stream()->output_buffer.size() <= most) Settle(absl::OkStatus());
  }
  return settled();
}

WriteWait::~WriteWait() {
  if (bottom_ == nullptr) return;
  if (bottom_output_ != nullptr) {
    bottom_->output_buffer.RemoveCallback(bottom_output_);
  }
  bottom_->Unref();
}

// --- Connecting -------------------------------------------------------------

ConnectWait::ConnectWait(StreamDoor* door, const sockaddr* address,
                         socklen_t size, const timeval& timeout)
    : StreamWait(door, kConnect), size_(size), timeout_(timeout) {
  if (address == nullptr || size == 0 || size > sizeof(address_)) {
    Settle(absl::InvalidArgumentError("connect: no such address"));
  } else {
    std::memcpy(&address_, address, size);
  }
}

ConnectWait::ConnectWait(StreamDoor* door, std::string host, int port,
                         const timeval& timeout)
    : StreamWait(door, kConnect),
      host_(std::move(host)),
      port_(port),
      timeout_(timeout) {}

void ConnectWait::Begin() {
  if (!is_ours_) {
    if (door()->open()) Settle(absl::OkStatus());
    if (!door()->read_end().ok()) Settle(door()->read_end());
    return;
  }
  absl::Status status = Start();
  if (status.ok()) return;
  door()->AbandonConnect();
  Settle(std::move(status));
}

absl::Status ConnectWait::Start() {
  if (stream()->kind() != StreamKind::kSocket) {
    return absl::FailedPreconditionError("only a socket can be connected");
  }
  if (door()->open()) {
    return absl::FailedPreconditionError("the stream is connected already");
  }
  door()->SetConnectTimeout(timeout_);
  if (size_ != 0) {
    errno = EINVAL;
    if (ConnectSocket(stream(), reinterpret_cast<sockaddr*>(&address_),
                      static_cast<int>(size_)) < 0) {
      return absl::ErrnoToStatus(errno, "connect");
    }
    return absl::OkStatus();
  }
  if (port_ < 1 || port_ > 65535) {
    return absl::InvalidArgumentError("connect: no such port: " +
                                      std::to_string(port_));
  }
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  if (ConnectState::ByName(stream(), hints, host_.c_str(), port_) < 0) {
    return NoMemory();
  }
  return absl::OkStatus();
}

ConnectWait::~ConnectWait() {
  if (waiting() && is_ours_) door()->AbandonConnect();
}

}  // namespace percore::stream_internal
