// Timer cases of the event2 interface.

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/chance.h"
#include "percore/bench/micro/event2_base.h"

namespace percore::bench {
namespace {

void Ignore(evutil_socket_t, short, void*) {}

// How many timers one sample handles: all, or a window of a large population.
int BatchOf(int pending) { return std::min(pending, 20000); }

// `size` timers are pending, at random deadlines far away. Metrics: add,
// re-add (another random deadline), touch (the same timeout again, so the
// deadline moves a little later), del. Each is done for a batch of the timers
// in random order, in a callback, with the turn after it.
class Timers : public Case {
 public:
  Timers(const Workload& work, const EventApi* api)
      : events_(static_cast<size_t>(work.size)),
        seconds_(events_.size()),
        base_(api),
        order_(chance_.Permutation(work.size)),
        batch_(BatchOf(work.size)) {
    base_.Time([this] {
      for (size_t i = 0; i < events_.size(); ++i) {
        base_.api().event_assign(&events_[i], base_.base(), -1, 0, &Ignore,
                                 nullptr);
        Add(i);
      }
    });
  }

  std::vector<double> Run() override {
    first_ = (first_ + batch_) % (size() - batch_ + 1);
    const double del = TimeEach(
        [this](size_t i) { base_.api().event_del(&events_[i]); });
    const double add = TimeEach([this](size_t i) { Add(i); });
    const double again = TimeEach([this](size_t i) { Add(i); });
    const double touch = TimeEach([this](size_t i) { AddFor(i); });
    return {add, again, touch, del};
  }
  double operations() const override { return batch_; }

 private:
  int size() const { return static_cast<int>(events_.size()); }

  template <typename Step>
  double TimeEach(Step step) {
    const double spent = base_.Time([&] {
      for (int i = first_; i < first_ + batch_; ++i) {
        step(static_cast<size_t>(order_[static_cast<size_t>(i)]));
      }
    });
    return spent / batch_;
  }

  void Add(size_t i) {
    seconds_[i] = 1000 + static_cast<int>(chance_.Below(100000));
    AddFor(i);
  }

  void AddFor(size_t i) {
    // The microseconds differ so that no two deadlines are equal by habit.
    const timeval timeout = {seconds_[i], static_cast<long>(i % 1000000)};
    base_.api().event_add(&events_[i], &timeout);
  }

  std::vector<event> events_;
  std::vector<int> seconds_;
  Event2Base base_;
  Chance chance_;
  std::vector<int> order_;
  int batch_;
  int first_ = 0;
};

// `size` timers are pending and `detail` of them, random ones with deadlines
// in random order, are due. Metric: CPU time of the loop for each callback.
class Expiry : public Case {
 public:
  Expiry(const Workload& work, const EventApi* api)
      : events_(static_cast<size_t>(work.size)),
        base_(api),
        order_(chance_.Permutation(work.size)),
        due_(work.detail) {
    for (event& ev : events_) {
      const timeval far = {1000 + static_cast<int>(chance_.Below(100000)), 0};
      api->event_assign(&ev, base_.base(), -1, 0, &OnTimeout, this);
      api->event_add(&ev, &far);
    }
  }

  std::vector<double> Run() override {
    first_ = (first_ + due_) % (static_cast<int>(events_.size()) - due_ + 1);
    // Outside the loop: no turn may run before all are due.
    for (int i = first_; i < first_ + due_; ++i) {
      const timeval soon = {0, 1 + static_cast<int>(chance_.Below(4000))};
      base_.api().event_add(&At(i), &soon);
    }
    usleep(6000);  // Until all are due; a sleep costs no CPU.
    const double start = ProcessCpu();
    while (fired_ < due_) {
      base_.api().event_base_loop(base_.base(), EVLOOP_NONBLOCK);
    }
    const double spent = ProcessCpu() - start;
    fired_ = 0;
    // What fired goes back among the far ones, so that `size` stay pending.
    base_.Time([this] {
      for (int i = first_; i < first_ + due_; ++i) {
        const timeval far = {1000 + static_cast<int>(chance_.Below(100000)), 0};
        base_.api().event_add(&At(i), &far);
      }
    });
    return {spent / due_};
  }
  double operations() const override { return due_; }

 private:
  event& At(int i) {
    return events_[static_cast<size_t>(order_[static_cast<size_t>(i)])];
  }
  static void OnTimeout(evutil_socket_t, short, void* self) {
    ++static_cast<Expiry*>(self)->fired_;
  }

  std::vector<event> events_;
  Event2Base base_;
  Chance chance_;
  std::vector<int> order_;
  int due_;
  int first_ = 0;
  int fired_ = 0;
};

// `size` timers with one common timeout. Metrics: add, re-add, del, expiry.
class CommonTimeouts : public Case {
 public:
  CommonTimeouts(const Workload& work, const EventApi* api)
      : events_(static_cast<size_t>(work.size)),
        base_(api),
        order_(chance_.Permutation(work.size)) {
    const timeval long_time = {1000, 0};
    const timeval short_time = {0, 1000};
    long_ = api->event_base_init_common_timeout(base_.base(), &long_time);
    short_ = api->event_base_init_common_timeout(base_.base(), &short_time);
    for (event& ev : events_) {
      api->event_assign(&ev, base_.base(), -1, 0, &OnTimeout, this);
    }
    Run();
  }

  std::vector<double> Run() override {
    const EventApi& api = base_.api();
    const double add =
        TimeEach([&](event* ev) { api.event_add(ev, long_); });
    const double again =
        TimeEach([&](event* ev) { api.event_add(ev, long_); });
    const double del = TimeEach([&](event* ev) { api.event_del(ev); });
    fired_ = 0;
    // Outside the loop: no turn may run before all are due.
    for (event& ev : events_) api.event_add(&ev, short_);
    usleep(3000);  // Until all are due; a sleep costs no CPU.
    const double start = ProcessCpu();
    while (fired_ < static_cast<int>(events_.size())) {
      api.event_base_loop(base_.base(), EVLOOP_NONBLOCK);
    }
    return {add, again, del, (ProcessCpu() - start) / operations()};
  }
  double operations() const override {
    return static_cast<double>(events_.size());
  }

 private:
  template <typename Step>
  double TimeEach(Step step) {
    const double spent = base_.Time([&] {
      for (int i : order_) step(&events_[static_cast<size_t>(i)]);
    });
    return spent / operations();
  }
  static void OnTimeout(evutil_socket_t, short, void* self) {
    ++static_cast<CommonTimeouts*>(self)->fired_;
  }

  std::vector<event> events_;
  Event2Base base_;
  Chance chance_;
  std::vector<int> order_;
  const timeval* long_;
  const timeval* short_;
  int fired_ = 0;
};

}  // namespace

void AddEvent2TimerCases(CaseRegistry* registry) {
  registry->Add("timers", Family::kEvent2, MakerOf<Timers>());
  registry->Add("expiry", Family::kEvent2, MakerOf<Expiry>());
  registry->Add("common", Family::kEvent2, MakerOf<CommonTimeouts>());
}

}  // namespace percore::bench
