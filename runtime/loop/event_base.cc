// A base: made, freed, re-made in the child of a fork.
#include "percore/runtime/loop/event_base.h"

#include <pthread.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "percore/runtime/loop/closing.h"
#include "percore/runtime/loop/event_base_inline.h"
#include "percore/runtime/loop/signal_registry.h"
#include "percore/runtime/observe/debug_table.h"
#include "percore/runtime/observe/log.h"

namespace percore {
namespace {

// The environment as far as a set-uid or set-gid process may trust it: not at
// all (semantics 6). Asked once for each base.
// The variables that a base heeds. One look tells that there are none, which
// is the rule; whether the process may trust them is asked only if there are.
class Environment {
 public:
  Environment() {
    for (char** entry = environ; entry != nullptr && *entry != nullptr;
         ++entry) {
      if (std::strncmp(*entry, "EVENT_", 6) != 0 &&
          std::strncmp(*entry, "PERCORE_", 8) != 0) {
        continue;
      }
      heeded_ = getuid() == geteuid() && getgid() == getegid();
      return;
    }
  }
  const char* Get(const char* name) const {
    return heeded_ ? std::getenv(name) : nullptr;
  }
  bool Has(const char* name) const { return Get(name) != nullptr; }

 private:
  bool heeded_ = false;
};

bool Disabled(const Environment& environment, const char* method) {
  char name[64] = "EVENT_NO";
  std::size_t n = std::strlen(name);
  for (const char* p = method; *p != '\0' && n + 1 < sizeof(name); ++p) {
    name[n++] = static_cast<char>(std::toupper(static_cast<unsigned char>(*p)));
  }
  name[n] = '\0';
  return environment.Has(name);
}

const BackendKind* FindKind(const char* name) {
  for (const BackendKind* kind = BackendKinds(); kind->name != nullptr;
       ++kind) {
    if (std::strcmp(kind->name, name) == 0) return kind;
  }
  return nullptr;
}

}  // namespace

std::uintptr_t EventBase::UnusualExecutorId() const {
  return executor_ != nullptr ? *executor_ : thread_id_();
}

void EventBase::CatchUpWithMail() {
  if (!MayDrain()) return;
  // Inside the loop the rest of the mail has its place in the turn.
  if (!running_) DrainControl();
  if (mailbox_->HasActivations()) DrainActivations();
}

void EventBase::RefuseForeigner(const char* call, const event* ev) const {
  if (shared() || !running_ || OnOwner()) return;
  LogErrx(1,
          "%s: event %p belongs to base %p, which another thread is running "
          "and owns; use event_active or post to the base instead",
          call, static_cast<const void*>(ev), static_cast<const void*>(this));
}

EventBase* EventBase::Create(const BaseConfig* config) {
  DebugModeTooLate();
  InstallForkHandler();
  InstallCloseObserver();
  static const BaseConfig kDefault;
  auto* base = MemNewAligned<EventBase>();
  if (base == nullptr) {
    LogWarn("event_base_new");
    return nullptr;
  }
  if (base->Init(config == nullptr ? kDefault : *config)) return base;
  const int error = errno;
  base->Free(false);
  errno = error;
  return nullptr;
}

bool EventBase::Init(const BaseConfig& config) {
  later_.Init();
  pass_end_.Init();
  flags_ = config.flags;
  fork_generation_ = ForkGeneration();
  max_interval_ns_ = config.max_dispatch_interval_ns;
  max_callbacks_ = config.max_dispatch_callbacks;
  limit_from_ = config.limit_priorities_from;
  if (max_interval_ns_ < 0 && max_callbacks_ == 0x7fffffff) {
    limit_from_ = 0x7fffffff;  // semantics 1.5: nothing is checked
  }
  clock_ = config.clock;
  shuffle_ = config.shuffle_seed;
  const Environment environment;
  if (!(flags_ & EVENT_BASE_FLAG_IGNORE_ENV)) {
    if (environment.Has("EVENT_PRECISE_TIMER")) {
      flags_ |= EVENT_BASE_FLAG_PRECISE_TIMER;
    }
    if (environment.Has("EVENT_EPOLL_USE_CHANGELIST")) {
      flags_ |= EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST;
    }
    if (environment.Has("EVENT_USE_SIGNALFD")) {
      flags_ |= EVENT_BASE_FLAG_USE_SIGNALFD;
    }
  }
  if (!config.owned && !(flags_ & EVENT_BASE_FLAG_NOLOCK) && !lock_.Create()) {
    LogWarn("event_base_new: no memory for the lock");
    return false;
  }
  if (State().thread_id_fn != nullptr && !State().locks_are_pthreads) {
    thread_id_ = State().thread_id_fn;
  }
  if (lock_.exists()) {
    State().lockable_objects_exist.store(true, std::memory_order_relaxed);
  }
  plain_ = !lock_.exists() && !DebugModeOn();
  backend_options_.precise_timer =
      (flags_ & EVENT_BASE_FLAG_PRECISE_TIMER) != 0;
  backend_options_.changelist_flag =
      (flags_ & EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) != 0;
  backend_options_.shared = lock_.exists();
  backend_options_.cancellable = !config.owned;
  mailbox_ = Mailbox::Create();
  if (mailbox_ == nullptr) {
    LogWarn("event_base_new: no memory for the mailbox");
    return false;
  }
  mailbox_->SetBound(config.mailbox_bound);
  mailbox_->SetShuffle(shuffle_);
  // So that a wait never fails for want of memory.
  if (!ready_.Reserve(32)) return false;
  if (ResizeQueues(1) != 0) return false;
  backend_ = ChooseBackend(config);
  if (backend_ == nullptr) return false;
  mailbox_->SetDoorbell(backend_);
  if (environment.Has("EVENT_SHOW_METHOD")) {
    LogMsgx("libevent using: %s", backend_->name());
  }
  return true;
}

Backend* EventBase::ChooseBackend(const BaseConfig& config) {
  if (config.backend != nullptr) {
    kind_ = config.backend;
    return kind_->create(backend_options_);
  }
  const Environment environment;
  const bool heeded = !(flags_ & EVENT_BASE_FLAG_IGNORE_ENV);
  const char* asked = config.method;
  if (asked == nullptr && heeded) asked = environment.Get("PERCORE_METHOD");
  bool tried = false;
  if (asked != nullptr) {
    const BackendKind* kind = FindKind(asked);
    if (kind == nullptr) {
      LogWarnx("event_base_new: there is no method \"%s\"", asked);
      errno = EINVAL;
      return nullptr;
    }
    kind_ = kind;
    Backend* backend = kind->create(backend_options_);
    if (backend == nullptr) LogWarn("event_base_new: %s is refused", asked);
    return backend;
  }
  for (const BackendKind* kind = BackendKinds(); kind->name != nullptr;
       ++kind) {
    if (!kind->implicit) continue;
    if (config.Avoids(kind->name)) continue;
    if ((kind->features & config.required_features) !=
        config.required_features) {
      continue;
    }
    if (heeded && Disabled(environment, kind->name)) continue;
    tried = true;
    kind_ = kind;
    Backend* backend = kind->create(backend_options_);
    if (backend != nullptr) return backend;
  }
  if (tried) {
    LogWarn("event_base_new: no event mechanism could be started");
  } else {
    LogWarnx("event_base_new: no event mechanism available");
    errno = ENOSYS;
  }
  return nullptr;
}

int EventBase::SetPriorities(int n) {
  Entrance entrance(this);
  return ResizeQueues(n);
}

int EventBase::ResizeQueues(int n) {
  if (active_ != 0 || n < 1 || n >= EVENT_MAX_PRIORITIES) return -1;
  if (n == priorities()) return 0;
  if (!queues_.Resize(static_cast<std::size_t>(n))) {
    LogWarn("event_base_priority_init: no memory");
    return -1;
  }
  for (ActiveQueue& queue : queues_) queue.Init();
  return 0;
}

void EventBase::Free(bool run_finalizers) {
  PERCORE_CHECK(!running_);
  event_base* self = c();
  State().current_base.compare_exchange_strong(self, nullptr);
  const bool ready = mailbox_ != nullptr && backend_ != nullptr;
  if (ready) {
    // What other threads had activated is cancelled with the rest.
    DrainActivations();
    // User events are let go, never freed; the library's own are theirs.
    for (std::size_t fd = 0; fd < fds_.size(); ++fd) {
      while (event* ev = fds_.First(static_cast<int>(fd))) Disown(ev);
    }
    for (event*& first : signal_events_) {
      while (first != nullptr) Disown(first);
    }
    while (event* ev = timers_.PopDue(INT64_MAX)) {
      ev->ev_evcallback.evcb_flags =
          static_cast<short>(ev->ev_evcallback.evcb_flags & ~EVLIST_TIMEOUT);
      Disown(ev);
    }
    DropActive(run_finalizers);
    RunPassEnd();
  }
  FreeOnceEvents();
  while (ControlNode* node = message_nodes_) {
    message_nodes_ = node->next;
    node->run(node, /*closed=*/true);
  }
  while (prepare_watchers_ != nullptr) FreeWatcher(prepare_watchers_);
  while (check_watchers_ != nullptr) FreeWatcher(check_watchers_);
  outboxes_.Flush();
  if (mailbox_ != nullptr) {
    mailbox_->Close();
    mailbox_->Unref();
  }
  if (signal_fd_ >= 0) close(signal_fd_);
  delete backend_;
  for (timeval* tv : common_timeouts_) MemFree(tv);
  lock_.Destroy();
  MemDeleteAligned(this);
  ReleasePools();
}

// Programs free an event after its base: it must not lead back here.
void EventBase::Disown(event* ev) {
  DelLocked(ev);
  ev->ev_base = nullptr;
}

// What is queued to run: finalizers run (several rounds, they may queue more),
// the rest is cancelled. The callback may free its event.
void EventBase::DropActive(bool run_finalizers) {
  for (int round = 0; active_ != 0 && round < 1000; ++round) {
    MoveLaterToActive();
    for (ActiveQueue& queue : queues_) {
      while (event_callback* cb = queue.first()) {
        UnqueueActive(cb);
        auto* ev = reinterpret_cast<event*>(cb);
        switch (cb->evcb_closure) {
          case kClosureFinalize:
            if (run_finalizers) {
              cb->evcb_cb_union.evcb_cbfinalize(cb, cb->evcb_arg);
            }
            break;
          case kClosureEventFinalize:
          case kClosureEventFinalizeFree: {
            const bool free = cb->evcb_closure == kClosureEventFinalizeFree;
            if (!run_finalizers) break;
            if (cb->evcb_cb_union.evcb_evfinalize != nullptr) {
              cb->evcb_cb_union.evcb_evfinalize(ev, cb->evcb_arg);
            }
            if (free) {
              DebugForget(ev);
              MemFree(ev);
            }
            break;
          }
          case kClosureEvent:
          case kClosureSignal:
          case kClosurePersist:
            ev->ev_base = nullptr;
            break;
          default:
            break;
        }
      }
    }
  }
}

int EventBase::Reinit() {
  // A child of a fork that only wants to be rid of the base never comes here.
  fork_generation_ = ForkGeneration();
  if (!lock_.Recreate()) LogErrx(1, "event_reinit: no memory for a lock");
  mailbox_->gate().ForgetOthers();
  if (running_) owner_.store(ExecutorId(), std::memory_order_relaxed);
  BaseLockGuard guard(&lock_);
  Backend* inherited = backend_;
  Backend* fresh = kind_->create(backend_options_);
  if (fresh == nullptr) {
    LogErr(1, "event_reinit: could not start the event mechanism again");
  }
  backend_ = fresh;
  mailbox_->SetDoorbell(fresh);
  delete inherited;  // closes this process's copies, and no more
  const int error = fds_.Rebuild(fresh);
  if (SignalRegistry* signals = SignalRegistry::Get()) {
    for (int number = 1; number < kSignalNumbers; ++number) {
      if (signal_events_[number] != nullptr) {
        signals->Adopt(number, mailbox_);
      }
    }
  }
  int signal_error = signal_fd_ >= 0 ? UpdateSignalFd() : 0;
  if (error == 0 && signal_error == 0) return 0;
  errno = error != 0 ? error : signal_error;
  LogWarn("event_reinit: some events could not be watched again");
  return -1;
}

bool EventBase::RebuildBackend() {
  Backend* fresh = kind_->create(backend_options_);
  if (fresh == nullptr) {
    LogWarn("no resources to start %s anew", backend_->name());
    return false;
  }
  ++stats_.backend_rebuilds;
  Backend* old = backend_;
  backend_ = fresh;
  mailbox_->SetDoorbell(fresh);
  delete old;
  const int error = fds_.Rebuild(fresh);
  if (error != 0) {
    errno = error;
    LogWarn("some events could not be watched anew");
  }
  return true;
}

void EventBase::FlushFd(int fd) {
  BaseLockGuard guard(&lock_);
  fds_.FlushFd(backend_, fd);
}

// --- Watchers
// -----------------------------------------------------------------

namespace {

evwatch* NewWatcher(EventBase* base, evwatch** head, void* arg) {
  auto* watcher = MemNew<evwatch>();
  if (watcher == nullptr) return nullptr;
  watcher->base = base->c();
  watcher->arg = arg;
  watcher->next = nullptr;
  while (*head != nullptr) head = &(*head)->next;  // in order of insertion
  watcher->previous = head;
  *head = watcher;
  return watcher;
}

}  // namespace

evwatch* EventBase::AddPrepareWatcher(evwatch_prepare_cb callback, void* arg) {
  Entrance entrance(this);
  evwatch* watcher = NewWatcher(this, &prepare_watchers_, arg);
  if (watcher != nullptr) watcher->callback.prepare = callback;
  return watcher;
}

evwatch* EventBase::AddCheckWatcher(evwatch_check_cb callback, void* arg) {
  Entrance entrance(this);
  evwatch* watcher = NewWatcher(this, &check_watchers_, arg);
  if (watcher != nullptr) watcher->callback.check = callback;
  return watcher;
}

void EventBase::FreeWatcher(evwatch* watcher) {
  EventBase* base = From(watcher->base);
  {
    BaseLockGuard guard(&base->lock_);
    // Safe from a watcher's callback too: the walk goes on with the next.
    if (base->next_watcher_ == watcher) base->next_watcher_ = watcher->next;
    *watcher->previous = watcher->next;
    if (watcher->next != nullptr) {
      watcher->next->previous = watcher->previous;
    }
  }
  MemDelete(watcher);
}

void EventBase::WatchPrepare(std::int64_t timeout_ns) {
  const evwatch_prepare_cb_info info{timeout_ns};
  for (evwatch* w = prepare_watchers_; w != nullptr; w = next_watcher_) {
    next_watcher_ = w->next;
    const auto run = w->callback.prepare;
    BaseLockDropped unlocked(&lock_);
    run(w, &info, w->arg);
  }
}

void EventBase::WatchCheck() {
  const evwatch_check_cb_info info{0};
  for (evwatch* w = check_watchers_; w != nullptr; w = next_watcher_) {
    next_watcher_ = w->next;
    const auto run = w->callback.check;
    BaseLockDropped unlocked(&lock_);
    run(w, &info, w->arg);
  }
}

}  // namespace percore
