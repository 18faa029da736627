// The kind: its making, and its ties to the loop or the stream below.
#include "percore/net/tls/tls_stream.h"

#include <cerrno>

#include "percore/net/stream/connect.h"
#include "percore/net/stream/socket_stream.h"
#include "percore/net/stream/stream_limit.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/sockets.h"

namespace percore {
namespace {

TlsStream* AsTls(void* s) {
  return static_cast<TlsStream*>(static_cast<Stream*>(s));
}

// --- What there is to do ----------------------------------------------------

// With what has arrived.
void TakeArrived(TlsStream* s) {
  if (s->failed || !s->reachable()) return;
  if (!s->open() && !s->Handshake()) return;
  s->ReadAll();
}

// At the end of a turn, or when the socket has room.
void DoTurn(TlsStream* s) {
  if (s->failed || !s->reachable()) return;
  if (!s->open()) {
    // While there are records to send, no answer can have come.
    if (s->wire->out.empty()) s->Handshake();
  } else if (s->may_read() || s->must_read()) {
    // Reading was enabled while something waited here.
    if (s->HasArrived() || s->wire->at_end() || s->wire->error() != 0 ||
        (SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN)) {
      s->ReadAll();
    }
  }
  s->WriteSome();
}

void OnFlush(event_callback*, void* arg) {
  TlsStream* s = AsTls(arg);
  StreamScope scope(s);
  DoTurn(s);
}

void OnTimeout(TlsStream* s, short what) {
  if (s->connecting && s->connect != nullptr) ConnectState::Drop(s);
  s->Disable(what & BEV_EVENT_READING ? EV_READ : EV_WRITE);
  s->RunEvent(static_cast<short>(BEV_EVENT_TIMEOUT | what), 0);
}

// --- On a socket ------------------------------------------------------------

// False: nothing came.
bool Receive(TlsStream* s, evutil_socket_t fd) {
  std::size_t most = kReadMost;
  if (s->open() && !s->must_read()) {
    most = ReadMaxOf(s);
    if (most == 0 || !s->may_read()) return false;
  }
  const ev_ssize_t n = s->wire->in.ReadForStream(fd, most);
  if (n > 0) {
    StreamLimit::ChargeRead(s, n);
  } else if (n == 0) {
    s->wire->NoteEnd(0);
  } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    return false;
  } else {
    s->wire->NoteEnd(errno);
  }
  return true;
}

void OnReadable(evutil_socket_t fd, short what, void* arg) {
  TlsStream* s = AsTls(arg);
  StreamScope scope(s);
  if ((what & (EV_TIMEOUT | EV_READ)) == EV_TIMEOUT) {
    OnTimeout(s, BEV_EVENT_READING);
    return;
  }
  if (s->below == nullptr && !s->wire->ReadsByKernel() && !Receive(s, fd)) {
    return;
  }
  TakeArrived(s);
}

void OnWritable(evutil_socket_t fd, short what, void* arg) {
  TlsStream* s = AsTls(arg);
  StreamScope scope(s);
  if ((what & (EV_TIMEOUT | EV_WRITE)) == EV_TIMEOUT) {
    OnTimeout(s, BEV_EVENT_WRITING);
    return;
  }
  if (s->connecting) {
    if (EndConnect(s, fd) != ConnectEnd::kConnected) return;
    // The handshake follows, and tells.
    s->wire->Reset();
    s->StartAgain();
    s->UpdateInterest();
  }
  s->wants_writable = false;
  DoTurn(s);
}

// --- Over another stream ----------------------------------------------------

void OnBelowReadable(bufferevent*, void* arg) {
  TlsStream* s = AsTls(arg);
  StreamScope scope(s);
  TakeArrived(s);
}

void OnBelowWritable(bufferevent*, void* arg) {
  TlsStream* s = AsTls(arg);
  StreamScope scope(s);
  DoTurn(s);
}

void OnBelowEvent(bufferevent*, short what, void* arg) {
  TlsStream* s = AsTls(arg);
  const int error = errno;
  StreamScope scope(s);
  if (what & BEV_EVENT_CONNECTED) {
    DoTurn(s);
    return;
  }
  if (s->failed) return;
  if (what & BEV_EVENT_EOF) {
    if (what & BEV_EVENT_WRITING) {
      s->EndByCut(0, BEV_EVENT_WRITING);
      return;
    }
    // What came before it first.
    s->wire->NoteEnd(0);
    TakeArrived(s);
    return;
  }
  if (what & BEV_EVENT_ERROR) s->failed = true;
  errno = error;
  s->RunEvent(static_cast<short>(what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)),
              0);
}

// Room for more of ours.
void OnBelowOutput(evbuffer*, const evbuffer_cb_info* info, void* arg) {
  TlsStream* s = AsTls(arg);
  if (info->n_deleted == 0 || s->dead) return;
  LeafGuard leaf(s);
  if (!s->output_buffer.empty()) s->ScheduleFlush();
}

