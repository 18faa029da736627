#include "percore/runtime/observe/log.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

constexpr int kMaxLine = 1024;

std::atomic<bool> bugs_are_fatal{false};
std::atomic<std::uint64_t> bug_count{0};

const char* Name(LogSeverity severity) {
  switch (severity) {
    case LogSeverity::kDebug:
      return "debug";
    case LogSeverity::kMessage:
      return "msg";
    case LogSeverity::kWarn:
      return "warn";
    case LogSeverity::kError:
      return "err";
  }
  return "???";
}

void Emit(LogSeverity severity, const char* line) {
  if (State().log_fn != nullptr) {
    State().log_fn(static_cast<int>(severity), line);
  } else {
    std::fprintf(stderr, "[%s] %s\n", Name(severity), line);
  }
}

[[noreturn]] void Die(int code) {
  if (State().fatal_fn != nullptr) {
    State().fatal_fn(code);
    std::exit(code);
  }
  if (code == kFatalInternal) std::abort();
  std::exit(code);
}

}  // namespace

void LogV(LogSeverity severity, int error, const char* format,
          std::va_list args) {
  if (severity == LogSeverity::kDebug &&
      State().debug_log_mask.load(std::memory_order_relaxed) == 0) {
    return;
  }
  const int saved = errno;
  char line[kMaxLine];
  int used = 0;
  line[0] = '\0';
  if (format != nullptr) used = std::vsnprintf(line, kMaxLine, format, args);
  if (used < 0) used = 0;
  if (error != 0 && used < kMaxLine - 3) {
    std::snprintf(line + used, static_cast<std::size_t>(kMaxLine - used),
                  ": %s", std::strerror(error));
  }
  Emit(severity, line);
  errno = saved;
}

void LogFatalV(int code, int error, const char* format, std::va_list args) {
  LogV(LogSeverity::kError, error, format, args);
  Die(code);
}

void LogDebugx(const char* format, ...) {
  std::va_list args;
  va_start(args, format);
  LogV(LogSeverity::kDebug, 0, format, args);
  va_end(args);
}

void LogMsgx(const char* format, ...) {
  std::va_list args;
  va_start(args, format);
  LogV(LogSeverity::kMessage, 0, format, args);
  va_end(args);
}

void LogWarn(const char* format, ...) {
  const int error = errno;
  std::va_list args;
  va_start(args, format);
  LogV(LogSeverity::kWarn, error, format, args);
  va_end(args);
}

void LogWarnx(const char* format, ...) {
  std::va_list args;
  va_start(args, format);
  LogV(LogSeverity::kWarn, 0, format, args);
  va_end(args);
}

void LogErr(int code, const char* format, ...) {
  const int error = errno;
  std::va_list args;
  va_start(args, format);
  LogFatalV(code, error, format, args);
  va_end(args);
}

void LogErrx(int code, const char* format, ...) {
  std::va_list args;
  va_start(args, format);
  LogFatalV(code, 0, format, args);
  va_end(args);
}

void AssertionFailed(const char* file, int line, const char* condition,
                     const char* function) {
  LogErrx(kFatalInternal, "%s:%d: Assertion %s failed in %s", file, line,
          condition, function);
}

void ReportBug(const char* file, int line, const char* what) {
  const bool first = bug_count.fetch_add(1, std::memory_order_relaxed) == 0;
  if (bugs_are_fatal.load(std::memory_order_relaxed)) {
    LogErrx(kFatalInternal, "%s:%d: BUG: %s", file, line, what);
  }
  if (first) LogWarnx("%s:%d: BUG: %s", file, line, what);
}

void SetBugsAreFatal(bool fatal) {
  bugs_are_fatal.store(fatal, std::memory_order_relaxed);
}

std::uint64_t BugCount() { return bug_count.load(std::memory_order_relaxed); }

}  // namespace percore
