#include "percore/net/stream/stream.h"

#include <cerrno>
#include <cstddef>
#include <new>

#include "percore/net/stream/connect.h"
#include "percore/net/stream/stream_limit.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

// The stream that a member at this offset belongs to. Stream is laid out
// plainly (C's struct first, then ours), which is all that offsetof asks of gcc
// and clang.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
constexpr std::size_t kInputAt = offsetof(Stream, input_buffer);
constexpr std::size_t kOutputAt = offsetof(Stream, output_buffer);
constexpr std::size_t kReleaseNodeAt = offsetof(Stream, release_node);
#pragma GCC diagnostic pop

Stream* OwnerOf(void* member, std::size_t at) {
  return reinterpret_cast<Stream*>(static_cast<char*>(member) - at);
}

}  // namespace

// --- Making -----------------------------------------------------------------

Stream* Stream::Create(std::size_t size, EventBase* base, const StreamOps* ops,
                       int options, BufferLock* lock) {
  if ((options & BEV_OPT_UNLOCK_CALLBACKS) &&
      !(options & BEV_OPT_DEFER_CALLBACKS)) {
    LogWarnx("UNLOCK_CALLBACKS requires DEFER_CALLBACKS");
    return nullptr;
  }
  if (base == nullptr) base = EventBase::From(State().current_base.load());
  void* memory = MemCalloc(1, size);
  if (memory == nullptr) return nullptr;
  auto* s = static_cast<Stream*>(memory);
  new (&s->input_buffer) Buffer;
  new (&s->output_buffer) Buffer;
  s->be_ops = ops;
  s->ev_base = base != nullptr ? base->c() : nullptr;
  s->input = s->input_buffer.c();
  s->output = s->output_buffer.c();
  s->options = static_cast<std::uint8_t>(options);
  s->references = 1;
  s->nodelay = true;
  if (lock == nullptr && (options & BEV_OPT_THREADSAFE) &&
      State().locks.alloc != nullptr) {
    lock = BufferLock::Create(nullptr, /*two_levels=*/true);
    if (lock == nullptr) {
      Discard(s);
      return nullptr;
    }
  } else if (lock != nullptr) {
    lock->Share();
  }
  if (lock != nullptr) {
    s->lock = lock;
    s->input_buffer.ShareLock(lock, /*is_output=*/false);
    s->output_buffer.ShareLock(lock, /*is_output=*/true);
  }
  s->input_buffer.SetBase(base);
  s->output_buffer.SetBase(base);
  s->input_buffer.SetObserver(&OnInput);
  s->output_buffer.SetObserver(&OnOutput);
  s->output_buffer.Observe(true);
  s->enabled = EV_WRITE;
  if (base != nullptr) {
    const int priority = base->priorities() / 2;
    base->InitCallback(&s->deferred, priority, &RunDeferred, s);
    base->InitCallback(&s->flush, priority, nullptr, s);
  }
  return s;
}

void Stream::Discard(Stream* s) {
  s->input_buffer.~Buffer();
  s->output_buffer.~Buffer();
  BufferLock::Destroy(s->lock);
  MemFree(s);
}

// --- Freeing ----------------------------------------------------------------

void Stream::Free() {
  SetCallbacks(nullptr, nullptr, nullptr, nullptr);
  Undefer();
  Unref();
}

// Nothing is left to call: the reference of the queued run goes.
bool Stream::Undefer() {
  EventBase* b = base();
  if (b == nullptr || (b->RunsElsewhere() && !b->shared())) return false;
  LeafGuard leaf(this);
  if (!b->CancelCallback(&deferred)) return false;
  --references;
  return true;
}

void Stream::Ref() {
  LeafGuard leaf(this);
  ++references;
}

