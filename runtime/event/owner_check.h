// The debug check of what only the thread that runs a loop may call.
#ifndef PERCORE_RUNTIME_EVENT_OWNER_CHECK_H_
#define PERCORE_RUNTIME_EVENT_OWNER_CHECK_H_

#include <pthread.h>

#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/observe/log.h"

namespace percore {

// Fails when another thread is running the (owned) base.
inline void CheckOwnsBase(const EventBase* base, const char* call,
                          const void* object) {
  if (base->OnOwner() || base->shared()) return;
  const std::uintptr_t owner = base->owner();
  if (owner == 0) return;  // nobody is inside the loop
  LogErrx(kFatalInternal,
          "%s on object %p came from thread %#lx, but its base %p is run by "
          "thread %#lx; post to the base instead",
          call, object, static_cast<unsigned long>(pthread_self()),
          static_cast<const void*>(base), static_cast<unsigned long>(owner));
}

}  // namespace percore

#ifdef NDEBUG
#define PERCORE_DCHECK_OWNER(base, call, object) static_cast<void>(0)
#else
#define PERCORE_DCHECK_OWNER(base, call, object) \
  ::percore::CheckOwnsBase(base, call, object)
#endif

#endif  // PERCORE_RUNTIME_EVENT_OWNER_CHECK_H_
