// What the cases for the event2 interface share: a base, and work done inside
// its loop.

#ifndef PERCORE_BENCH_MICRO_EVENT2_BASE_H_
#define PERCORE_BENCH_MICRO_EVENT2_BASE_H_

#include <utility>

#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/peers/c_api.h"

namespace percore::bench {

// A base with one driver event that runs a piece of work in the loop: programs
// add and delete events from callbacks, where the clock is cached and the
// caller is the owner.
class Event2Base {
 public:
  explicit Event2Base(const EventApi* api)
      : api_(*api), base_(api->event_base_new()) {
    api_.event_assign(&driver_, base_, -1, 0, &RunWork, this);
  }
  ~Event2Base() { api_.event_base_free(base_); }
  Event2Base(const Event2Base&) = delete;
  Event2Base& operator=(const Event2Base&) = delete;

  const EventApi& api() const { return api_; }
  event_base* base() const { return base_; }

  // Runs `work` in a callback, and then one turn that does not block, so that
  // whatever the library put off is paid for. Returns the CPU time of it all.
  template <typename Work>
  double Time(Work work) {
    invoke_ = [](void* w) { (*static_cast<Work*>(w))(); };
    work_ = &work;
    const double start = ProcessCpu();
    api_.event_active(&driver_, EV_READ, 0);
    api_.event_base_loop(base_, EVLOOP_NONBLOCK);
    api_.event_base_loop(base_, EVLOOP_NONBLOCK);
    return ProcessCpu() - start;
  }

 private:
  static void RunWork(evutil_socket_t, short, void* self_pointer) {
    auto* self = static_cast<Event2Base*>(self_pointer);
    self->invoke_(self->work_);
  }

  const EventApi& api_;
  event_base* base_;
  event driver_;
  void (*invoke_)(void*) = nullptr;
  void* work_ = nullptr;
};

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_EVENT2_BASE_H_
