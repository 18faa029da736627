// <event2/thread.h>, without the pthread functions (capi_pthreads.cc).
#include <event2/thread.h>

#include <cstring>

#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/observe/debug_table.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/sync/lock_debugging.h"
#include "percore/runtime/system/process_state.h"

using percore::ConditionFunctions;
using percore::LockFunctions;
using percore::State;

static_assert(sizeof(LockFunctions) == sizeof(evthread_lock_callbacks));
static_assert(sizeof(ConditionFunctions) ==
              sizeof(evthread_condition_callbacks));

namespace {

// Objects that are unlocked for ever would be found out too late.
void CheckNotTooLate(const char* call) {
  if (!percore::DebugModeOn()) return;
  if (State().lockable_objects_exist.load(std::memory_order_relaxed)) {
    percore::LogErrx(1, "%s initialization must be called BEFORE anything!",
                     call);
  }
}

}  // namespace

extern "C" {

int evthread_set_lock_callbacks(const struct evthread_lock_callbacks* cbs) {
  LockFunctions& target =
      State().lock_debugging ? State().undebugged_locks : State().locks;
  CheckNotTooLate("evthread");
  if (cbs == nullptr) {
    if (target.alloc != nullptr) {
      percore::LogWarnx(
          "Trying to disable lock functions after they have "
          "been set up will probaby not work.");
    }
    target = LockFunctions{};
    State().locks_are_pthreads = false;
    return 0;
  }
  LockFunctions wanted;
  std::memcpy(&wanted, cbs, sizeof(wanted));
  if (target.alloc != nullptr) {
    // The same set again is no change.
    if (target.api_version == wanted.api_version &&
        target.supported_types == wanted.supported_types &&
        target.alloc == wanted.alloc && target.free == wanted.free &&
        target.lock == wanted.lock && target.unlock == wanted.unlock) {
      return 0;
    }
    percore::LogWarnx(
        "Can't change lock callbacks once they have been "
        "initialized.");
    return -1;
  }
  if (wanted.alloc == nullptr || wanted.free == nullptr ||
      wanted.lock == nullptr || wanted.unlock == nullptr) {
    return -1;
  }
  target = wanted;
  return 0;
}

int evthread_set_condition_callbacks(
    const struct evthread_condition_callbacks* cbs) {
  ConditionFunctions& target = State().lock_debugging
                                   ? State().undebugged_conditions
                                   : State().conditions;
  CheckNotTooLate("evthread condition");
  if (cbs == nullptr) {
    if (target.alloc != nullptr) {
      percore::LogWarnx(
          "Trying to disable condition functions after they "
          "have been set up will probaby not work.");
    }
    target = ConditionFunctions{};
    if (State().lock_debugging) State().conditions = ConditionFunctions{};
    return 0;
  }
  ConditionFunctions wanted;
  std::memcpy(&wanted, cbs, sizeof(wanted));
  if (target.alloc != nullptr) {
    if (target.api_version == wanted.api_version &&
        target.alloc == wanted.alloc && target.free == wanted.free &&
        target.signal == wanted.signal && target.wait == wanted.wait) {
      return 0;
    }
    percore::LogWarnx(
        "Can't change condition callbacks once they have been "
        "initialized.");
    return -1;
  }
  if (wanted.alloc != nullptr && wanted.free != nullptr &&
      wanted.signal != nullptr && wanted.wait != nullptr) {
    target = wanted;
    if (State().lock_debugging) percore::WrapConditionsForDebugging();
  }
  return 0;
}

void evthread_set_id_callback(unsigned long (*id_fn)(void)) {
  State().thread_id_fn = id_fn;
}

void evthread_enable_lock_debugging(void) { percore::EnableLockDebugging(); }

void evthread_enable_lock_debuging(void) { evthread_enable_lock_debugging(); }

int evthread_make_base_notifiable(struct event_base* base) {
  // Every base of ours can be woken from the day it is made.
  return base == nullptr ? -1 : 0;
}

// Used by libevent's own companion libraries; declared in no header.
EVENT2_EXPORT_SYMBOL struct evthread_lock_callbacks*
evthread_get_lock_callbacks(void);
EVENT2_EXPORT_SYMBOL struct evthread_condition_callbacks*
evthread_get_condition_callbacks(void);

struct evthread_lock_callbacks* evthread_get_lock_callbacks(void) {
  return reinterpret_cast<struct evthread_lock_callbacks*>(
      State().lock_debugging ? &State().undebugged_locks : &State().locks);
}

struct evthread_condition_callbacks* evthread_get_condition_callbacks(void) {
  return reinterpret_cast<struct evthread_condition_callbacks*>(
      State().lock_debugging ? &State().undebugged_conditions
                             : &State().conditions);
}

}  // extern "C"
