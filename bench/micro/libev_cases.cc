// libev's side of the cases.

#include "percore/bench/micro/cases.h"
#include "percore/bench/peers/libev_api.h"

#if PERCORE_BENCH_HAVE_LIBEV

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "percore/bench/micro/chance.h"
#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/micro/pipe_ring.h"

namespace percore::bench {
namespace {

LibevApi g_ev;  // Filled once, before the first case is made.

// A loop, and work done in a callback of it, as Event2Base has it.
class EvLoop {
 public:
  EvLoop() : loop_(g_ev.ev_loop_new(EVFLAG_AUTO)) {
    ev_init(&driver_, &RunWork);
    driver_.data = this;
  }
  ~EvLoop() { g_ev.ev_loop_destroy(loop_); }
  EvLoop(const EvLoop&) = delete;
  EvLoop& operator=(const EvLoop&) = delete;

  struct ev_loop* get() const { return loop_; }

  template <typename Work>
  double Time(Work work) {
    invoke_ = [](void* w) { (*static_cast<Work*>(w))(); };
    work_ = &work;
    const double start = ProcessCpu();
    g_ev.ev_feed_event(loop_, &driver_, EV_CUSTOM);
    g_ev.ev_run(loop_, EVRUN_NOWAIT);
    g_ev.ev_run(loop_, EVRUN_NOWAIT);
    return ProcessCpu() - start;
  }

 private:
  static void RunWork(struct ev_loop*, ev_prepare* driver, int) {
    auto* self = static_cast<EvLoop*>(driver->data);
    self->invoke_(self->work_);
  }
  struct ev_loop* loop_;
  ev_prepare driver_;  // Only ever fed, never started.
  void (*invoke_)(void*) = nullptr;
  void* work_ = nullptr;
};

class EvChain : public Case {
 public:
  EvChain(const Workload& work, bool timeouts)
      : watches_(static_cast<size_t>(work.size)),
        ring_(work.size),
        active_(work.detail) {
    for (int i = 0; i < work.size; ++i) {
      Watch& watch = watches_[static_cast<size_t>(i)];
      watch.chain = this;
      watch.index = i;
      ev_io_init(&watch.io, timeouts ? &OnReadableTimed : &OnReadable,
                 ring_.read_end(i), EV_READ);
      watch.io.data = &watch;
      g_ev.ev_io_start(loop_.get(), &watch.io);
      if (timeouts) {
        ev_init(&watch.timer, &OnTimeout);
        watch.timer.repeat = 1000 + i % 50 + 0.001 * (i % 900);
        g_ev.ev_timer_again(loop_.get(), &watch.timer);
      }
    }
    Run();
  }

  std::vector<double> Run() override {
    ring_.Start(active_, kPasses);
    const double start = ProcessCpu();
    g_ev.ev_run(loop_.get(), 0);
    return {(ProcessCpu() - start) / kPasses};
  }
  double operations() const override { return kPasses; }

 private:
  static constexpr int kPasses = 6000;
  struct Watch {
    ev_io io;
    ev_timer timer;
    EvChain* chain;
    int index;
  };
  static void OnTimeout(struct ev_loop*, ev_timer*, int) { std::abort(); }
  static void OnReadable(struct ev_loop* loop, ev_io* io, int) {
    auto* watch = static_cast<Watch*>(io->data);
    if (watch->chain->ring_.Pass(watch->index)) {
      g_ev.ev_break(loop, EVBREAK_ALL);
    }
  }
  static void OnReadableTimed(struct ev_loop* loop, ev_io* io, int events) {
    g_ev.ev_timer_again(loop, &static_cast<Watch*>(io->data)->timer);
    OnReadable(loop, io, events);
  }

  std::vector<Watch> watches_;
  PipeRing ring_;
  EvLoop loop_;
  int active_;
};

class EvPlainChain : public EvChain {
 public:
  EvPlainChain(const Workload& work, const EventApi*) : EvChain(work, false) {}
};
class EvTimeoutChain : public EvChain {
 public:
  EvTimeoutChain(const Workload& work, const EventApi*) : EvChain(work, true) {}
};

// A one-shot is a watcher that its callback stops and starts again.
class EvWriteOnce : public Case {
 public:
  EvWriteOnce(const Workload& work, const EventApi*)
      : ends_(static_cast<size_t>(work.size)) {
    for (End& end : ends_) {
      end.owner = this;
      if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, end.fds) != 0) {
        std::abort();
      }
      ev_io_init(&end.io, &OnWritable, end.fds[0], EV_WRITE);
      end.io.data = &end;
    }
    Run();
  }
  ~EvWriteOnce() override {
    for (End& end : ends_) {
      close(end.fds[0]);
      close(end.fds[1]);
    }
  }

  std::vector<double> Run() override {
    left_ = kEvents;
    for (End& end : ends_) g_ev.ev_io_start(loop_.get(), &end.io);
    const double start = ProcessCpu();
    g_ev.ev_run(loop_.get(), 0);
    return {(ProcessCpu() - start) / kEvents};
  }
  double operations() const override { return kEvents; }

 private:
  static constexpr int kEvents = 8000;
  struct End {
    ev_io io;
    EvWriteOnce* owner;
    int fds[2];
  };
  static void OnWritable(struct ev_loop* loop, ev_io* io, int) {
    EvWriteOnce* self = static_cast<End*>(io->data)->owner;
    g_ev.ev_io_stop(loop, io);
    if (--self->left_ > 0) {
      g_ev.ev_io_start(loop, io);
    } else {
      g_ev.ev_break(loop, EVBREAK_ALL);
    }
  }