// --- The kind ---------------------------------------------------------------

int EnableTls(Stream* stream, short what) {
  TlsStream* s = AsTls(stream);
  if (what & EV_READ) {
    s->UpdateInterest();
    if (s->below != nullptr) s->TouchReadTimeout();
  }
  if ((what & EV_WRITE) && s->below != nullptr) s->TouchWriteTimeout();
  // What waits here in either direction needs no readiness.
  if (s->reachable() && !s->IsAwaitingRoom()) s->ScheduleFlush();
  return 0;
}

int DisableTls(Stream* stream, short what) {
  TlsStream* s = AsTls(stream);
  if (what & EV_READ) {
    if (s->below != nullptr) s->DelEvent(&s->ev_read);
    if (!s->must_read()) {
      if (s->below != nullptr) {
        s->below->SuspendRead(kSuspendFilter);
      } else {
        s->DelEvent(&s->ev_read);
      }
    }
  }
  if ((what & EV_WRITE) && !s->connecting && s->open()) {
    s->DelEvent(&s->ev_write);
  }
  return 0;
}

void OutputChanged(Stream* stream, std::size_t added, std::size_t, bool) {
  TlsStream* s = AsTls(stream);
  if (added == 0) return;
  LeafGuard leaf(s);
  if (!(s->enabled & EV_WRITE) || s->write_suspended || !s->reachable()) {
    return;
  }
  if (s->below == nullptr && s->IsAwaitingRoom()) return;
  s->ScheduleFlush();
}

void UnlinkTls(Stream* stream) {
  TlsStream* s = AsTls(stream);
  const bool owns = (s->options & BEV_OPT_CLOSE_ON_FREE) != 0;
  Stream* below = s->below;
  if (below == nullptr) {
    // Records that are made would have been sent without collecting: alerts,
    // the end of a handshake.
    if (!s->connecting && s->ev_read.ev_fd >= 0) {
      s->wire->Send(kWriteMost);
    }
    s->wire->LeaveTo(owns ? -1 : s->ev_read.ev_fd);
    return;
  }
  below->output_buffer.RemoveCallback(s->below_output);
  s->below_output = nullptr;
  below->above = nullptr;
  if (!owns) s->EncryptAll();
  s->wire->LeaveTo(-1);
  if (owns) {
    // Ours is one reference; the creator's goes too.
    below->Free();
  } else if (below->cbarg == static_cast<Stream*>(s)) {
    below->SetCallbacks(nullptr, nullptr, nullptr, nullptr);
    below->ResumeRead(kSuspendFilter);
  }
}

void DestructTls(Stream* stream) {
  TlsStream* s = AsTls(stream);
  if (s->options & BEV_OPT_CLOSE_ON_FREE) {
    SSL_free(s->ssl);
    if (s->below == nullptr && s->ev_read.ev_fd >= 0) {
      CloseSocket(s->ev_read.ev_fd);
    }
  }
  s->wire->Unref();
  if (s->below != nullptr) s->below->Unref();
}

int AdjustTls(Stream* stream) {
  return AsTls(stream)->below != nullptr ? stream->AdjustGenericTimeouts()
                                         : AdjustSocketTimeouts(stream);
}

int FlushTls(Stream*, short, bufferevent_flush_mode) { return 0; }

evutil_socket_t TlsFd(Stream* stream) {
  TlsStream* s = AsTls(stream);
  return s->below != nullptr ? s->below->Fd() : s->ev_read.ev_fd;
}

int SetTlsFd(Stream* stream, evutil_socket_t fd) {
  TlsStream* s = AsTls(stream);
  if (s->below != nullptr) {
    if (s->below->SetFd(fd) < 0) return -1;
  } else {
    if (s->connect != nullptr) ConnectState::Drop(s);
    LeafGuard leaf(s);
    if (ReplaceSocket(s, fd) < 0) return -1;
    s->connecting = false;
  }
  s->wire->Reset();
  s->StartAgain();
  s->UpdateInterest();
  LeafGuard leaf(s);
  if (s->reachable()) s->ScheduleFlush();
  return 0;
}

Stream* TlsBelow(Stream* s) { return AsTls(s)->below; }

constexpr StreamOps kTlsOps = {
    StreamKind::kTls, EnableTls, DisableTls, nullptr,  UnlinkTls, DestructTls,
    AdjustTls,        FlushTls,  TlsFd,      SetTlsFd, TlsBelow,  OutputChanged,
};

