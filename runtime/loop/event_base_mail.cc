// What reaches the loop from other threads, and how it is asked to stop.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "percore/runtime/loop/event_base_inline.h"
#include "percore/runtime/observe/debug_table.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/cycles.h"

namespace percore {

void EventBase::DrainMail(int* ran) {
  if (!mail_taken_ && !mailbox_->gate().TakeMail()) return;
  mail_taken_ = false;
  // Control, activations, messages: in this order.
  ApplyControl(mailbox_->TakeControlBits());
  DrainControl();
  DrainActivations();
  DrainSignals();
  if (ran != nullptr) {
    *ran += RunMessages();
  } else if (mailbox_->messages_if_any() != nullptr ||
             message_nodes_ != nullptr) {
    mail_taken_ = true;  // closures run once a turn, after the wait
  }
}

void EventBase::DrainControl() {
  for (ControlNode* node = mailbox_->TakeControl(); node != nullptr;) {
    ControlNode* next = node->next;  // running a node may free it
    if (node->is_message) {
      node->next = nullptr;
      *last_message_node_ = node;
      last_message_node_ = &node->next;
      mail_taken_ = true;
    } else {
      node->run(node, false);
    }
    node = next;
  }
}

void EventBase::DrainActivations() {
  event* ev = mailbox_->TakeActivations();
  while (ev != nullptr) {
    // The link first: once the word is clear the event may be pushed again.
    event* next = ActivationLaneTraits::Next(ev);
    const PendingActivation mail = TakeActivation(PendingWord(ev));
    ActivateLocked(ev, mail.result(), mail.ncalls());
    ev = next;
  }
}

void EventBase::DrainSignals() {
  if (!mailbox_->TakeSignalsFlag()) return;
  for (int number = 1; number < kSignalNumbers; ++number) {
    const std::uint32_t count = mailbox_->TakeSignalCount(number);
    if (count == 0) continue;
    const short calls =
        static_cast<short>(std::min<std::uint32_t>(count, 0x7fff));
    for (event* ev = signal_events_[number]; ev != nullptr;
         ev = ev->ev_.ev_signal.ev_signal_next.le_next) {
      if (ev->ev_evcallback.evcb_flags & EVLIST_ACTIVE) {
        // Still queued from before: the counts add up.
        const int sum = ev->ev_.ev_signal.ev_ncalls + calls;
        ev->ev_.ev_signal.ev_ncalls = static_cast<short>(std::min(sum, 0x7fff));
      }
      ActivateLocked(ev, EV_SIGNAL, calls);
    }
  }
}

template <typename F>
void EventBase::RunOneMessage(const void* what, F&& run) {
  ++stats_.messages_run;
  struct Scope {
    EventBase* base;
    std::uint64_t began = 0;
    explicit Scope(EventBase* b) : base(b) { base->lock_.Unlock(); }
    ~Scope() {
      base->lock_.Lock();
      if (began != 0) base->EndTiming(began);
      base->AfterCallback();
    }
  } scope(this);
  if (timing_) scope.began = BeginTiming(what);
  run();
}

// `sent` is another core's counter: it may be a little ahead of ours.
void EventBase::NoteMailDelay(std::uint64_t sent) {
  const std::uint64_t now = Cycles();
  stats_.mail_delay_ns.Add(now > sent ? NanosecondsOf(now - sent) : 0);
}

int EventBase::RunMessages() {
  int ran = 0;
  while (ControlNode* node = message_nodes_) {
    message_nodes_ = node->next;
    if (message_nodes_ == nullptr) last_message_node_ = &message_nodes_;
    ++ran;
    RunOneMessage(reinterpret_cast<const void*>(node->run),
                  [node] { node->run(node, false); });
  }
  MessageLane* lane = mailbox_->messages_if_any();
  if (lane == nullptr) return ran;
  // Up to a mark, so that mail cannot starve I/O: what came meanwhile waits
  // for the next turn. And no more than this many, so that a flood cannot make
  // turns longer and longer.
  constexpr std::size_t kMostInATurn = 1024;
  const std::size_t found = lane->SizeApprox();
  if (timing_ && found != 0) stats_.mail_depth.Add(found);
  std::size_t left = std::min(found, kMostInATurn);
  for (;;) {
    if (inbox_at_ == inbox_end_) {
      inbox_at_ = inbox_end_ = 0;
      if (left == 0) break;
      const std::size_t n = lane->Dequeue(inbox_, std::min(left, kInbox));
      if (n == 0) break;
      mailbox_->CountOut(n);
      inbox_end_ = n;
      left -= n;
    }
    Message message = std::move(inbox_[inbox_at_++]);
    ++ran;
    if (timing_ && message.sent() != 0) NoteMailDelay(message.sent());
    RunOneMessage(message.identity(), [&message] { message.Run(); });
    if (break_ || stop_ || mailbox_->HasControlBits()) break;
  }
  if (inbox_at_ != inbox_end_ || lane->SizeApprox() != 0) {
    ++stats_.mail_left;
    mail_taken_ = true;
  }
  return ran;
}

void EventBase::ApplyControl(std::uint32_t bits) {
  if (bits == 0) return;
  if (bits & kControlBreak) break_ = true;
  if (bits & kControlContinue) continue_ = true;
  if (bits & kControlExit) exit_ = true;
  if (bits & kControlStop) stop_ = true;
}

// --- Loop control -----------------------------------------------------------

void EventBase::LoopBreak() {
  if (OnOwner()) {
    break_ = true;
  } else {
    mailbox_->SetControl(kControlBreak);
  }
}

void EventBase::LoopContinue() {
  if (OnOwner()) {
    continue_ = true;
  } else {
    mailbox_->SetControl(kControlContinue);
  }
}

void EventBase::RequestStop() { mailbox_->SetControl(kControlStop); }

bool EventBase::GotExit() {
  Entrance entrance(this);
  return exit_;
}

bool EventBase::GotBreak() {
  Entrance entrance(this);
  if (MayDrain()) ApplyControl(mailbox_->TakeControlBits());
  return break_;
}

namespace {

void SetFlagCallback(evutil_socket_t, short, void* arg) {
  *static_cast<bool*>(arg) = true;
}

}  // namespace

int EventBase::LoopExit(const timeval* after) {
  return Once(-1, EV_TIMEOUT, &SetFlagCallback, &exit_, after);
}

// --- Once -------------------------------------------------------------------

struct EventBase::OnceEvent : ControlNode {
  event ev;
  EventBase* base;
  event_callback_fn callback;
  void* arg;
  std::int64_t deadline_ns;  // negative: none
  bool at_once;
  bool is_timer;  // ev is assigned as a timer of this base
  OnceEvent* next_once;
  OnceEvent** previous_once;

