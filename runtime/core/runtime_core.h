// The engine of a runtime: one loop on each core, its threads, and how they
// stop. Runtime (runtime.h) is the C++ door to it and <percore/percore.h> the
// C one; errors here are errno values.
//
//   kStopped --Start--> kRunning --Stop/Drain--> kQuiescing --> kStopped
//
// Stop has two phases. First every service is told on every core, accepts
// nothing new and finishes or refuses what is under way; when all have said
// so (or the deadline is over) every shard is destroyed on its own core, and
// only then the loops end. A call between cores can therefore never reach a
// dead object.
#ifndef PERCORE_RUNTIME_CORE_RUNTIME_CORE_H_
#define PERCORE_RUNTIME_CORE_RUNTIME_CORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "percore/runtime/core/task_context.h"
#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/mailbox/message.h"
#include "percore/runtime/sync/mutex.h"
#include "percore/runtime/system/executor.h"
#include "percore/runtime/system/mem_allocator.h"

namespace percore {

struct RuntimeOptions {
  // Loops; 0: Topology::UsableCores(). More than there are processors is
  // allowed (two loops then share one).
  int cores = 0;
  // Bind each thread to its processor. Off by itself under a CPU quota.
  bool pin = true;
  // Threads are named "<name>/<core>", cut to the system's 15 characters.
  std::string name = "percore";
  // Backend by name; empty: the order of preference.
  std::string method;
  // Most messages waiting in one mailbox; 0: no bound.
  std::uint64_t mailbox_bound = 0;
  // Time callbacks and waits (LoopStats).
  bool timing = false;
  // A callback that runs longer is reported with its function and stack;
  // 0: no stall detector. Implies timing. Borrows SIGURG for the moment of a
  // report: a handler of the program's gets its signals all the same, but must
  // not be changed in that moment, and a loop's thread must not block SIGURG
  // (then there is no stack).
  std::int64_t stall_ns = 0;
  // How long Drain waits for services to quiesce.
  std::int64_t drain_deadline_ns = 10'000'000'000;
  // Run() drains on SIGINT and SIGTERM.
  bool handle_signals = true;
  // Signals that the runtime blocks in its threads before they start.
  std::vector<int> blocked_signals;
  // Tests: the order of what is unordered, and time. See BaseConfig.
  std::uint64_t shuffle_seed = 0;
  Clock* clock = nullptr;
  // Tests: who runs the cores instead of threads (sim::World); null: threads.
  // Brings its own clock, backend and seeds; nothing is pinned, named or
  // watched for stalls. Everything of the runtime then belongs to the
  // executor's thread. Borrowed, and outlives the runtime.
  Executor* executor = nullptr;
};

// Something with a part on each core that must end in two phases. The calls
// come on that core's thread.
class Service {
 public:
  virtual ~Service() = default;
  // Accept nothing new. Call `done` on this core when nothing is under way
  // any more; it may be called at once.
  virtual void Quiesce(int core, std::function<void()> done) = 0;
  // Destroy this core's part. Nothing of any service is called afterwards.
  virtual void Destroy(int core) = 0;
};

class RuntimeCore {
 public:
  // Stopped, with a base for each core. Null with errno set, ENOMEM too.
  static std::unique_ptr<RuntimeCore> Create(const RuntimeOptions& options);
  // Stops and joins. Not on a core.
  ~RuntimeCore();

  int cores() const { return static_cast<int>(cores_.size()); }
  EventBase* base(int core) { return cores_[Index(core)]->base; }
  // The processor that a core's thread is bound to; -1: to none. Any thread.
  int cpu(int core) const {
    return options_.pin ? cores_[Index(core)]->cpu : -1;
  }
  Mailbox* mailbox(int core) { return cores_[Index(core)]->mailbox.get(); }
  const RuntimeOptions& options() const { return options_; }

  // Starts the threads; returns when every loop runs. 0, EALREADY, ENOMEM, or
  // what pthread_create said (then none runs).
  int Start();
  bool running() const { return running_.load(std::memory_order_acquire); }

  // Two-phase stop. True if all services had quiesced by the deadline. Waits;
  // not on a core. Idempotent.
  bool Drain(std::int64_t deadline_ns);

  // Waits until the loops have ended by themselves (their bases were told to
  // stop); services stay. Not on a core.
  void Join();

