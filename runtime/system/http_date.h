// Dates of HTTP and mail (semantics 15.8). Any thread.
#ifndef PERCORE_RUNTIME_SYSTEM_HTTP_DATE_H_
#define PERCORE_RUNTIME_SYSTEM_HTTP_DATE_H_

#include <cstddef>
#include <ctime>

namespace percore {

// Writes "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7: IMF-fixdate), in
// English in every locale. `utc` null: now. Returns the full length, also when
// `size` cut it short; 0 when `size` is 0. A day or month out of range is
// written as "???".
int FormatHttpDate(char* out, std::size_t size, const std::tm* utc);

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_HTTP_DATE_H_
