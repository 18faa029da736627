#include "percore/net/listener/accept.h"

#include <cerrno>
#include <utility>

#include "percore/runtime/observe/log.h"

namespace percore {
namespace {

constexpr unsigned kOwnFlags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_DISABLED;

// No later try can do better.
bool IsForGood(int error) {
  return error == EBADF || error == ENOTSOCK || error == EINVAL ||
         error == EOPNOTSUPP || error == EFAULT;
}

}  // namespace

// What Accept waits in; withdrawn by its destructor.
class Acceptor::Wait {
 public:
  explicit Wait(Acceptor* acceptor) : acceptor_(acceptor) {}
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  ~Wait() {
    if (acceptor_ == nullptr || acceptor_->wait_ != this) return;
    acceptor_->wait_ = nullptr;
    acceptor_->listener_->Disable();
  }

  bool await_ready() {
    if (acceptor_->listener_ == nullptr) {
      answer_ = absl::FailedPreconditionError("the acceptor is closed");
    } else if (acceptor_->wait_ != nullptr || acceptor_->callback_ != nullptr) {
      answer_ = absl::FailedPreconditionError(
          "somebody else gets the acceptor's connections");
    } else if (acceptor_->listener_->Enable() != 0) {
      answer_ = absl::ErrnoToStatus(errno, "cannot watch for connections");
    } else {
      return false;
    }
    acceptor_ = nullptr;
    return true;
  }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    acceptor_->wait_ = this;
  }
  absl::StatusOr<Accepted> await_resume() { return *std::move(answer_); }

  // The acceptor may be gone after it, and so is this.
  void Resume(absl::StatusOr<Accepted> answer) {
    acceptor_ = nullptr;
    answer_.emplace(std::move(answer));
    waiter_.resume();
  }

 private:
  Acceptor* acceptor_;  // null: it will not answer any more
  std::coroutine_handle<> waiter_;
  std::optional<absl::StatusOr<Accepted>> answer_;
};

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Made(
    std::unique_ptr<Acceptor> acceptor, Listener* listener) {
  if (listener == nullptr) return absl::ErrnoToStatus(errno, "cannot listen");
  listener->SetErrorCallback(&Acceptor::OnFailure);
  acceptor->listener_ = listener;
  return acceptor;
}

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Bind(
    EventBase* base, const sockaddr* address, socklen_t size,
    const AcceptorOptions& options) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor);
  Listener* listener = Listener::NewBind(
      base, &Acceptor::OnConnection, acceptor.get(), options.flags | kOwnFlags,
      options.backlog, address, size);
  return Made(std::move(acceptor), listener);
}

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Adopt(
    EventBase* base, int fd, const AcceptorOptions& options) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor);
  Listener* listener =
      Listener::New(base, &Acceptor::OnConnection, acceptor.get(),
                    options.flags | kOwnFlags, options.backlog, fd);
  return Made(std::move(acceptor), listener);
}

Task<absl::StatusOr<Accepted>> Acceptor::Accept() {
  Wait wait(this);
  co_return co_await wait;
}

absl::Status Acceptor::OnAccept(Callback callback) {
  if (listener_ == nullptr || wait_ != nullptr) {
    return absl::FailedPreconditionError(
        listener_ == nullptr ? "the acceptor is closed"
                             : "somebody awaits the acceptor's connections");
  }
  if (callback == nullptr) {
    callback_ = nullptr;
    listener_->Disable();
    return absl::OkStatus();
  }
  callback_ = std::make_shared<Callback>(std::move(callback));
  if (listener_->Enable() == 0) return absl::OkStatus();
  const int error = errno;
  callback_ = nullptr;
  return absl::ErrnoToStatus(error, "cannot watch for connections");
}

void Acceptor::Close() {
  if (listener_ == nullptr) return;
  std::exchange(listener_, nullptr)->Free();
  callback_ = nullptr;
  if (wait_ == nullptr) return;
  std::exchange(wait_, nullptr)
      ->Resume(absl::CancelledError("the acceptor was closed"));
}

void Acceptor::Answer(absl::StatusOr<Accepted> answer) {
  // Awaited again from within, it is watched as before and costs no call.
  listener_->Disable();
  std::exchange(wait_, nullptr)->Resume(std::move(answer));
}

void Acceptor::OnConnection(evconnlistener*, evutil_socket_t fd, sockaddr* peer,
                            int size, void* arg) {
  auto* self = static_cast<Acceptor*>(arg);
  Accepted accepted(fd, peer, static_cast<socklen_t>(size));
  self->warned_ = false;
  if (self->wait_ != nullptr) {
    self->Answer(std::move(accepted));
  } else if (const std::shared_ptr<Callback> callback = self->callback_) {
    (*callback)(std::move(accepted));
  }
}

void Acceptor::OnFailure(evconnlistener*, void* arg) {
  auto* self = static_cast<Acceptor*>(arg);
  const int error = errno;
  if (self->wait_ != nullptr && IsForGood(error)) {
    self->Answer(absl::ErrnoToStatus(error, "cannot accept"));
    return;
  }
  if (!std::exchange(self->warned_, true)) {
    errno = error;
    LogWarn("cannot accept connections on socket %d, pausing", self->fd());
  }
}

}  // namespace percore
