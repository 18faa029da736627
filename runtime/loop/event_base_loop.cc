// The turns of the loop and the callbacks they run.
#include <cerrno>
#include <climits>

#include "percore/runtime/loop/closing.h"
#include "percore/runtime/loop/event_base_inline.h"
#include "percore/runtime/system/cycles.h"

namespace percore {
namespace {

// A callback longer than this sends what waits in the outboxes.
constexpr std::int64_t kFlushAfterNs = 100000;

constexpr int kDeferredPerTurn = 32;

// More than the coarse clock lags behind: its ticks are 10 ms at most.
constexpr std::int64_t kCoarseLagNs = 50000000;

event* EventOf(event_callback* cb) { return reinterpret_cast<event*>(cb); }

}  // namespace

// --- Queues ---------------------------------------------------------------

void EventBase::MoveLaterToActive() {
  while (event_callback* cb = later_.first()) {
    later_.Remove(cb);
    cb->evcb_flags = static_cast<short>(
        (cb->evcb_flags & ~EVLIST_ACTIVE_LATER) | EVLIST_ACTIVE);
    queues_[cb->evcb_pri].PushBack(cb);
  }
}

// --- Callbacks that are no events -----------------------------------------

void EventBase::InitCallback(event_callback* cb, int priority,
                             void (*run)(event_callback*, void*), void* arg) {
  *cb = event_callback{};
  cb->evcb_flags = EVLIST_INIT;
  cb->evcb_pri = static_cast<ev_uint8_t>(priority);
  cb->evcb_closure = kClosureSelf;
  cb->evcb_cb_union.evcb_selfcb = run;
  cb->evcb_arg = arg;
}

bool EventBase::ScheduleCallback(event_callback* cb) {
  Entrance entrance(this);
  if (cb->evcb_flags &
      (EVLIST_ACTIVE | EVLIST_ACTIVE_LATER | EVLIST_FINALIZING)) {
    return false;
  }
  if (deferred_queued_ > kDeferredPerTurn) {
    QueueLater(cb);  // semantics 1.15
  } else {
    ++deferred_queued_;
    QueueActive(cb);
    if (cb->evcb_pri < running_priority_) continue_ = true;
  }
  WakeIfForeign();
  return true;
}

bool EventBase::ScheduleAtEndOfTurn(event_callback* cb, std::uint64_t not_in) {
  Entrance entrance(this);
  if (cb->evcb_flags &
      (EVLIST_ACTIVE | EVLIST_ACTIVE_LATER | EVLIST_FINALIZING)) {
    return false;
  }
  if (stats_.turns == not_in) {
    QueueLater(cb);
  } else {
    QueueActive(cb);
  }
  WakeIfForeign();
  return true;
}

bool EventBase::CancelCallback(event_callback* cb) {
  Entrance entrance(this);
  if (cb->evcb_flags & EVLIST_FINALIZING) return false;
  if (cb->evcb_flags & EVLIST_ACTIVE) {
    UnqueueActive(cb);
    return true;
  }
  if (cb->evcb_flags & EVLIST_ACTIVE_LATER) {
    UnqueueLater(cb);
    return true;
  }
  return false;
}

void EventBase::RunAtEndOfPass(event_callback* cb,
                               void (*run)(event_callback*, void*), void* arg) {
  Entrance entrance(this);
  InitCallback(cb, 0, run, arg);
  cb->evcb_flags = EVLIST_INIT | EVLIST_FINALIZING;
  pass_end_.PushBack(cb);
  WakeIfForeign();
}

void EventBase::RunPassEnd() {
  while (event_callback* cb = pass_end_.first()) {
    pass_end_.Remove(cb);
    const auto run = cb->evcb_cb_union.evcb_selfcb;
    void* arg = cb->evcb_arg;
    BaseLockDropped unlocked(&lock_);
    run(cb, arg);
  }
}

void EventBase::FinalizeCallback(event_callback* cb,
                                 void (*run)(event_callback*, void*)) {
  Entrance entrance(this);
  if (cb->evcb_flags & EVLIST_ACTIVE) UnqueueActive(cb);
  if (cb->evcb_flags & EVLIST_ACTIVE_LATER) UnqueueLater(cb);
  cb->evcb_closure = kClosureFinalize;
  cb->evcb_cb_union.evcb_cbfinalize = run;
  QueueActive(cb);
  cb->evcb_flags = static_cast<short>(cb->evcb_flags | EVLIST_FINALIZING);
  WakeIfForeign();
}

// --- Entry ------------------------------------------------------------------

namespace {

// What holds while a loop runs, and is undone however it ends.
struct RunningScope {
  EventBase* base;
  std::atomic<std::uintptr_t>* owner;
  bool* running;
  bool* time_cached;
  event_callback** current;
  int* running_priority;
  Outboxes* outboxes;
  Outboxes* previous;
  BaseLock* lock;

