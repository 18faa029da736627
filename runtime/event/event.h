// Event: something to watch on a loop, and the callable to run.
//
//   Event readable(base, fd, EV_READ | EV_PERSIST, [&](short what) { ... });
//   if (readable.Add() != 0) ...                         // errno says why
//
// It owns a struct event and the callable: nothing is allocated if the
// captures are small. A member of the object that it serves: neither copied
// nor moved, and taken out of the loop by its destructor, whatever state it is
// in, also from its own callback. Its base must outlive it.
//
// "Owner" is the thread that runs the base; see event_base.h.
#ifndef PERCORE_RUNTIME_EVENT_EVENT_H_
#define PERCORE_RUNTIME_EVENT_EVENT_H_

#include <event2/event.h>
#include <event2/event_struct.h>

#include <chrono>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "percore/runtime/event/owner_check.h"
#include "percore/runtime/loop/event_base.h"

namespace percore {

// A timeout in microseconds, rounded up; never negative.
inline timeval ToTimeval(std::chrono::nanoseconds duration) {
  const std::int64_t ns = duration.count();
  if (ns <= 0) return {0, 0};
  return NsToTimeval(ns > INT64_MAX / 4 ? INT64_MAX / 4 : ns + 999);
}

class Event {
 public:
  // Gets what was seen: EV_READ, EV_WRITE, EV_TIMEOUT, ..., together.
  using Callback = absl::AnyInvocable<void(short what)>;

  // `events` as for event_new: EV_READ, EV_WRITE, EV_CLOSED, EV_ET,
  // EV_PERSIST. The descriptor stays the caller's, and must be closed after
  // Remove.
  Event(EventBase* base, evutil_socket_t fd, short events, Callback callback)
      : base_(base), callback_(std::move(callback)) {
    EventBase::Assign(&event_, base, fd, events, &Event::Run, this);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  // Owner. An activation from another thread that has returned is undone.
  ~Event() {
    Remove();
    if (gone_ != nullptr) *gone_ = true;
  }

  // Watches. 0, or -1 with errno. Owner.
  int Add() {
    PERCORE_DCHECK_OWNER(base_, "Event::Add", this);
    return base_->Add(&event_, nullptr);
  }
  // Watches, and calls with EV_TIMEOUT if nothing happens for so long; with
  // EV_PERSIST the time starts anew with each call. Owner.
  int Add(std::chrono::nanoseconds timeout) {
    PERCORE_DCHECK_OWNER(base_, "Event::Add", this);
    const timeval tv = ToTimeval(timeout);
    return base_->Add(&event_, &tv);
  }
  // Neither watched nor about to be called. Owner.
  void Remove() {
    PERCORE_DCHECK_OWNER(base_, "Event::Remove", this);
    base_->Del(&event_, DelWait::kUnlessFinalize);
  }
  // Calls back soon, with `what`, whether watched or not. Any thread.
  void Activate(short what) { base_->Activate(&event_, what, 1); }

  // Which of `events` it waits for or is about to report. Owner.
  bool Pending(short events) {
    PERCORE_DCHECK_OWNER(base_, "Event::Pending", this);
    return base_->Pending(&event_, events, nullptr) != 0;
  }
  // 0 is most urgent. Not while active: -1. Owner.
  int SetPriority(int priority) {
    return base_->SetPriority(&event_, priority);
  }

  EventBase* base() const { return base_; }
  evutil_socket_t fd() const { return event_.ev_fd; }

 private:
  static void Run(evutil_socket_t, short what, void* arg) {
    auto* self = static_cast<Event*>(arg);
    // The callable must outlive the call, though the event may not.
    struct Scope {
      Event* self;
      Callback callback;
      bool gone = false;
      explicit Scope(Event* s) : self(s), callback(std::move(s->callback_)) {
        self->gone_ = &gone;
      }
      ~Scope() {
        if (gone) return;
        self->gone_ = nullptr;
        self->callback_ = std::move(callback);
      }
    } scope(self);
    scope.callback(what);
  }

  EventBase* base_;
  Callback callback_;
  bool* gone_ = nullptr;  // set while the callback runs
  event event_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_EVENT_EVENT_H_
