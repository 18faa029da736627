#include "percore/runtime/system/http_date.h"

#include <cstdio>

namespace percore {
namespace {

template <std::size_t N>
const char* Name(const char* const (&names)[N], int index) {
  return index >= 0 && index < static_cast<int>(N) ? names[index] : "???";
}

constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed",
                                 "Thu", "Fri", "Sat"};
constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

int FormatHttpDate(char* out, std::size_t size, const std::tm* utc) {
  if (size == 0) return 0;
  std::tm now;
  if (utc == nullptr) {
    const std::time_t seconds = std::time(nullptr);
    utc = gmtime_r(&seconds, &now);
    if (utc == nullptr) return -1;
  }
  return std::snprintf(out, size, "%s, %02d %s %4d %02d:%02d:%02d GMT",
                       Name(kDays, utc->tm_wday), utc->tm_mday,
                       Name(kMonths, utc->tm_mon), 1900 + utc->tm_year,
                       utc->tm_hour, utc->tm_min, utc->tm_sec);
}

}  // namespace percore