// What both constructors begin with.
TlsStream* Make(EventBase* base, SSL* ssl, bufferevent_ssl_state state,
                int options, BufferLock* lock) {
  if (state != BUFFEREVENT_SSL_OPEN && state != BUFFEREVENT_SSL_CONNECTING &&
      state != BUFFEREVENT_SSL_ACCEPTING) {
    LogWarnx("%s: no such state: %d", __func__, static_cast<int>(state));
    return nullptr;
  }
  TlsWire* wire = TlsWire::Create();
  if (wire == nullptr) return nullptr;
  Stream* made =
      Stream::Create(sizeof(TlsStream), base, &kTlsOps, options, lock);
  if (made == nullptr) {
    wire->Unref();
    return nullptr;
  }
  TlsStream* s = AsTls(made);
  s->ssl = ssl;
  s->wire = wire;
  s->original = state;
  s->flush.evcb_cb_union.evcb_selfcb = OnFlush;
  wire->SetStream(s);
  return s;
}

void Start(TlsStream* s) {
  // A call that OpenSSL wants again comes with the bytes at another place.
  SSL_set_mode(s->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  s->StartAgain();
  s->UpdateInterest();
  LeafGuard leaf(s);
  if (s->reachable() && !s->open()) s->ScheduleFlush();
}

}  // namespace

void TlsStream::UpdateInterest() {
  LeafGuard leaf(this);
  if (dead) return;
  const bool want = reachable() && (may_read() || must_read());
  if (below != nullptr) {
    if (want) {
      below->ResumeRead(kSuspendFilter);
    } else {
      below->SuspendRead(kSuspendFilter);
    }
  } else if (!want) {
    DelEvent(&ev_read);
  } else if ((ev_read.ev_evcallback.evcb_flags & EVLIST_INSERTED) == 0) {
    AddEvent(&ev_read, timeout_read);
  }
}

void TlsStream::AwaitRoom(bool wait) {
  if (dead || connecting) return;
  if (!wait) {
    if (IsAwaitingRoom()) DelEvent(&ev_write);
  } else if (!IsAwaitingRoom()) {
    AddEvent(&ev_write, timeout_write);
  }
}

TlsStream* TlsStream::NewSocket(EventBase* base, evutil_socket_t fd, SSL* ssl,
                                bufferevent_ssl_state state, int options) {
  const bool owns = (options & BEV_OPT_CLOSE_ON_FREE) != 0;
  BIO* has = SSL_get_wbio(ssl);
  const int fd_of_ssl =
      has != nullptr ? static_cast<int>(BIO_get_fd(has, nullptr)) : -1;
  TlsStream* s = nullptr;
  if (fd < 0) {
    fd = fd_of_ssl >= 0 ? fd_of_ssl : -1;
  } else if (fd_of_ssl >= 0 && fd_of_ssl != fd) {
    LogWarnx("%s: the SSL has another descriptor", __func__);
    if (owns) SSL_free(ssl);
    return nullptr;
  }
  s = Make(base, ssl, state, options, nullptr);
  if (s == nullptr) {
    if (owns) SSL_free(ssl);
    return nullptr;
  }
  // With CLOSE_ON_FREE the stream closes it, once.
  if (fd_of_ssl >= 0 && owns) BIO_set_close(has, BIO_NOCLOSE);
  base = s->base();
  EventBase::Assign(&s->ev_read, base, fd, EV_READ | EV_PERSIST | EV_FINALIZE,
                    OnReadable, static_cast<Stream*>(s));
  EventBase::Assign(&s->ev_write, base, fd, EV_WRITE | EV_PERSIST | EV_FINALIZE,
                    OnWritable, static_cast<Stream*>(s));
  s->wire->AttachTo(ssl, /*keep=*/fd_of_ssl >= 0);
  Start(s);
  return s;
}

TlsStream* TlsStream::NewFilter(EventBase* base, Stream* below, SSL* ssl,
                                bufferevent_ssl_state state, int options) {
  TlsStream* s = nullptr;
  if (below != nullptr) {
    s = Make(base != nullptr ? base : below->base(), ssl, state,
             options & ~BEV_OPT_THREADSAFE, below->lock);
  }
  if (s != nullptr) {
    s->below_output = below->output_buffer.AddCallback(OnBelowOutput,
                                                       static_cast<Stream*>(s));
    if (s->below_output == nullptr) {
      s->wire->Unref();
      Stream::Discard(s);
      s = nullptr;
    }
  }
  if (s == nullptr) {
    if (options & BEV_OPT_CLOSE_ON_FREE) SSL_free(ssl);
    return nullptr;
  }
  base = s->base();
  EventBase::Assign(&s->ev_read, base, -1, EV_FINALIZE, OnReadable,
                    static_cast<Stream*>(s));
  EventBase::Assign(&s->ev_write, base, -1, EV_FINALIZE, OnWritable,
                    static_cast<Stream*>(s));
  s->wire->AttachTo(ssl, /*keep=*/false);
  s->below = below;
  below->Ref();
  below->above = s;
  below->SetCallbacks(OnBelowReadable, OnBelowWritable, OnBelowEvent,
                      static_cast<Stream*>(s));
  // semantics 13.11
  below->SetWatermark(EV_READ, 0, 0);
  below->Enable(EV_READ | EV_WRITE);
  Start(s);
  return s;
}

}  // namespace percore
