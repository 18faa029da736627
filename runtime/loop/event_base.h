// EventBase: one event loop.
//
// It works on `struct event` (event2/event_struct.h), an intrusive node that
// the program embeds or that event_new allocated; it allocates nothing for an
// event of its own. `struct event_base` of the C door is this class.
//
// One turn (DESIGN.md, "The core: one loop"):
//   mail -> prepare watchers -> flush interest -> sleep in the backend ->
//   check watchers -> mail, ready descriptors, due timers into the active
//   queues -> callbacks, most urgent priority first.
//
// Threads. An owned base (no lock) belongs to the thread that is inside
// Loop(); outside of it any one thread may call, and the caller orders the
// hand-over. A shared base is locked, the lock dropped around callbacks and
// the wait. In both modes Activate, LoopBreak, LoopContinue, LoopExit and Once
// come from any thread through the mailbox. "Owner." below means: the thread
// inside Loop(), or any one thread while nobody is, or any thread of a shared
// base.
//
// Errors are libevent's: -1 (and errno where the system gave one).
#ifndef PERCORE_RUNTIME_LOOP_EVENT_BASE_H_
#define PERCORE_RUNTIME_LOOP_EVENT_BASE_H_

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/watch.h>
#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <cstdio>

#include "percore/runtime/backend/backend.h"
#include "percore/runtime/loop/active_queue.h"
#include "percore/runtime/loop/base_config.h"
#include "percore/runtime/loop/fd_table.h"
#include "percore/runtime/loop/loop_stats.h"
#include "percore/runtime/mailbox/mailbox.h"
#include "percore/runtime/mailbox/outbox.h"
#include "percore/runtime/observe/debug_table.h"
#include "percore/runtime/sync/base_lock.h"
#include "percore/runtime/system/clock.h"
#include "percore/runtime/timer/timer_queue.h"

// A watcher of <event2/watch.h>.
struct evwatch {
  event_base* base;
  evwatch* next;
  evwatch** previous;
  union {
    evwatch_prepare_cb prepare;
    evwatch_check_cb check;
  } callback;
  void* arg;
};

struct evwatch_prepare_cb_info {
  std::int64_t timeout_ns;  // negative: none
};

struct evwatch_check_cb_info {
  int unused;
};

namespace percore {

// What evcb_closure says (the values are observable, see the ABI notes).
enum Closure : std::uint8_t {
  kClosureEvent = 0,
  kClosureSignal = 1,
  kClosurePersist = 2,
  kClosureSelf = 3,
  kClosureFinalize = 4,
  kClosureEventFinalize = 5,
  kClosureEventFinalizeFree = 6,
};

enum class DelWait {
  kUnlessFinalize,  // event_del
  kNever,           // event_del_noblock
  kAlways,          // event_del_block
};

// What event_self_cbarg returns: an address in the process's one state, so that
// two copies of the code agree.
inline void* SelfArgument() { return &percore_state; }

class EventBase {
 public:
  // Null with a warning: no backend fits, or no memory or descriptors.
  static EventBase* Create(const BaseConfig* config);

  // Not from a callback of this base. User events are un-inserted, never
  // freed; once-events are freed.
  void Free(bool run_finalizers);

  // In the child of a fork: new kernel objects for everything. 0, or -1 when
  // some descriptor could not be watched again.
  int Reinit();

  static EventBase* From(event_base* base) {
    return reinterpret_cast<EventBase*>(base);
  }
  static const EventBase* From(const event_base* base) {
    return reinterpret_cast<const EventBase*>(base);
  }
  event_base* c() { return reinterpret_cast<event_base*>(this); }

  // --- Events (event_base_events.cc). Owner. ------------------------------

  // event_assign. Any thread that may touch the event.
  static int Assign(event* ev, EventBase* base, evutil_socket_t fd,
                    short events, event_callback_fn callback, void* arg);
  int Add(event* ev, const timeval* timeout);
  // As Add, with the first expiry at `deadline_ns` (of Deadline, on any base)
  // instead of `timeout` from now. For events that change bases.
  int AddUntil(event* ev, const timeval& timeout, std::int64_t deadline_ns);
  // When the pending timeout of `ev` is due; TimerQueue::kNever: it has none.
  std::int64_t Deadline(const event* ev) const {
    return ev->ev_evcallback.evcb_flags & EVLIST_TIMEOUT
               ? TimerQueue::Deadline(ev)
               : TimerQueue::kNever;
  }
  int Del(event* ev, DelWait wait);
  int RemoveTimer(event* ev);
  int Pending(const event* ev, short events, timeval* when);
  int SetPriority(event* ev, int priority);
  // event_base_set; `this` is the new base.
  int Adopt(event* ev);
  int Finalize(event* ev, event_finalize_callback_fn callback, bool free);
  void ActivateFd(evutil_socket_t fd, short events);
  void ActivateSignal(int number);