  void Unlink() {
    if (next_once != nullptr) next_once->previous_once = previous_once;
    *previous_once = next_once;
  }
};

void EventBase::LinkOnce(OnceEvent* once) {
  once->next_once = once_events_;
  once->previous_once = &once_events_;
  if (once_events_ != nullptr) once_events_->previous_once = &once->next_once;
  once_events_ = once;
}

// Some are kept, as many as a burst may need, so that a program that lives on
// them allocates nothing. The spare ones belong to the owner (to the lock's
// holder in a shared base).
EventBase::OnceEvent* EventBase::NewOnce(bool mine) {
  if (mine) {
    BaseLockGuard guard(&lock_);
    if (OnceEvent* spare = spare_once_) {
      spare_once_ = spare->next_once;
      --spare_once_count_;
      return spare;
    }
  }
  return MemNew<OnceEvent>();
}

void EventBase::DeleteOnce(OnceEvent* once) {
  constexpr int kMostSpare = 1024;
  DebugForget(&once->ev);
  if (spare_once_count_ == kMostSpare) {
    MemDelete(once);
    return;
  }
  once->next_once = spare_once_;
  spare_once_ = once;
  ++spare_once_count_;
}

void EventBase::RunOnceEvent(evutil_socket_t fd, short what, void* arg) {
  // Freed after the callback, which may ask for the running event.
  struct Scope {
    OnceEvent* once;
    ~Scope() {
      BaseLockGuard guard(&once->base->lock_);
      once->base->DeleteOnce(once);
    }
  } scope{static_cast<OnceEvent*>(arg)};
  {
    BaseLockGuard guard(&scope.once->base->lock_);
    scope.once->Unlink();
  }
  scope.once->callback(fd, what, scope.once->arg);
}

namespace {

// What the owner's event_add would refuse, as far as it can be known here:
// a foreign thread gets it as an answer and not as a line in the log.
int CheckWatchable(const Backend& backend, evutil_socket_t fd) {
  if (fd < 0) return 0;
  if (fcntl(fd, F_GETFL) < 0) return errno;
  if (backend.features() & kFeatureAnyFd) return 0;
  struct stat status;
  if (fstat(fd, &status) != 0) return errno;
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? EPERM : 0;
}

}  // namespace

int EventBase::Once(evutil_socket_t fd, short events,
                    event_callback_fn callback, void* arg,
                    const timeval* timeout) {
  constexpr short kIo = EV_READ | EV_WRITE | EV_CLOSED;
  if (events & (EV_SIGNAL | EV_PERSIST)) return -1;
  const bool timer = (events & (EV_TIMEOUT | kIo)) == EV_TIMEOUT;
  if (!timer && !(events & kIo)) return -1;
  const bool at_once =
      timer && (timeout == nullptr || !evutil_timerisset(timeout));
  const bool on_owner = OnOwner();
  if (at_once && on_owner && plain_) return OnceNow(callback, arg);
  const bool mine = on_owner || shared();
  OnceEvent* once = NewOnce(mine);
  if (once == nullptr) return -1;
  once->next = nullptr;
  once->is_message = false;
  once->run = &RunOnceNode;
  once->base = this;
  once->callback = callback;
  once->arg = arg;
  once->deadline_ns = -1;
  once->at_once = at_once;
  once->is_timer = timer;
  if (timer) {
    Assign(&once->ev, this, -1, 0, &RunOnceEvent, once);
  } else {
    Assign(&once->ev, this, fd, static_cast<short>(events & (kIo | EV_ET)),
           &RunOnceEvent, once);
  }
  if (!mine && !timer) {
    const int error = CheckWatchable(*backend_, fd);
    if (error != 0) {
      MemDelete(once);
      errno = error;
      return -1;
    }
  }
  if (timeout != nullptr && !once->at_once) {
    const std::int64_t now = on_owner ? NowNs() : ReadClock();
    once->deadline_ns = std::max<std::int64_t>(now + IntervalOf(*timeout), 0);
  }
  if (mine) {
    Entrance entrance(this);
    if (SubmitOnce(once) == 0) {
      WakeIfForeign();
      return 0;
    }
    const int error = errno;
    DebugForget(&once->ev);
    MemDelete(once);
    errno = error;
    return -1;
  }
  if (mailbox_->SendControl(once)) return 0;
  DebugForget(&once->ev);
  MemDelete(once);
  return -1;
}

// A call from the loop that runs, to be called back in this turn: no clock, no
// lock, and a spare event that is ready as it is.
int EventBase::OnceNow(event_callback_fn callback, void* arg) {
  OnceEvent* once = NewOnce(/*mine=*/true);
  if (once == nullptr) return -1;
  if (!once->is_timer) {
    once->base = this;
    Assign(&once->ev, this, -1, 0, &RunOnceEvent, once);
    once->is_timer = true;
  }
  once->ev.ev_evcallback.evcb_pri = static_cast<ev_uint8_t>(priorities() / 2);
  once->callback = callback;
  once->arg = arg;
  LinkOnce(once);
  ActivateInline(&once->ev, EV_TIMEOUT, 1, /*plain=*/true);
  return 0;
}

int EventBase::SubmitOnce(OnceEvent* once) {
  LinkOnce(once);
  if (once->at_once) {
    ActivateLocked(&once->ev, EV_TIMEOUT, 1);
    return 0;
  }
  const bool timed = once->deadline_ns >= 0;
  if (once->ev.ev_events != 0 &&
      AddInline(&once->ev, nullptr, /*plain=*/false) != 0) {
    once->Unlink();
    return -1;
  }
  if (timed) AddDeadline(&once->ev, once->deadline_ns);
  return 0;
}

void EventBase::RunOnceNode(ControlNode* node, bool closed) {
  auto* once = static_cast<OnceEvent*>(node);
  EventBase* base = once->base;
  if (!closed && base->SubmitOnce(once) == 0) return;
  if (!closed) {
    ++base->stats_.once_failures;
    LogWarn("an event_base_once of another thread cannot be watched");
  }
  DebugForget(&once->ev);
  MemDelete(once);
}

void EventBase::FreeOnceEvents() {
  while (OnceEvent* spare = spare_once_) {
    spare_once_ = spare->next_once;
    MemDelete(spare);
  }
  while (OnceEvent* once = once_events_) {
    once_events_ = once->next_once;
    DebugForget(&once->ev);
    MemDelete(once);
  }
}

}  // namespace percore
