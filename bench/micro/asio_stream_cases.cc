// asio's side of the stream cases. One write of a stream may be under way at a
// time, so answers to what one read brought go out in one.

#include "percore/bench/micro/cases.h"

#if __has_include(<asio.hpp>)

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/write.hpp>
#include <cstdlib>
#include <vector>

#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/micro/socket_ends.h"

namespace percore::bench {
namespace {

// One end: reads at all times, and writes what it is given when the write
// before is done.
class AsioEnd {
 public:
  AsioEnd(asio::io_context* context, int fd)
      : socket_(*context, asio::local::stream_protocol(), fd) {}

  void Send(const char* data, size_t size) {
    next_.insert(next_.end(), data, data + size);
    if (!writing_) WriteNext();
  }

  // input(data, size), until it returns false.
  template <typename Input>
  void Read(Input input) {
    socket_.async_read_some(
        asio::buffer(memory_),
        [this, input](const asio::error_code& error, size_t n) {
          if (error) std::abort();
          if (input(memory_.data(), n)) Read(input);
        });
  }

 private:
  void WriteNext() {
    writing_ = true;
    current_.swap(next_);
    next_.clear();
    asio::async_write(socket_, asio::buffer(current_),
                      [this](const asio::error_code& error, size_t) {
                        if (error) std::abort();
                        writing_ = false;
                        if (!next_.empty()) WriteNext();
                      });
  }

  asio::local::stream_protocol::socket socket_;
  std::vector<char> memory_ = std::vector<char>(65536);
  std::vector<char> current_;
  std::vector<char> next_;
  bool writing_ = false;
};

class AsioEnds : public Case {
 protected:
  AsioEnds()
      : ends_{{&context_, fds_.Release(0)}, {&context_, fds_.Release(1)}} {}

  AsioEnd& end(int number) { return ends_[number]; }
  void Loop() {
    context_.restart();
    context_.run();
  }
  void Stop() { context_.stop(); }

 private:
  SocketEnds fds_;
  asio::io_context context_{1};
  AsioEnd ends_[2];
};

class AsioEcho : public AsioEnds {
 public:
  AsioEcho(const Workload& work, const EventApi*)
      : message_(static_cast<size_t>(work.size), 'm') {
    end(0).Read([this](const char* data, size_t size) {
      end(0).Send(data, size);
      return true;
    });
    end(1).Read([this](const char*, size_t size) {
      OnAnswer(size);
      return true;
    });
    Run();
  }
  std::vector<double> Run() override {
    left_ = EchoRounds(static_cast<int>(message_.size()));
    const double start = ProcessCpu();
    end(1).Send(message_.data(), message_.size());
    Loop();
    return {(ProcessCpu() - start) / operations()};
  }
  double operations() const override {
    return EchoRounds(static_cast<int>(message_.size()));
  }

 private:
  void OnAnswer(size_t size) {
    got_ += size;
    if (got_ < message_.size()) return;
    got_ = 0;
    if (--left_ == 0) return Stop();
    end(1).Send(message_.data(), message_.size());
  }

  std::vector<char> message_;
  int left_ = 0;
  size_t got_ = 0;
};

class AsioInFlight : public AsioEnds {
 public:
  AsioInFlight(const Workload& work, const EventApi*)
      : message_(static_cast<size_t>(work.size), 'm'), most_(work.detail) {
    for (int number = 0; number < 2; ++number) {
      end(number).Read([this, number](const char*, size_t size) {
        OnInput(number, size);
        return true;
      });
    }
    Run();
  }
  std::vector<double> Run() override {
    answers_left_ = kFlights;
    to_send_ = kFlights - most_;
    const double start = ProcessCpu();
    for (int i = 0; i < most_; ++i) {
      end(1).Send(message_.data(), message_.size());
    }
    Loop();
    return {(ProcessCpu() - start) / operations()};
  }
  double operations() const override { return kFlights; }

 private:
  void OnInput(int number, size_t size) {
    for (partial_[number] += size; partial_[number] >= message_.size();
         partial_[number] -= message_.size()) {
      if (number == 1) {
        --answers_left_;
        if (to_send_ == 0) continue;
        --to_send_;
      }
      end(number).Send(message_.data(), message_.size());
    }
    if (answers_left_ == 0) Stop();
  }

  std::vector<char> message_;
  const int most_;
  int answers_left_ = 0;
  int to_send_ = 0;
  size_t partial_[2] = {0, 0};
};

}  // namespace

void AddAsioStreamCases(CaseRegistry* registry) {
  registry->Add("echo", Family::kAsio, MakerOf<AsioEcho>());
  registry->Add("in_flight", Family::kAsio, MakerOf<AsioInFlight>());
}

}  // namespace percore::bench

#else

namespace percore::bench {
void AddAsioStreamCases(CaseRegistry*) {}
}  // namespace percore::bench

#endif  // __has_include(<asio.hpp>)