  // Any thread, and async-signal-safe when that is not the owner.
  void Activate(event* ev, int result, short ncalls);
  // Any thread.
  int Once(evutil_socket_t fd, short events, event_callback_fn callback,
           void* arg, const timeval* timeout);

  // --- The loop (event_base_loop.cc). -------------------------------------

  // As event_base_loop. An exception from a callback passes through; the base
  // is not running afterwards.
  int Loop(int flags);
  // Any thread.
  int LoopExit(const timeval* after);
  void LoopBreak();
  void LoopContinue();
  // As LoopBreak, but an entry into the loop does not forget it. Any thread.
  void RequestStop();
  bool GotExit();
  bool GotBreak();
  // True on the thread (the core, under sim) that is inside Loop().
  bool OnOwner() const {
    return owner_.load(std::memory_order_relaxed) == ExecutorId();
  }
  // Who that is: a thread's id, or a core's under sim; 0: nobody.
  std::uintptr_t owner() const {
    return owner_.load(std::memory_order_relaxed);
  }
  bool running() const { return running_; }
  // As running(). Any thread.
  bool Runs() const { return owner() != 0; }
  bool RunsElsewhere() const {
    const std::uintptr_t who = owner();
    return who != 0 && who != ExecutorId();
  }
  // Turns begun so far. Owner.
  std::uint64_t turn() const { return stats_.turns; }

  int SetPriorities(int n);
  int priorities() const { return static_cast<int>(queues_.size()); }

  // Callbacks that are no events: deferred work of net. Owner. The callback
  // stays the caller's; it is linked while scheduled.
  void InitCallback(event_callback* cb, int priority,
                    void (*run)(event_callback*, void*), void* arg);
  // True if it was not scheduled before. After more than 32 in one turn it
  // waits for the next.
  bool ScheduleCallback(event_callback* cb);
  // As ScheduleCallback, without that limit: for what only ends a turn's work,
  // as the writes of streams. Not in turn number `not_in`.
  bool ScheduleAtEndOfTurn(event_callback* cb, std::uint64_t not_in);
  // True if it was scheduled.
  bool CancelCallback(event_callback* cb);
  // Runs `run` once when this pass over the active callbacks ends, or the loop
  // does; in Free at the latest. For the release of what callbacks may still
  // have in their hands. Owner, while the loop runs; the memory is given up.
  void RunAtEndOfPass(event_callback* cb, void (*run)(event_callback*, void*),
                      void* arg);
  // Those; the loop's own.
  void RunPassEnd();
  // Runs `run` once from the loop after everything now queued at its priority.
  void FinalizeCallback(event_callback* cb,
                        void (*run)(event_callback*, void*));

  evwatch* AddPrepareWatcher(evwatch_prepare_cb callback, void* arg);
  evwatch* AddCheckWatcher(evwatch_check_cb callback, void* arg);
  static void FreeWatcher(evwatch* watcher);

  // --- Time (event_base_time.cc). Owner. ----------------------------------

  // Cached for the turn while callbacks run.
  std::int64_t NowNs() const { return time_cached_ ? now_ns_ : ReadClock(); }
  // The clock itself.
  std::int64_t ReadClock() const {
    return clock_ == nullptr ? RealMonotonicNs() : clock_->MonotonicNs();
  }
  int CachedTimeOfDay(timeval* tv);
  int UpdateCachedTime();
  const timeval* CommonTimeout(const timeval* duration);

  // --- Inspection (event_base_inspect.cc). Owner. -------------------------

  int CountEvents(unsigned which);
  int MaxEvents(unsigned which, bool clear);
  int ForEach(event_base_foreach_event_cb fn, void* arg);
  void Dump(std::FILE* out);
  event* RunningEvent() const;
  const Backend* backend() const { return backend_; }
  const char* signal_method() const;
  LoopStats Stats();

  // --- Mail. --------------------------------------------------------------

