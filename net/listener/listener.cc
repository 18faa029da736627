#include "percore/net/listener/listener.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "percore/net/listener/listening_socket.h"
#include "percore/runtime/observe/debug_table.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/sockets.h"

namespace percore {
namespace {

// The failure of the connection that was next in the queue, and of nothing
// else: accept(2) passes on network errors that it died of, a firewall may
// refuse it, and the peer may have left.
bool ConcernsOneConnection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case ETIMEDOUT:
#ifdef ENONET
    case ENONET:
#endif
      return true;
    default:
      return false;
  }
}

}  // namespace

// A callback of the loop is at work in a listener: the lock, and a reference,
// also when an exception of the user's passes through.
//
// One that was freed is not entered: its last reference may be gone, and who
// dropped it waits only for this callback to return (Destroy).
class Listener::Visit {
 public:
  explicit Visit(Listener* listener) : listener_(listener) {
    listener->lock_.Lock();
    if (listener->freed_) {
      listener->lock_.Unlock();
      listener_ = nullptr;
      return;
    }
    ++listener->references_;
  }
  ~Visit() {
    if (entered()) listener_->ReleaseAndUnlock();
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  bool entered() const { return listener_ != nullptr; }

 private:
  Listener* listener_;
};

Listener* Listener::New(EventBase* base, Callback callback, void* arg,
                        unsigned flags, int backlog, int fd) {
  Listener* listener = MemNew<Listener>();
  if (listener == nullptr) return nullptr;
  if ((flags & LEV_OPT_THREADSAFE) != 0 && !listener->lock_.Create()) {
    MemDelete(listener);
    errno = ENOMEM;
    return nullptr;
  }
  listener->base_ = base;
  listener->fd_ = fd;
  listener->callback_ = callback;
  listener->arg_ = arg;
  if ((flags & LEV_OPT_LEAVE_SOCKETS_BLOCKING) == 0) {
    listener->accept_flags_ |= SOCK_NONBLOCK;
  }
  if ((flags & LEV_OPT_CLOSE_ON_EXEC) != 0) {
    listener->accept_flags_ |= SOCK_CLOEXEC;
  }
  // A second accept on a blocking socket would stop the loop.
  const int status = fcntl(fd, F_GETFL);
  if (status >= 0 && (status & O_NONBLOCK) == 0) listener->batch_ = 1;
  EventBase::Assign(&listener->readable_, base, fd, EV_READ | EV_PERSIST,
                    &Listener::OnReadable, listener);
  EventBase::Assign(&listener->pause_end_, base, -1, 0, &Listener::OnPauseEnd,
                    listener);
  const bool listens =
      backlog == 0 || listen(fd, backlog < 0 ? kDefaultBacklog : backlog) == 0;
  if (!listens ||
      ((flags & LEV_OPT_DISABLED) == 0 && listener->Enable() != 0)) {
    const int error = errno;
    listener->Free();
    errno = error;
    return nullptr;
  }
  listener->close_on_free_ = (flags & LEV_OPT_CLOSE_ON_FREE) != 0;
  return listener;
}

Listener* Listener::NewBind(EventBase* base, Callback callback, void* arg,
                            unsigned flags, int backlog,
                            const sockaddr* address, socklen_t size) {
  if (backlog == 0) {
    errno = EINVAL;
    return nullptr;
  }
  const int fd = MakeBoundSocket(flags, address, size);
  if (fd < 0) return nullptr;
  Listener* listener = New(base, callback, arg, flags, backlog, fd);
  if (listener != nullptr) return listener;
  const int error = errno;
  CloseSocket(fd);
  errno = error;
  return nullptr;
}

int Listener::Enable() {
  RecursiveLockGuard guard(&lock_);
  const bool had_been = enabled_;
  enabled_ = true;
  if (callback_ == nullptr || pausing_ || watching_) return 0;
  if (Watch() == 0) return 0;
  enabled_ = had_been;
  return -1;
}

int Listener::Disable() {
  RecursiveLockGuard guard(&lock_);
  enabled_ = false;
  Unwatch();
  return 0;
}

void Listener::SetCallback(Callback callback, void* arg) {
  RecursiveLockGuard guard(&lock_);
  if (freed_) return;
  const bool had_none = callback_ == nullptr;
  callback_ = callback;
  arg_ = arg;
  if (had_none && enabled_) Enable();
}

void Listener::SetErrorCallback(ErrorCallback callback) {
  RecursiveLockGuard guard(&lock_);
  if (!freed_) error_callback_ = callback;
}

int Listener::SetNodelay(bool on) { return SetTcpNodelay(fd_, on); }

int Listener::Watch() {
  if (base_->Add(&readable_, nullptr) != 0) return -1;
  watching_ = true;
  return 0;
}

// Nothing here waits for a callback of another thread, which may be about to
// take the lock.
void Listener::Unwatch() {
  // A base that was freed before has taken the event back by itself.
  if (watching_ && readable_.ev_base != nullptr) {
    base_->Del(&readable_, DelWait::kNever);
  }
  if (pausing_ && pause_end_.ev_base != nullptr) {
    base_->Del(&pause_end_, DelWait::kNever);
  }
  watching_ = false;
  pausing_ = false;
}

void Listener::Free() {
  lock_.Lock();
  Unwatch();
  enabled_ = false;
  freed_ = true;
  callback_ = nullptr;
  error_callback_ = nullptr;
  ReleaseAndUnlock();
}

void Listener::ReleaseAndUnlock() {
  const bool last = --references_ == 0;
  lock_.Unlock();
  if (last) Destroy();
}

void Listener::Destroy() {
  const bool base_is_gone =
      readable_.ev_base == nullptr || pause_end_.ev_base == nullptr;
  if (lock_.exists() && !base_is_gone && base_->shared()) {
    // The loop may be on its way into a callback that will find nothing to do.
    base_->Del(&readable_, DelWait::kAlways);
    base_->Del(&pause_end_, DelWait::kAlways);
  }
  DebugForget(&readable_);
  DebugForget(&pause_end_);
  if (close_on_free_) CloseSocket(fd_);
  MemDelete(this);
}

void Listener::OnReadable(evutil_socket_t, short, void* arg) {
  auto* listener = static_cast<Listener*>(arg);
  Visit visit(listener);
  // Another thread may have disabled it meanwhile.
  if (visit.entered() && listener->watching_) listener->AcceptBatch();
}

void Listener::OnPauseEnd(evutil_socket_t, short, void* arg) {
  auto* listener = static_cast<Listener*>(arg);
  Visit visit(listener);
  if (!visit.entered() || !listener->pausing_) return;
  listener->pausing_ = false;
  // Tried before it is watched: while the failure lasts a try costs one call.
  if (listener->batch_ > 1) listener->AcceptBatch();
  if (!listener->enabled_ || listener->watching_ || listener->pausing_) return;
  if (listener->Watch() != 0) listener->Pause();
}

void Listener::AcceptBatch() {
  for (int i = 0; i < batch_ && enabled_; ++i) {
    if (!AcceptOne()) return;
  }
}

bool Listener::AcceptOne() {
  sockaddr_storage peer;
  socklen_t size = sizeof(peer);
  const int fd =
      accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, accept_flags_);
  if (fd < 0) {
    if (ConcernsOneConnection(errno)) return true;
    if (errno != EAGAIN && errno != EWOULDBLOCK) Failed(errno);
    return false;
  }
  pause_ms_ = 0;
  // A connection without an address has been reset already, but that of a
  // local socket may have no name.
  if (callback_ == nullptr || (size == 0 && !IsLocal())) {
    CloseSocket(fd);
    return true;
  }
  if (size == 0) peer.ss_family = AF_UNIX;
  GiveToCallback(fd, reinterpret_cast<sockaddr*>(&peer), size);
  return true;
}

