#include "percore/bench/peers/c_api.h"

#include "percore/bench/peers/shared_library.h"

namespace percore::bench {

bool LoadEventApi(const std::string& core, const std::string& pthreads,
                  EventApi* api, std::string* error) {
  SharedLibrary library(core);
#define PERCORE_BENCH_LOAD(name) library.Get(#name, &api->name);
  PERCORE_BENCH_EVENT_FUNCTIONS(PERCORE_BENCH_LOAD)
#undef PERCORE_BENCH_LOAD
  library.GetOptional("percore_post", &api->percore_post);
  library.GetOptional("evbuffer_set_max_read", &api->evbuffer_set_max_read);
  // After `core`: its NEEDED libevent_core then is the one loaded already.
  SharedLibrary threads(pthreads);
  threads.Get("evthread_use_pthreads", &api->evthread_use_pthreads);
  *error = library.error() + threads.error();
  return error->empty();
}

}  // namespace percore::bench