  Mailbox* mailbox() { return mailbox_; }
  Outboxes* outboxes() { return &outboxes_; }
  bool shared() const { return lock_.exists(); }
  BaseLock* lock() { return &lock_; }

  // Sends what is due for `fd` to the backend before it is closed. Owner.
  void FlushFd(int fd);

  // Time each callback and each wait, for Stats and the stall detector.
  void SetTiming(bool on) {
    timing_ = on;
    mailbox_->SetTimed(on);
  }
  LoopProgress* progress() { return &progress_; }

  // sim: who runs on this thread just now; the core that `current` names.
  void SetExecutor(const std::uintptr_t* current) { executor_ = current; }

 private:
  friend class Turn;
  template <typename T, typename... Args>
  friend T* MemNewAligned(Args&&...) noexcept;
  template <typename T>
  friend void MemDeleteAligned(T*) noexcept;

  struct OnceEvent;
  // The lock, the fork check, and mail that others' calls must see.
  class Entrance {
   public:
    explicit Entrance(EventBase* base) : base_(base) {
      base->CheckFork();
      base->lock_.Lock();
      // What returned before must be visible to this call.
      if (base->mailbox_->gate().HasMail()) [[unlikely]] {
        base->CatchUpWithMail();
      }
    }
    ~Entrance() { base_->lock_.Unlock(); }
    Entrance(const Entrance&) = delete;
    Entrance& operator=(const Entrance&) = delete;

   private:
    EventBase* base_;
  };

  // Whether a call may do its work without an Entrance.
  bool Plain() const {
    return plain_ && fork_generation_ == ForkGeneration() &&
           !mailbox_->gate().HasMail();
  }

  EventBase() = default;
  ~EventBase() = default;

  bool Init(const BaseConfig& config);
  Backend* ChooseBackend(const BaseConfig& config);
  // Who runs on this thread: the thread, or what `sim` or the program says.
  std::uintptr_t ExecutorId() const {
    if (executor_ != nullptr || thread_id_ != nullptr) [[unlikely]] {
      return UnusualExecutorId();
    }
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
    // The value of pthread_self(), without a call.
    return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
#else
    return static_cast<std::uintptr_t>(pthread_self());
#endif
  }
  std::uintptr_t UnusualExecutorId() const;
  void CatchUpWithMail();
  int ResizeQueues(int n);
  void Disown(event* ev);

  int AddInline(event* ev, const timeval* timeout, bool plain);
  void AddDeadline(event* ev, std::int64_t deadline_ns);
  void DelInline(event* ev, bool plain);
  void DelLocked(event* ev);
  void ActivateInline(event* ev, int result, short ncalls, bool plain);
  void AwaitCallbackEnd(event* ev);
  void ActivateLocked(event* ev, int result, short ncalls);
  int InsertWatch(event* ev);
  void RemoveWatch(event* ev);
  int FinalizeLocked(event* ev, event_finalize_callback_fn callback, bool free);
  std::int64_t IntervalOf(const timeval& timeout) const;
  std::int64_t UnusualIntervalOf(const timeval& timeout) const;

  void QueueActive(event_callback* cb);
  void UnqueueActive(event_callback* cb);
  void QueueLater(event_callback* cb);
  void UnqueueLater(event_callback* cb);
  void MoveLaterToActive();
  void CountAdded(const event_callback* cb, int by);
  void CountActive(const event_callback* cb, int by);
  bool HaveEvents() const { return added_ > 0; }

  int RunTurns(int flags);
  bool NothingCame();
  std::int64_t WaitTimeout(int flags);
  void WatchPrepare(std::int64_t timeout_ns);
  void WatchCheck();
  int WaitOnce(std::int64_t timeout_ns);
  void TakeReady();
  void RecoverFromLost(int fd);
  bool RebuildBackend();
  void ExpireTimers();
  int ProcessActive();
  int ProcessQueue(ActiveQueue* queue, int limit, std::int64_t until_ns);
  void RunCallback(event_callback* cb);
  void RunEvent(event* ev);
  void RunFinalizer(event* ev);
  void ShuffleReady();
  bool BreakRequested();
  std::uint64_t BeginTiming(const void* what);
  void EndTiming(std::uint64_t began);
  void RunSignalEvent(event* ev);
  void RunPersistentEvent(event* ev);
  void AfterCallback();