bool Stream::Unref() {
  {
    LeafGuard leaf(this);
    // References taken while it is retired do not count.
    if (--references != 0 || dead) return false;
    dead = true;
  }
  EventBase* b = base();
  if (b != nullptr && b->RunsElsewhere() && !b->shared()) {
    // The owner's events are the owner's to take back.
    release_node.run = &RetireOnOwner;
    release_node.is_message = true;
    if (b->mailbox()->SendControl(&release_node)) return true;
  }
  Retire();
  return true;
}

void Stream::RetireOnOwner(ControlNode* node, bool) {
  OwnerOf(node, kReleaseNodeAt)->Retire();
}

// Takes everything back from the loop and from other objects.
void Stream::Retire() {
  EventBase* b = base();
  DelEvent(&ev_read);
  DelEvent(&ev_write);
  if (limit != nullptr) StreamLimit::Remove(this);
  if (be_ops->unlink != nullptr) be_ops->unlink(this);
  if (b != nullptr) {
    b->CancelCallback(&deferred);
    b->CancelCallback(&flush);
    if (b->Runs()) {
      // The loop may hold one of its events: it lives to the end of the pass.
      b->RunAtEndOfPass(&flush, &DestroyFromLoop, this);
      return;
    }
  }
  Destroy();
}

void Stream::DestroyFromLoop(event_callback*, void* arg) {
  static_cast<Stream*>(arg)->Destroy();
}

void Stream::Destroy() {
  if (connect != nullptr) ConnectState::Drop(this);
  if (be_ops->destruct != nullptr) be_ops->destruct(this);
  Discard(this);
}

// --- What programs set ------------------------------------------------------

void Stream::SetCallbacks(bufferevent_data_cb read, bufferevent_data_cb write,
                          bufferevent_event_cb event, void* arg) {
  if (lock != nullptr) lock->LockOuter();
  readcb = read;
  writecb = write;
  errorcb = event;
  cbarg = arg;
  if (lock != nullptr) lock->UnlockOuter();
}

int Stream::Enable(short what) {
  short may = what;
  {
    LeafGuard leaf(this);
    if (read_suspended) may = static_cast<short>(may & ~EV_READ);
    if (write_suspended) may = static_cast<short>(may & ~EV_WRITE);
    enabled = static_cast<short>(enabled | what);
    if (may != 0 && be_ops->enable(this, may) < 0) return -1;
  }
  if (be_ops->after_enable != nullptr && may != 0) {
    const bool outer = lock != nullptr && lock->TryLockOuter();
    be_ops->after_enable(this, may, lock != nullptr && !outer);
    if (outer) lock->UnlockOuter();
  }
  return 0;
}

int Stream::Disable(short what) {
  LeafGuard leaf(this);
  enabled = static_cast<short>(enabled & ~what);
  return be_ops->disable(this, what) < 0 ? -1 : 0;
}

void Stream::SetWatermark(short what, std::size_t low, std::size_t high) {
  LeafGuard leaf(this);
  if (what & EV_WRITE) {
    wm_write.low = low;
    wm_write.high = high;
  }
  if ((what & EV_READ) == 0) return;
  wm_read.low = low;
  wm_read.high = high;
  // Only with a limit is it of interest what the program takes.
  input_buffer.Observe(high != 0);
  if (high != 0 && input_buffer.size() >= high) {
    SuspendRead(kSuspendWatermark);
  } else {
    ResumeRead(kSuspendWatermark);
  }
}

void Stream::OnInput(Buffer* b, Buffer::Notice notice, std::size_t added,
                     std::size_t removed, bool) {
  Stream* s = OwnerOf(b, kInputAt);
  if (notice != Buffer::Notice::kChanged) {
    s->HoldOrRelease(notice);
    return;
  }
  // Only while there is a read high watermark.
  LeafGuard leaf(s);
  if (s->dead) return;
  const std::size_t size = b->size();
  if (added > removed && size >= s->wm_read.high) {
    s->SuspendRead(kSuspendWatermark);
  } else if (added < removed && size < s->wm_read.high) {
    s->ResumeRead(kSuspendWatermark);
  }
}

