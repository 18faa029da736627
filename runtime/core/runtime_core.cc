#include "percore/runtime/core/runtime_core.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <system_error>
#include <utility>

#include "percore/runtime/core/topology.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

constexpr std::int64_t kNoDeadline = INT64_MAX / 4;

void NameThread(const std::string& name) {
  // The system cuts at 15 characters and a NUL.
  prctl(PR_SET_NAME, name.substr(0, 15).c_str(), 0, 0, 0);
}

void PinThread(int cpu) {
  const int count = std::max(cpu + 1, 1024);
  cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(count));
  if (set == nullptr) return;
  const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(count));
  CPU_ZERO_S(size, set);
  CPU_SET_S(static_cast<std::size_t>(cpu), size, set);
  if (sched_setaffinity(0, size, set) != 0) {
    LogWarn("cannot bind a loop to processor %d", cpu);
  }
  CPU_FREE(set);
}

class SignalsBlocked {
 public:
  explicit SignalsBlocked(const std::vector<int>& signals) {
    sigset_t set;
    sigemptyset(&set);
    for (int number : signals) sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, &previous_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

 private:
  sigset_t previous_;
};

}  // namespace

std::unique_ptr<RuntimeCore> RuntimeCore::Create(
    const RuntimeOptions& options) {
  std::unique_ptr<RuntimeCore> runtime;
  int error;
  try {
    runtime.reset(new (std::nothrow) RuntimeCore(options));
    error = runtime == nullptr ? ENOMEM : runtime->Init();
  } catch (const std::exception&) {
    error = ENOMEM;  // containers
  }
  if (error == 0) return runtime;
  runtime.reset();
  errno = error;
  return nullptr;
}

int RuntimeCore::Init() {
  InstallForkHandler();
  fork_generation_ = ForkGeneration();
  watch_.runtime = this;
  watch_.wake = [](StallWatch* self) {
    RuntimeCore* runtime = static_cast<Watch*>(self)->runtime;
    // Under the mutex, so that the watcher is either waiting or still to look.
    MutexLock lock(&runtime->mutex_);
    runtime->changed_.SignalAll();
  };
  const Topology topology = ReadTopology();
  if (options_.cores < 0) return EINVAL;
  const int n = options_.cores != 0 ? options_.cores : topology.UsableCores();
  if (topology.HasQuota()) options_.pin = false;
  if (options_.executor != nullptr) {
    options_.clock = options_.executor->clock();
    options_.pin = false;
    options_.stall_ns = 0;
    if (options_.shuffle_seed == 0) {
      options_.shuffle_seed = options_.executor->NextShuffleSeed();
    }
  }
  BaseConfig config;
  SetUp(&config);
  config.mailbox_bound = options_.mailbox_bound;
  config.clock = options_.clock;
  if (!options_.method.empty() && !config.SetMethod(options_.method.c_str())) {
    return ENOMEM;
  }
  cores_.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    cores_.emplace_back(new (std::nothrow) Core);  // has room
    Core* core = cores_.back().get();
    if (core == nullptr) {
      cores_.pop_back();
      return ENOMEM;
    }
    core->runtime = this;
    core->index = i;
    core->cpu =
        topology.cpus[static_cast<std::size_t>(i) % topology.cpus.size()];
    if (options_.shuffle_seed != 0) {
      config.shuffle_seed = options_.shuffle_seed + static_cast<unsigned>(i);
    }
    errno = 0;
    core->base = EventBase::Create(&config);
    if (core->base == nullptr) return errno != 0 ? errno : ENOMEM;
    if (options_.executor != nullptr) {
      core->base->SetExecutor(options_.executor->current());
    }
    core->base->SetTiming(options_.timing || options_.stall_ns != 0);
    core->mailbox = MailboxRef(core->base->mailbox());
    if (options_.stall_ns != 0) core->base->progress()->watch = &watch_;
  }
  return 0;
}

