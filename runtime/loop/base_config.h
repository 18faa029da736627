// What a base is made from (struct event_config of the C door).
#ifndef PERCORE_RUNTIME_LOOP_BASE_CONFIG_H_
#define PERCORE_RUNTIME_LOOP_BASE_CONFIG_H_

#include <cstdint>

#include "percore/runtime/system/memory.h"

namespace percore {

class Clock;
struct BackendKind;

struct BaseConfig {
  BaseConfig() = default;
  BaseConfig(const BaseConfig&) = delete;
  BaseConfig& operator=(const BaseConfig&) = delete;
  ~BaseConfig();

  // Copies the name. False when there is no memory.
  bool Avoid(const char* method);
  bool Avoids(const char* method) const;

  // Asks for one method by name, also one that is never chosen implicitly
  // (io_uring). Null: none. False when there is no memory.
  bool SetMethod(const char* method);

  PodVector<char*> avoided;
  char* method = nullptr;
  int required_features = 0;
  int flags = 0;  // EVENT_BASE_FLAG_*
  int cpu_hint = 0;
  std::int64_t max_dispatch_interval_ns = -1;  // negative: none
  int max_dispatch_callbacks = 0x7fffffff;
  int limit_priorities_from = 1;

  // Injected time and randomness, for tests; null: the real ones. Borrowed,
  // and must outlive the base.
  Clock* clock = nullptr;
  // A method that has no name to ask for (sim); null: chosen as above.
  const BackendKind* backend = nullptr;
  std::uint64_t shuffle_seed = 0;  // 0: do not shuffle what is unordered

  // A base that nobody else may lock, whatever is installed (Runtime).
  bool owned = false;
  std::uint64_t mailbox_bound = 0;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_LOOP_BASE_CONFIG_H_
