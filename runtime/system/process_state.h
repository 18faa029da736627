// The one process-wide state of percore.
//
// A process may hold two copies of this code (libevent-2.1 and libevent_core
// together, or one of them beside a statically linked percore). What libevent's
// API makes global must exist once all the same: memory functions, log sinks,
// lock callbacks, the "current" base, the signal registry. It lives in one
// exported object, `percore_state`, which the dynamic linker makes unique
// (STB_GNU_UNIQUE, emitted by g++ for inline variables). It is stamped with a
// version; a second copy of the code that expects another refuses to start.
//
// Nothing here needs dynamic initialisation, so it may be used from any
// constructor. Fields change only as the functions that own them document.
#ifndef PERCORE_RUNTIME_SYSTEM_PROCESS_STATE_H_
#define PERCORE_RUNTIME_SYSTEM_PROCESS_STATE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

struct event_base;

namespace percore {

// Bumped whenever the layout of ProcessState or the meaning of a field changes.
inline constexpr std::uint32_t kProcessStateVersion = 2;

// The evthread lock functions, as <event2/thread.h> lays them out.
struct LockFunctions {
  int api_version;
  unsigned supported_types;
  void* (*alloc)(unsigned type);
  void (*free)(void* lock, unsigned type);
  int (*lock)(unsigned mode, void* lock);
  int (*unlock)(unsigned mode, void* lock);
};

// The evthread condition functions.
struct ConditionFunctions {
  int api_version;
  void* (*alloc)(unsigned type);
  void (*free)(void* cond);
  int (*signal)(void* cond, int broadcast);
  int (*wait)(void* cond, void* lock, const struct timeval* timeout);
};

class SignalRegistry;
class DebugTable;

struct ProcessState {
  std::uint32_t version = kProcessStateVersion;

  // Memory functions; null means libc's. Set before anything allocates.
  void* (*malloc_fn)(std::size_t) = nullptr;
  void* (*realloc_fn)(void*, std::size_t) = nullptr;
  void (*free_fn)(void*) = nullptr;

  // Log sinks; null means standard error, and exit().
  void (*log_fn)(int severity, const char* message) = nullptr;
  void (*fatal_fn)(int code) = nullptr;
  std::atomic<std::uint32_t> debug_log_mask{};

  // Threading, as installed by evthread_*.
  LockFunctions locks{};
  ConditionFunctions conditions{};
  unsigned long (*thread_id_fn)() = nullptr;
  bool lock_debugging{};
  bool locks_are_pthreads{};  // installed by evthread_use_pthreads
  LockFunctions undebugged_locks{};
  ConditionFunctions undebugged_conditions{};
  std::atomic<bool> lockable_objects_exist{};

  // Debug mode (event_enable_debug_mode).
  std::atomic<bool> debug_mode{};
  std::atomic<bool> debug_mode_too_late{};
  std::atomic<DebugTable*> debug_table{};

  // The base of the 1.x API.
  std::atomic<event_base*> current_base{};

  // Counts forks seen by this process, so that a base can tell that it was
  // inherited. Bumped by an atfork child handler.
  std::atomic<std::uint32_t> fork_generation{};
  std::atomic<bool> fork_handler_installed{};

  std::atomic<SignalRegistry*> signals{};

  // Called before a socket is closed by evutil_closesocket (runtime/system
  // knows no loop; the loop registers here).
  std::atomic<void (*)(int fd)> before_close{};

  // Return to the allocator what the calling thread keeps for reuse: one entry
  // for each copy of the code that keeps something.
  std::atomic<void (*)()> pool_releases[8]{};

  // What event_get_supported_methods returned last; owned here.
  std::atomic<const char**> supported_methods{};
};

}  // namespace percore

// The object itself. Default visibility although we compile with hidden.
extern "C" {
__attribute__((visibility(
    "default"))) inline constinit percore::ProcessState percore_state{};
}

namespace percore {

inline ProcessState& State() { return percore_state; }

// The fork generation, and the registration of the handler that counts it.
// Any thread; not in a signal handler.
void InstallForkHandler();

// Adds `release` to State().pool_releases, once. When there is no room left
// (more copies of the code than that are loaded) what they keep stays until
// their threads end. Any thread.
void RegisterPoolRelease(void (*release)());
// Calls them all. Any thread; it returns what this thread keeps.
void ReleasePools();

inline std::uint32_t ForkGeneration() {
  return percore_state.fork_generation.load(std::memory_order_relaxed);
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_PROCESS_STATE_H_
