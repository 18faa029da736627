// The limit: the same work on system calls alone.

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/cores.h"
#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/micro/pipe_ring.h"
#include "percore/bench/micro/wait.h"

namespace percore::bench {
namespace {

// Kind "chain": epoll_wait and the pipes, nothing else.
class RawChain : public Case {
 public:
  RawChain(const Workload& work, const EventApi*)
      : epoll_(epoll_create1(EPOLL_CLOEXEC)),
        ring_(work.size),
        active_(work.detail) {
    for (int i = 0; i < work.size; ++i) {
      epoll_event interest = {};
      interest.events = EPOLLIN;
      interest.data.fd = i;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, ring_.read_end(i), &interest);
    }
    Run();
  }
  ~RawChain() override { close(epoll_); }

  std::vector<double> Run() override {
    ring_.Start(active_, kPasses);
    const double start = ProcessCpu();
    for (bool over = false; !over;) {
      epoll_event ready[256];
      const int n = epoll_wait(epoll_, ready, 256, -1);
      for (int i = 0; i < n; ++i) over |= ring_.Pass(ready[i].data.fd);
    }
    return {(ProcessCpu() - start) / kPasses};
  }
  double operations() const override { return kPasses; }

 private:
  static constexpr int kPasses = 6000;
  int epoll_;
  PipeRing ring_;
  int active_;
};

// A thread that waits on an eventfd and takes numbers from a locked queue.
class Inbox {
 public:
  template <typename Handler>
  void Start(Handler handler) {
    thread_ = std::thread([this, handler] {
      PinTo(ConsumerCore());
      const int epoll = epoll_create1(EPOLL_CLOEXEC);
      epoll_event interest = {};
      interest.events = EPOLLIN;
      epoll_ctl(epoll, EPOLL_CTL_ADD, bell_, &interest);
      for (bool quit = false; !quit;) {
        epoll_event ready;
        epoll_wait(epoll, &ready, 1, -1);
        eventfd_t count;
        eventfd_read(bell_, &count);
        std::deque<int> taken;
        {
          std::lock_guard<std::mutex> lock(mutex_);
          taken.swap(queue_);
        }
        for (int item : taken) {
          if (item < 0) {
            quit = true;
          } else {
            handler(item);
          }
        }
      }
      close(epoll);
    });
  }
  ~Inbox() {
    Send(-1);
    thread_.join();
    close(bell_);
  }

  void Send(int item) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(item);
    }
    eventfd_write(bell_, 1);
  }

 private:
  const int bell_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::mutex mutex_;
  std::deque<int> queue_;
  std::thread thread_;
};

// Kind "ping_pong": eventfd and mutex.
class RawPingPong : public Case {
 public:
  RawPingPong(const Workload&, const EventApi*) {
    ping_.Start([this](int left) {
      if (left == 0) {
        over_.Raise();
      } else {
        pong_.Send(left - 1);
      }
    });
    pong_.Start([this](int left) { ping_.Send(left); });
    Run();
  }

  std::vector<double> Run() override {
    const double start = ProcessCpu();
    ping_.Send(kTrips);
    over_.Wait();
    return {(ProcessCpu() - start) / kTrips};
  }
  double operations() const override { return kTrips; }

 private:
  static constexpr int kTrips = 1500;
  Flag over_;
  Inbox ping_;
  Inbox pong_;
};

}  // namespace

void AddRawCases(CaseRegistry* registry) {
  registry->Add("chain", Family::kRaw, MakerOf<RawChain>());
  registry->Add("ping_pong", Family::kRaw, MakerOf<RawPingPong>());
}

}  // namespace percore::bench