  ~RunningScope() {
    base->RunPassEnd();
    outboxes->Flush();
    Outboxes::SetCurrent(previous);
    *current = nullptr;
    *running_priority = -1;
    *time_cached = false;
    *running = false;
    owner->store(0, std::memory_order_relaxed);
    lock->Unlock();
  }
};

}  // namespace

int EventBase::Loop(int flags) {
  CheckFork();
  lock_.Lock();
  if (running_) {
    LogWarnx(
        "%s: reentrant invocation. Only one event_base_loop can run on "
        "each event_base at once.",
        "event_base_loop");
    lock_.Unlock();
    return -1;
  }
  running_ = true;
  owner_.store(ExecutorId(), std::memory_order_relaxed);
  RunningScope scope{this,       &owner_,
                     &running_,  &time_cached_,
                     &current_,  &running_priority_,
                     &outboxes_, Outboxes::SetCurrent(&outboxes_),
                     &lock_};
  RunningLoops here(this);
  // Control sent before entry is forgotten (semantics 1.1), but a stop stays.
  exit_ = break_ = false;
  const std::uint32_t bits = mailbox_->TakeControlBits();
  if (bits & kControlStop) stop_ = true;
  return RunTurns(flags);
}

int EventBase::RunTurns(int flags) {
  for (;;) {
    continue_ = false;
    deferred_queued_ = 0;
    if (exit_ || break_ || stop_) return 0;
    CheckFork();
    ++stats_.turns;

    int ran = 0;
    DrainMail(nullptr);
    if (exit_ || break_ || stop_) continue;
    if (!(flags & EVLOOP_NO_EXIT_ON_EMPTY) && !HaveEvents() && active_ == 0 &&
        !mail_taken_ && !mailbox_->gate().HasMail()) {
      return 1;
    }
    MoveLaterToActive();
    std::int64_t timeout_ns = WaitTimeout(flags);
    if (prepare_watchers_ != nullptr) {
      WatchPrepare(timeout_ns);
      if (break_ || stop_) return 0;
      timeout_ns = WaitTimeout(flags);
    }
    time_cached_ = false;
    fds_.Flush(backend_);
    outboxes_.Flush();
    const int error = WaitOnce(timeout_ns);
    if (error != 0) {
      errno = error;
      LogWarn("%s: waiting for events failed", backend_->name());
      return -1;
    }
    if (!NothingCame()) {
      now_ns_ = ReadClock();
      time_cached_ = (flags_ & EVENT_BASE_FLAG_NO_CACHE_TIME) == 0;
      if (check_watchers_ != nullptr) WatchCheck();
      DrainMail(&ran);
      TakeReady();
      ExpireTimers();
    }
    if (active_ != 0) {
      ran += ProcessActive();
      if ((flags & EVLOOP_ONCE) && active_ == 0 && ran != 0) return 0;
    } else if (flags & EVLOOP_NONBLOCK) {
      return 0;
    } else if ((flags & EVLOOP_ONCE) && ran != 0) {
      return 0;
    }
    if (!pass_end_.empty()) RunPassEnd();
    outboxes_.Flush();
  }
}

// Then there is nobody to tell what time it is. For a timer that is not soon
// the kernel's coarse clock will do, which is a tick or so behind and cheap.
bool EventBase::NothingCame() {
  if (!ready_.empty() || active_ != 0 || check_watchers_ != nullptr ||
      mail_taken_ || mailbox_->gate().HasMail()) {
    return false;
  }
  const std::int64_t earliest = timers_.Earliest();
  return earliest == TimerQueue::kNever ||
         (clock_ == nullptr && earliest > CoarseMonotonicNs() + kCoarseLagNs);
}

std::int64_t EventBase::WaitTimeout(int flags) {
  if (active_ != 0 || mail_taken_ || (flags & EVLOOP_NONBLOCK)) return 0;
  const std::int64_t earliest = timers_.Earliest();
  if (earliest == TimerQueue::kNever) return -1;
  const std::int64_t now = ReadClock();
  return earliest <= now ? 0 : earliest - now;
}

int EventBase::WaitOnce(std::int64_t timeout_ns) {
  ready_.Clear();
  changes_before_wait_ = fds_.changes();
  bool armed = false;
  if (timeout_ns != 0) {
    if (clock_ != nullptr && !clock_->IsReal()) {
      // Virtual time passes only when nothing else is left to do.
      lock_.Unlock();
      int error = 0;
      if (!mailbox_->gate().HasMail()) {
        error = backend_->Wait(0, &ready_);
        if (error == 0 && ready_.empty() && timeout_ns > 0) {
          clock_->Advance(timers_.Earliest());
        } else if (error == 0 && ready_.empty()) {
          error = backend_->Wait(1000000, &ready_);
        }
      }
      lock_.Lock();
      return error;
    }
    armed = mailbox_->gate().PrepareSleep();
    if (!armed) timeout_ns = 0;
  }
  const std::int64_t before = timing_ && armed ? ReadClock() : 0;
  lock_.Unlock();
  const int error = backend_->Wait(timeout_ns, &ready_);
  lock_.Lock();
  if (armed) {
    ++stats_.waits;
    if (mailbox_->gate().Awake()) {
      mail_taken_ = true;
      ++stats_.wakeups_received;
    } else if (ready_.empty() && timeout_ns < 0) {
      ++stats_.wakeups_spurious;
    }
    if (timing_) {
      stats_.waiting_ns += static_cast<std::uint64_t>(ReadClock() - before);
    }
  }
  return error;
}

void EventBase::TakeReady() {
  if (shuffle_ != 0) ShuffleReady();
  int lost_fd = -1;
  for (const Ready& ready : ready_) {
    if (!fds_.Current(ready.fd, ready.generation)) {
      // Another thread, a watcher or a message has changed the registration
      // since the wait: a late report. One that is really stale comes again.
      if (fds_.changes() != changes_before_wait_) continue;
      ++stats_.stale_reports;
      if (!fds_.DeleteStale(backend_, ready.fd)) lost_fd = ready.fd;
      continue;
    }
    event* next;
    for (event* ev = fds_.First(ready.fd); ev != nullptr; ev = next) {
      next = FdTable::Next(ev);
      const short watched = ev->ev_events;
      if (watched & ready.what & ~kInterestEdge) {
        ActivateLocked(ev, watched & ready.what, 1);
      }
    }
  }
  // Last, since watching everything anew makes all that was reported old.
  if (lost_fd >= 0) RecoverFromLost(lost_fd);
}

void EventBase::ShuffleReady() {
  // What the backend reports in one wait has no order to rely on.
  for (std::size_t i = ready_.size(); i > 1; --i) {
    shuffle_ = shuffle_ * 6364136223846793005ull + 1442695040888963407ull;
    std::swap(ready_[i - 1], ready_[(shuffle_ >> 33) % i]);
  }
}

// The backend reports a registration that cannot be removed by its number.
void EventBase::RecoverFromLost(int fd) {
  if (stats_.backend_rebuilds == 0) {
    LogWarnx(
        "%s still reports fd %d, which was closed while a duplicate is "
        "open; watching everything anew",
        backend_->name(), fd);
  }
  RebuildBackend();
}

void EventBase::ExpireTimers() {
  const std::int64_t now = time_cached_ ? now_ns_ : ReadClock();
  const bool plain = plain_;
  while (event* ev = timers_.PopDue(now)) {
    ++stats_.timers_expired;
    short& flags = ev->ev_evcallback.evcb_flags;
    flags = static_cast<short>(flags & ~EVLIST_TIMEOUT);
    CountAdded(&ev->ev_evcallback, -1);
    // Ready and expired at once: one call that says both (semantics 1.8).
    // Otherwise a one-shot event is done with; a persistent one stays.
    if (!(flags & (EVLIST_ACTIVE | EVLIST_ACTIVE_LATER)) &&
        ev->ev_evcallback.evcb_closure != kClosurePersist) {
      DelInline(ev, plain);
    }
    ActivateInline(ev, EV_TIMEOUT, 1, plain);
  }
}

// --- Callbacks --------------------------------------------------------------

int EventBase::ProcessActive() {
  const int n = priorities();
  const std::int64_t until =
      max_interval_ns_ >= 0 ? NowNs() + max_interval_ns_ : INT64_MAX;
  int ran = 0;
  for (int i = 0; i < n; ++i) {
    ActiveQueue& queue = queues_[static_cast<std::size_t>(i)];
    if (queue.empty()) continue;
    running_priority_ = i;
    const bool limited = i >= limit_from_;
    ran = ProcessQueue(&queue, limited ? max_callbacks_ : INT_MAX,
                       limited ? until : INT64_MAX);
    if (ran < 0) {
      running_priority_ = -1;
      return 0;
    }
    // One queue a turn, unless only the library's own callbacks were in it.
    if (ran > 0) break;
  }
  running_priority_ = -1;
  return ran;
}

[[gnu::flatten]] int EventBase::ProcessQueue(ActiveQueue* queue, int limit,
                                             std::int64_t until_ns) {
  int count = 0;
  while (event_callback* cb = queue->first()) {
    const bool is_internal = (cb->evcb_flags & EVLIST_INTERNAL) != 0;
    if (!is_internal) ++count;
    RunCallback(cb);
    if (BreakRequested()) return -1;
    if (count >= limit) return count;
    if (count != 0 && until_ns != INT64_MAX && ReadClock() >= until_ns) {
      return count;
    }
    if (continue_) break;
  }
  return count;
}

void EventBase::AfterCallback() {
  current_ = nullptr;
  remaining_calls_ = 0;
  if (current_waiters_ != 0) {
    current_waiters_ = 0;
    lock_.WakeAll();
  }
  // An injected clock stands still in a callback: none is long.
  if (!outboxes_.empty() && clock_ == nullptr &&
      Cycles() - outboxes_.oldest() > CyclesFor(kFlushAfterNs)) {
    outboxes_.Flush();
  }
}

void EventBase::RunCallback(event_callback* cb) {
  struct Scope {
    EventBase* base;
    std::uint64_t began;
    ~Scope() {
      if (began != 0) base->EndTiming(began);
      base->AfterCallback();
    }
  } scope{this, 0};
  ++stats_.callbacks;
  current_ = cb;
  if (timing_) {
    scope.began = BeginTiming(
        reinterpret_cast<const void*>(cb->evcb_cb_union.evcb_callback));
  }
  switch (cb->evcb_closure) {
    case kClosureEvent: {
      event* ev = EventOf(cb);
      DelInline(ev, plain_);  // semantics 1.10
      RunEvent(ev);
      break;
    }
    case kClosureSignal: {
      event* ev = EventOf(cb);
      if (ev->ev_events & EV_PERSIST) {
        UnqueueActive(cb);
      } else {
        DelLocked(ev);
      }
      RunSignalEvent(ev);
      break;
    }
    case kClosurePersist:
      UnqueueActive(cb);
      RunPersistentEvent(EventOf(cb));
      break;
    case kClosureSelf: {
      UnqueueActive(cb);
      const auto run = cb->evcb_cb_union.evcb_selfcb;
      BaseLockDropped unlocked(&lock_);
      run(cb, cb->evcb_arg);
      break;
    }
    case kClosureFinalize: {
      UnqueueActive(cb);
      const auto run = cb->evcb_cb_union.evcb_cbfinalize;
      current_ = nullptr;
      BaseLockDropped unlocked(&lock_);
      run(cb, cb->evcb_arg);
      break;
    }
    case kClosureEventFinalize:
    case kClosureEventFinalizeFree: {
      UnqueueActive(cb);
      RunFinalizer(EventOf(cb));
      break;
    }
    default:
      PERCORE_BUG("unknown closure in an active queue");
      UnqueueActive(cb);
  }
}

void EventBase::RunFinalizer(event* ev) {
  const bool free = ev->ev_evcallback.evcb_closure == kClosureEventFinalizeFree;
  const auto run = ev->ev_evcallback.evcb_cb_union.evcb_evfinalize;
  current_ = nullptr;
  BaseLockDropped unlocked(&lock_);
  if (run != nullptr) run(ev, ev->ev_evcallback.evcb_arg);
  if (free) {
    DebugForget(ev);
    MemFree(ev);
  }
}

void EventBase::RunEvent(event* ev) {
  const auto run = ev->ev_evcallback.evcb_cb_union.evcb_callback;
  const evutil_socket_t fd = ev->ev_fd;
  const short result = ev->ev_res;
  void* arg = ev->ev_evcallback.evcb_arg;
  BaseLockDropped unlocked(&lock_);
  run(fd, result, arg);
}

void EventBase::RunSignalEvent(event* ev) {
  // event_del in the callback zeroes this.
  remaining_calls_ = ev->ev_.ev_signal.ev_ncalls;
  const auto run = ev->ev_evcallback.evcb_cb_union.evcb_callback;
  const evutil_socket_t fd = ev->ev_fd;
  const short result = ev->ev_res;
  void* arg = ev->ev_evcallback.evcb_arg;
  while (remaining_calls_ > 0) {
    --remaining_calls_;
    BaseLockDropped unlocked(&lock_);
    run(fd, result, arg);
    if (BreakRequested()) break;  // semantics 1.11
  }
}

void EventBase::RunPersistentEvent(event* ev) {
  const std::int64_t interval = ev->ev_.ev_percore_.interval_;
  if (interval != 0) {
    // semantics 2.4
    const std::int64_t now = NowNs();
    const bool timed_out = (ev->ev_res & EV_TIMEOUT) != 0;
    std::int64_t next = (timed_out ? TimerQueue::Deadline(ev) : now) + interval;
    if (next < now) next = now + interval;
    AddDeadline(ev, next);
  }
  RunEvent(ev);
}

}  // namespace percore
