#ifndef PERCORE_EXAMPLES_KV_SERVER_CLOCK_H_
#define PERCORE_EXAMPLES_KV_SERVER_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace percore::kv {

// What a Store asks for the time, so that tests can bring their own.
class Clock {
 public:
  virtual ~Clock() = default;

  // Milliseconds since the Unix epoch. Called by the store's owner thread.
  virtual int64_t NowMs() const = 0;
};

class SystemClock : public Clock {
 public:
  int64_t NowMs() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_CLOCK_H_
