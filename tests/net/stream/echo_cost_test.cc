// What an echo over two streams of one loop costs, by counting: system calls,
// and memory asked of the C library.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <vector>

#include "percore/tests/runtime/loop/single_step.h"

namespace {
long allocations;  // through --wrap, see BUILD.bazel
}  // namespace

extern "C" {
void* __real_malloc(size_t size);
void* __wrap_malloc(size_t size) {
  ++allocations;
  return __real_malloc(size);
}
}

namespace percore {
namespace {

constexpr int kWarmUp = 20;
constexpr int kRounds = 20;

class Echo {
 public:
  explicit Echo(size_t size) : message_(size, 'm'), base_(event_base_new()) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) abort();
    for (int i = 0; i < 2; ++i) {
      streams_[i] =
          bufferevent_socket_new(base_, ends[i], BEV_OPT_CLOSE_ON_FREE);
    }
    bufferevent_setcb(streams_[0], &OnRequest, nullptr, nullptr, this);
    bufferevent_setcb(streams_[1], &OnAnswer, nullptr, nullptr, this);
    for (bufferevent* stream : streams_) {
      bufferevent_enable(stream, EV_READ | EV_WRITE);
    }
  }
  ~Echo() {
    for (bufferevent* stream : streams_) bufferevent_free(stream);
    event_base_free(base_);
  }

  // kWarmUp rounds, and then `begin`, kRounds more, `end`.
  void Run(void (*begin)(), void (*end)()) {
    begin_ = begin;
    end_ = end;
    bufferevent_write(streams_[1], message_.data(), message_.size());
    event_base_dispatch(base_);
  }

 private:
  static void OnRequest(bufferevent* stream, void*) {
    bufferevent_write_buffer(stream, bufferevent_get_input(stream));
  }
  static void OnAnswer(bufferevent* stream, void* pointer) {
    auto* self = static_cast<Echo*>(pointer);
    evbuffer* input = bufferevent_get_input(stream);
    if (evbuffer_get_length(input) < self->message_.size()) return;
    evbuffer_drain(input, self->message_.size());
    ++self->rounds_;
    if (self->rounds_ == kWarmUp + kRounds) {
      self->end_();
      event_base_loopbreak(self->base_);
      return;
    }
    if (self->rounds_ == kWarmUp) self->begin_();
    bufferevent_write(stream, self->message_.data(), self->message_.size());
  }

  std::vector<char> message_;
  event_base* base_;
  bufferevent* streams_[2];
  void (*begin_)() = nullptr;
  void (*end_)() = nullptr;
  int rounds_ = 0;
};

// A read and a write at either end, and a wait for each of the two.
TEST(EchoCost, SystemCalls) {
  const StepCount count =
      CountSteps([] { Echo(64).Run(&StepsBegin, &StepsEnd); });
  if (!count.skipped.empty()) GTEST_SKIP() << count.skipped;
  ASSERT_EQ(count.failed, "");
  EXPECT_LE(count.syscalls, 7 * kRounds);
  EXPECT_GE(count.syscalls, 6 * kRounds);  // or not all was counted
}

// Segments are recycled: a warm echo of any size asks for no memory.
TEST(EchoCost, Allocations) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIP: needs a build without sanitizers (nothing is pooled)";
#endif
  for (const size_t size : {size_t{64}, size_t{4096}, size_t{65536}}) {
    static long counted;
    Echo echo(size);
    const long before = allocations;
    echo.Run([] { counted = -allocations; }, [] { counted += allocations; });
    EXPECT_GT(allocations, before) << "nothing is counted";
    EXPECT_EQ(counted, 0) << size;
  }
}

}  // namespace
}  // namespace percore
