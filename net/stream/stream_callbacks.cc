// The program's callbacks: at once or from the loop.
#include <cerrno>

#include "percore/net/stream/stream.h"

namespace percore {
namespace {

// The pointers are read with the outer lock, which is not held where callbacks
// run without it.
class CallbackGuard {
 public:
  explicit CallbackGuard(Stream* s)
      : lock_(s->options & BEV_OPT_UNLOCK_CALLBACKS ? s->lock : nullptr) {
    if (lock_ != nullptr) lock_->LockOuter();
  }
  ~CallbackGuard() {
    if (lock_ != nullptr) lock_->UnlockOuter();
  }
  CallbackGuard(const CallbackGuard&) = delete;
  CallbackGuard& operator=(const CallbackGuard&) = delete;

 private:
  BufferLock* lock_;
};

}  // namespace

// Queues the run of what is pending; it holds a reference. Leaf held.
void Stream::Defer() {
  EventBase* b = base();
  if (dead || b == nullptr) return;
  if (b->ScheduleCallback(&deferred)) ++references;
}

void Stream::RunDeferred(event_callback*, void* arg) {
  auto* s = static_cast<Stream*>(arg);
  {
    StreamScope scope(s);
    const bool unlocked =
        s->lock != nullptr && (s->options & BEV_OPT_UNLOCK_CALLBACKS);
    if (unlocked) s->lock->UnlockOuter();
    // semantics 10.4: CONNECTED, read, write, the rest. The bits are taken one
    // by one: a callback may cause more, or free the stream.
    const auto take = [s](auto&& bit) {
      LeafGuard leaf(s);
      return bit();
    };
    if (take([s] {
          if ((s->pending_event & BEV_EVENT_CONNECTED) == 0) return false;
          s->pending_event =
              static_cast<short>(s->pending_event & ~BEV_EVENT_CONNECTED);
          return true;
        })) {
      s->CallEvent(BEV_EVENT_CONNECTED);
    }
    if (take([s] {
          const bool due = s->readcb_pending;
          s->readcb_pending = false;
          return due;
        })) {
      s->CallRead();
    }
    if (take([s] {
          const bool due = s->writecb_pending;
          s->writecb_pending = false;
          return due;
        })) {
      s->CallWrite();
    }
    int error = 0;
    const short what = take([s, &error] {
      const short bits = s->pending_event;
      error = s->pending_errno;
      s->pending_event = 0;
      s->pending_errno = 0;
      return bits;
    });
    if (what != 0) {
      errno = error;
      s->CallEvent(what);
    }
    if (unlocked) s->lock->LockOuter();
  }
  s->Unref();
}

// Each reads its pointer anew: Free has cleared it.
void Stream::CallRead() {
  bufferevent_data_cb call;
  void* arg;
  {
    CallbackGuard guard(this);
    call = readcb;
    arg = cbarg;
  }
  if (call == nullptr) return;
  call(this, arg);
  CheckInputWatermark();
}

void Stream::CallWrite() {
  bufferevent_data_cb call;
  void* arg;
  {
    CallbackGuard guard(this);
    call = writecb;
    arg = cbarg;
  }
  if (call != nullptr) call(this, arg);
}

void Stream::CallEvent(short what) {
  bufferevent_event_cb call;
  void* arg;
  {
    CallbackGuard guard(this);
    call = errorcb;
    arg = cbarg;
  }
  if (call != nullptr) call(this, what, arg);
}

// semantics 10.3: a reader that leaves the buffer full is called again.
void Stream::CheckInputWatermark() {
  {
    LeafGuard leaf(this);
    if (wm_read.high == 0 || !(enabled & EV_READ) ||
        input_buffer.size() < wm_read.high) {
      return;
    }
  }
  TriggerLocked(EV_READ, BEV_OPT_DEFER_CALLBACKS);
}

void Stream::RunRead(int with) {
  if (readcb == nullptr) return;
  if ((options | with) & BEV_OPT_DEFER_CALLBACKS) {
    LeafGuard leaf(this);
    readcb_pending = true;
    Defer();
  } else {
    CallRead();
  }
}

void Stream::RunWrite(int with) {
  if (writecb == nullptr) return;
  if ((options | with) & BEV_OPT_DEFER_CALLBACKS) {
    LeafGuard leaf(this);
    writecb_pending = true;
    Defer();
  } else {
    CallWrite();
  }
}

void Stream::RunEvent(short what, int with) {
  if (errorcb == nullptr) return;
  if ((options | with) & BEV_OPT_DEFER_CALLBACKS) {
    const int error = errno;
    LeafGuard leaf(this);
    pending_event = static_cast<short>(pending_event | what);
    pending_errno = error;
    Defer();
  } else {
    CallEvent(what);
  }
}

void Stream::TriggerLocked(short what, int with) {
  if ((what & EV_READ) && readcb != nullptr && DueNow(EV_READ, with)) {
    RunRead(with);
  }
  if ((what & EV_WRITE) && writecb != nullptr && DueNow(EV_WRITE, with)) {
    RunWrite(with);
  }
}

// What of the directions the watermarks allow to be told.
short Stream::DueNow(short what, int with) const {
  LeafGuard leaf(this);
  const bool always = (with & BEV_TRIG_IGNORE_WATERMARKS) != 0;
  short due = 0;
  if ((what & EV_READ) && (always || input_buffer.size() >= wm_read.low)) {
    due = static_cast<short>(due | EV_READ);
  }
  if ((what & EV_WRITE) && (always || output_buffer.size() <= wm_write.low)) {
    due = static_cast<short>(due | EV_WRITE);
  }
  return due;
}

void Stream::Trigger(short what, int with) {
  with &= BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS;
  if (lock == nullptr || lock->TryLockOuter()) {
    Ref();
    TriggerLocked(what, with);
    if (lock != nullptr) lock->UnlockOuter();
    Unref();
    return;
  }
  LeafGuard leaf(this);
  const short due = DueNow(what, with);
  if (due & EV_READ) readcb_pending = true;
  if (due & EV_WRITE) writecb_pending = true;
  if (readcb_pending || writecb_pending) Defer();
}

void Stream::TriggerEvent(short what, int with) {
  with &= BEV_TRIG_DEFER_CALLBACKS;
  if (lock == nullptr || lock->TryLockOuter()) {
    Ref();
    RunEvent(what, with);
    if (lock != nullptr) lock->UnlockOuter();
    Unref();
    return;
  }
  const int error = errno;
  LeafGuard leaf(this);
  pending_event = static_cast<short>(pending_event | what);
  pending_errno = error;
  Defer();
}

}  // namespace percore
