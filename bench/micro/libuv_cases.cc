// libuv's side of the cases.

#include "percore/bench/micro/cases.h"
#include "percore/bench/peers/libuv_api.h"

#if PERCORE_BENCH_HAVE_LIBUV

#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "percore/bench/micro/cores.h"
#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/micro/pipe_ring.h"
#include "percore/bench/micro/producers.h"
#include "percore/bench/micro/wait.h"

namespace percore::bench {
namespace {

LibuvApi g_uv;  // Filled once, before the first case is made.

class UvChain : public Case {
 public:
  UvChain(const Workload& work, bool timeouts)
      : watches_(static_cast<size_t>(work.size)),
        ring_(work.size),
        active_(work.detail) {
    g_uv.uv_loop_init(&loop_);
    for (int i = 0; i < work.size; ++i) {
      Watch& watch = watches_[static_cast<size_t>(i)];
      watch.chain = this;
      watch.index = i;
      g_uv.uv_poll_init(&loop_, &watch.poll, ring_.read_end(i));
      watch.poll.data = &watch;
      g_uv.uv_poll_start(&watch.poll, UV_READABLE,
                         timeouts ? &OnReadableTimed : &OnReadable);
      if (timeouts) {
        g_uv.uv_timer_init(&loop_, &watch.timer);
        const uint64_t ms =
            1000000 + static_cast<uint64_t>(i % 50 * 1000 + i % 900);
        g_uv.uv_timer_start(&watch.timer, &OnTimeout, ms, ms);
      }
    }
    Run();
  }
  ~UvChain() override { CloseLoop(g_uv, &loop_); }

  std::vector<double> Run() override {
    ring_.Start(active_, kPasses);
    const double start = ProcessCpu();
    g_uv.uv_run(&loop_, UV_RUN_DEFAULT);
    return {(ProcessCpu() - start) / kPasses};
  }
  double operations() const override { return kPasses; }

 private:
  static constexpr int kPasses = 6000;
  struct Watch {
    uv_poll_t poll;
    uv_timer_t timer;
    UvChain* chain;
    int index;
  };
  static void OnTimeout(uv_timer_t*) { std::abort(); }
  static void OnReadable(uv_poll_t* poll, int, int) {
    auto* watch = static_cast<Watch*>(poll->data);
    if (watch->chain->ring_.Pass(watch->index)) {
      g_uv.uv_stop(&watch->chain->loop_);
    }
  }
  static void OnReadableTimed(uv_poll_t* poll, int status, int events) {
    g_uv.uv_timer_again(&static_cast<Watch*>(poll->data)->timer);
    OnReadable(poll, status, events);
  }

  std::vector<Watch> watches_;
  PipeRing ring_;
  uv_loop_t loop_;
  int active_;
};

class UvPlainChain : public UvChain {
 public:
  UvPlainChain(const Workload& work, const EventApi*) : UvChain(work, false) {}
};
class UvTimeoutChain : public UvChain {
 public:
  UvTimeoutChain(const Workload& work, const EventApi*) : UvChain(work, true) {}
};

// A loop in a thread of its own with the usual mailbox of libuv programs: a
// locked queue of closures and one uv_async_t.
class UvLoopThread {
 public:
  UvLoopThread() {
    g_uv.uv_loop_init(&loop_);
    g_uv.uv_async_init(&loop_, &async_, &OnAsync);
    async_.data = this;
    thread_ = std::thread([this] {
      PinTo(ConsumerCore());
      g_uv.uv_run(&loop_, UV_RUN_DEFAULT);
    });
  }
  ~UvLoopThread() {
    Post([](void* loop) { g_uv.uv_stop(static_cast<uv_loop_t*>(loop)); },
         &loop_);
    thread_.join();
    CloseLoop(g_uv, &loop_);
  }
  UvLoopThread(const UvLoopThread&) = delete;
  UvLoopThread& operator=(const UvLoopThread&) = delete;

  void Post(void (*function)(void*), void* argument) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.emplace_back(function, argument);
    }
    g_uv.uv_async_send(&async_);
  }

 private:
  static void OnAsync(uv_async_t* async) {
    auto* self = static_cast<UvLoopThread*>(async->data);
    std::deque<std::pair<void (*)(void*), void*>> taken;
    {
      std::lock_guard<std::mutex> lock(self->mutex_);
      taken.swap(self->queue_);
    }
    for (const auto& [function, argument] : taken) function(argument);
  }

  uv_loop_t loop_;
  uv_async_t async_;
  std::mutex mutex_;
  std::deque<std::pair<void (*)(void*), void*>> queue_;
  std::thread thread_;
};

class UvPost : public Case {
 public:
  UvPost(const Workload& work, const EventApi*)
      : senders_(static_cast<size_t>(work.size)),
        producers_(
            work.size, static_cast<Exchange>(work.detail),
            [this](int number) { Send(number); },
            [this] {
              loop_.Post([](void* p) { static_cast<Producers*>(p)->Hold(); },
                         &producers_);
            }) {
    for (size_t i = 0; i < senders_.size(); ++i) {
      senders_[i] = {&producers_, static_cast<int>(i)};
    }
    Run();
  }

  std::vector<double> Run() override { return producers_.Run(kBursts); }
  double operations() const override { return kBursts * Producers::kBurst; }

 private:
  static constexpr int kBursts = 40;
  struct Sender {
    Producers* producers;
    int number;
  };
  void Send(int number) {
    for (int i = 0; i < Producers::kBurst; ++i) {
      loop_.Post(&OnClosure, &senders_[static_cast<size_t>(number)]);
    }
  }
  static void OnClosure(void* pointer) {
    auto* sender = static_cast<Sender*>(pointer);
    sender->producers->Consumed(sender->number);
  }

  std::vector<Sender> senders_;
  UvLoopThread loop_;
  Producers producers_;
};

class UvPingPong : public Case {
 public:
  UvPingPong(const Workload&, const EventApi*) { Run(); }

  std::vector<double> Run() override {
    left_ = kTrips;
    const double start = ProcessCpu();
    ping_.Post(&OnPing, this);
    over_.Wait();
    return {(ProcessCpu() - start) / kTrips};
  }
  double operations() const override { return kTrips; }

 private:
  static constexpr int kTrips = 1500;
  static void OnPing(void* pointer) {
    auto* self = static_cast<UvPingPong*>(pointer);
    if (self->left_-- == 0) {
      self->over_.Raise();
    } else {
      self->pong_.Post(&OnPong, self);
    }
  }
  static void OnPong(void* pointer) {
    auto* self = static_cast<UvPingPong*>(pointer);
    self->ping_.Post(&OnPing, self);
  }

  int left_ = 0;  // The ping loop's thread; Run() while it is at rest.
  Flag over_;
  UvLoopThread ping_;
  UvLoopThread pong_;
};

}  // namespace

void AddLibuvCases(CaseRegistry* registry) {
  std::string error;
  if (!LoadLibuvApi(&g_uv, &error)) return;
  registry->Add("chain", Family::kLibuv, MakerOf<UvPlainChain>());
  registry->Add("chain_timeout", Family::kLibuv, MakerOf<UvTimeoutChain>());
  registry->Add("post", Family::kLibuv, MakerOf<UvPost>());
  registry->Add("ping_pong", Family::kLibuv, MakerOf<UvPingPong>());
}

}  // namespace percore::bench

#else

namespace percore::bench {
void AddLibuvCases(CaseRegistry*) {}
}  // namespace percore::bench

#endif  // PERCORE_BENCH_HAVE_LIBUV
