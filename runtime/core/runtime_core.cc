#include "percore/runtime/core/runtime_core.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>

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
  std::unique_ptr<RuntimeCore> runtime(new RuntimeCore(options));
  const int error = runtime->Init();
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
    std::lock_guard lock(runtime->mutex_);
    runtime->changed_.notify_all();
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
  for (int i = 0; i < n; ++i) {
    auto core = std::make_unique<Core>();
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
    cores_.push_back(std::move(core));
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

bool RuntimeCore::Await(std::unique_lock<std::mutex>* lock,
                        std::condition_variable* changed,
                        std::int64_t deadline_ns,
                        const std::function<bool()>& done) {
  if (options_.executor == nullptr) {
    return changed->wait_for(*lock, std::chrono::nanoseconds(deadline_ns),
                             done);
  }
  lock->unlock();
  const bool answer = options_.executor->RunUntil(deadline_ns, [&] {
    std::lock_guard asking(*lock->mutex());
    return done();
  });
  lock->lock();
  return answer;
}

// For deadlines.
std::int64_t RuntimeCore::NowNs() const {
  return options_.executor == nullptr
             ? RealMonotonicNs()
             : options_.executor->clock()->MonotonicNs();
}

void RuntimeCore::KeepUntilEnd(std::shared_ptr<void> object) {
  std::lock_guard lock(mutex_);
  kept_.push_back(std::move(object));
}

void RuntimeCore::CoreMain(Core* core) {
  executor_locals.runtime = this;
  executor_locals.core = core->index;
  {
    std::lock_guard lock(mutex_);
    ++started_;
  }
  changed_.notify_all();
  core->base->Loop(EVLOOP_NO_EXIT_ON_EMPTY);
  executor_locals.runtime = nullptr;
  executor_locals.core = -1;
  std::lock_guard lock(mutex_);
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
  // std::thread reports failure only by throwing; ask pthreads first.
  try {
    core->thread = std::thread([this, core] {
      NameThread(options_.name + "/" + std::to_string(core->index));
      if (options_.pin) PinThread(core->cpu);
      CoreMain(core);
    });
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

int RuntimeCore::Start() {
  if (fork_generation_ != ForkGeneration()) return ENOTSUP;
  if (running_.exchange(true, std::memory_order_acq_rel)) return EALREADY;
  SignalsBlocked blocked(options_.blocked_signals);
  started_ = 0;
  for (auto& core : cores_) core->scope.Open();
  for (auto& core : cores_) {
    const int error = StartCore(core.get());
    if (error == 0) continue;
    for (auto& started : cores_) started->base->RequestStop();
    JoinAll();
    running_.store(false, std::memory_order_release);
    return error;
  }
  std::unique_lock lock(mutex_);
  Await(&lock, &changed_, kNoDeadline, [this] { return started_ == cores(); });
  lock.unlock();
  if (options_.stall_ns != 0) {
    watcher_stop_ = false;
    watch_.asleep.store(false, std::memory_order_relaxed);
    watcher_ = std::thread(&RuntimeCore::WatchForStalls, this);
  }
  return 0;
}

void RuntimeCore::JoinAll() {
  if (options_.executor != nullptr) {
    std::unique_lock lock(mutex_);
    Await(&lock, &changed_, kNoDeadline, [this] { return started_ == 0; });
    return;
  }
  for (auto& core : cores_) {
    if (core->thread.joinable()) core->thread.join();
  }
  if (watcher_.joinable()) {
    {
      std::lock_guard lock(mutex_);
      watcher_stop_ = true;
    }
    changed_.notify_all();
    watcher_.join();
  }
}

void RuntimeCore::Join() {
  JoinAll();
  running_.store(false, std::memory_order_release);
}

void RuntimeCore::Register(Service* service) {
  std::lock_guard lock(mutex_);
  services_.push_back(service);
}

void RuntimeCore::Unregister(Service* service) {
  {
    std::lock_guard lock(mutex_);
    const auto it = std::find(services_.begin(), services_.end(), service);
    if (it == services_.end()) return;
    services_.erase(it);
  }
  if (!running()) {
    DestroyServices({service});
    return;
  }
  OnEveryCore(
      [service](int core, std::function<void()> done) {
        service->Quiesce(core, std::move(done));
      },
      options_.drain_deadline_ns);
  DestroyServices({service});
}

namespace {

// Counts cores that are done; outlives a wait that gave up.
struct Countdown {
  std::mutex mutex;
  std::condition_variable changed;
  int left;
  explicit Countdown(int n) : left(n) {}
  void Done() {
    std::lock_guard lock(mutex);
    if (--left == 0) changed.notify_all();
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
  std::unique_lock lock(countdown->mutex);
  return Await(&lock, &countdown->changed, deadline_ns,
               [&] { return countdown->left == 0; });
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

void RuntimeCore::DestroyServices(const std::vector<Service*>& services) {
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
    std::vector<Service*> services;
    {
      std::lock_guard lock(mutex_);
      services.swap(services_);
    }
    EndTasks();
    DestroyServices(services);
    return true;
  }
  std::vector<Service*> services;
  {
    std::lock_guard lock(mutex_);
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
    std::mutex mutex;
    std::vector<LoopStats> stats;
  };
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->stats.resize(cores_.size());
  if (!running()) {
    for (auto& core : cores_) {
      snapshot->stats[Index(core->index)] = core->base->Stats();
    }
    return snapshot->stats;
  }
  OnEveryCore(
      [this, snapshot](int core, std::function<void()> done) {
        const LoopStats stats = base(core)->Stats();
        {
          std::lock_guard lock(snapshot->mutex);
          snapshot->stats[static_cast<std::size_t>(core)] = stats;
        }
        done();
      },
      1'000'000'000);
  std::lock_guard lock(snapshot->mutex);
  return snapshot->stats;
}

}  // namespace percore