void Listener::GiveToCallback(int fd, sockaddr* peer, socklen_t size) {
  const Callback callback = callback_;
  void* const arg = arg_;
  RecursiveLockDropped dropped(&lock_);
  callback(c(), fd, peer, static_cast<int>(size), arg);
}

void Listener::Failed(int error) {
  if (const ErrorCallback callback = error_callback_) {
    void* const arg = arg_;
    RecursiveLockDropped dropped(&lock_);
    errno = error;
    callback(c(), arg);
  } else if (pause_ms_ == 0) {
    errno = error;
    LogWarn("cannot accept connections on socket %d, pausing", fd_);
  }
  if (enabled_) Pause();
}

void Listener::Pause() {
  Unwatch();
  pause_ms_ =
      pause_ms_ == 0 ? kFirstPauseMs : std::min(pause_ms_ * 2, kLongestPauseMs);
  const timeval pause = NsToTimeval(std::int64_t{pause_ms_} * 1000000);
  if (base_->Add(&pause_end_, &pause) == 0) {
    pausing_ = true;
  } else {
    Watch();  // no memory for a timer: rather busy than deaf
  }
}

bool Listener::IsLocal() const {
  sockaddr_storage name;
  socklen_t size = sizeof(name);
  return getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size) == 0 &&
         name.ss_family == AF_UNIX;
}

}  // namespace percore
