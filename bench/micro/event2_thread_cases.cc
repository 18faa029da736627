// Cross-thread cases of the event2 interface, with evthread_use_pthreads().

#include <memory>
#include <thread>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/cores.h"
#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/micro/producers.h"
#include "percore/bench/micro/wait.h"
#include "percore/bench/peers/c_api.h"

namespace percore::bench {
namespace {

// A base whose loop runs in a thread of its own until the end.
class LoopThread {
 public:
  LoopThread(const EventApi* api, int core) : api_(*api) {
    api_.evthread_use_pthreads();
    base_ = api_.event_base_new();
    thread_ = std::thread([this, core] {
      PinTo(core);
      api_.event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY);
    });
    // A break sent before the loop is entered would be lost, so wait for it.
    Flag running;
    api_.event_base_once(
        base_, -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void* f) { static_cast<Flag*>(f)->Raise(); },
        &running, nullptr);
    running.Wait();
  }
  ~LoopThread() {
    api_.event_base_loopbreak(base_);
    thread_.join();
    api_.event_base_free(base_);
  }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  const EventApi& api() const { return api_; }
  event_base* base() const { return base_; }

 private:
  const EventApi& api_;
  event_base* base_;
  std::thread thread_;
};

void OnHold(evutil_socket_t, short, void* producers) {
  static_cast<Producers*>(producers)->Hold();
}

// event_active of one event again and again. CPU time of the calling thread.
// Detail 0: the loop runs and takes the event whenever it can; 1: the loop's
// thread is held in a callback, so the event is active at every call.
class AlreadyActive : public Case {
 public:
  AlreadyActive(const Workload& work, const EventApi* api)
      : held_loop_(work.detail == 1), loop_(api, ConsumerCore()) {
    PinTo(SenderCore());
    api->event_assign(
        &event_, loop_.base(), -1, 0, [](evutil_socket_t, short, void*) {},
        nullptr);
    api->event_assign(&holder_, loop_.base(), -1, 0, &Hold, this);
  }

  std::vector<double> Run() override {
    const EventApi& api = loop_.api();
    if (held_loop_) {
      api.event_active(&holder_, EV_READ, 0);
      held_.Wait();
    }
    api.event_active(&event_, EV_READ, 0);
    const double start = ThreadCpu();
    for (int i = 0; i < kCalls; ++i) api.event_active(&event_, EV_READ, 0);
    const double spent = ThreadCpu() - start;
    if (held_loop_) release_.Raise();
    return {spent / kCalls};
  }
  double operations() const override { return kCalls; }

 private:
  static constexpr int kCalls = 100000;
  static void Hold(evutil_socket_t, short, void* pointer) {
    auto* self = static_cast<AlreadyActive*>(pointer);
    self->held_.Raise();
    self->release_.Wait();
  }

  const bool held_loop_;
  event event_;
  event holder_;
  Flag held_;
  Flag release_;
  LoopThread loop_;
};

// `size` producers activate events of their own, one burst after the other.
class Burst : public Case {
 public:
  Burst(const Workload& work, const EventApi* api)
      : items_(static_cast<size_t>(work.size * Producers::kBurst)),
        loop_(api, ConsumerCore()),
        producers_(
            work.size, static_cast<Exchange>(work.detail),
            [this](int number) { Send(number); }, [this] { Hold(); }) {
    api->event_assign(&holder_, loop_.base(), -1, 0, &OnHold, &producers_);
    for (size_t i = 0; i < items_.size(); ++i) {
      items_[i].from = static_cast<int>(i) / Producers::kBurst;
      items_[i].producers = &producers_;
      api->event_assign(&items_[i].event, loop_.base(), -1, 0, &OnItem,
                        &items_[i]);
    }
    Run();
  }

  std::vector<double> Run() override { return producers_.Run(kBursts); }
  double operations() const override { return kBursts * Producers::kBurst; }

 private:
  static constexpr int kBursts = 120;
  struct Item {
    struct event event;
    Producers* producers;
    int from;
  };

  void Send(int number) {
    Item* first = &items_[static_cast<size_t>(number * Producers::kBurst)];
    for (int i = 0; i < Producers::kBurst; ++i) {
      loop_.api().event_active(&first[i].event, EV_READ, 0);
    }
  }
  void Hold() { loop_.api().event_active(&holder_, EV_READ, 0); }
  static void OnItem(evutil_socket_t, short, void* pointer) {
    auto* item = static_cast<Item*>(pointer);
    item->producers->Consumed(item->from);
  }

  std::vector<Item> items_;
  event holder_;
  LoopThread loop_;
  Producers producers_;
};