void RuntimeCore::SetUp(BaseConfig* config) const {
  config->owned = true;
  if (options_.executor == nullptr) return;
  config->clock = options_.executor->clock();
  config->backend = options_.executor->backend();
}

RuntimeCore::~RuntimeCore() {
  Drain(options_.drain_deadline_ns);
  for (auto& core : cores_) {
    if (core->base != nullptr) core->base->Free(/*run_finalizers=*/true);
  }
}

int RuntimeCore::CurrentCore() const {
  return executor_locals.runtime == this ? executor_locals.core : -1;
}

RuntimeCore* RuntimeCore::Current() {
  return static_cast<RuntimeCore*>(const_cast<void*>(executor_locals.runtime));
}

bool RuntimeCore::Await(Mutex* mutex, CondVar* changed, std::int64_t wait_ns,
                        const std::function<bool()>& done) {
  if (options_.executor == nullptr) {
    const std::int64_t deadline = CondVar::DeadlineIn(wait_ns);
    while (!done()) {
      if (!changed->WaitUntil(mutex, deadline)) return done();
    }
    return true;
  }
  mutex->Unlock();
  const bool answer = options_.executor->RunUntil(wait_ns, [&] {
    MutexLock asking(mutex);
    return done();
  });
  mutex->Lock();
  return answer;
}

// For deadlines.
std::int64_t RuntimeCore::NowNs() const {
  return options_.executor == nullptr
             ? RealMonotonicNs()
             : options_.executor->clock()->MonotonicNs();
}

void RuntimeCore::KeepUntilEnd(std::shared_ptr<void> object) {
  MutexLock lock(&mutex_);
  kept_.push_back(std::move(object));
}

void RuntimeCore::CoreMain(Core* core) {
  executor_locals.runtime = this;
  executor_locals.core = core->index;
  {
    MutexLock lock(&mutex_);
    ++started_;
  }
  changed_.SignalAll();
  core->base->Loop(EVLOOP_NO_EXIT_ON_EMPTY);
  executor_locals.runtime = nullptr;
  executor_locals.core = -1;
  MutexLock lock(&mutex_);
  --started_;
}

int RuntimeCore::StartCore(Core* core) {
  if (options_.executor != nullptr) {
    return options_.executor->Start(
        [](void* arg) {
          auto* self = static_cast<Core*>(arg);
          self->runtime->CoreMain(self);
        },
        core);
  }
  return StartThread(&core->thread, [this, core] {
    NameThread(options_.name + "/" + std::to_string(core->index));
    if (options_.pin) PinThread(core->cpu);
    CoreMain(core);
  });
}

