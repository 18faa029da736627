// Stream cases of the event2 interface: both ends on one loop.

#include <sys/time.h>

#include <cstdlib>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/event2_base.h"
#include "percore/bench/micro/socket_ends.h"

namespace percore::bench {
namespace {

// Two streams, end to end.
class TwoStreams {
 public:
  TwoStreams(Event2Base* base, bool filters, bool timeouts) : base_(*base) {
    const EventApi& api = base_.api();
    for (int i = 0; i < 2; ++i) {
      streams_[i] = api.bufferevent_socket_new(base_.base(), ends_[i], 0);
      if (timeouts) {
        const timeval minute = {60, 0};
        api.bufferevent_set_timeouts(streams_[i], &minute, &minute);
      }
      if (filters) {
        api.bufferevent_enable(streams_[i], EV_READ | EV_WRITE);
        streams_[i] =
            api.bufferevent_filter_new(streams_[i], nullptr, nullptr,
                                       BEV_OPT_CLOSE_ON_FREE, nullptr, nullptr);
      }
      if (streams_[i] == nullptr) std::abort();
    }
  }
  ~TwoStreams() {
    for (bufferevent* stream : streams_) base_.api().bufferevent_free(stream);
    base_.api().event_base_loop(base_.base(), EVLOOP_NONBLOCK);
  }
  TwoStreams(const TwoStreams&) = delete;
  TwoStreams& operator=(const TwoStreams&) = delete;

  bufferevent* operator[](int end) const { return streams_[end]; }
  void Start(int end, bufferevent_data_cb read, bufferevent_data_cb write,
             void* argument) {
    base_.api().bufferevent_setcb(streams_[end], read, write, nullptr,
                                  argument);
    base_.api().bufferevent_enable(streams_[end], EV_READ | EV_WRITE);
  }

 private:
  Event2Base& base_;
  SocketEnds ends_;
  bufferevent* streams_[2];
};

// Kind "echo": `size` bytes there and back; detail is an EchoStyle.
class Echo : public Case {
 public:
  Echo(const Workload& work, const EventApi* api)
      : base_(api),
        streams_(&base_, work.detail == kEchoThroughFilters,
                 work.detail == kEchoWithTimeouts),
        message_(static_cast<size_t>(work.size), 'm') {
    streams_.Start(0, &OnRequest, nullptr, this);
    streams_.Start(1, &OnAnswer, nullptr, this);
    Run();
  }

  std::vector<double> Run() override {
    const EventApi& api = base_.api();
    left_ = EchoRounds(static_cast<int>(message_.size()));
    const double start = ProcessCpu();
    api.bufferevent_write(streams_[1], message_.data(), message_.size());
    api.event_base_loop(base_.base(), 0);
    return {(ProcessCpu() - start) / operations()};
  }
  double operations() const override {
    return EchoRounds(static_cast<int>(message_.size()));
  }

 private:
  static void OnRequest(bufferevent* stream, void* pointer) {
    const EventApi& api = static_cast<Echo*>(pointer)->base_.api();
    api.bufferevent_write_buffer(stream, api.bufferevent_get_input(stream));
  }
  static void OnAnswer(bufferevent* stream, void* pointer) {
    auto* self = static_cast<Echo*>(pointer);
    const EventApi& api = self->base_.api();
    evbuffer* input = api.bufferevent_get_input(stream);
    if (api.evbuffer_get_length(input) < self->message_.size()) return;
    api.evbuffer_drain(input, self->message_.size());
    if (--self->left_ == 0) {
      api.event_base_loopbreak(self->base_.base());
    } else {
      api.bufferevent_write(stream, self->message_.data(),
                            self->message_.size());
    }
  }

  Event2Base base_;
  TwoStreams streams_;
  std::vector<char> message_;
  int left_ = 0;
};

// Kind "one_way": `size` bytes at a time, the next when they are written.
class OneWay : public Case {
 public:
  OneWay(const Workload& work, const EventApi* api)
      : base_(api),
        streams_(&base_, false, false),
        piece_(static_cast<size_t>(work.size), 'p') {
    streams_.Start(0, &OnInput, nullptr, this);
    streams_.Start(1, nullptr, &OnWritten, this);
    Run();
  }

  std::vector<double> Run() override {
    const EventApi& api = base_.api();
    to_write_ = kOneWayPieces;
    to_read_ = piece_.size() * kOneWayPieces;
    const double start = ProcessCpu();
    OnWritten(streams_[1], this);
    api.event_base_loop(base_.base(), 0);
    return {(ProcessCpu() - start) / operations()};
  }
  double operations() const override { return kOneWayPieces; }

 private:
  static void OnWritten(bufferevent* stream, void* pointer) {
    auto* self = static_cast<OneWay*>(pointer);
    if (self->to_write_ == 0) return;
    --self->to_write_;
    self->base_.api().bufferevent_write(stream, self->piece_.data(),
                                        self->piece_.size());
  }
  static void OnInput(bufferevent* stream, void* pointer) {
    auto* self = static_cast<OneWay*>(pointer);
    const EventApi& api = self->base_.api();
    evbuffer* input = api.bufferevent_get_input(stream);
    const size_t size = api.evbuffer_get_length(input);
    api.evbuffer_drain(input, size);
    self->to_read_ -= size;
    if (self->to_read_ == 0) api.event_base_loopbreak(self->base_.base());
  }