  std::vector<End> ends_;
  EvLoop loop_;
  int left_ = 0;
};

// Metrics as Timers of the event2 interface: add, re-add, touch, del.
class EvTimers : public Case {
 public:
  EvTimers(const Workload& work, const EventApi*)
      : timers_(static_cast<size_t>(work.size)),
        order_(chance_.Permutation(work.size)),
        sample_(work.size) {
    for (ev_timer& timer : timers_) {
      ev_init(&timer, [](struct ev_loop*, ev_timer*, int) {});
      Set(&timer);
      g_ev.ev_timer_again(loop_.get(), &timer);
    }
  }

  std::vector<double> Run() override {
    struct ev_loop* loop = loop_.get();
    const auto start = [&](ev_timer* t) {
      Set(t);
      g_ev.ev_timer_again(loop, t);
    };
    double add = 0, again = 0, touch = 0, del = 0;
    for (int repeat = 0; repeat < sample_.repeats; ++repeat) {
      first_ = (first_ + sample_.batch) %
               (static_cast<int>(timers_.size()) - sample_.batch + 1);
      del += TimeAll([&](ev_timer* t) { g_ev.ev_timer_stop(loop, t); });
      add += TimeAll(start);
      again += TimeAll(start);
      touch += TimeAll([&](ev_timer* t) { g_ev.ev_timer_again(loop, t); });
    }
    return {add / operations(), again / operations(), touch / operations(),
            del / operations()};
  }
  double operations() const override { return sample_.batch * sample_.repeats; }

 private:
  template <typename Step>
  double TimeAll(Step step) {
    return loop_.Time([&] {
      for (int i = first_; i < first_ + sample_.batch; ++i) {
        const size_t at = static_cast<size_t>(order_[static_cast<size_t>(i)]);
        step(&timers_[at]);
      }
    });
  }
  void Set(ev_timer* timer) {
    // The fraction makes deadlines differ, as for the others.
    timer->repeat = 1000 + chance_.Below(100000) +
                    1e-6 * static_cast<double>(timer - timers_.data());
  }

  std::vector<ev_timer> timers_;
  EvLoop loop_;
  Chance chance_;
  std::vector<int> order_;
  const TimerSample sample_;
  int first_ = 0;
};

class EvExpiry : public Case {
 public:
  EvExpiry(const Workload& work, const EventApi*)
      : timers_(static_cast<size_t>(work.size)),
        order_(chance_.Permutation(work.size)),
        due_(work.detail) {
    for (ev_timer& timer : timers_) {
      ev_init(&timer, &OnTimeout);
      timer.data = this;
      Start(&timer, 1000 + chance_.Below(100000));
    }
  }

  std::vector<double> Run() override {
    double spent = 0;
    for (int i = 0; i < repeats_; ++i) spent += ExpireOnce();
    return {spent / operations()};
  }
  double operations() const override { return due_ * repeats_; }

 private:
  double ExpireOnce() {
    first_ = (first_ + due_) % (static_cast<int>(timers_.size()) - due_ + 1);
    for (int i = first_; i < first_ + due_; ++i) {
      g_ev.ev_timer_stop(loop_.get(), &At(i));
      Start(&At(i), 1e-6 * (1 + chance_.Below(4000)));
    }
    usleep(6000);  // Until all are due; a sleep costs no CPU.
    fired_ = 0;
    const double start = ProcessCpu();
    while (fired_ < due_) g_ev.ev_run(loop_.get(), EVRUN_NOWAIT);
    const double spent = ProcessCpu() - start;
    for (int i = first_; i < first_ + due_; ++i) {
      Start(&At(i), 1000 + chance_.Below(100000));
    }
    return spent;
  }
  ev_timer& At(int i) {
    return timers_[static_cast<size_t>(order_[static_cast<size_t>(i)])];
  }
  void Start(ev_timer* timer, double after) {
    ev_timer_set(timer, after, 0.);
    g_ev.ev_timer_start(loop_.get(), timer);
  }
  static void OnTimeout(struct ev_loop*, ev_timer* timer, int) {
    ++static_cast<EvExpiry*>(timer->data)->fired_;
  }

  std::vector<ev_timer> timers_;
  EvLoop loop_;
  Chance chance_;
  std::vector<int> order_;
  const int due_;
  const int repeats_ = due_ > 20000 ? 1 : 4;
  int first_ = 0;
  int fired_ = 0;
};

}  // namespace

void AddLibevCases(CaseRegistry* registry) {
  std::string error;
  if (!LoadLibevApi(&g_ev, &error)) return;
  registry->Add("chain", Family::kLibev, MakerOf<EvPlainChain>());
  registry->Add("chain_timeout", Family::kLibev, MakerOf<EvTimeoutChain>());
  registry->Add("write_once", Family::kLibev, MakerOf<EvWriteOnce>());
  registry->Add("timers", Family::kLibev, MakerOf<EvTimers>());
  registry->Add("expiry", Family::kLibev, MakerOf<EvExpiry>());
}

}  // namespace percore::bench

#else

namespace percore::bench {
void AddLibevCases(CaseRegistry*) {}
}  // namespace percore::bench

#endif  // PERCORE_BENCH_HAVE_LIBEV