// `size` producers send closures: percore_post where there is one, else
// event_base_once, which is how a program of libevent does it.
class Post : public Case {
 public:
  Post(const Workload& work, const EventApi* api)
      : senders_(static_cast<size_t>(work.size)),
        loop_(api, ConsumerCore()),
        producers_(
            work.size, static_cast<Exchange>(work.detail),
            [this](int number) { Send(number); }, [this] { Hold(); }) {
    api->event_assign(&holder_, loop_.base(), -1, 0, &OnHold, &producers_);
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
    const EventApi& api = loop_.api();
    Sender* sender = &senders_[static_cast<size_t>(number)];
    for (int i = 0; i < Producers::kBurst; ++i) {
      if (api.percore_post != nullptr) {
        api.percore_post(loop_.base(), &OnClosure, sender);
      } else {
        api.event_base_once(
            loop_.base(), -1, EV_TIMEOUT,
            [](evutil_socket_t, short, void* s) { OnClosure(s); }, sender,
            nullptr);
      }
    }
  }
  void Hold() { loop_.api().event_active(&holder_, EV_READ, 0); }
  static void OnClosure(void* pointer) {
    auto* sender = static_cast<Sender*>(pointer);
    sender->producers->Consumed(sender->number);
  }

  std::vector<Sender> senders_;
  event holder_;
  LoopThread loop_;
  Producers producers_;
};

// Two loops on one core activate each other's event. An operation is a round
// trip: two wake-ups.
class PingPong : public Case {
 public:
  PingPong(const Workload&, const EventApi* api)
      : ping_(api, ConsumerCore()), pong_(api, ConsumerCore()) {
    api->event_assign(&ping_event_, ping_.base(), -1, 0, &OnPing, this);
    api->event_assign(&pong_event_, pong_.base(), -1, 0, &OnPong, this);
    Run();
  }

  std::vector<double> Run() override {
    left_ = kTrips;
    const double start = ProcessCpu();
    ping_.api().event_active(&ping_event_, EV_READ, 0);
    over_.Wait();
    return {(ProcessCpu() - start) / kTrips};
  }
  double operations() const override { return kTrips; }

 private:
  static constexpr int kTrips = 1500;
  static void OnPing(evutil_socket_t, short, void* pointer) {
    auto* self = static_cast<PingPong*>(pointer);
    if (self->left_-- == 0) {
      self->over_.Raise();
    } else {
      self->pong_.api().event_active(&self->pong_event_, EV_READ, 0);
    }
  }
  static void OnPong(evutil_socket_t, short, void* pointer) {
    auto* self = static_cast<PingPong*>(pointer);
    self->ping_.api().event_active(&self->ping_event_, EV_READ, 0);
  }

  event ping_event_;
  event pong_event_;
  int left_ = 0;  // The ping loop's thread; Run() while it is at rest.
  Flag over_;
  LoopThread ping_;
  LoopThread pong_;
};

// `size` threads have sent something to the base once and live on. An
// operation is a turn of the loop with nothing to do.
class IdleMailbox : public Case {
 public:
  IdleMailbox(const Workload& work, const EventApi* api) : api_(*api) {
    api_.evthread_use_pthreads();
    base_ = api_.event_base_new();
    api_.event_assign(
        &event_, base_, -1, EV_PERSIST, [](evutil_socket_t, short, void*) {},
        nullptr);
    const timeval far = {100000, 0};
    api_.event_add(&event_, &far);  // Or the loop would return at once.
    Flag sent;
    for (int i = 0; i < work.size; ++i) {
      peers_.emplace_back([this, &sent] {
        if (api_.percore_post != nullptr) {
          api_.percore_post(
              base_, [](void*) {}, nullptr);
        } else {
          api_.event_active(&event_, EV_READ, 0);
        }
        sent.Raise();
        quit_.Wait();
      });
      sent.Wait();
    }
    Run();
  }
  ~IdleMailbox() override {
    for (size_t i = 0; i < peers_.size(); ++i) quit_.Raise();
    for (std::thread& peer : peers_) peer.join();
    api_.event_base_free(base_);
  }

  std::vector<double> Run() override {
    const double start = ThreadCpu();
    for (int i = 0; i < kTurns; ++i) {
      api_.event_base_loop(base_, EVLOOP_NONBLOCK);
    }
    return {(ThreadCpu() - start) / kTurns};
  }
  double operations() const override { return kTurns; }

 private:
  static constexpr int kTurns = 20000;
  const EventApi& api_;
  event event_;
  event_base* base_;
  Flag quit_;
  std::vector<std::thread> peers_;
};

}  // namespace

void AddEvent2ThreadCases(CaseRegistry* registry) {
  registry->Add("already_active", Family::kEvent2, MakerOf<AlreadyActive>());
  registry->Add("burst", Family::kEvent2, MakerOf<Burst>());
  registry->Add("post", Family::kEvent2, MakerOf<Post>());
  registry->Add("ping_pong", Family::kEvent2, MakerOf<PingPong>());
  registry->Add("idle_mailbox", Family::kEvent2, MakerOf<IdleMailbox>());
}

}  // namespace percore::bench
