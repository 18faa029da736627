// The event2 interface as a table of function pointers, filled from a library
// file given at run time.
//
// percore's C door and Debian's libevent export the same names, so one program
// cannot link both. A benchmark worker loads exactly one of them into itself
// with LoadEventApi() and calls through the table; a call costs the same
// indirect jump on either side.

#ifndef PERCORE_BENCH_PEERS_C_API_H_
#define PERCORE_BENCH_PEERS_C_API_H_

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <event2/thread.h>

#include <string>

namespace percore::bench {

// Functions of libevent_core that the cases use.
#define PERCORE_BENCH_EVENT_FUNCTIONS(X) \
  X(bufferevent_enable)                  \
  X(bufferevent_filter_new)              \
  X(bufferevent_free)                    \
  X(bufferevent_get_input)               \
  X(bufferevent_pair_new)                \
  X(bufferevent_set_timeouts)            \
  X(bufferevent_setcb)                   \
  X(bufferevent_socket_new)              \
  X(bufferevent_write)                   \
  X(bufferevent_write_buffer)            \
  X(evbuffer_add)                        \
  X(evbuffer_add_buffer)                 \
  X(evbuffer_add_reference)              \
  X(evbuffer_commit_space)               \
  X(evbuffer_copyout)                    \
  X(evbuffer_drain)                      \
  X(evbuffer_free)                       \
  X(evbuffer_get_length)                 \
  X(evbuffer_new)                        \
  X(evbuffer_prepend)                    \
  X(evbuffer_pullup)                     \
  X(evbuffer_read)                       \
  X(evbuffer_readln)                     \
  X(evbuffer_remove)                     \
  X(evbuffer_reserve_space)              \
  X(evbuffer_search)                     \
  X(evbuffer_search_eol)                 \
  X(evbuffer_write)                      \
  X(evconnlistener_free)                 \
  X(evconnlistener_get_fd)               \
  X(evconnlistener_new_bind)             \
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

  // Since libevent 2.2; null in 2.1.
  int (*evbuffer_set_max_read)(evbuffer*, size_t) = nullptr;
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
