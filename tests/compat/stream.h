// Bufferevents that write down their calls, and the modes a suite of streams
// runs in: every backend, and callbacks direct, deferred and unlocked.

#ifndef PERCORE_TESTS_COMPAT_STREAM_H_
#define PERCORE_TESTS_COMPAT_STREAM_H_

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"

namespace compat {

// "EOF|R", "TIMEOUT|W", "CONNECTED": R reading, W writing.
inline std::string EventName(short what) {
  std::string text;
  const auto add = [&](int bit, const char* name) {
    if ((what & bit) == 0) return;
    if (!text.empty()) text += '|';
    text += name;
  };
  add(BEV_EVENT_CONNECTED, "CONNECTED");
  add(BEV_EVENT_EOF, "EOF");
  add(BEV_EVENT_ERROR, "ERROR");
  add(BEV_EVENT_TIMEOUT, "TIMEOUT");
  add(BEV_EVENT_READING, "R");
  add(BEV_EVENT_WRITING, "W");
  const int known = BEV_EVENT_CONNECTED | BEV_EVENT_EOF | BEV_EVENT_ERROR |
                    BEV_EVENT_TIMEOUT | BEV_EVENT_READING | BEV_EVENT_WRITING;
  if (what & ~known) text += '?';
  return text.empty() ? "-" : text;
}

inline std::string BufferText(evbuffer* buffer) {
  const size_t size = evbuffer_get_length(buffer);
  std::string text(size, '\0');
  evbuffer_copyout(buffer, text.data(), size);
  return text;
}

// Calls in order, of one stream or several: "a:read b:write a:EOF|R".
using StreamJournal = std::string;

// Owns a bufferevent, journals its callbacks, then runs what the test gave.
class Stream {
 public:
  using Then = std::function<void()>;

