// Events that write down their calls, so that a test can compare the order and
// the result flags with one string.

#ifndef PERCORE_TESTS_COMPAT_PROBE_H_
#define PERCORE_TESTS_COMPAT_PROBE_H_

#include <event2/event.h>
#include <event2/event_struct.h>
#include <time.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace compat {

inline timeval Us(int64_t us) {
  timeval tv;
  tv.tv_sec = us / 1000000;
  tv.tv_usec = us % 1000000;
  return tv;
}
inline timeval Ms(int64_t ms) { return Us(ms * 1000); }

inline int64_t ToUs(const timeval& tv) {
  return int64_t{tv.tv_sec} * 1000000 + tv.tv_usec;
}

// When the event's timeout expires, on the base's clock, in microseconds.
inline int64_t ExpiryUs(const event& ev) {
#ifdef TESTING_DEBIAN_LIBEVENT
  return ToUs(ev.ev_timeout);
#else
  // percore keeps nanoseconds there.
  return ev.ev_timeout_pos.ev_percore_.deadline_ / 1000;
#endif
}

// CLOCK_MONOTONIC in microseconds: what a program sees, whatever clock the
// base uses.
inline int64_t NowUs() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return int64_t{ts.tv_sec} * 1000000 + ts.tv_nsec / 1000;
}

inline int64_t WallUs() {
  timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return int64_t{ts.tv_sec} * 1000000 + ts.tv_nsec / 1000;
}

// Blocks the calling thread for at least `ms`, as a slow callback does.
inline void SleepMs(int ms) {
  timespec ts = {ms / 1000, (ms % 1000) * 1000000L};
  while (nanosleep(&ts, &ts) != 0) {
  }
}

// T timeout, R read, W write, S signal, C closed, E edge; "-" for none.
inline std::string Flags(int what) {
  std::string text;
  if (what & EV_TIMEOUT) text += 'T';
  if (what & EV_READ) text += 'R';
  if (what & EV_WRITE) text += 'W';
  if (what & EV_SIGNAL) text += 'S';
  if (what & EV_CLOSED) text += 'C';
  if (what & EV_ET) text += 'E';
  const int known =
      EV_TIMEOUT | EV_READ | EV_WRITE | EV_SIGNAL | EV_CLOSED | EV_ET;
  if (what & ~known) text += '?';
  return text.empty() ? "-" : text;
}

// What ran, in order: "a:R b:T".
class Journal {
 public:
  void Write(const std::string& name, short what) {
    Append(&text_, name + ":" + Flags(what));
    Append(&names_, name);
    ++size_;
  }
  // Names only, when the flags are not the point: "a b".
  const std::string& names() const { return names_; }
  const std::string& text() const { return text_; }
  int size() const { return size_; }
  void Clear() { *this = Journal(); }

 private:
  static void Append(std::string* to, const std::string& word) {
    if (!to->empty()) *to += ' ';
    *to += word;
  }
  std::string text_;
  std::string names_;
  int size_ = 0;
};

// An event of its own that journals each call, then runs `then`.
class Probe {
 public:
  using Then = std::function<void()>;

  // `fd` -1 and no flags: a timer or a user event.
  Probe(event_base* base, Journal* journal, std::string name,
        evutil_socket_t fd = -1, short flags = 0)
      : journal_(journal),
        name_(std::move(name)),
        event_(event_new(base, fd, flags, &Probe::Run, this)) {}
  ~Probe() { Free(); }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  event* ev() const { return event_; }
  int Add() { return event_add(event_, nullptr); }
  int Add(const timeval& tv) { return event_add(event_, &tv); }
  int Del() { return event_del(event_); }
  void Activate(int res = 0, short ncalls = 1) {
    event_active(event_, res, ncalls);
  }
  int Pending(short mask) const { return event_pending(event_, mask, nullptr); }
  void Free() {
    if (event_ != nullptr) event_free(event_);
    event_ = nullptr;
  }
  Probe& OnCall(Then then) {
    then_ = std::move(then);
    return *this;
  }

  int calls() const { return calls_; }
  short last_what() const { return last_what_; }
  evutil_socket_t last_fd() const { return last_fd_; }

 private:
  static void Run(evutil_socket_t fd, short what, void* arg) {
    Probe* self = static_cast<Probe*>(arg);
    self->last_fd_ = fd;
    self->last_what_ = what;
    ++self->calls_;
    if (self->journal_ != nullptr) self->journal_->Write(self->name_, what);
    if (self->then_) self->then_();
  }

  Journal* journal_;
  std::string name_;
  event* event_;
  Then then_;
  int calls_ = 0;
  short last_what_ = 0;
  evutil_socket_t last_fd_ = -2;
};

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_PROBE_H_
