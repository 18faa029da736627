// A library that uses of the language what the runtime uses: exceptions,
// threads, thread-locals, a function static, containers, header-only Abseil,
// and the process-wide state. What tools/install makes of it must need libc
// only and export nothing by accident.
#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

thread_local std::string last_error;

// Static storage with a guard, a destructor and a lock.
std::unordered_map<std::string, int>& Table() {
  static std::mutex mutex;
  static std::unordered_map<std::string, int> table;
  std::lock_guard<std::mutex> lock(mutex);
  return table;
}

}  // namespace

// Not hidden by the compiler's flag, and still not to be exported.
__attribute__((visibility("default"))) int OpenlyDeclared(int n) {
  return n + 1;
}

}  // namespace percore

#define DOOR extern "C" __attribute__((visibility("default")))

// How often the process-wide counter was raised, by whichever copy.
DOOR int event_tiny_raise() {
  return static_cast<int>(1 + percore::State().debug_log_mask.fetch_add(1));
}

// 0 when everything of C++ inside works.
DOOR int event_tiny_selftest(int n) {
  absl::InlinedVector<int, 4> values;
  for (int i = 0; i < n; i++) values.push_back(n - i);
  std::sort(values.begin(), values.end());
  absl::AnyInvocable<int()> sum = [&values] {
    int total = 0;
    for (int value : values) total += value;
    return total;
  };
  percore::Table()["sum"] = sum();
  try {
    if (n > 0) throw std::runtime_error("thrown " + std::to_string(n));
    return 1;
  } catch (const std::exception& error) {
    percore::last_error = error.what();
  }
  int in_thread = 0;
  std::thread([&in_thread] {
    percore::last_error = "another thread";
    in_thread = percore::OpenlyDeclared(40);
  }).join();
  if (in_thread != 41 || percore::last_error[0] != 't') return 2;
  return percore::Table()["sum"] == n * (n + 1) / 2 ? 0 : 3;
}

DOOR int evthread_use_pthreads() { return event_tiny_selftest(3); }

// A user's exception passes through frames of the library to its caller.
DOOR int event_tiny_call(void (*callback)(void*), void* argument) {
  auto guard = std::make_unique<std::vector<int>>(100, 1);
  callback(argument);
  return static_cast<int>(guard->size());
}
