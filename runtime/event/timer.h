// Timer: calls once after a time, or again and again.
//
//   Timer idle(base, [this] { Close(); });
//   idle.After(30s);          // again and again: pushed later, nearly free
//
// As Event: a member, neither copied nor moved, gone with its destructor, also
// from its own callback. Never early; resolution a microsecond, rounded up.
#ifndef PERCORE_RUNTIME_EVENT_TIMER_H_
#define PERCORE_RUNTIME_EVENT_TIMER_H_

#include <chrono>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "percore/runtime/event/event.h"

namespace percore {

class Timer {
 public:
  using Callback = absl::AnyInvocable<void()>;

  Timer(EventBase* base, Callback callback)
      : event_(base, -1, 0,
               [this, callback = std::move(callback)](short) mutable {
                 // Armed again first: the callback may cancel, re-arm or
                 // destroy.
                 if (period_.count() > 0) event_.Add(NextDelay());
                 callback();
               }) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Once, `delay` from now, in place of what was set. 0, or -1: no memory.
  // Owner.
  int After(std::chrono::nanoseconds delay) {
    period_ = std::chrono::nanoseconds(0);
    return event_.Add(delay);
  }
  // Every `period` (more than zero) from now on, without drift; calls that
  // were missed because the loop was busy are left out. 0, or -1. Owner.
  int Every(std::chrono::nanoseconds period) {
    PERCORE_CHECK(period.count() > 0);
    period_ = period;
    due_ = std::chrono::nanoseconds(event_.base()->NowNs()) + period;
    return event_.Add(period);
  }
  // Owner.
  void Cancel() {
    period_ = std::chrono::nanoseconds(0);
    event_.Remove();
  }
  // Owner.
  bool armed() { return event_.Pending(EV_TIMEOUT); }

 private:
  std::chrono::nanoseconds NextDelay() {
    const std::chrono::nanoseconds now(event_.base()->NowNs());
    due_ += period_;
    if (due_ <= now) due_ += (now - due_) / period_ * period_ + period_;
    return due_ - now;
  }

  std::chrono::nanoseconds period_{0};
  std::chrono::nanoseconds due_{0};
  Event event_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_EVENT_TIMER_H_