  // Asks for a Drain by whoever is in Run(), or for the loops' end when
  // nobody is. Any thread, a core too; async-signal-safe.
  void RequestStop();

  // Starts if need be, waits for RequestStop or (handle_signals) SIGINT or
  // SIGTERM, drains. 0, or an errno value. Not on a core.
  int Run();

  // The core of this runtime that the caller is on, or -1. Any thread.
  int CurrentCore() const;
  // The runtime that the caller is on a core of, or null. Any thread.
  static RuntimeCore* Current();

  // The coroutines of a core that nobody awaits. That core, or any one thread
  // while the runtime does not run.
  CoreScope* scope(int core) { return &cores_[Index(core)]->scope; }

  // Runs fn(core, done) on every core and waits until each has called its
  // `done`, at most `deadline_ns`: then false. Takes no room in a bounded
  // mailbox. The runtime runs; not on a core.
  bool OnEveryCore(const std::function<void(int, std::function<void()>)>& fn,
                   std::int64_t deadline_ns);

  // Blocks the caller, who holds `mutex` and is no core, until `done` is true:
  // asked with the mutex held, now and whenever `changed` was told. At most
  // `wait_ns`; the last answer. Under an executor others run meanwhile.
  bool Await(Mutex* mutex, CondVar* changed, std::int64_t wait_ns,
             const std::function<bool()>& done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Keeps `object` until the runtime is destroyed and its mailboxes are
  // empty: for what late mail may still point to. Any thread.
  void KeepUntilEnd(std::shared_ptr<void> object);

  // Any thread. See Mailbox::Send.
  SendResult Post(int core, Message message) {
    return mailbox(core)->Send(std::move(message));
  }

  // Services quiesce in the order of registration and are destroyed in the
  // reverse one. Any thread that is not a core.
  void Register(Service* service);
  // Quiesces and destroys this one alone if the runtime is running.
  void Unregister(Service* service);

  // A snapshot of each loop's counters. Waits for the loops; not on a core.
  // A loop that does not answer within a second is left zero.
  std::vector<LoopStats> Stats();

  // Callbacks seen running longer than stall_ns so far.
  std::uint64_t stalls() const {
    return stalls_.load(std::memory_order_relaxed);
  }

 private:
  struct Core {
    int index = 0;
    int cpu = -1;
    RuntimeCore* runtime = nullptr;
    EventBase* base = nullptr;
    MailboxRef mailbox;
    CoreScope scope;
    std::thread thread;
    PERCORE_IN_REPLACEABLE_MEMORY;
  };
  template <typename T>
  using Vector = std::vector<T, MemAllocator<T>>;

  explicit RuntimeCore(const RuntimeOptions& options) : options_(options) {}
  std::size_t Index(int core) const { return static_cast<std::size_t>(core); }
  int Init();
  template <typename... Args>
  static int StartThread(std::thread* thread, Args&&... args);
  void SetUp(BaseConfig* config) const;
  void CoreMain(Core* core);
  int StartCore(Core* core);
  void JoinAll();
  int Unstart(int error);
  std::int64_t NowNs() const;
  void EndTasks();
  void DestroyServices(std::span<Service* const> services);
  void WatchForStalls();

  RuntimeOptions options_;
  Vector<std::unique_ptr<Core>> cores_;
  std::atomic<bool> running_{false};
  std::atomic<bool> stop_requested_{false};
  std::atomic<EventBase*> control_{nullptr};
  std::uint32_t fork_generation_ = 0;
  Mutex mutex_;
  CondVar changed_;
  Vector<Service*> services_ ABSL_GUARDED_BY(mutex_);
  Vector<std::shared_ptr<void>> kept_ ABSL_GUARDED_BY(mutex_);
  int started_ ABSL_GUARDED_BY(mutex_) = 0;
  // The watcher and what wakes it.
  struct Watch : StallWatch {
    RuntimeCore* runtime = nullptr;
  };
  bool LookForStalls(std::vector<std::uint64_t>* reported);

  Watch watch_;
  std::thread watcher_;
  bool watcher_stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<std::uint64_t> stalls_{0};

 public:
  PERCORE_IN_REPLACEABLE_MEMORY;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_RUNTIME_CORE_H_