  explicit Stream(bufferevent* bev, StreamJournal* journal = nullptr,
                  std::string name = "s")
      : bev_(bev), journal_(journal), name_(std::move(name)) {
    EXPECT_NE(bev, nullptr);
    if (bev != nullptr) SetCallbacks();
  }
  ~Stream() { Free(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bufferevent* bev() const { return bev_; }
  operator bufferevent*() const { return bev_; }  // NOLINT

  void SetCallbacks() {
    bufferevent_setcb(bev_, &Stream::Read, &Stream::Write, &Stream::Event,
                      this);
  }
  Stream& OnRead(Then then) {
    on_read_ = std::move(then);
    return *this;
  }
  Stream& OnWrite(Then then) {
    on_write_ = std::move(then);
    return *this;
  }
  Stream& OnEvent(Then then) {
    on_event_ = std::move(then);
    return *this;
  }
  void Free() {
    if (bev_ != nullptr) bufferevent_free(std::exchange(bev_, nullptr));
  }
  // The caller frees it, or it is freed with another.
  bufferevent* Release() { return std::exchange(bev_, nullptr); }

  int Enable(short what) { return bufferevent_enable(bev_, what); }
  int Disable(short what) { return bufferevent_disable(bev_, what); }
  short Enabled() const { return bufferevent_get_enabled(bev_); }
  int Put(const std::string& bytes) {
    return bufferevent_write(bev_, bytes.data(), bytes.size());
  }
  // Takes all of the input.
  std::string Take() { return Take(InputSize()); }
  std::string Take(size_t size) {
    std::string bytes(size, '\0');
    bytes.resize(bufferevent_read(bev_, bytes.data(), size));
    return bytes;
  }
  evbuffer* input() const { return bufferevent_get_input(bev_); }
  evbuffer* output() const { return bufferevent_get_output(bev_); }
  size_t InputSize() const { return evbuffer_get_length(input()); }
  size_t OutputSize() const { return evbuffer_get_length(output()); }

  int reads() const { return reads_; }
  int writes() const { return writes_; }
  int events() const { return events_; }
  short last_event() const { return last_event_; }
  // errno as the event callback found it.
  int last_error() const { return last_error_; }
  void ClearCounts() {
    reads_ = writes_ = events_ = 0;
    last_event_ = seen_ = 0;
  }
  bool Got(short what) const { return (seen_ & what) == what; }

 private:
  void Note(const std::string& word) {
    if (journal_ == nullptr) return;
    if (!journal_->empty()) *journal_ += ' ';
    *journal_ += name_ + ":" + word;
  }
  // A copy is called: the callback may destroy the stream.
  static void Call(const Then& then) {
    if (const Then copy = then) copy();
  }
  static void Read(bufferevent* bev, void* arg) {
    Stream* self = static_cast<Stream*>(arg);
    EXPECT_EQ(bev, self->bev_);
    ++self->reads_;
    self->Note("read");
    Call(self->on_read_);
  }
  static void Write(bufferevent* bev, void* arg) {
    Stream* self = static_cast<Stream*>(arg);
    EXPECT_EQ(bev, self->bev_);
    ++self->writes_;
    self->Note("write");
    Call(self->on_write_);
  }
  static void Event(bufferevent* bev, short what, void* arg) {
    const int error = errno;
    Stream* self = static_cast<Stream*>(arg);
    EXPECT_EQ(bev, self->bev_);
    ++self->events_;
    self->last_event_ = what;
    self->last_error_ = error;
    self->seen_ |= what;
    self->Note(EventName(what));
    Call(self->on_event_);
  }

  bufferevent* bev_;
  StreamJournal* journal_;
  std::string name_;
  Then on_read_, on_write_, on_event_;
  int reads_ = 0, writes_ = 0, events_ = 0;
  short last_event_ = 0, seen_ = 0;
  int last_error_ = 0;
};

inline void Break(evutil_socket_t, short, void* base) {
  event_base_loopbreak(static_cast<event_base*>(base));
}

// Runs the loop until `done()` or `limit_ms` are over; returns done().
template <typename Done>
bool RunUntil(event_base* base, Done done, int limit_ms = 5000) {
  // Wakes the loop so that the condition is looked at. It breaks the loop: one
  // in which a callback always activates the next has no other end.
  event* tick = event_new(base, -1, EV_PERSIST, Break, base);
  const timeval often = Ms(5);
  event_add(tick, &often);
  const int64_t until = NowUs() + int64_t{limit_ms} * 1000;
  bool is_done = done();
  while (!is_done && NowUs() < until) {
    event_base_loop(base, EVLOOP_ONCE);
    is_done = done();
  }
  event_free(tick);
  return is_done;
}

// Turns enough for whatever is ready to be delivered, deferred calls included.
inline void Settle(event_base* base, int turns = 8) {
  for (int i = 0; i < turns; ++i) {
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  }
}

// Runs the loop for a while: for what must not happen by then.
inline void RunFor(event_base* base, int ms) {
  const int64_t until = NowUs() + int64_t{ms} * 1000;
  RunUntil(base, [&] { return NowUs() >= until; });
}

inline bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

// A backend, and the options that every bufferevent of the test is made with.
struct StreamMode {
  Setup setup;
  int options = 0;

  std::string Name() const {
    std::string name = setup.Name();
    if (options & BEV_OPT_THREADSAFE) name += "_threadsafe";
    if (options & BEV_OPT_DEFER_CALLBACKS) name += "_deferred";
    if (options & BEV_OPT_UNLOCK_CALLBACKS) name += "_unlocked";
    return name;
  }
};

inline void PrintTo(const StreamMode& mode, std::ostream* os) {
  *os << mode.Name();
}

inline std::vector<int> StreamOptions() {
  const int lock = kShared ? BEV_OPT_THREADSAFE : 0;
  return {lock, lock | BEV_OPT_DEFER_CALLBACKS,
          lock | BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS};
}

inline std::vector<StreamMode> StreamModes() {
  std::vector<StreamMode> modes;
  for (const Setup& setup : BackendsAndFlags()) {
    for (int options : StreamOptions()) modes.push_back({setup, options});
  }
  return modes;
}

// Every option with the first backend, the other backends with the plain one:
// for tests that wait for the clock.
inline std::vector<StreamMode> FewStreamModes() {
  std::vector<StreamMode> modes;
  for (const Setup& setup : Backends()) {
    for (int options : StreamOptions()) {
      modes.push_back({setup, options});
      if (modes.size() > StreamOptions().size()) break;
    }
  }
  return modes;
}

inline std::string StreamModeName(
    const testing::TestParamInfo<StreamMode>& info) {
  return info.param.Name();
}

class StreamTest : public testing::TestWithParam<StreamMode> {
 protected:
  void SetUp() override {
    base_ = NewBase(GetParam().setup);
    if (!base_ && GetParam().setup.method == "io_uring") {
      GTEST_SKIP() << "SKIP: needs io_uring in the kernel";
    }
    ASSERT_NE(base_, nullptr) << GetParam().Name();
  }

  event_base* base() const { return base_.get(); }
  int options() const { return GetParam().options; }
  bool Deferred() const { return options() & BEV_OPT_DEFER_CALLBACKS; }
  bufferevent* NewSocket(int fd = -1, int more = 0) {
    return bufferevent_socket_new(base(), fd, options() | more);
  }
  template <typename Done>
  bool RunUntil(Done done, int limit_ms = 5000) {
    return compat::RunUntil(base(), done, limit_ms);
  }
  void Settle() { compat::Settle(base()); }
  int Turn() { return event_base_loop(base(), EVLOOP_ONCE | EVLOOP_NONBLOCK); }

  BasePtr base_;
  StreamJournal journal_;
};

}  // namespace compat

#define COMPAT_ON_EVERY_STREAM_MODE(Suite)                             \
  INSTANTIATE_TEST_SUITE_P(Modes, Suite,                               \
                           testing::ValuesIn(::compat::StreamModes()), \
                           ::compat::StreamModeName)
#define COMPAT_ON_FEW_STREAM_MODES(Suite)                                 \
  INSTANTIATE_TEST_SUITE_P(Modes, Suite,                                  \
                           testing::ValuesIn(::compat::FewStreamModes()), \
                           ::compat::StreamModeName)

#endif  // PERCORE_TESTS_COMPAT_STREAM_H_
