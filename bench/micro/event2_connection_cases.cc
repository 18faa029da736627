// Cases of the event2 interface about connections: how they come, and what
// they hold while they are idle.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/event2_base.h"
#include "percore/bench/micro/resident.h"
#include "percore/bench/micro/socket_ends.h"
#include "percore/bench/micro/tcp_clients.h"

namespace percore::bench {
namespace {

// Kind "accept": connections that wait are accepted, and closed.
class Accept : public Case {
 public:
  Accept(const Workload&, const EventApi* api) : base_(api) {
    sockaddr_in address = TcpClients::Loopback();
    listener_ = api->evconnlistener_new_bind(
        base_.base(), &OnConnection, this, LEV_OPT_CLOSE_ON_FREE,
        TcpClients::kBacklog, reinterpret_cast<sockaddr*>(&address),
        sizeof(address));
    if (listener_ == nullptr) std::abort();
    clients_.SetTarget(api->evconnlistener_get_fd(listener_));
    Run();
  }
  ~Accept() override { base_.api().evconnlistener_free(listener_); }

  std::vector<double> Run() override {
    double spent = 0;
    for (int round = 0; round < kRounds; ++round) {
      clients_.Connect();
      accepted_ = 0;
      const double start = ProcessCpu();
      while (accepted_ < TcpClients::kClients) {
        base_.api().event_base_loop(base_.base(), EVLOOP_ONCE);
      }
      spent += ProcessCpu() - start;
      clients_.Reset();
    }
    return {spent / operations()};
  }
  double operations() const override { return kRounds * TcpClients::kClients; }

 private:
  static constexpr int kRounds = 12;
  static void OnConnection(evconnlistener*, evutil_socket_t fd, sockaddr*, int,
                           void* pointer) {
    ++static_cast<Accept*>(pointer)->accepted_;
    close(fd);
  }

  Event2Base base_;
  TcpClients clients_;
  evconnlistener* listener_ = nullptr;
  int accepted_ = 0;
};

// Kind "idle_streams": `size` streams, each of which has had one message and
// sent one. The figures: bytes of heap, and of resident memory, for one; and
// the CPU time of a loop that waits for 50 ms, all of them idle.
class IdleStreams : public Case {
 public:
  IdleStreams(const Workload& work, const EventApi* api)
      : base_(api),
        ends_(static_cast<size_t>(work.size)),
        streams_(ends_.size()) {
    // The first one pays for what all share.
    Open(0);
    const Resident before = Resident::Now();
    for (size_t i = 1; i < ends_.size(); ++i) Open(i);
    const Resident after = Resident::Now();
    const double held = static_cast<double>(ends_.size() - 1);
    heap_ = (after.heap - before.heap) / held;
    resident_ = (after.resident - before.resident) / held;
  }
  ~IdleStreams() override {
    for (bufferevent* stream : streams_) base_.api().bufferevent_free(stream);
    base_.api().event_base_loop(base_.base(), EVLOOP_NONBLOCK);
  }

  std::vector<double> Run() override {
    const EventApi& api = base_.api();
    event over;
    api.event_assign(
        &over, base_.base(), -1, 0,
        [](evutil_socket_t, short, void* pointer) {
          auto* base = static_cast<Event2Base*>(pointer);
          base->api().event_base_loopbreak(base->base());
        },
        &base_);
    const timeval wait = {0, 50000};
    api.event_add(&over, &wait);
    const double start = ProcessCpu();
    api.event_base_loop(base_.base(), 0);
    return {heap_, resident_, ProcessCpu() - start};
  }
  double operations() const override { return 1; }

 private:
  void Open(size_t i) {
    const EventApi& api = base_.api();
    streams_[i] = api.bufferevent_socket_new(base_.base(), ends_[i][0], 0);
    if (streams_[i] == nullptr) std::abort();
    api.bufferevent_setcb(streams_[i], &OnInput, nullptr, nullptr, this);
    api.bufferevent_enable(streams_[i], EV_READ | EV_WRITE);
    char message[64] = {};
    if (write(ends_[i][1], message, sizeof(message)) != sizeof(message)) {
      std::abort();
    }
    while (read(ends_[i][1], message, sizeof(message)) <= 0) {
      api.event_base_loop(base_.base(), EVLOOP_NONBLOCK);
    }
    // What was put off until after the write.
    api.event_base_loop(base_.base(), EVLOOP_NONBLOCK);
  }
  static void OnInput(bufferevent* stream, void* pointer) {
    const EventApi& api = static_cast<IdleStreams*>(pointer)->base_.api();
    char message[64];
    while (api.evbuffer_remove(api.bufferevent_get_input(stream), message,
                               sizeof(message)) > 0) {
      api.bufferevent_write(stream, message, sizeof(message));
    }
  }

  Event2Base base_;
  std::deque<SocketEnds> ends_;
  std::vector<bufferevent*> streams_;
  double heap_ = 0;
  double resident_ = 0;
};

}  // namespace

void AddEvent2ConnectionCases(CaseRegistry* registry) {
  registry->Add("accept", Family::kEvent2, MakerOf<Accept>());
  registry->Add("idle_streams", Family::kEvent2, MakerOf<IdleStreams>());
}

}  // namespace percore::bench