void Stream::OnOutput(Buffer* b, Buffer::Notice notice, std::size_t added,
                      std::size_t removed, bool leaf_only) {
  Stream* s = OwnerOf(b, kOutputAt);
  if (notice != Buffer::Notice::kChanged) {
    s->HoldOrRelease(notice);
  } else if (!s->dead) {
    s->be_ops->output_changed(s, added, removed, leaf_only);
  }
}

void Stream::HoldOrRelease(Buffer::Notice notice) {
  if (notice == Buffer::Notice::kHold) {
    Ref();
  } else {
    Unref();
  }
}

int Stream::SetTimeouts(const timeval* read, const timeval* write) {
  LeafGuard leaf(this);
  timeout_read = read != nullptr ? *read : timeval{};
  timeout_write = write != nullptr ? *write : timeval{};
  return be_ops->adjust_timeouts != nullptr ? be_ops->adjust_timeouts(this) : 0;
}

int Stream::Flush(short what, bufferevent_flush_mode mode) {
  StreamScope scope(this);
  return be_ops->flush != nullptr ? be_ops->flush(this, what, mode) : -1;
}

evutil_socket_t Stream::Fd() {
  return be_ops->get_fd != nullptr ? be_ops->get_fd(this) : -1;
}

int Stream::SetFd(evutil_socket_t fd) {
  StreamScope scope(this);
  if (be_ops->set_fd == nullptr) return -1;
  return be_ops->set_fd(this, fd);
}

Stream* Stream::Underlying() {
  return be_ops->underlying != nullptr ? be_ops->underlying(this) : nullptr;
}

int Stream::SetBase(EventBase* to) {
  StreamScope scope(this);
  if (kind() != StreamKind::kSocket) return -1;
  if (to->Adopt(&ev_read) < 0) return -1;
  if (to->Adopt(&ev_write) < 0) return -1;
  const bool was_deferred = Undefer();
  const bool was_flushing = base()->CancelCallback(&flush);
  ev_base = to->c();
  input_buffer.SetBase(to);
  output_buffer.SetBase(to);
  const int priority = to->priorities() / 2;
  to->InitCallback(&deferred, priority, &RunDeferred, this);
  to->InitCallback(&flush, priority, flush.evcb_cb_union.evcb_selfcb, this);
  if (was_deferred) Defer();
  if (was_flushing) ScheduleFlush();
  return 0;
}

int Stream::SetPriority(int priority) {
  StreamScope scope(this);
  if (kind() == StreamKind::kPair || kind() == StreamKind::kFilter) return -1;
  if (base()->SetPriority(&ev_read, priority) < 0) return -1;
  if (base()->SetPriority(&ev_write, priority) < 0) return -1;
  deferred.evcb_pri = static_cast<ev_uint8_t>(priority);
  flush.evcb_pri = static_cast<ev_uint8_t>(priority);
  return 0;
}

int Stream::Priority() const {
  if (ev_read.ev_evcallback.evcb_flags & EVLIST_INIT) {
    return ev_read.ev_evcallback.evcb_pri;
  }
  return EventBase::From(ev_base)->priorities() / 2;
}

void Stream::Lock() {
  Ref();
  if (lock != nullptr) lock->LockExplicit();
}

void Stream::Unlock() {
  if (lock != nullptr) lock->UnlockExplicit();
  Unref();
}

// --- Suspending -------------------------------------------------------------

void Stream::SuspendRead(Suspension why) {
  LeafGuard leaf(this);
  if (!read_suspended) be_ops->disable(this, EV_READ);
  read_suspended = static_cast<std::uint8_t>(read_suspended | why);
}

void Stream::ResumeRead(Suspension why) {
  LeafGuard leaf(this);
  const bool was = read_suspended != 0;
  read_suspended = static_cast<std::uint8_t>(read_suspended & ~why);
  if (was && !read_suspended && (enabled & EV_READ)) {
    be_ops->enable(this, EV_READ);
  }
}

