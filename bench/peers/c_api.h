// The event2 interface as a table of function pointers, filled from a library
// file given at run time.
//
// percore's C door and Debian's libevent export the same names, so one program
// cannot link both. A benchmark worker loads exactly one of them into itself
// with LoadEventApi() and calls through the table; a call costs the same
// indirect jump on either side.

#ifndef PERCORE_BENCH_PEERS_C_API_H_
#define PERCORE_BENCH_PEERS_C_API_H_

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

#include <string>

namespace percore::bench {

// Functions of libevent_core that the cases use.
#define PERCORE_BENCH_EVENT_FUNCTIONS(X) \
  X(event_active)                        \
  X(event_add)                           \
  X(event_assign)                        \
  X(event_base_free)                     \
  X(event_base_init_common_timeout)      \
  X(event_base_loop)                     \
  X(event_base_loopbreak)                \
  X(event_base_new)                      \
  X(event_base_once)                     \
  X(event_del)                           \
  X(event_get_version)

struct EventApi {
#define PERCORE_BENCH_MEMBER(name) decltype(&::name) name = nullptr;
  PERCORE_BENCH_EVENT_FUNCTIONS(PERCORE_BENCH_MEMBER)
#undef PERCORE_BENCH_MEMBER

  // From libevent_pthreads.
  int (*evthread_use_pthreads)() = nullptr;

  // percore's extension; null in libevent.
  int (*percore_post)(event_base*, void (*)(void*), void*) = nullptr;
};

// Loads `core` and `pthreads` (paths of libevent_core-2.1.so.7 and
// libevent_pthreads-2.1.so.7; they may be the same file) and fills `api`.
// False, with `*error` set, when a file or a function is missing. The
// libraries are never unloaded. Call it once in a process: the second of two
// libraries with one SONAME would be taken for the first.
bool LoadEventApi(const std::string& core, const std::string& pthreads,
                  EventApi* api, std::string* error);

}  // namespace percore::bench

#endif  // PERCORE_BENCH_PEERS_C_API_H_
