// What it costs to be one server on two cores (issue: at most 1.1 of the CPU
// time for an operation on one core, at least 0.9 of the throughput of two
// processes that know nothing of each other).
//
// An operation is a request over a socket and its answer: two reads and two
// writes, and a look into the table of the core that owns the key. Both ends of
// a connection live on one core. On two cores half of the keys belong to the
// other core: the request goes there and the value comes back by mailbox.
//
// Three programs take turns, each a process (or two) of its own:
//   one          a runtime of one core, alone on the machine
//   independent  two processes, a runtime of one core each, at once
//   two          a runtime of two cores
#include <event2/event.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "percore/bench/micro/cores.h"
#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/micro/statistics.h"
#include "percore/runtime/core/runtime_core.h"

namespace percore::bench {
namespace {

struct Settings {
  double seconds = 0.4;
  int rounds = 15;
  int connections = 32;  // a core
};

struct Request {
  std::uint64_t key;
  std::uint64_t unused;
};
struct Answer {
  std::uint64_t words[8];
};

class Load;

// A core's own: nobody else writes here.
struct alignas(128) Shard {
  std::vector<std::uint64_t> table = std::vector<std::uint64_t>(4096, 1);
  std::uint64_t operations = 0;
};

class Connection {
 public:
  Connection(Load* load, int core, std::uint64_t seed);
  void Start();

 private:
  void Ask();
  void Serve();
  void Reply(std::uint64_t value);

  Load* const load_;
  const int core_;
  std::uint64_t chance_;
  int ends_[2];
  event client_;
  event server_;
};

class Load {
 public:
  Load(int cores, int connections) {
    RuntimeOptions options;
    options.cores = cores;
    options.handle_signals = false;
    runtime_ = RuntimeCore::Create(options);
    if (runtime_ == nullptr) std::abort();
    for (int core = 0; core < cores; ++core) {
      shards_.push_back(std::make_unique<Shard>());
      for (int i = 0; i < connections; ++i) {
        connections_.push_back(std::make_unique<Connection>(
            this, core, static_cast<std::uint64_t>(core * 1000 + i + 1)));
      }
    }
  }

  // Operations done in that time.
  std::uint64_t Run(double seconds) {
    for (auto& connection : connections_) connection->Start();
    if (runtime_->Start() != 0) std::abort();
    usleep(static_cast<useconds_t>(seconds * 1e6));
    for (int core = 0; core < runtime_->cores(); ++core) {
      runtime_->base(core)->RequestStop();
    }
    runtime_->Join();
    std::uint64_t operations = 0;
    for (auto& shard : shards_) operations += shard->operations;
    return operations;
  }

  RuntimeCore* runtime() { return runtime_.get(); }
  Shard* shard(int core) {
    return shards_[static_cast<std::size_t>(core)].get();
  }
  int OwnerOf(std::uint64_t key) const {
    return static_cast<int>((key >> 20) % shards_.size());
  }
  std::uint64_t Find(std::uint64_t key) {
    return shard(OwnerOf(key))->table[key % 4096];
  }

 private:
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::unique_ptr<RuntimeCore> runtime_;
};

Connection::Connection(Load* load, int core, std::uint64_t seed)
    : load_(load), core_(core), chance_(seed * 0x9e3779b97f4a7c15u) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_) != 0) {
    std::abort();
  }
}

void Connection::Start() {
  EventBase* base = load_->runtime()->base(core_);
  EventBase::Assign(
      &server_, base, ends_[0], EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* arg) {
        static_cast<Connection*>(arg)->Serve();
      },
      this);
  EventBase::Assign(
      &client_, base, ends_[1], EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* arg) {
        auto* connection = static_cast<Connection*>(arg);
        Answer answer;
        if (read(connection->ends_[1], &answer, sizeof(answer)) !=
            sizeof(answer)) {
          return;
        }
        ++connection->load_->shard(connection->core_)->operations;
        connection->Ask();
      },
      this);
  base->Add(&server_, nullptr);
  base->Add(&client_, nullptr);
  Ask();
}

void Connection::Ask() {
  chance_ ^= chance_ << 13;
  chance_ ^= chance_ >> 7;
  chance_ ^= chance_ << 17;
  const Request request = {chance_, 0};
  if (write(ends_[1], &request, sizeof(request)) != sizeof(request)) {
    std::abort();
  }
}