void Stream::SuspendWrite(Suspension why) {
  LeafGuard leaf(this);
  if (!write_suspended) be_ops->disable(this, EV_WRITE);
  write_suspended = static_cast<std::uint8_t>(write_suspended | why);
}

void Stream::ResumeWrite(Suspension why) {
  LeafGuard leaf(this);
  const bool was = write_suspended != 0;
  write_suspended = static_cast<std::uint8_t>(write_suspended & ~why);
  if (was && !write_suspended && (enabled & EV_WRITE)) {
    be_ops->enable(this, EV_WRITE);
  }
}

// --- Events -----------------------------------------------------------------

int Stream::AddEvent(event* ev, const timeval& timeout) {
  if (base() == nullptr) return -1;
  const int result = base()->Add(ev, IsSet(timeout) ? &timeout : nullptr);
  if (ev == &ev_write) write_armed = result == 0;
  return result;
}

bool Stream::MayRead() const {
  LeafGuard leaf(this);
  return (enabled & EV_READ) && !read_suspended;
}

bool Stream::MayWrite() const {
  LeafGuard leaf(this);
  return (enabled & EV_WRITE) && !write_suspended;
}

void Stream::DelEvent(event* ev) {
  if (ev == &ev_write) write_armed = false;
  if ((ev->ev_evcallback.evcb_flags & EVLIST_INIT) == 0) return;
  EventBase* b = EventBase::From(ev->ev_base);
  if (b != nullptr) b->Del(ev, DelWait::kNever);
}

void Stream::ScheduleFlush() {
  EventBase* b = base();
  if (b == nullptr) return;
  if (b->RunsElsewhere() && !b->shared()) {
    // Any thread's way into an owned base.
    b->Activate(&ev_write, EV_WRITE, 1);
    return;
  }
  b->ScheduleAtEndOfTurn(&flush, flushed_turn);
}

// --- Timers of kinds without descriptors ------------------------------------

void Stream::OnReadTimeout(evutil_socket_t, short, void* arg) {
  auto* s = static_cast<Stream*>(arg);
  StreamScope scope(s);
  s->Disable(EV_READ);
  s->RunEvent(BEV_EVENT_TIMEOUT | BEV_EVENT_READING, 0);
}

void Stream::OnWriteTimeout(evutil_socket_t, short, void* arg) {
  auto* s = static_cast<Stream*>(arg);
  StreamScope scope(s);
  s->Disable(EV_WRITE);
  s->RunEvent(BEV_EVENT_TIMEOUT | BEV_EVENT_WRITING, 0);
}

void Stream::InitGenericTimeouts() {
  EventBase::Assign(&ev_read, base(), -1, EV_FINALIZE, &OnReadTimeout, this);
  EventBase::Assign(&ev_write, base(), -1, EV_FINALIZE, &OnWriteTimeout, this);
}

int Stream::AdjustGenericTimeouts() {
  LeafGuard leaf(this);
  int result = 0;
  if ((enabled & EV_READ) && !read_suspended && IsSet(timeout_read)) {
    if (base()->Add(&ev_read, &timeout_read) < 0) result = -1;
  } else {
    DelEvent(&ev_read);
  }
  if ((enabled & EV_WRITE) && !write_suspended && IsSet(timeout_write) &&
      !output_buffer.empty()) {
    if (base()->Add(&ev_write, &timeout_write) < 0) result = -1;
  } else {
    DelEvent(&ev_write);
  }
  return result;
}

void Stream::TouchReadTimeout() {
  if (IsSet(timeout_read)) base()->Add(&ev_read, &timeout_read);
}

void Stream::TouchWriteTimeout() {
  if (!IsSet(timeout_write)) return;
  LeafGuard leaf(this);
  if (output_buffer.empty()) {
    DelEvent(&ev_write);
  } else {
    base()->Add(&ev_write, &timeout_write);
  }
}

}  // namespace percore
