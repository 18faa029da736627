// <event2/event.h>: bases and their configuration.
#include <event2/event.h>
#include <percore/percore.h>

#include <cerrno>
#include <climits>
#include <new>

#include "percore/runtime/backend/backend.h"
#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/observe/debug_table.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"

using percore::BaseConfig;
using percore::EventBase;

struct event_config : BaseConfig {};

namespace {

// The 1.x convention: no base means the current one.
EventBase* OrCurrent(struct event_base* base) {
  return EventBase::From(base != nullptr ? base
                                         : percore::State().current_base.load(
                                               std::memory_order_acquire));
}

}  // namespace

extern "C" {

// --- Configuration -----------------------------------------------------------

struct event_config* event_config_new(void) {
  return percore::MemNew<event_config>();
}

void event_config_free(struct event_config* cfg) { percore::MemDelete(cfg); }

int event_config_avoid_method(struct event_config* cfg, const char* method) {
  return cfg->Avoid(method) ? 0 : -1;
}

int event_config_require_features(struct event_config* cfg, int feature) {
  if (cfg == nullptr) return -1;
  cfg->required_features = feature;
  return 0;
}

int event_config_set_flag(struct event_config* cfg, int flag) {
  if (cfg == nullptr) return -1;
  cfg->flags |= flag;
  return 0;
}

int event_config_set_num_cpus_hint(struct event_config* cfg, int cpus) {
  if (cfg == nullptr) return -1;
  cfg->cpu_hint = cpus;
  return 0;
}

int event_config_set_max_dispatch_interval(struct event_config* cfg,
                                           const struct timeval* max_interval,
                                           int max_callbacks,
                                           int min_priority) {
  cfg->max_dispatch_interval_ns =
      max_interval != nullptr ? percore::TimevalToNs(*max_interval) : -1;
  cfg->max_dispatch_callbacks = max_callbacks >= 0 ? max_callbacks : INT_MAX;
  cfg->limit_priorities_from = min_priority >= 0 ? min_priority : 0;
  return 0;
}

int percore_config_set_method(struct event_config* cfg, const char* method) {
  if (cfg == nullptr) return -1;
  return cfg->SetMethod(method) ? 0 : -1;
}

// --- Bases -------------------------------------------------------------------

struct event_base* event_base_new(void) {
  return event_base_new_with_config(nullptr);
}

struct event_base* event_base_new_with_config(const struct event_config* cfg) {
  EventBase* base = EventBase::Create(cfg);
  return base == nullptr ? nullptr : base->c();
}

void event_base_free(struct event_base* base) {
  EventBase* self = OrCurrent(base);
  if (self == nullptr) {
    percore::LogWarnx("event_base_free: no base to free");
    return;
  }
  self->Free(/*run_finalizers=*/true);
}

void event_base_free_nofinalize(struct event_base* base) {
  EventBase* self = OrCurrent(base);
  if (self == nullptr) {
    percore::LogWarnx("event_base_free_nofinalize: no base to free");
    return;
  }
  self->Free(/*run_finalizers=*/false);
}

int event_reinit(struct event_base* base) {
  return EventBase::From(base)->Reinit();
}

const char** event_get_supported_methods(void) {
  std::size_t n = 0;
  for (auto* kind = percore::BackendKinds(); kind->name != nullptr; ++kind) {
    if (percore::IsListed(*kind)) ++n;
  }
  auto** names =
      static_cast<const char**>(percore::MemCalloc(n + 1, sizeof(const char*)));
  if (names == nullptr) return nullptr;
  n = 0;
  for (auto* kind = percore::BackendKinds(); kind->name != nullptr; ++kind) {
    if (percore::IsListed(*kind)) names[n++] = kind->name;
  }
  // The array of the call before goes.
  percore::MemFree(percore::State().supported_methods.exchange(names));
  return names;
}

const char* event_base_get_method(const struct event_base* base) {
  return EventBase::From(base)->backend()->name();
}

const char* event_base_get_signal_method(const struct event_base* base) {
  return EventBase::From(base)->signal_method();
}

int event_base_get_features(const struct event_base* base) {
  return EventBase::From(base)->backend()->features();
}

int event_base_get_num_events(struct event_base* base, unsigned int flags) {
  return EventBase::From(base)->CountEvents(flags);
}

int event_base_get_max_events(struct event_base* base, unsigned int flags,
                              int clear) {
  return EventBase::From(base)->MaxEvents(flags, clear != 0);
}

int event_base_priority_init(struct event_base* base, int npriorities) {
  return EventBase::From(base)->SetPriorities(npriorities);
}

int event_base_get_npriorities(struct event_base* base) {
  return OrCurrent(base)->priorities();
}

void event_base_dump_events(struct event_base* base, FILE* output) {
  EventBase::From(base)->Dump(output);
}

int event_base_foreach_event(struct event_base* base,
                             event_base_foreach_event_cb fn, void* arg) {
  if (base == nullptr || fn == nullptr) return -1;
  return EventBase::From(base)->ForEach(fn, arg);
}

struct event* event_base_get_running_event(struct event_base* base) {
  return EventBase::From(base)->RunningEvent();
}

// --- The loop ----------------------------------------------------------------

int event_base_dispatch(struct event_base* base) {
  return event_base_loop(base, 0);
}

int event_base_loop(struct event_base* base, int flags) {
  return EventBase::From(base)->Loop(flags);
}

int event_base_loopexit(struct event_base* base, const struct timeval* tv) {
  return EventBase::From(base)->LoopExit(tv);
}

int event_base_loopbreak(struct event_base* base) {
  if (base == nullptr) return -1;
  EventBase::From(base)->LoopBreak();
  return 0;
}

int event_base_loopcontinue(struct event_base* base) {
  if (base == nullptr) return -1;
  EventBase::From(base)->LoopContinue();
  return 0;
}

int event_base_got_exit(struct event_base* base) {
  return EventBase::From(base)->GotExit();
}

int event_base_got_break(struct event_base* base) {
  return EventBase::From(base)->GotBreak();
}

// --- Time --------------------------------------------------------------------

int event_gettime_monotonic(struct event_base* base, struct timeval* tp) {
  if (base == nullptr || tp == nullptr) return -1;
  *tp = percore::NsToTimeval(EventBase::From(base)->ReadClock());
  return 0;
}

int event_base_gettimeofday_cached(struct event_base* base,
                                   struct timeval* tv) {
  EventBase* self = OrCurrent(base);
  if (self == nullptr) return gettimeofday(tv, nullptr);
  return self->CachedTimeOfDay(tv);
}

int event_base_update_cache_time(struct event_base* base) {
  EventBase* self = OrCurrent(base);
  return self == nullptr ? -1 : self->UpdateCachedTime();
}

const struct timeval* event_base_init_common_timeout(
    struct event_base* base, const struct timeval* duration) {
  return EventBase::From(base)->CommonTimeout(duration);
}

// --- Watchers ----------------------------------------------------------------

struct evwatch* evwatch_prepare_new(struct event_base* base,
                                    evwatch_prepare_cb callback, void* arg) {
  return EventBase::From(base)->AddPrepareWatcher(callback, arg);
}

struct evwatch* evwatch_check_new(struct event_base* base,
                                  evwatch_check_cb callback, void* arg) {
  return EventBase::From(base)->AddCheckWatcher(callback, arg);
}

struct event_base* evwatch_base(struct evwatch* watcher) {
  return watcher->base;
}

void evwatch_free(struct evwatch* watcher) { EventBase::FreeWatcher(watcher); }

int evwatch_prepare_get_timeout(const struct evwatch_prepare_cb_info* info,
                                struct timeval* timeout) {
  if (info->timeout_ns < 0) return 0;
  *timeout = percore::NsToTimeval(info->timeout_ns);
  return 1;
}

}  // extern "C"
