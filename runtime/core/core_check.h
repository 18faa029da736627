// The debug check of owner-only methods: which call on which object came from
// where, in one sentence.
#ifndef PERCORE_RUNTIME_CORE_CORE_CHECK_H_
#define PERCORE_RUNTIME_CORE_CORE_CHECK_H_

#include <sys/syscall.h>
#include <unistd.h>

#include "percore/runtime/core/runtime_core.h"
#include "percore/runtime/observe/log.h"

namespace percore {

// Fails unless the caller is on `core` of `runtime`; any core if negative.
inline void CheckOnCore(const RuntimeCore* runtime, int core, const char* call,
                        const void* object) {
  const int current = runtime->CurrentCore();
  if (core < 0 ? current >= 0 : current == core) [[likely]] {
    return;
  }
  char owner[48] = "the thread of a core";
  if (core >= 0) {
    std::snprintf(owner, sizeof(owner), "the thread of core %d", core);
  }
  char caller[64] = "which is no core of it";
  if (current >= 0) {
    std::snprintf(caller, sizeof(caller), "which is core %d", current);
  }
  LogErrx(kFatalInternal,
          "%s on object %p of runtime \"%s\" belongs to %s but came from "
          "thread %ld, %s",
          call, object, runtime->options().name.c_str(), owner,
          static_cast<long>(syscall(SYS_gettid)), caller);
}

}  // namespace percore

#ifdef NDEBUG
#define PERCORE_DCHECK_ON_CORE(runtime, core, call, object) static_cast<void>(0)
#else
#define PERCORE_DCHECK_ON_CORE(runtime, core, call, object) \
  ::percore::CheckOnCore(runtime, core, call, object)
#endif

#endif  // PERCORE_RUNTIME_CORE_CORE_CHECK_H_
