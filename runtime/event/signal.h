// Signal: calls on the loop, once for each time that a signal arrived.
//
//   Signal hup(base, SIGHUP, [this] { Reload(); });
//   if (hup.Add() != 0) ...
//
// As Event: a member, neither copied nor moved, gone with its destructor. The
// process's disposition is taken with the first watcher of a signal and given
// back with the last. Several loops may watch one signal.
#ifndef PERCORE_RUNTIME_EVENT_SIGNAL_H_
#define PERCORE_RUNTIME_EVENT_SIGNAL_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "percore/runtime/event/event.h"

namespace percore {

class Signal {
 public:
  using Callback = absl::AnyInvocable<void()>;

  Signal(EventBase* base, int number, Callback callback)
      : event_(
            base, number, EV_SIGNAL | EV_PERSIST,
            [callback = std::move(callback)](short) mutable { callback(); }) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  // Watches from now on. 0, or -1 with errno: the number is no signal that
  // can be caught. Owner.
  int Add() { return event_.Add(); }
  // Owner.
  void Remove() { event_.Remove(); }
  // As if the signal had arrived once more. Any thread.
  void Activate() { event_.Activate(EV_SIGNAL); }

  int number() const { return static_cast<int>(event_.fd()); }

 private:
  Event event_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_EVENT_SIGNAL_H_