  Event2Base base_;
  TwoStreams streams_;
  std::vector<char> piece_;
  int to_write_ = 0;
  size_t to_read_ = 0;
};

// Kind "in_flight": `detail` messages of `size` bytes are always under way;
// both ends take and answer them one by one.
class InFlight : public Case {
 public:
  InFlight(const Workload& work, const EventApi* api)
      : base_(api),
        streams_(&base_, false, false),
        message_(static_cast<size_t>(work.size), 'm'),
        most_(work.detail) {
    streams_.Start(0, &OnRequests, nullptr, this);
    streams_.Start(1, &OnAnswers, nullptr, this);
    Run();
  }

  std::vector<double> Run() override {
    const EventApi& api = base_.api();
    answers_left_ = kFlights;
    to_send_ = kFlights - most_;
    const double start = ProcessCpu();
    for (int i = 0; i < most_; ++i) {
      api.bufferevent_write(streams_[1], message_.data(), message_.size());
    }
    api.event_base_loop(base_.base(), 0);
    return {(ProcessCpu() - start) / operations()};
  }
  double operations() const override { return kFlights; }

 private:
  // The whole messages that have come.
  template <typename Each>
  void Take(bufferevent* stream, Each each) {
    const EventApi& api = base_.api();
    evbuffer* input = api.bufferevent_get_input(stream);
    while (api.evbuffer_get_length(input) >= message_.size()) {
      api.evbuffer_remove(input, message_.data(), message_.size());
      each();
    }
  }
  static void OnRequests(bufferevent* stream, void* pointer) {
    auto* self = static_cast<InFlight*>(pointer);
    self->Take(stream, [self, stream] {
      self->base_.api().bufferevent_write(stream, self->message_.data(),
                                          self->message_.size());
    });
  }
  static void OnAnswers(bufferevent* stream, void* pointer) {
    auto* self = static_cast<InFlight*>(pointer);
    const EventApi& api = self->base_.api();
    self->Take(stream, [self, stream, &api] {
      --self->answers_left_;
      if (self->to_send_ == 0) return;
      --self->to_send_;
      api.bufferevent_write(stream, self->message_.data(),
                            self->message_.size());
    });
    if (self->answers_left_ == 0) api.event_base_loopbreak(self->base_.base());
  }

  Event2Base base_;
  TwoStreams streams_;
  std::vector<char> message_;
  const int most_;
  int answers_left_ = 0;
  int to_send_ = 0;
};

// Kind "pair": `size` bytes go to and fro within the process; an operation is
// one handing over.
class Pair : public Case {
 public:
  Pair(const Workload& work, const EventApi* api)
      : base_(api), message_(static_cast<size_t>(work.size), 'm') {
    if (api->bufferevent_pair_new(base_.base(), 0, streams_) != 0) std::abort();
    for (bufferevent* stream : streams_) {
      api->bufferevent_setcb(stream, &OnInput, nullptr, nullptr, this);
      api->bufferevent_enable(stream, EV_READ | EV_WRITE);
    }
    Run();
  }
  ~Pair() override {
    for (bufferevent* stream : streams_) base_.api().bufferevent_free(stream);
    base_.api().event_base_loop(base_.base(), EVLOOP_NONBLOCK);
  }

  std::vector<double> Run() override {
    const EventApi& api = base_.api();
    left_ = kPasses;
    const double start = ProcessCpu();
    api.bufferevent_write(streams_[0], message_.data(), message_.size());
    api.event_base_loop(base_.base(), 0);
    return {(ProcessCpu() - start) / kPasses};
  }
  double operations() const override { return kPasses; }

 private:
  static constexpr int kPasses = 20000;
  static void OnInput(bufferevent* stream, void* pointer) {
    auto* self = static_cast<Pair*>(pointer);
    const EventApi& api = self->base_.api();
    api.evbuffer_drain(api.bufferevent_get_input(stream),
                       self->message_.size());
    if (--self->left_ == 0) {
      api.event_base_loopbreak(self->base_.base());
    } else {
      api.bufferevent_write(stream, self->message_.data(),
                            self->message_.size());
    }
  }

  Event2Base base_;
  std::vector<char> message_;
  bufferevent* streams_[2];
  int left_ = 0;
};

// Kind "stream_new": a stream on an open descriptor is made, enabled, freed.
class NewEnableFree : public Case {
 public:
  NewEnableFree(const Workload&, const EventApi* api) : base_(api) { Run(); }

  std::vector<double> Run() override {
    double spent = 0;
    for (int turn = 0; turn < kTurns; ++turn) {
      spent += base_.Time([this] {
        const EventApi& api = base_.api();
        for (int i = 0; i < kStreams; ++i) {
          bufferevent* stream =
              api.bufferevent_socket_new(base_.base(), ends_[0], 0);
          api.bufferevent_enable(stream, EV_READ | EV_WRITE);
          api.bufferevent_free(stream);
        }
      });
    }
    return {spent / operations()};
  }
  double operations() const override { return kTurns * kStreams; }

 private:
  static constexpr int kTurns = 500;
  static constexpr int kStreams = 10;
  SocketEnds ends_;
  Event2Base base_;
};

}  // namespace

void AddEvent2StreamCases(CaseRegistry* registry) {
  registry->Add("echo", Family::kEvent2, MakerOf<Echo>());
  registry->Add("one_way", Family::kEvent2, MakerOf<OneWay>());
  registry->Add("in_flight", Family::kEvent2, MakerOf<InFlight>());
  registry->Add("pair", Family::kEvent2, MakerOf<Pair>());
  registry->Add("stream_new", Family::kEvent2, MakerOf<NewEnableFree>());
}

}  // namespace percore::bench