  void DrainMail(int* ran);
  void DrainActivations();
  void DrainControl();
  void DrainSignals();
  void ApplyControl(std::uint32_t bits);
  int RunMessages();
  void NoteMailDelay(std::uint64_t sent);
  template <typename F>
  void RunOneMessage(const void* what, F&& run);
  bool MayDrain() const { return shared() || !running_ || OnOwner(); }
  // A legitimate call from another thread than the one in the loop: only a
  // shared base has those.
  bool IsForeign() const { return shared() && running_ && !OnOwner(); }
  void WakeIfForeign() {
    if (IsForeign()) [[unlikely]]
      mailbox_->Nudge();
  }
  // In debug mode a call that only the owner may make is fatal elsewhere.
  void CheckOwner(const char* call, const event* ev) const {
    if (DebugModeOn()) [[unlikely]]
      RefuseForeigner(call, ev);
  }
  void RefuseForeigner(const char* call, const event* ev) const;
  void CheckFork() {
    if (fork_generation_ != ForkGeneration()) [[unlikely]]
      Reinit();
  }

  int OnceNow(event_callback_fn callback, void* arg);
  int SubmitOnce(OnceEvent* once);
  static void RunOnceNode(ControlNode* node, bool closed);
  static void RunOnceEvent(evutil_socket_t fd, short what, void* arg);
  void LinkOnce(OnceEvent* once);
  OnceEvent* NewOnce(bool mine);
  void DeleteOnce(OnceEvent* once);
  void FreeOnceEvents();
  void DropActive(bool run_finalizers);

  int WatchSignal(event* ev);
  void UnwatchSignal(event* ev);
  int UpdateSignalFd();
  static void ReadSignalFd(evutil_socket_t fd, short what, void* arg);

  template <typename F>
  int ForEachLocked(F&& fn);

  // Messages taken from the lane and not yet run (a break, an exception).
  static constexpr std::size_t kInbox = 16;

  // Hot: touched every turn.
  Backend* backend_ = nullptr;
  Mailbox* mailbox_ = nullptr;
  PodVector<ActiveQueue> queues_;
  ActiveQueue later_;
  ActiveQueue pass_end_;
  TimerQueue timers_;
  FdTable fds_;
  ReadyList ready_;
  Outboxes outboxes_;
  std::atomic<std::uintptr_t> owner_{0};
  const std::uintptr_t* executor_ = nullptr;
  unsigned long (*thread_id_)() = nullptr;  // a program's own, or null
  std::int64_t now_ns_ = 0;
  Clock* clock_ = nullptr;
  event_callback* current_ = nullptr;
  int remaining_calls_ = 0;  // of the running signal event
  int running_priority_ = -1;
  int active_ = 0;
  int added_ = 0;
  int deferred_queued_ = 0;
  bool running_ = false;
  bool time_cached_ = false;
  bool exit_ = false;
  bool break_ = false;
  bool continue_ = false;
  bool stop_ = false;
  bool mail_taken_ = false;
  bool timing_ = false;
  bool plain_ = false;  // no lock, and made without debug mode
  std::uint64_t changes_before_wait_ = 0;  // of fds_
  std::uint32_t fork_generation_ = 0;

  // Settings.
  int flags_ = 0;
  std::int64_t max_interval_ns_ = -1;
  int max_callbacks_ = 0x7fffffff;
  int limit_from_ = 1;
  BackendOptions backend_options_;
  const BackendKind* kind_ = nullptr;
  std::uint64_t shuffle_ = 0;

  BaseLock lock_;
  int current_waiters_ = 0;
  int active_max_ = 0;
  int added_max_ = 0;
  OnceEvent* once_events_ = nullptr;
  OnceEvent* spare_once_ = nullptr;  // kept for the next Once, a few
  int spare_once_count_ = 0;
  evwatch* prepare_watchers_ = nullptr;
  evwatch* check_watchers_ = nullptr;
  evwatch* next_watcher_ = nullptr;  // while they run
  event* signal_events_[kSignalNumbers] = {};
  int signal_fd_ = -1;
  event signal_fd_event_;
  PodVector<timeval*> common_timeouts_;
  std::int64_t wall_offset_ns_ = 0;
  std::int64_t wall_offset_read_ns_ = 0;
  ControlNode* message_nodes_ = nullptr;  // waiting for their turn
  ControlNode** last_message_node_ = &message_nodes_;
  std::size_t inbox_at_ = 0;
  std::size_t inbox_end_ = 0;
  Message inbox_[kInbox];
  LoopStats stats_;
  LoopProgress progress_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_LOOP_EVENT_BASE_H_
