// Cases of the event2 interface in which one thread keeps its own loop busy
// without descriptors.

#include <signal.h>

#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/event2_base.h"

namespace percore::bench {
namespace {

void Ignore(evutil_socket_t, short, void*) {}

// A callback activates `size` events of its own loop, and the loop runs them.
class ActiveOwn : public Case {
 public:
  ActiveOwn(const Workload& work, const EventApi* api)
      : events_(static_cast<size_t>(work.size)), base_(api) {
    for (event& ev : events_) {
      api->event_assign(&ev, base_.base(), -1, 0, &Ignore, nullptr);
    }
    Run();
  }

  std::vector<double> Run() override {
    double spent = 0;
    for (int round = 0; round < kRounds; ++round) {
      spent += base_.Time([this] {
        for (event& ev : events_) base_.api().event_active(&ev, EV_READ, 0);
      });
    }
    return {spent / operations()};
  }
  double operations() const override {
    return kRounds * static_cast<double>(events_.size());
  }

 private:
  static constexpr int kRounds = 100;
  std::vector<event> events_;
  Event2Base base_;
};

// A callback asks `size` times for something to be called once.
class OnceOwn : public Case {
 public:
  OnceOwn(const Workload& work, const EventApi* api)
      : base_(api), size_(work.size) {
    Run();
  }

  std::vector<double> Run() override {
    double spent = 0;
    for (int round = 0; round < kRounds; ++round) {
      spent += base_.Time([this] {
        for (int i = 0; i < size_; ++i) {
          base_.api().event_base_once(base_.base(), -1, EV_TIMEOUT, &Ignore,
                                      nullptr, nullptr);
        }
      });
    }
    return {spent / operations()};
  }
  double operations() const override { return kRounds * size_; }

 private:
  static constexpr int kRounds = 60;
  Event2Base base_;
  int size_;
};

// raise(), then the turn in which the signal's callback runs.
class Signal : public Case {
 public:
  Signal(const Workload&, const EventApi* api) : base_(api) {
    api->event_assign(&event_, base_.base(), SIGUSR1, EV_SIGNAL | EV_PERSIST,
                      &OnSignal, this);
    api->event_add(&event_, nullptr);
    Run();
  }
  // Before the base, so that the signal gets its old disposition back.
  ~Signal() override { base_.api().event_del(&event_); }

  std::vector<double> Run() override {
    caught_ = 0;
    const double start = ProcessCpu();
    for (int i = 1; i <= kSignals; ++i) {
      raise(SIGUSR1);
      while (caught_ < i) {
        base_.api().event_base_loop(base_.base(), EVLOOP_ONCE);
      }
    }
    return {(ProcessCpu() - start) / kSignals};
  }
  double operations() const override { return kSignals; }

 private:
  static constexpr int kSignals = 2500;
  static void OnSignal(evutil_socket_t, short, void* self) {
    ++static_cast<Signal*>(self)->caught_;
  }

  event event_;
  Event2Base base_;
  int caught_ = 0;
};

// event_base_new and event_base_free.
class NewFree : public Case {
 public:
  NewFree(const Workload&, const EventApi* api) : api_(*api) { Run(); }

  std::vector<double> Run() override {
    const double start = ProcessCpu();
    for (int i = 0; i < kBases; ++i)
      api_.event_base_free(api_.event_base_new());
    return {(ProcessCpu() - start) / kBases};
  }
  double operations() const override { return kBases; }

 private:
  static constexpr int kBases = 1500;
  const EventApi& api_;
};

}  // namespace

void AddEvent2LoopCases(CaseRegistry* registry) {
  registry->Add("active_own", Family::kEvent2, MakerOf<ActiveOwn>());
  registry->Add("once_own", Family::kEvent2, MakerOf<OnceOwn>());
  registry->Add("signal", Family::kEvent2, MakerOf<Signal>());
  registry->Add("base_new_free", Family::kEvent2, MakerOf<NewFree>());
}

}  // namespace percore::bench
