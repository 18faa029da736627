// Timer cases of the event2 interface.

#include <unistd.h>

#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/chance.h"
#include "percore/bench/micro/event2_base.h"

namespace percore::bench {
namespace {

void Ignore(evutil_socket_t, short, void*) {}

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
        sample_(work.size) {
    base_.Time([this] {
      for (size_t i = 0; i < events_.size(); ++i) {
        base_.api().event_assign(&events_[i], base_.base(), -1, 0, &Ignore,
                                 nullptr);
        Add(i);
      }
    });
  }

  std::vector<double> Run() override {
    double add = 0, again = 0, touch = 0, del = 0;
    for (int repeat = 0; repeat < sample_.repeats; ++repeat) {
      first_ = (first_ + sample_.batch) % (size() - sample_.batch + 1);
      del += TimeAll([this](size_t i) { base_.api().event_del(&events_[i]); });
      add += TimeAll([this](size_t i) { Add(i); });
      again += TimeAll([this](size_t i) { Add(i); });
      touch += TimeAll([this](size_t i) { AddFor(i); });
    }
    return {add / operations(), again / operations(), touch / operations(),
            del / operations()};
  }
  double operations() const override { return sample_.batch * sample_.repeats; }

 private:
  int size() const { return static_cast<int>(events_.size()); }

  template <typename Step>
  double TimeAll(Step step) {
    return base_.Time([&] {
      for (int i = first_; i < first_ + sample_.batch; ++i) {
        step(static_cast<size_t>(order_[static_cast<size_t>(i)]));
      }
    });
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
  const TimerSample sample_;
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
    double spent = 0;
    for (int i = 0; i < repeats_; ++i) spent += ExpireOnce();
    return {spent / operations()};
  }
  double operations() const override { return due_ * repeats_; }

 private:
  double ExpireOnce() {
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
    return spent;
  }
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
  const int due_;
  const int repeats_ = due_ > 20000 ? 1 : 4;
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
    double add = 0, again = 0, del = 0, expire = 0;
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      add += TimeAll([&](event* ev) { api.event_add(ev, long_); });
      again += TimeAll([&](event* ev) { api.event_add(ev, long_); });
      del += TimeAll([&](event* ev) { api.event_del(ev); });
      expire += ExpireAll();
    }
    return {add / operations(), again / operations(), del / operations(),
            expire / operations()};
  }
  double operations() const override {
    return kRepeats * static_cast<double>(events_.size());
  }

 private:
  static constexpr int kRepeats = 6;

  double ExpireAll() {
    const EventApi& api = base_.api();
    fired_ = 0;
    // Outside the loop: no turn may run before all are due.
    for (event& ev : events_) api.event_add(&ev, short_);
    usleep(3000);  // Until all are due; a sleep costs no CPU.
    const double start = ProcessCpu();
    while (fired_ < static_cast<int>(events_.size())) {
      api.event_base_loop(base_.base(), EVLOOP_NONBLOCK);
    }
    return ProcessCpu() - start;
  }
  template <typename Step>
  double TimeAll(Step step) {
    return base_.Time([&] {
      for (int i : order_) step(&events_[static_cast<size_t>(i)]);
    });
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
