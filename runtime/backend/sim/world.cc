#include "percore/runtime/backend/sim/world.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include "percore/runtime/backend/sim/sim_backend.h"
#include "percore/runtime/observe/log.h"

namespace percore::sim {
namespace {

// The thread's, as everything in a World is.
thread_local World* world_of_this_thread = nullptr;

constexpr std::uintptr_t kOutsideId = 1;
// Steps of the World itself: they belong to no loop.
constexpr std::uintptr_t kWorldId = 2;

// Against a core's 1 to 64.
constexpr std::uint64_t kPeerWeight = 16;
constexpr std::uint64_t kEventWeight = 16;

// A deadline so far away is none.
constexpr std::int64_t kFarAway =
    std::int64_t{100} * 365 * 86400 * 1000000000 / 10;  // ten years

const std::function<bool()> kAlways = [] { return true; };

}  // namespace

World* World::Current() { return world_of_this_thread; }

World::World(const Options& options)
    : options_(options), random_(options.seed), network_(this, options.faults) {
  PERCORE_CHECK(world_of_this_thread == nullptr);
  world_of_this_thread = this;
  auto outside = std::make_unique<Runner>();
  outside->id = kOutsideId;
  outside->weight = kEventWeight;
  current_ = outside.get();
  current_id_ = kOutsideId;
  runners_.push_back(std::move(outside));
}

World::~World() {
  // A runtime, or a base, has outlived its world.
  PERCORE_CHECK(backends_.empty());
  world_of_this_thread = nullptr;
}

const BackendKind* World::backend() { return SimBackendKind(); }

void World::Remove(SimBackend* backend) { std::erase(backends_, backend); }

void World::DescriptorClosing(int fd) {
  for (SimBackend* backend : backends_) backend->Forget(fd);
}

void World::Advance(std::int64_t deadline_ns) {
  if (deadline_ns <= now_ns_) return;
  now_ns_ = deadline_ns;
  steps_now_ = 0;
}

void World::After(std::int64_t delay_ns, std::function<void()> fn) {
  events_.emplace(now_ns_ + std::max<std::int64_t>(delay_ns, 0), std::move(fn));
}

void World::Note(std::string_view what) {
  for (const char c : what) {
    trace_ = (trace_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  }
}

void World::Note(const char* what, std::int64_t a, std::int64_t b) {
  Note(what);
  for (const std::int64_t value : {a, b}) {
    trace_ =
        (trace_ ^ static_cast<std::uint64_t>(value)) * 0x9e3779b97f4a7c15ull;
    trace_ ^= trace_ >> 29;
  }
  if (!options_.print) return;
  std::fprintf(stderr, "%12.6f  %-9s %" PRId64 " %" PRId64 "\n",
               static_cast<double>(now_ns_) / 1e9, what, a, b);
}

int World::Start(void (*main)(void*), void* arg) {
  auto runner = std::make_unique<Runner>();
  runner->id = kWorldId + runners_.size();
  // Some cores are much slower than others.
  runner->weight = std::uint64_t{1} << random_.Below(7);
  runner->main = main;
  runner->arg = arg;
  runner->ready = &kAlways;
  if (!runner->fiber.Start(
          [](void* self) {
            auto* started = static_cast<Runner*>(self);
            started->main(started->arg);
          },
          runner.get())) {
    return errno;
  }
  runners_.push_back(std::move(runner));
  return 0;
}

bool World::RunUntil(std::int64_t deadline_ns,
                     const std::function<bool()>& done) {
  PERCORE_CHECK(current_ == runners_.front().get());
  const bool limited = deadline_ns >= 0 && deadline_ns < kFarAway;
  const bool answer = Block(limited ? now_ns_ + deadline_ns : INT64_MAX, done);
  if (!answer && !limited) {
    LogWarnx("sim: nothing can happen any more (seed %" PRIu64 ")",
             options_.seed);
  }
  return answer;
}

bool World::Block(std::int64_t deadline_ns,
                  const std::function<bool()>& ready) {
  Runner* self = current_;
  // A step of the World's own (a peer's callback) must not wait.
  PERCORE_CHECK(self != nullptr);
  self->deadline_ns = deadline_ns;
  self->ready = &ready;
  if (self == runners_.front().get()) {
    Schedule();
  } else {
    self->fiber.Leave();
  }
  self->ready = nullptr;
  return ready();
}

void World::Run(Runner* runner) {
  Runner* outside = runners_.front().get();
  outside->locals = std::exchange(executor_locals, runner->locals);
  current_ = runner;
  current_id_ = runner->id;
  runner->fiber.Enter();
  current_ = nullptr;
  current_id_ = kWorldId;
  runner->locals = std::exchange(executor_locals, outside->locals);
  if (runner->fiber.finished()) runner->ready = nullptr;
}

void World::RunEvent() {
  const auto next = events_.begin();
  const std::function<void()> fn = std::move(next->second);
  events_.erase(next);
  fn();
}

bool World::PassTime() {
  std::int64_t next = network_.NextArrival();
  for (const auto& runner : runners_) {
    if (runner->ready != nullptr) next = std::min(next, runner->deadline_ns);
  }
  if (!events_.empty()) next = std::min(next, events_.begin()->first);
  if (next == INT64_MAX) return false;
  Advance(next);
  return true;
}

bool World::Schedule() {
  Runner* outside = runners_.front().get();
  // What belongs to the outside is not the steps' of the World.
  const ExecutorLocals mine = std::exchange(executor_locals, {});
  current_ = nullptr;
  current_id_ = kWorldId;
  bool able = true;
  for (;;) {
    able_.clear();
    std::uint64_t total = 0;
    for (const auto& runner : runners_) {
      if (!Ready(*runner)) continue;
      able_.push_back(runner.get());
      total += runner->weight;
    }
    const std::uint64_t network = network_.NextArrival() <= now_ns_
                                      ? network_.faults().network_weight
                                      : 0;
    const std::uint64_t peers = network_.PeersMarked() ? kPeerWeight : 0;
    const std::uint64_t events =
        !events_.empty() && events_.begin()->first <= now_ns_ ? kEventWeight
                                                              : 0;
    total += network + peers + events;
    if (total == 0) {
      able = PassTime();
      if (!able) break;
      continue;
    }
    ++steps_;
    if (++steps_now_ == options_.steps_at_one_time) {
      LogErrx(kFatalInternal,
              "sim: %" PRIu64 " steps and no end at one time (seed %" PRIu64
              ")",
              steps_now_, options_.seed);
    }
    std::uint64_t chosen = random_.Below(total);
    if (chosen < network) {
      network_.Deliver();
      continue;
    }
    chosen -= network;
    if (chosen < peers) {
      network_.RunPeer();
      continue;
    }
    chosen -= peers;
    if (chosen < events) {
      Note("event", now_ns_, 0);
      RunEvent();
      continue;
    }
    chosen -= events;
    auto runner = able_.begin();
    while (chosen >= (*runner)->weight) chosen -= (*runner++)->weight;
    Note("turn", static_cast<std::int64_t>((*runner)->id), now_ns_);
    if (*runner == outside) break;
    Run(*runner);
  }
  executor_locals = mine;
  current_ = outside;
  current_id_ = kOutsideId;
  return able;
}

}  // namespace percore::sim
