// libuv's side of the stream cases, written as its programs are: an answer is a
// write request of its own, and what is read lies in memory made for it.

#include "percore/bench/micro/cases.h"
#include "percore/bench/peers/libuv_api.h"

#if PERCORE_BENCH_HAVE_LIBUV

#include <cstdlib>
#include <cstring>
#include <vector>

#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/micro/socket_ends.h"

namespace percore::bench {
namespace {

LibuvApi g_uv;  // Filled once, before the first case is made.

// Both ends of a stream on one loop; C has OnInput(end, data, size) and may
// have OnWritten(end).
template <typename C>
class UvEnds : public Case {
 public:
  UvEnds() {
    g_uv.uv_loop_init(&loop_);
    for (int end = 0; end < 2; ++end) {
      g_uv.uv_pipe_init(&loop_, &pipes_[end], 0);
      // libuv closes it.
      if (g_uv.uv_pipe_open(&pipes_[end], ends_.Release(end)) != 0) {
        std::abort();
      }
      pipes_[end].data = this;
      g_uv.uv_read_start(Stream(end), &Allocate, &OnRead);
    }
  }
  ~UvEnds() override { CloseLoop(g_uv, &loop_); }

 protected:
  void Send(int end, const char* data, size_t size) {
    auto* message = static_cast<Message*>(std::malloc(sizeof(Message) + size));
    message->end = end;
    memcpy(message->data(), data, size);
    uv_buf_t piece;
    piece.base = message->data();
    piece.len = size;
    g_uv.uv_write(&message->request, Stream(end), &piece, 1, &OnWrite);
  }
  void Loop() { g_uv.uv_run(&loop_, UV_RUN_DEFAULT); }
  void Stop() { g_uv.uv_stop(&loop_); }
  void OnWritten(int) {}

 private:
  struct Message {
    uv_write_t request;
    int end;
    char* data() { return reinterpret_cast<char*>(this + 1); }
  };
  uv_stream_t* Stream(int end) {
    return reinterpret_cast<uv_stream_t*>(&pipes_[end]);
  }
  static void Allocate(uv_handle_t* handle, size_t, uv_buf_t* piece) {
    auto* self = static_cast<UvEnds*>(handle->data);
    piece->base = self->memory_.data();
    piece->len = self->memory_.size();
  }
  static void OnRead(uv_stream_t* stream, ssize_t n, const uv_buf_t* piece) {
    if (n == 0) return;
    if (n < 0) std::abort();
    auto* self = static_cast<UvEnds*>(stream->data);
    const int end = stream == self->Stream(0) ? 0 : 1;
    static_cast<C*>(self)->OnInput(end, piece->base, static_cast<size_t>(n));
  }
  static void OnWrite(uv_write_t* request, int) {
    auto* message = reinterpret_cast<Message*>(request);
    auto* self = static_cast<UvEnds*>(request->handle->data);
    const int end = message->end;
    std::free(message);
    static_cast<C*>(self)->OnWritten(end);
  }

  SocketEnds ends_;
  uv_loop_t loop_;
  uv_pipe_t pipes_[2];
  std::vector<char> memory_ = std::vector<char>(65536);
};

class UvEcho : public UvEnds<UvEcho> {
 public:
  UvEcho(const Workload& work, const EventApi*)
      : message_(static_cast<size_t>(work.size), 'm') {
    Run();
  }
  std::vector<double> Run() override {
    left_ = EchoRounds(static_cast<int>(message_.size()));
    const double start = ProcessCpu();
    Send(1, message_.data(), message_.size());
    Loop();
    return {(ProcessCpu() - start) / operations()};
  }
  double operations() const override {
    return EchoRounds(static_cast<int>(message_.size()));
  }
  void OnInput(int end, const char* data, size_t size) {
    if (end == 0) return Send(0, data, size);
    got_ += size;
    if (got_ < message_.size()) return;
    got_ = 0;
    if (--left_ == 0) return Stop();
    Send(1, message_.data(), message_.size());
  }

 private:
  std::vector<char> message_;
  int left_ = 0;
  size_t got_ = 0;
};

class UvOneWay : public UvEnds<UvOneWay> {
 public:
  UvOneWay(const Workload& work, const EventApi*)
      : piece_(static_cast<size_t>(work.size), 'p') {
    Run();
  }
  std::vector<double> Run() override {
    to_write_ = kOneWayPieces;
    to_read_ = piece_.size() * kOneWayPieces;
    const double start = ProcessCpu();
    OnWritten(1);
    Loop();
    return {(ProcessCpu() - start) / operations()};
  }
  double operations() const override { return kOneWayPieces; }
  void OnInput(int, const char*, size_t size) {
    to_read_ -= size;
    if (to_read_ == 0) Stop();
  }
  void OnWritten(int end) {
    if (to_write_ == 0) return;
    --to_write_;
    Send(end, piece_.data(), piece_.size());
  }

 private:
  std::vector<char> piece_;
  int to_write_ = 0;
  size_t to_read_ = 0;
};

class UvInFlight : public UvEnds<UvInFlight> {
 public:
  UvInFlight(const Workload& work, const EventApi*)
      : message_(static_cast<size_t>(work.size), 'm'), most_(work.detail) {
    Run();
  }
  std::vector<double> Run() override {
    answers_left_ = kFlights;
    to_send_ = kFlights - most_;
    const double start = ProcessCpu();
    for (int i = 0; i < most_; ++i) Send(1, message_.data(), message_.size());
    Loop();
    return {(ProcessCpu() - start) / operations()};
  }
  double operations() const override { return kFlights; }
  void OnInput(int end, const char*, size_t size) {
    for (partial_[end] += size; partial_[end] >= message_.size();
         partial_[end] -= message_.size()) {
      if (end == 0) {
        Send(0, message_.data(), message_.size());
        continue;
      }
      --answers_left_;
      if (to_send_ == 0) continue;
      --to_send_;
      Send(1, message_.data(), message_.size());
    }
    if (answers_left_ == 0) Stop();
  }

 private:
  std::vector<char> message_;
  const int most_;
  int answers_left_ = 0;
  int to_send_ = 0;
  size_t partial_[2] = {0, 0};
};

}  // namespace

void AddLibuvStreamCases(CaseRegistry* registry) {
  std::string error;
  if (!LoadLibuvApi(&g_uv, &error)) return;
  registry->Add("echo", Family::kLibuv, MakerOf<UvEcho>());
  registry->Add("one_way", Family::kLibuv, MakerOf<UvOneWay>());
  registry->Add("in_flight", Family::kLibuv, MakerOf<UvInFlight>());
}

}  // namespace percore::bench

#else

namespace percore::bench {
void AddLibuvStreamCases(CaseRegistry*) {}
}  // namespace percore::bench

#endif  // PERCORE_BENCH_HAVE_LIBUV
