// sim: a whole sharded program on one thread, replayable from a seed.
//
//   sim::World world({.seed = seed, .faults = sim::Faults::FromSeed(seed)});
//   RuntimeOptions options;
//   options.cores = 3;
//   options.executor = &world;
//   Runtime runtime(options);          // its cores are fibers of this thread
//   Server server(runtime);            // the program's own code, unmodified
//   sim::Peer client(&world, server.port());
//   world.RunUntil(kSecond, [&] { return client.ended(); });
//
// The World owns the clock, and decides by chance, from its seed alone: which
// core takes its next turn, which segment arrives next, which client goes on,
// in which order a base sees what is ready and the mail of different cores,
// how much of a write fits and how much a read gives, when a connection
// breaks. Every wait of the program ends up here (Block): a loop's in
// Backend::Wait, a blocking socket's in the call, an outside thread's in
// Runtime's. Time stands still while anybody can run, and then moves to the
// next timer or arrival at once: nothing sleeps.
//
// The seam is the C library's socket calls. A program opens, accepts, reads
// and writes descriptors by itself, so the alternatives were: real socket pairs
// behind a proxy that moves bytes from one to the other, or a table of calls
// that the program is given. The proxy cannot say how much of a write is taken
// or which of several SO_REUSEPORT listeners gets a connection (the kernel
// does, and loopback TCP arrives when the kernel likes, so a run would not
// replay), and a table would have to reach through every layer of every
// server. So the target :socket_calls defines socket, accept4, recv, send,
// close, clock_gettime and their kin for the test program that links it: they
// are ours for simulated sockets while a World lives on the thread, and the
// system's otherwise. Servers run unmodified, from their socket() to their
// close(), and their wall clocks stand in the World's time.
//
// Its name is "sim"; it is in no table of methods, so that it is never listed,
// never chosen, and not in the libraries that programs link.
//
// Not simulated: datagrams, named AF_UNIX sockets, and files go to the system;
// such a descriptor can be watched, but who writes to it must be in this
// thread, or the run does not replay. Shared (locked) bases and signals work
// as far as nobody else's thread is needed.
//
// One World at a time on a thread, everything in it on that thread, except
// Backend::Ring.
#ifndef PERCORE_RUNTIME_BACKEND_SIM_WORLD_H_
#define PERCORE_RUNTIME_BACKEND_SIM_WORLD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "percore/runtime/backend/backend.h"
#include "percore/runtime/backend/sim/faults.h"
#include "percore/runtime/backend/sim/fiber.h"
#include "percore/runtime/backend/sim/network.h"
#include "percore/runtime/backend/sim/random.h"
#include "percore/runtime/system/clock.h"
#include "percore/runtime/system/executor.h"

namespace percore::sim {

class SimBackend;

struct Options {
  std::uint64_t seed = 1;
  Faults faults;
  // More steps than this without an end of time: a program that spins. Fatal,
  // with the seed.
  std::uint64_t steps_at_one_time = 10'000'000;
  // One line on stderr for each step, to read what happened.
  bool print = false;
};

class World final : public Executor, public Clock {
 public:
  explicit World(const Options& options);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  // Every core has returned: runtimes end first.
  ~World() override;

  // The one of this thread, or null.
  static World* Current();

  std::uint64_t seed() const { return options_.seed; }
  Random& random() { return random_; }
  Network& network() { return network_; }

  // --- Executor. ----------------------------------------------------------

  Clock* clock() override { return this; }
  const BackendKind* backend() override;
  const std::uintptr_t* current() override { return &current_id_; }
  std::uint64_t NextShuffleSeed() override { return random_.Next() | 1; }
  int Start(void (*main)(void*), void* arg) override;
  bool RunUntil(std::int64_t deadline_ns,
                const std::function<bool()>& done) override;

  // Lets that much time pass, and what happens in it happen.
  void RunFor(std::int64_t ns) {
    RunUntil(ns, [] { return false; });
  }

  // Runs `fn` outside of every core, as a step of its own, no earlier than
  // `delay_ns` from now.
  void After(std::int64_t delay_ns, std::function<void()> fn);

  // --- Clock. Waiting in the backend makes it advance. --------------------

  std::int64_t MonotonicNs() override { return now_ns_; }
  std::int64_t WallNs() override { return kEpochNs + now_ns_; }
  bool IsReal() const override { return true; }
  void Advance(std::int64_t deadline_ns) override;

  // --- The trace: what happened, as a number. -----------------------------

  // The same for two runs of the same seed; different, but for an accident,
  // for runs that differ.
  std::uint64_t trace() const { return trace_; }
  std::uint64_t steps() const { return steps_; }
  // Adds what a test has seen.
  void Note(std::string_view what);
  void Note(const char* what, std::int64_t a, std::int64_t b);

  // --- Waits. -------------------------------------------------------------

  // Whoever calls waits until `ready` is true (asked again and again, by the
  // World) or the time is `deadline_ns`; INT64_MAX: no limit. False: it is not
  // true. On the outside also when nothing can happen any more.
  bool Block(std::int64_t deadline_ns, const std::function<bool()>& ready);

  // The backends there are.
  void Add(SimBackend* backend) { backends_.push_back(backend); }
  void Remove(SimBackend* backend);
  // The number is about to be another file, or none.
  void DescriptorClosing(int fd);

 private:
  static constexpr std::int64_t kEpochNs = 1'700'000'000'000'000'000;

  // A core; the first is the outside, which is no fiber.
  struct Runner {
    std::uintptr_t id = 0;
    Fiber fiber;
    ExecutorLocals locals;
    std::uint64_t weight = 1;
    const std::function<bool()>* ready = nullptr;  // null: runs, or finished
    std::int64_t deadline_ns = 0;
    void (*main)(void*) = nullptr;
    void* arg = nullptr;
  };

  bool Ready(const Runner& runner) const {
    return runner.ready != nullptr &&
           (now_ns_ >= runner.deadline_ns || (*runner.ready)());
  }
  // Takes steps until the outside may go on; false: nothing can happen.
  bool Schedule();
  bool PassTime();
  void Run(Runner* runner);
  void RunEvent();

  const Options options_;
  Random random_;
  Network network_;
  std::int64_t now_ns_ = 1'000'000'000;
  std::uint64_t trace_ = 0xcbf29ce484222325ull;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_now_ = 0;  // since time passed
  std::vector<std::unique_ptr<Runner>> runners_;
  Runner* current_ = nullptr;
  std::uintptr_t current_id_ = 0;
  std::multimap<std::int64_t, std::function<void()>> events_;
  std::vector<SimBackend*> backends_;
  std::vector<Runner*> able_;
};

}  // namespace percore::sim

#endif  // PERCORE_RUNTIME_BACKEND_SIM_WORLD_H_
