// Log lines and fatal errors (semantics 7.1 to 7.3).
//
// A line goes to the program's callback (event_set_log_callback) or, without
// one, to standard error as "[severity] text". Lines are cut at 1024 bytes.
// The forms without an x append ": " and the text of errno. Any thread, as far
// as the installed callback allows; not in a signal handler.
#ifndef PERCORE_RUNTIME_OBSERVE_LOG_H_
#define PERCORE_RUNTIME_OBSERVE_LOG_H_

#include <cstdarg>
#include <cstdint>

namespace percore {

enum class LogSeverity : int {
  kDebug = 0,
  kMessage = 1,
  kWarn = 2,
  kError = 3
};

// The code given to a fatal callback when an assertion fails.
inline constexpr int kFatalInternal = static_cast<int>(0xdeaddeadu);

#define PERCORE_PRINTF(at, first) __attribute__((format(printf, at, first)))

// Debug lines are dropped unless event_enable_debug_logging asked for them.
void LogDebugx(const char* format, ...) PERCORE_PRINTF(1, 2);
void LogMsgx(const char* format, ...) PERCORE_PRINTF(1, 2);
void LogWarn(const char* format, ...) PERCORE_PRINTF(1, 2);
void LogWarnx(const char* format, ...) PERCORE_PRINTF(1, 2);

// Log at error level, call the fatal callback with `code`, and if that returns
// (or there is none) exit(code); abort() for kFatalInternal without callback.
[[noreturn]] void LogErr(int code, const char* format, ...)
    PERCORE_PRINTF(2, 3);
[[noreturn]] void LogErrx(int code, const char* format, ...)
    PERCORE_PRINTF(2, 3);

// What the others are made of. `error` 0 appends nothing.
void LogV(LogSeverity severity, int error, const char* format,
          std::va_list args);
[[noreturn]] void LogFatalV(int code, int error, const char* format,
                            std::va_list args);

// The wording for a failed assertion of the library's own.
[[noreturn]] void AssertionFailed(const char* file, int line,
                                  const char* condition, const char* function);

// Counts and logs (once a place) something that must not happen but can be
// survived. Tests set `fatal` through SetBugsAreFatal.
void ReportBug(const char* file, int line, const char* what);
void SetBugsAreFatal(bool fatal);
std::uint64_t BugCount();

}  // namespace percore

// Holds always, checked always. Never on input from outside.
#define PERCORE_CHECK(condition)                     \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::percore::AssertionFailed(__FILE__, __LINE__, #condition, __func__))

#ifdef NDEBUG
#define PERCORE_DCHECK(condition) \
  static_cast<void>(false && static_cast<bool>(condition))
#else
#define PERCORE_DCHECK(condition) PERCORE_CHECK(condition)
#endif

// Must not be reached or must not hold; survived in release, fatal in tests.
#define PERCORE_BUG(what) ::percore::ReportBug(__FILE__, __LINE__, what)

#endif  // PERCORE_RUNTIME_OBSERVE_LOG_H_
