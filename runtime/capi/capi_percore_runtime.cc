// <percore/percore.h>: a loop on each core.
#include <percore/percore.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "percore/runtime/core/runtime_core.h"

using percore::EventBase;
using percore::RuntimeCore;

struct percore_runtime {
  std::unique_ptr<RuntimeCore> core;
};

namespace {

// False without memory. A null text leaves what is there.
bool Assign(std::string* to, const char* text) {
  try {
    if (text != nullptr) *to = text;
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

extern "C" {

struct percore_runtime* percore_runtime_new(
    const struct percore_runtime_options* options) {
  percore::RuntimeOptions wanted;
  wanted.handle_signals = false;
  if (options != nullptr) {
    if (options->size < sizeof(*options)) {
      errno = EINVAL;
      return nullptr;
    }
    wanted.cores = options->cores;
    wanted.pin = !options->no_pinning;
    if (!Assign(&wanted.method, options->method) ||
        !Assign(&wanted.name, options->name)) {
      errno = ENOMEM;
      return nullptr;
    }
    wanted.mailbox_bound = options->mailbox_bound;
  }
  auto core = RuntimeCore::Create(wanted);
  if (core == nullptr) return nullptr;
  auto* runtime = percore::MemNew<percore_runtime>();
  if (runtime == nullptr) {
    core.reset();
    errno = ENOMEM;
    return nullptr;
  }
  runtime->core = std::move(core);
  return runtime;
}

int percore_runtime_cores(const struct percore_runtime* runtime) {
  return runtime->core->cores();
}

struct event_base* percore_runtime_base(struct percore_runtime* runtime,
                                        int core) {
  if (core < 0 || core >= runtime->core->cores()) return nullptr;
  return runtime->core->base(core)->c();
}

int percore_runtime_start(struct percore_runtime* runtime) {
  const int error = runtime->core->Start();
  if (error == 0) return 0;
  errno = error;
  return -1;
}

void percore_runtime_stop(struct percore_runtime* runtime) {
  for (int core = 0; core < runtime->core->cores(); ++core) {
    runtime->core->base(core)->RequestStop();
  }
}

void percore_runtime_join(struct percore_runtime* runtime) {
  runtime->core->Join();
}

void percore_runtime_free(struct percore_runtime* runtime) {
  if (runtime == nullptr) return;
  runtime->core.reset();
  percore::MemDelete(runtime);
}

int percore_runtime_post(struct percore_runtime* runtime, int core,
                         void (*fn)(void*), void* arg) {
  if (core < 0 || core >= runtime->core->cores()) {
    return percore::ToPostResult(percore::SendResult::kClosed);
  }
  return percore::ToPostResult(
      runtime->core->Post(core, percore::Message([fn, arg] { fn(arg); })));
}

int percore_runtime_current_core(const struct percore_runtime* runtime) {
  return runtime->core->CurrentCore();
}

}  // extern "C"
