// <event2/event.h>: what is one for the process: version, log, memory, debug.
#include <event2/event.h>

#include <cerrno>

#include "percore/runtime/loop/signal_registry.h"
#include "percore/runtime/observe/debug_table.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/process_state.h"

using percore::LogSeverity;

extern "C" {

const char* event_get_version(void) { return EVENT__VERSION; }

ev_uint32_t event_get_version_number(void) { return EVENT__NUMERIC_VERSION; }

void event_set_log_callback(event_log_cb cb) { percore::State().log_fn = cb; }

void event_set_fatal_callback(event_fatal_cb cb) {
  percore::State().fatal_fn = cb;
}

void event_enable_debug_logging(ev_uint32_t which) {
  percore::State().debug_log_mask.store(which, std::memory_order_relaxed);
}

void event_set_mem_functions(void* (*malloc_fn)(size_t),
                             void* (*realloc_fn)(void*, size_t),
                             void (*free_fn)(void*)) {
  // What was kept came from the functions in use until now.
  percore::ReleasePools();
  percore::State().malloc_fn = malloc_fn;
  percore::State().realloc_fn = realloc_fn;
  percore::State().free_fn = free_fn;
}

void event_enable_debug_mode(void) { percore::EnableDebugMode(); }

void libevent_global_shutdown(void) {
  percore::DisableDebugMode();
  percore::MemFree(percore::State().supported_methods.exchange(nullptr));
  percore::SignalRegistry::Shutdown();
  percore::ReleasePools();
}

// --- Exported, though no header declares them: generated code and old
// programs call them (reference, "Exported but undeclared").

EVENT2_EXPORT_SYMBOL void event_disable_debug_mode(void);
EVENT2_EXPORT_SYMBOL void event_err(int code, const char* format, ...);
EVENT2_EXPORT_SYMBOL void event_errx(int code, const char* format, ...);
EVENT2_EXPORT_SYMBOL void event_warn(const char* format, ...);
EVENT2_EXPORT_SYMBOL void event_warnx(const char* format, ...);
EVENT2_EXPORT_SYMBOL void event_msgx(const char* format, ...);
EVENT2_EXPORT_SYMBOL void event_sock_err(int code, evutil_socket_t sock,
                                         const char* format, ...);
EVENT2_EXPORT_SYMBOL void event_sock_warn(evutil_socket_t sock,
                                          const char* format, ...);

void event_disable_debug_mode(void) { percore::DisableDebugMode(); }

#define PERCORE_LOG_BODY(statement) \
  const int error = errno;          \
  static_cast<void>(error);         \
  std::va_list args;                \
  va_start(args, format);           \
  statement;                        \
  va_end(args)

void event_err(int code, const char* format, ...) {
  PERCORE_LOG_BODY(percore::LogFatalV(code, error, format, args));
}

void event_errx(int code, const char* format, ...) {
  PERCORE_LOG_BODY(percore::LogFatalV(code, 0, format, args));
}

void event_warn(const char* format, ...) {
  PERCORE_LOG_BODY(percore::LogV(LogSeverity::kWarn, error, format, args));
}

void event_warnx(const char* format, ...) {
  PERCORE_LOG_BODY(percore::LogV(LogSeverity::kWarn, 0, format, args));
}

void event_msgx(const char* format, ...) {
  PERCORE_LOG_BODY(percore::LogV(LogSeverity::kMessage, 0, format, args));
}

void event_sock_err(int code, evutil_socket_t, const char* format, ...) {
  PERCORE_LOG_BODY(percore::LogFatalV(code, error, format, args));
}

void event_sock_warn(evutil_socket_t, const char* format, ...) {
  PERCORE_LOG_BODY(percore::LogV(LogSeverity::kWarn, error, format, args));
}

#undef PERCORE_LOG_BODY

}  // extern "C"
