#ifndef PERCORE_TESTS_COMPAT_HANDLES_H_
#define PERCORE_TESTS_COMPAT_HANDLES_H_

// Owning handles for what the C door hands out, so that a failing assertion
// does not leave a base or an event behind for the next test.

#include <event2/event.h>
#include <sys/time.h>

#include <memory>

namespace percore::compat {

struct FreeBase {
  void operator()(event_base* base) const { event_base_free(base); }
};
struct FreeEvent {
  void operator()(event* ev) const { event_free(ev); }
};
struct FreeConfig {
  void operator()(event_config* config) const { event_config_free(config); }
};

using BasePtr = std::unique_ptr<event_base, FreeBase>;
// Declare it after the base it lives on: it has to go first.
using EventPtr = std::unique_ptr<event, FreeEvent>;
using ConfigPtr = std::unique_ptr<event_config, FreeConfig>;

inline BasePtr NewBase() { return BasePtr(event_base_new()); }

inline timeval Milliseconds(long ms) {
  return timeval{ms / 1000, (ms % 1000) * 1000};
}

}  // namespace percore::compat

#endif  // PERCORE_TESTS_COMPAT_HANDLES_H_
