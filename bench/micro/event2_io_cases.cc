// Descriptor cases of the event2 interface.

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/event2_base.h"
#include "percore/bench/micro/pipe_ring.h"

namespace percore::bench {
namespace {

// size pipes, detail active; kind "chain_timeout" has a timeout on each event.
class Chain : public Case {
 public:
  Chain(const Workload& work, const EventApi* api, bool timeouts)
      : watches_(static_cast<size_t>(work.size)),
        ring_(work.size),
        base_(api),
        active_(work.detail) {
    for (int i = 0; i < work.size; ++i) {
      Watch& watch = watches_[static_cast<size_t>(i)];
      watch.chain = this;
      watch.index = i;
      api->event_assign(&watch.event, base_.base(), ring_.read_end(i),
                        EV_READ | EV_PERSIST, &OnReadable, &watch);
      // Idle timeouts as servers have them: not all equal, and so long that
      // none is due while the other sides have their turn on a busy machine.
      const timeval timeout = {1000 + i % 50, 1000 * (i % 900)};
      api->event_add(&watch.event, timeouts ? &timeout : nullptr);
    }
    Run();
  }

  std::vector<double> Run() override {
    ring_.Start(active_, kPasses);
    const double start = ProcessCpu();
    base_.api().event_base_loop(base_.base(), 0);
    return {(ProcessCpu() - start) / kPasses};
  }
  double operations() const override { return kPasses; }

 private:
  static constexpr int kPasses = 6000;
  struct Watch {
    struct event event;
    Chain* chain;
    int index;
  };

  static void OnReadable(evutil_socket_t, short, void* pointer) {
    auto* watch = static_cast<Watch*>(pointer);
    Chain* chain = watch->chain;
    if (chain->ring_.Pass(watch->index)) {
      chain->base_.api().event_base_loopbreak(chain->base_.base());
    }
  }

  // The base goes first: its end removes the events that are still added.
  std::vector<Watch> watches_;
  PipeRing ring_;
  Event2Base base_;
  int active_;
};

class PlainChain : public Chain {
 public:
  PlainChain(const Workload& work, const EventApi* api)
      : Chain(work, api, false) {}
};

class TimeoutChain : public Chain {
 public:
  TimeoutChain(const Workload& work, const EventApi* api)
      : Chain(work, api, true) {}
};

// event_del and event_add of `size` descriptors in turn, many times in one
// turn of the loop.
class DeleteAdd : public Case {
 public:
  DeleteAdd(const Workload& work, const EventApi* api)
      : events_(static_cast<size_t>(work.size)), ring_(work.size), base_(api) {
    for (int i = 0; i < work.size; ++i) {
      event* ev = &events_[static_cast<size_t>(i)];
      api->event_assign(
          ev, base_.base(), ring_.read_end(i), EV_READ | EV_PERSIST,
          [](evutil_socket_t, short, void*) {}, nullptr);
      api->event_add(ev, nullptr);
    }
    Run();
  }

  std::vector<double> Run() override {
    const double spent = base_.Time([this] {
      const EventApi& api = base_.api();
      for (int round = 0; round < kPairs / ring_.size(); ++round) {
        for (event& ev : events_) {
          api.event_del(&ev);
          api.event_add(&ev, nullptr);
        }
      }
    });
    return {spent / kPairs};
  }
  double operations() const override { return kPairs; }

 private:
  static constexpr int kPairs = 6000;
  std::vector<event> events_;
  PipeRing ring_;
  Event2Base base_;
};

// `size` writable sockets, each with a one-shot EV_WRITE event that its own
// callback adds again.
class WriteOnce : public Case {
 public:
  WriteOnce(const Workload& work, const EventApi* api)
      : ends_(static_cast<size_t>(work.size)), base_(api) {
    for (End& end : ends_) {
      end.owner = this;
      if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, end.fds) != 0) {
        std::abort();
      }
      api->event_assign(&end.event, base_.base(), end.fds[0], EV_WRITE,
                        &OnWritable, &end);
    }
    Run();
  }
  ~WriteOnce() override {
    for (End& end : ends_) {
      base_.api().event_del(&end.event);
      close(end.fds[0]);
      close(end.fds[1]);
    }
  }

  std::vector<double> Run() override {
    left_ = kEvents;
    for (End& end : ends_) base_.api().event_add(&end.event, nullptr);
    const double start = ProcessCpu();
    base_.api().event_base_loop(base_.base(), 0);
    return {(ProcessCpu() - start) / kEvents};
  }
  double operations() const override { return kEvents; }

 private:
  static constexpr int kEvents = 8000;
  struct End {
    struct event event;
    WriteOnce* owner;
    int fds[2];
  };

  static void OnWritable(evutil_socket_t, short, void* pointer) {
    auto* end = static_cast<End*>(pointer);
    WriteOnce* self = end->owner;
    if (--self->left_ > 0) {
      self->base_.api().event_add(&end->event, nullptr);
    } else {
      self->base_.api().event_base_loopbreak(self->base_.base());
    }
  }

  std::vector<End> ends_;
  Event2Base base_;
  int left_ = 0;
};

}  // namespace

void AddEvent2IoCases(CaseRegistry* registry) {
  registry->Add("chain", Family::kEvent2, MakerOf<PlainChain>());
  registry->Add("chain_timeout", Family::kEvent2, MakerOf<TimeoutChain>());
  registry->Add("del_add", Family::kEvent2, MakerOf<DeleteAdd>());
  registry->Add("write_once", Family::kEvent2, MakerOf<WriteOnce>());
}

}  // namespace percore::bench
