// A first-in first-out queue of callbacks that are due, linked through
// event_callback.evcb_active_next. Owner thread (the base's lock in a shared
// base). Removing from the middle is O(1).
#ifndef PERCORE_RUNTIME_LOOP_ACTIVE_QUEUE_H_
#define PERCORE_RUNTIME_LOOP_ACTIVE_QUEUE_H_

#include <event2/event_struct.h>

namespace percore {

class ActiveQueue {
 public:
  // An ActiveQueue is kept in zeroed or raw memory: Init before anything.
  void Init() {
    first_ = nullptr;
    last_ = &first_;
  }
  event_callback* first() const { return first_; }
  bool empty() const { return first_ == nullptr; }
  static event_callback* Next(const event_callback* cb) {
    return cb->evcb_active_next.tqe_next;
  }

  void PushBack(event_callback* cb) {
    cb->evcb_active_next.tqe_next = nullptr;
    cb->evcb_active_next.tqe_prev = last_;
    *last_ = cb;
    last_ = &cb->evcb_active_next.tqe_next;
  }

  void Remove(event_callback* cb) {
    if (cb->evcb_active_next.tqe_next != nullptr) {
      cb->evcb_active_next.tqe_next->evcb_active_next.tqe_prev =
          cb->evcb_active_next.tqe_prev;
    } else {
      last_ = cb->evcb_active_next.tqe_prev;
    }
    *cb->evcb_active_next.tqe_prev = cb->evcb_active_next.tqe_next;
  }

 private:
  event_callback* first_;
  event_callback** last_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_LOOP_ACTIVE_QUEUE_H_
