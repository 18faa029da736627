#include "percore/net/stream/socket_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "percore/net/stream/connect.h"
#include "percore/net/stream/stream_limit.h"
#include "percore/runtime/system/sockets.h"

namespace percore {
namespace {

bool TryAgain(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

void OnReadable(evutil_socket_t fd, short what, void* arg);
void OnWritable(evutil_socket_t fd, short what, void* arg);
void OnFlush(event_callback* cb, void* arg);
int EnableSocket(Stream* s, short what);
int DisableSocket(Stream* s, short what);

// --- Writing ----------------------------------------------------------------

// Leaf held. What there is to write goes out at the end of the turn; while the
// system is full, or a connect is under way, the event tells.
int ArmWrite(Stream* s) {
  if (s->connecting) return s->AddEvent(&s->ev_write, s->timeout_write);
  if (s->ev_write.ev_fd < 0) {
    // Nothing to write to yet: what waits is sent when there is.
    return s->AddEvent(&s->ev_write, s->timeout_write);
  }
  if (!s->output_buffer.empty()) s->ScheduleFlush();
  return 0;
}

// Leaf.
bool WritePending(const Stream* s) { return s->write_armed; }

void OutputChanged(Stream* s, std::size_t added, std::size_t, bool) {
  if (added == 0) return;
  if (s->lock == nullptr &&
      (s->flush.evcb_flags & (EVLIST_ACTIVE | EVLIST_ACTIVE_LATER)) != 0) {
    return;  // It goes with what is there already.
  }
  LeafGuard leaf(s);
  if (!(s->enabled & EV_WRITE) || s->write_suspended) return;
  if (WritePending(s)) return;
  ArmWrite(s);
}

void FailWrite(Stream* s, short what, int error) {
  s->Disable(EV_WRITE);
  errno = error;
  s->RunEvent(static_cast<short>(what | BEV_EVENT_WRITING), 0);
}

// The outer lock is held. `connected`: this is the first call after it.
void WriteSome(Stream* s) {
  const std::size_t most = WriteMaxOf(s);
  if (!s->MayWrite()) return;
  bool progress = false;
  if (!s->output_buffer.empty()) {
    if (most == 0) return;
    const ev_ssize_t n =
        s->output_buffer.WriteForStream(s->ev_write.ev_fd, most);
    const int error = errno;
    {
      LeafGuard leaf(s);
      s->flushed_turn = s->base()->turn();
    }
    if (n < 0) {
      if (!TryAgain(error)) {
        FailWrite(s, BEV_EVENT_ERROR, error);
        return;
      }
    } else if (n == 0) {
      FailWrite(s, BEV_EVENT_EOF, error);
      return;
    } else {
      progress = true;
      StreamLimit::ChargeWrite(s, n);
    }
  }
  {
    LeafGuard leaf(s);
    if (s->output_buffer.empty()) {
      if (WritePending(s)) s->DelEvent(&s->ev_write);
    } else if (!WritePending(s) && (s->enabled & EV_WRITE) &&
               !s->write_suspended) {
      // The system, or a limit, took no more: it will say when.
      s->AddEvent(&s->ev_write, s->timeout_write);
    }
  }
  if (progress) s->TriggerLocked(EV_WRITE, 0);
}

void OnFlush(event_callback*, void* arg) {
  auto* s = static_cast<Stream*>(arg);
  StreamScope scope(s);
  bool tell;
  {
    LeafGuard leaf(s);
    tell = s->tell_empty;
    s->tell_empty = false;
    if (!s->MayWrite() || s->connecting || WritePending(s)) return;
  }
  if (tell && s->output_buffer.empty()) {
    s->TriggerLocked(EV_WRITE, 0);
  } else {
    WriteSome(s);
  }
}

// --- Connecting -------------------------------------------------------------

// 1 connected, 0 not yet, -1 failed with errno.
int ConnectResult(evutil_socket_t fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -1;
  if (error == 0) return 1;
  if (error == EINPROGRESS || error == EINTR || error == EALREADY) return 0;
  errno = error;
  return -1;
}

// False: still connecting, or failed; everything is done then.
bool FinishConnect(Stream* s, evutil_socket_t fd) {
  if (EndConnect(s, fd) != ConnectEnd::kConnected) return false;
  s->RunEvent(BEV_EVENT_CONNECTED, 0);
  LeafGuard leaf(s);
  if (!(s->enabled & EV_WRITE) || s->write_suspended) {
    s->DelEvent(&s->ev_write);
    return false;
  }
  return true;
}

void OnWritable(evutil_socket_t fd, short what, void* arg) {
  auto* s = static_cast<Stream*>(arg);
  StreamScope scope(s);
  if ((what & (EV_TIMEOUT | EV_WRITE)) == EV_TIMEOUT) {
    if (s->connecting && s->connect != nullptr) ConnectState::Drop(s);
    s->Disable(EV_WRITE);
    s->RunEvent(BEV_EVENT_TIMEOUT | BEV_EVENT_WRITING, 0);
    return;
  }
  if (s->connecting && !FinishConnect(s, fd)) return;
  WriteSome(s);
}

// --- Reading ----------------------------------------------------------------

void FailRead(Stream* s, short what, int error) {
  s->Disable(EV_READ);
  errno = error;
  s->RunEvent(static_cast<short>(what | BEV_EVENT_READING), 0);
}

void OnReadable(evutil_socket_t fd, short what, void* arg) {
  auto* s = static_cast<Stream*>(arg);
  StreamScope scope(s);
  if ((what & (EV_TIMEOUT | EV_READ)) == EV_TIMEOUT) {
    FailRead(s, BEV_EVENT_TIMEOUT, errno);
    return;
  }
  std::size_t most = ReadMaxOf(s);
  {
    LeafGuard leaf(s);
    const std::size_t high = s->wm_read.high;
    if (high != 0) {
      const std::size_t size = s->input_buffer.size();
      if (size >= high) {
        s->SuspendRead(kSuspendWatermark);
        return;
      }
      if (high - size < most) most = high - size;
    }
  }
  if (most == 0 || !s->MayRead()) return;
  const ev_ssize_t n = s->input_buffer.ReadForStream(fd, most);
  if (n > 0) {
    StreamLimit::ChargeRead(s, n);
    s->TriggerLocked(EV_READ, 0);
    return;
  }
  const int error = errno;
  if (n == 0) {
    FailRead(s, BEV_EVENT_EOF, error);
  } else if (!TryAgain(error)) {
    if (s->connecting) {
      // The write event tells of it (semantics 10.5).
      s->connect_error = error;
      return;
    }
    FailRead(s, BEV_EVENT_ERROR, error);
  }
}

// --- The kind ---------------------------------------------------------------

int EnableSocket(Stream* s, short what) {
  if ((what & EV_READ) && s->AddEvent(&s->ev_read, s->timeout_read) < 0) {
    return -1;
  }
  if ((what & EV_WRITE) && ArmWrite(s) < 0) return -1;
  if ((what & EV_WRITE) && s->ev_write.ev_fd >= 0 && !s->connecting &&
      s->output_buffer.empty()) {
    // Told once, as by libevent, where the descriptor is watched and found
    // writable.
    s->tell_empty = true;
    s->ScheduleFlush();
  }
  return 0;
}

int DisableSocket(Stream* s, short what) {
  if (what & EV_READ) s->DelEvent(&s->ev_read);
  // While connecting, the write event is how the end of it is known.
  if ((what & EV_WRITE) && !s->connecting) {
    s->tell_empty = false;
    s->DelEvent(&s->ev_write);
    if (!s->base()->RunsElsewhere() || s->base()->shared()) {
      s->base()->CancelCallback(&s->flush);
    }
  }
  return 0;
}

void DestructSocket(Stream* s) {
  const evutil_socket_t fd = s->ev_read.ev_fd;
  if ((s->options & BEV_OPT_CLOSE_ON_FREE) && fd >= 0) CloseSocket(fd);
}

int FlushSocket(Stream*, short, bufferevent_flush_mode) { return 0; }

evutil_socket_t SocketFd(Stream* s) { return s->ev_read.ev_fd; }

int SetSocketFd(Stream* s, evutil_socket_t fd) {
  if (s->connect != nullptr) ConnectState::Drop(s);
  LeafGuard leaf(s);
  if (ReplaceSocket(s, fd) < 0) return -1;
  s->connecting = false;
  if (fd >= 0) s->Enable(s->enabled);
  return 0;
}

constexpr StreamOps kSocketOps = {
    StreamKind::kSocket,
    EnableSocket,
    DisableSocket,
    nullptr,
    nullptr,
    DestructSocket,
    AdjustSocketTimeouts,
    FlushSocket,
    SocketFd,
    SetSocketFd,
    nullptr,
    OutputChanged,
};

}  // namespace

Stream* NewSocketStream(EventBase* base, evutil_socket_t fd, int options) {
  Stream* s = Stream::Create(sizeof(Stream), base, &kSocketOps, options);
  if (s == nullptr) return nullptr;
  base = s->base();
  EventBase::Assign(&s->ev_read, base, fd, EV_READ | EV_PERSIST | EV_FINALIZE,
                    OnReadable, s);
  EventBase::Assign(&s->ev_write, base, fd, EV_WRITE | EV_PERSIST | EV_FINALIZE,
                    OnWritable, s);
  s->flush.evcb_cb_union.evcb_selfcb = OnFlush;
  s->output_buffer.SetFlags(EVBUFFER_FLAG_DRAINS_TO_FD);
  s->input_buffer.Freeze(/*front=*/false);
  s->output_buffer.Freeze(/*front=*/true);
  return s;
}

namespace {

int AdjustOne(Stream* s, event* ev, const timeval& timeout) {
  if ((ev->ev_evcallback.evcb_flags & EVLIST_INSERTED) == 0) return 0;
  if (!Stream::IsSet(timeout)) return s->base()->RemoveTimer(ev);
  return s->base()->Add(ev, &timeout);
}

}  // namespace

int AdjustSocketTimeouts(Stream* s) {
  int result = AdjustOne(s, &s->ev_read, s->timeout_read);
  if (AdjustOne(s, &s->ev_write, s->timeout_write) < 0) result = -1;
  return result;
}

ConnectEnd EndConnect(Stream* s, evutil_socket_t fd) {
  int result = ConnectResult(fd);
  int error = errno;
  if (s->connect_error != 0) {
    // To ask for it is to take it: it may be gone from the socket.
    error = s->connect_error;
    s->connect_error = 0;
    result = -1;
  }
  if (result == 0) return ConnectEnd::kPending;
  s->connecting = false;
  if (result < 0) {
    if (s->connect != nullptr && ConnectState::TryNext(s)) {
      return ConnectEnd::kPending;
    }
    {
      LeafGuard leaf(s);
      s->DelEvent(&s->ev_write);
      s->DelEvent(&s->ev_read);
    }
    errno = error;
    s->RunEvent(BEV_EVENT_ERROR, 0);
    return ConnectEnd::kFailed;
  }
  if (s->connect != nullptr) ConnectState::Drop(s);
  return ConnectEnd::kConnected;
}

int AwaitConnect(Stream* s) {
  LeafGuard leaf(s);
  s->connecting = true;
  if (s->connect != nullptr && s->connect->deadline_ns != 0) {
    const std::int64_t left = s->connect->deadline_ns - s->base()->NowNs();
    const timeval wait = {left / 1000000000, left % 1000000000 / 1000 + 1};
    s->write_armed = s->base()->Add(&s->ev_write, &wait) == 0;
    return s->write_armed ? 0 : -1;
  }
  return s->AddEvent(&s->ev_write, s->timeout_write);
}

void RefuseLater(Stream* s) {
  LeafGuard leaf(s);
  s->connecting = true;
  s->connect_error = ECONNREFUSED;
  s->base()->Activate(&s->ev_write, EV_WRITE, 1);
}

int ReplaceSocket(Stream* s, evutil_socket_t fd) {
  LeafGuard leaf(s);
  s->DelEvent(&s->ev_read);
  s->DelEvent(&s->ev_write);
  const int priority = s->ev_read.ev_evcallback.evcb_pri;
  EventBase* base = s->base();
  // The kind's own handlers stay.
  EventBase::Assign(&s->ev_read, base, fd, EV_READ | EV_PERSIST | EV_FINALIZE,
                    s->ev_read.ev_evcallback.evcb_cb_union.evcb_callback, s);
  EventBase::Assign(&s->ev_write, base, fd, EV_WRITE | EV_PERSIST | EV_FINALIZE,
                    s->ev_write.ev_evcallback.evcb_cb_union.evcb_callback, s);
  base->SetPriority(&s->ev_read, priority);
  base->SetPriority(&s->ev_write, priority);
  return 0;
}

void SetNodelay(Stream* s, bool on) {
  LeafGuard leaf(s);
  s->nodelay = on;
  const int value = on ? 1 : 0;
  const evutil_socket_t fd = s->Fd();
  if (fd >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value));
  }
}

void PrepareOwnSocket(const Stream* s, evutil_socket_t fd, int family) {
  if (!s->nodelay || (family != AF_INET && family != AF_INET6)) return;
  const int on = 1;
  // A socket of another protocol has no such option: no matter.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace percore