// std::thread reports failure only by throwing.
template <typename... Args>
int RuntimeCore::StartThread(std::thread* thread, Args&&... args) {
  try {
    *thread = std::thread(std::forward<Args>(args)...);
    return 0;
  } catch (const std::system_error& error) {
    return error.code().value();
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

int RuntimeCore::Start() {
  if (fork_generation_ != ForkGeneration()) return ENOTSUP;
  if (running_.exchange(true, std::memory_order_acq_rel)) return EALREADY;
  SignalsBlocked blocked(options_.blocked_signals);
  {
    MutexLock lock(&mutex_);
    started_ = 0;
  }
  for (auto& core : cores_) core->scope.Open();
  for (auto& core : cores_) {
    const int error = StartCore(core.get());
    if (error != 0) return Unstart(error);
  }
  {
    MutexLock lock(&mutex_);
    Await(&mutex_, &changed_, kNoDeadline,
          [this]()
              ABSL_NO_THREAD_SAFETY_ANALYSIS { return started_ == cores(); });
    watcher_stop_ = false;
  }
  if (options_.stall_ns != 0) {
    watch_.asleep.store(false, std::memory_order_relaxed);
    const int error =
        StartThread(&watcher_, &RuntimeCore::WatchForStalls, this);
    if (error != 0) return Unstart(error);
  }
  return 0;
}

// Some threads may run: ends them. Returns the error.
int RuntimeCore::Unstart(int error) {
  for (auto& core : cores_) {
    if (options_.executor != nullptr || core->thread.joinable()) {
      core->base->RequestStop();
    }
  }
  JoinAll();
  running_.store(false, std::memory_order_release);
  return error;
}

void RuntimeCore::JoinAll() {
  if (options_.executor != nullptr) {
    MutexLock lock(&mutex_);
    Await(&mutex_, &changed_, kNoDeadline,
          [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return started_ == 0; });
    return;
  }
  for (auto& core : cores_) {
    if (core->thread.joinable()) core->thread.join();
  }
  if (watcher_.joinable()) {
    {
      MutexLock lock(&mutex_);
      watcher_stop_ = true;
    }
    changed_.SignalAll();
    watcher_.join();
  }
}

void RuntimeCore::Join() {
  JoinAll();
  running_.store(false, std::memory_order_release);
}

void RuntimeCore::Register(Service* service) {
  MutexLock lock(&mutex_);
  services_.push_back(service);
}

void RuntimeCore::Unregister(Service* service) {
  {
    MutexLock lock(&mutex_);
    const auto it = std::find(services_.begin(), services_.end(), service);
    if (it == services_.end()) return;
    services_.erase(it);
  }
  if (!running()) {
    DestroyServices({&service, 1});
    return;
  }
  OnEveryCore(
      [service](int core, std::function<void()> done) {
        service->Quiesce(core, std::move(done));
      },
      options_.drain_deadline_ns);
  DestroyServices({&service, 1});
}

namespace {

// Counts cores that are done; outlives a wait that gave up.
struct Countdown {
  Mutex mutex;
  CondVar changed;
  int left ABSL_GUARDED_BY(mutex);
  explicit Countdown(int n) : left(n) {}
  void Done() {
    MutexLock lock(&mutex);
    if (--left == 0) changed.SignalAll();
  }
};

struct EveryCoreNode : ControlNode {
  std::function<void()> call;
  std::function<void()> missed;

  static void Run(ControlNode* self, bool closed) {
    std::unique_ptr<EveryCoreNode> node(static_cast<EveryCoreNode*>(self));
    closed ? node->missed() : node->call();
  }
};

}  // namespace

bool RuntimeCore::OnEveryCore(
    const std::function<void(int, std::function<void()>)>& fn,
    std::int64_t deadline_ns) {
  auto countdown = std::make_shared<Countdown>(cores());
  for (auto& core : cores_) {
    // As a node: a full mailbox must not keep a core from being asked.
    auto* node = new EveryCoreNode;
    node->call = [fn, index = core->index, countdown] {
      fn(index, [countdown] { countdown->Done(); });
    };
    node->missed = [countdown] { countdown->Done(); };
    node->run = &EveryCoreNode::Run;
    if (!core->mailbox->SendControl(node)) node->run(node, true);
  }
  MutexLock lock(&countdown->mutex);
  return Await(
      &countdown->mutex, &countdown->changed, deadline_ns,
      [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return countdown->left == 0; });
}

void RuntimeCore::EndTasks() {
  if (!running()) {
    for (auto& core : cores_) core->scope.Close();
    return;
  }
  OnEveryCore(
      [this](int core, std::function<void()> done) {
        scope(core)->Close();
        done();
      },
      kNoDeadline);
}

void RuntimeCore::DestroyServices(std::span<Service* const> services) {
  const auto destroy = [&services](int core) {
    for (auto it = services.rbegin(); it != services.rend(); ++it) {
      (*it)->Destroy(core);
    }
  };
  if (!running()) {
    for (int core = 0; core < cores(); ++core) destroy(core);
    return;
  }
  // Without a deadline: the objects must be gone before their loops.
  OnEveryCore(
      [&destroy](int core, std::function<void()> done) {
        destroy(core);
        done();
      },
      kNoDeadline);
}

bool RuntimeCore::Drain(std::int64_t deadline_ns) {
  if (fork_generation_ != ForkGeneration()) {
    // In the child of a fork the threads do not exist.
    for (auto& core : cores_) {
      if (core->thread.joinable()) core->thread.detach();
    }
    if (watcher_.joinable()) watcher_.detach();
    return true;
  }
  if (!running()) {
    Vector<Service*> services;
    {
      MutexLock lock(&mutex_);
      services.swap(services_);
    }
    EndTasks();
    DestroyServices(services);
    return true;
  }
  Vector<Service*> services;
  {
    MutexLock lock(&mutex_);
    services = services_;
    services_.clear();
  }
  const std::int64_t until = NowNs() + deadline_ns;
  bool quiet = true;
  for (Service* service : services) {
    const std::int64_t left = until - NowNs();
    quiet &= OnEveryCore(
        [service](int core, std::function<void()> done) {
          service->Quiesce(core, std::move(done));
        },
        std::max<std::int64_t>(left, 0));
  }
  // Coroutines first: they may use what the services are.
  EndTasks();
  DestroyServices(services);
  for (auto& core : cores_) core->base->RequestStop();
  JoinAll();
  running_.store(false, std::memory_order_release);
  return quiet;
}

void RuntimeCore::RequestStop() {
  stop_requested_.store(true, std::memory_order_release);
  if (EventBase* control = control_.load(std::memory_order_acquire)) {
    control->RequestStop();
  }
}

int RuntimeCore::Run() {
  if (!running()) {
    const int error = Start();
    if (error != 0) return error;
  }
  BaseConfig config;
  SetUp(&config);
  EventBase* control = EventBase::Create(&config);
  if (control == nullptr) {
    const int error = errno;
    Drain(options_.drain_deadline_ns);
    return error;
  }
  if (options_.executor != nullptr) {
    control->SetExecutor(options_.executor->current());
  }
  const auto stop = [](evutil_socket_t, short, void* arg) {
    static_cast<EventBase*>(arg)->LoopBreak();
  };
  event interrupt;
  event terminate;
  EventBase::Assign(&interrupt, control, SIGINT, EV_SIGNAL | EV_PERSIST, stop,
                    control);
  EventBase::Assign(&terminate, control, SIGTERM, EV_SIGNAL | EV_PERSIST, stop,
                    control);
  if (options_.handle_signals) {
    control->Add(&interrupt, nullptr);
    control->Add(&terminate, nullptr);
  }
  // Published first and then asked, as RequestStop sets first and then looks.
  control_.store(control, std::memory_order_seq_cst);
  if (!stop_requested_.load(std::memory_order_seq_cst)) {
    control->Loop(EVLOOP_NO_EXIT_ON_EMPTY);
  }
  control_.store(nullptr, std::memory_order_seq_cst);
  if (options_.handle_signals) {
    control->Del(&interrupt, DelWait::kNever);
    control->Del(&terminate, DelWait::kNever);
  }
  Drain(options_.drain_deadline_ns);
  control->Free(true);
  stop_requested_.store(false, std::memory_order_relaxed);
  return 0;
}

std::vector<LoopStats> RuntimeCore::Stats() {
  struct Snapshot {
    Mutex mutex;
    std::vector<LoopStats> stats ABSL_GUARDED_BY(mutex);
    explicit Snapshot(std::size_t n) : stats(n) {}
  };
  auto snapshot = std::make_shared<Snapshot>(cores_.size());
  if (!running()) {
    MutexLock lock(&snapshot->mutex);
    for (auto& core : cores_) {
      snapshot->stats[Index(core->index)] = core->base->Stats();
    }
    return snapshot->stats;
  }
  OnEveryCore(
      [this, snapshot](int core, std::function<void()> done) {
        const LoopStats stats = base(core)->Stats();
        {
          MutexLock lock(&snapshot->mutex);
          snapshot->stats[static_cast<std::size_t>(core)] = stats;
        }
        done();
      },
      1'000'000'000);
  MutexLock lock(&snapshot->mutex);
  return snapshot->stats;
}

}  // namespace percore
