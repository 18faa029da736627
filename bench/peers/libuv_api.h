// libuv's functions that the cases use, loaded at run time so that the
// benchmarks build and run where libuv is absent.

#ifndef PERCORE_BENCH_PEERS_LIBUV_API_H_
#define PERCORE_BENCH_PEERS_LIBUV_API_H_

#include <string>

#if __has_include(<uv.h>)
#define PERCORE_BENCH_HAVE_LIBUV 1
#include <uv.h>

#include "percore/bench/peers/shared_library.h"

namespace percore::bench {

#define PERCORE_BENCH_UV_FUNCTIONS(X) \
  X(uv_async_init)                    \
  X(uv_async_send)                    \
  X(uv_close)                         \
  X(uv_loop_close)                    \
  X(uv_loop_init)                     \
  X(uv_pipe_init)                     \
  X(uv_pipe_open)                     \
  X(uv_poll_init)                     \
  X(uv_poll_start)                    \
  X(uv_read_start)                    \
  X(uv_run)                           \
  X(uv_stop)                          \
  X(uv_timer_init)                    \
  X(uv_timer_again)                   \
  X(uv_timer_start)                   \
  X(uv_walk)                          \
  X(uv_write)

struct LibuvApi {
#define PERCORE_BENCH_MEMBER(name) decltype(&::name) name = nullptr;
  PERCORE_BENCH_UV_FUNCTIONS(PERCORE_BENCH_MEMBER)
#undef PERCORE_BENCH_MEMBER
};

// Loads libuv.so.1; false, with `*error` set, when it is not there.
inline bool LoadLibuvApi(LibuvApi* api, std::string* error) {
  SharedLibrary library("libuv.so.1");
#define PERCORE_BENCH_LOAD(name) library.Get(#name, &api->name);
  PERCORE_BENCH_UV_FUNCTIONS(PERCORE_BENCH_LOAD)
#undef PERCORE_BENCH_LOAD
  *error = library.error();
  return error->empty();
}

// Closes everything on `loop`, then the loop itself.
inline void CloseLoop(const LibuvApi& api, uv_loop_t* loop) {
  static const LibuvApi* table;
  table = &api;
  api.uv_walk(
      loop, [](uv_handle_t* h, void*) { table->uv_close(h, nullptr); },
      nullptr);
  api.uv_run(loop, UV_RUN_DEFAULT);
  api.uv_loop_close(loop);
}

}  // namespace percore::bench
#endif  // __has_include(<uv.h>)

#endif  // PERCORE_BENCH_PEERS_LIBUV_API_H_
