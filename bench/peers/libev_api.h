// libev's functions that the cases use, loaded at run time: libev also exports
// event_* names, which must stay out of the program's scope.

#ifndef PERCORE_BENCH_PEERS_LIBEV_API_H_
#define PERCORE_BENCH_PEERS_LIBEV_API_H_

#include <string>

#if __has_include(<ev.h>)
#define PERCORE_BENCH_HAVE_LIBEV 1
#define EV_COMPAT3 0
#include <ev.h>  // No file may include this and <event2/event.h>: EV_READ.

#include "percore/bench/peers/shared_library.h"

namespace percore::bench {

#define PERCORE_BENCH_EV_FUNCTIONS(X) \
  X(ev_break)                         \
  X(ev_feed_event)                    \
  X(ev_io_start)                      \
  X(ev_io_stop)                       \
  X(ev_loop_destroy)                  \
  X(ev_loop_new)                      \
  X(ev_run)                           \
  X(ev_timer_again)                   \
  X(ev_timer_start)                   \
  X(ev_timer_stop)

struct LibevApi {
#define PERCORE_BENCH_MEMBER(name) decltype(&::name) name = nullptr;
  PERCORE_BENCH_EV_FUNCTIONS(PERCORE_BENCH_MEMBER)
#undef PERCORE_BENCH_MEMBER
};

// Loads libev.so.4; false, with `*error` set, when it is not there.
inline bool LoadLibevApi(LibevApi* api, std::string* error) {
  SharedLibrary library("libev.so.4");
#define PERCORE_BENCH_LOAD(name) library.Get(#name, &api->name);
  PERCORE_BENCH_EV_FUNCTIONS(PERCORE_BENCH_LOAD)
#undef PERCORE_BENCH_LOAD
  *error = library.error();
  return error->empty();
}

}  // namespace percore::bench
#endif  // __has_include(<ev.h>)

#endif  // PERCORE_BENCH_PEERS_LIBEV_API_H_