void Connection::Serve() {
  Request request;
  if (read(ends_[0], &request, sizeof(request)) != sizeof(request)) return;
  const int owner = load_->OwnerOf(request.key);
  if (owner == core_) return Reply(load_->Find(request.key));
  load_->runtime()->Post(
      owner, Message([this, key = request.key] {
        load_->runtime()->Post(
            core_, Message([this, value = load_->Find(key)] { Reply(value); }));
      }));
}

void Connection::Reply(std::uint64_t value) {
  Answer answer = {};
  answer.words[0] = value;
  if (write(ends_[0], &answer, sizeof(answer)) != sizeof(answer)) std::abort();
}

struct Sample {
  double operations = 0;  // a second
  double cpu_ns = 0;      // for one
};

// In a process of its own, bound to `cpu` unless that is negative.
int StartProcess(const Settings& settings, int cores, int cpu) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::fflush(nullptr);
  if (fork() == 0) {
    if (cpu >= 0) PinTo(cpu);
    auto load = std::make_unique<Load>(cores, settings.connections);
    const double cpu_before = ProcessCpu();
    const double before = ClockNanoseconds(CLOCK_MONOTONIC);
    const auto operations = static_cast<double>(load->Run(settings.seconds));
    const Sample sample = {
        operations / (ClockNanoseconds(CLOCK_MONOTONIC) - before) * 1e9,
        (ProcessCpu() - cpu_before) / operations};
    const bool sent = write(ends[1], &sample, sizeof(sample)) == sizeof(sample);
    _exit(sent ? 0 : 1);
  }
  close(ends[1]);
  return ends[0];
}

Sample Finish(int result) {
  Sample sample;
  if (read(result, &sample, sizeof(sample)) != sizeof(sample)) {
    std::fprintf(stderr, "a process failed\n");
    std::exit(1);
  }
  close(result);
  wait(nullptr);
  return sample;
}

void Print(const char* what, const std::vector<double>& samples) {
  const Quartiles q = QuartilesOf(samples);
  std::printf("%-44s %10.3f  (%.3f to %.3f)\n", what, q.median, q.low, q.high);
}

int Main(const Settings& settings) {
  if (FirstCore() == LastCore()) {
    std::printf("SKIP: needs two cores\n");
    return 0;
  }
  std::vector<double> one_cpu;
  std::vector<double> two_cpu;
  std::vector<double> two_rate;
  std::vector<double> independent_rate;
  for (int round = 0; round < settings.rounds; ++round) {
    one_cpu.push_back(Finish(StartProcess(settings, 1, FirstCore())).cpu_ns);
    const int first = StartProcess(settings, 1, FirstCore());
    const int second = StartProcess(settings, 1, LastCore());
    independent_rate.push_back(Finish(first).operations +
                               Finish(second).operations);
    const Sample two = Finish(StartProcess(settings, 2, -1));
    two_cpu.push_back(two.cpu_ns);
    two_rate.push_back(two.operations);
  }
  std::printf(
      "%d rounds of %.1f s, %d connections a core; median (quartiles)\n",
      settings.rounds, settings.seconds, settings.connections);
  Print("one core: CPU ns an operation", one_cpu);
  Print("two cores: CPU ns an operation", two_cpu);
  Print("  against one core (at most 1.1)", PairwiseRatio(two_cpu, one_cpu));
  Print("two processes: operations a second", independent_rate);
  Print("two cores: operations a second", two_rate);
  Print("  against two processes (at least 0.9)",
        PairwiseRatio(two_rate, independent_rate));
  return 0;
}

}  // namespace
}  // namespace percore::bench

int main(int argc, char** argv) {
  percore::bench::Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const std::size_t equals = flag.find('=');
    const double value =
        equals == std::string::npos ? 0 : std::atof(flag.c_str() + equals + 1);
    if (flag.starts_with("--seconds=")) {
      settings.seconds = value;
    } else if (flag.starts_with("--rounds=")) {
      settings.rounds = static_cast<int>(value);
    } else if (flag.starts_with("--connections=")) {
      settings.connections = static_cast<int>(value);
    } else {
      std::fprintf(stderr,
                   "cross_core [--seconds=0.4] [--rounds=15] "
                   "[--connections=32]\n");
      return 2;
    }
  }
  return percore::bench::Main(settings);
}
