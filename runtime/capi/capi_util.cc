// The rest of evutil, text, time and random bytes: one call deep.

#include <event2/util.h>

#include <cstdlib>

#include "percore/runtime/system/http_date.h"
#include "percore/runtime/system/memory.h"
#include "percore/runtime/system/monotonic_timer.h"
#include "percore/runtime/system/random.h"
#include "percore/runtime/system/text.h"

struct evutil_monotonic_timer {
  percore::MonotonicTimer timer;
};

int evutil_date_rfc1123(char* date, const size_t datelen, const struct tm* tm) {
  return percore::FormatHttpDate(date, datelen, tm);
}

struct evutil_monotonic_timer* evutil_monotonic_timer_new(void) {
  return percore::MemNew<evutil_monotonic_timer>();
}

void evutil_monotonic_timer_free(struct evutil_monotonic_timer* timer) {
  percore::MemDelete(timer);
}

int evutil_configure_monotonic_time(struct evutil_monotonic_timer* timer,
                                    int flags) {
  using Kind = percore::MonotonicTimer::Kind;
  timer->timer.Configure((flags & EV_MONOT_FALLBACK) != 0  ? Kind::kFallback
                         : (flags & EV_MONOT_PRECISE) != 0 ? Kind::kPrecise
                                                           : Kind::kCoarse);
  return 0;
}

int evutil_gettime_monotonic(struct evutil_monotonic_timer* timer,
                             struct timeval* tp) {
  return timer->timer.Read(tp);
}

ev_int64_t evutil_strtoll(const char* s, char** endptr, int base) {
  return strtoll(s, endptr, base);
}

int evutil_snprintf(char* buf, size_t buflen, const char* format, ...) {
  va_list args;
  va_start(args, format);
  const int length = percore::FormatText(buf, buflen, format, args);
  va_end(args);
  return length;
}

int evutil_vsnprintf(char* buf, size_t buflen, const char* format, va_list ap) {
  return percore::FormatText(buf, buflen, format, ap);
}

int evutil_ascii_strcasecmp(const char* str1, const char* str2) {
  return percore::AsciiCompareIgnoringCase(str1, str2);
}

int evutil_ascii_strncasecmp(const char* str1, const char* str2, size_t n) {
  return percore::AsciiCompareIgnoringCase(str1, str2, n);
}

void evutil_secure_rng_get_bytes(void* buf, size_t n) {
  percore::SecureRandom(buf, n);
}

int evutil_secure_rng_init(void) { return percore::CheckSecureRandom(); }

int evutil_secure_rng_set_urandom_device_file(char* fname) {
  percore::SetRandomDevice(fname);
  return 0;
}

void evutil_secure_rng_add_bytes(const char* dat, size_t datlen) {
  // The kernel mixes what it needs; there is no generator of ours to add to.
  (void)dat;
  (void)datlen;
}
