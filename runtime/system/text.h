// Text without locales (semantics 15.5, 15.6). Any thread.
#ifndef PERCORE_RUNTIME_SYSTEM_TEXT_H_
#define PERCORE_RUNTIME_SYSTEM_TEXT_H_

#include <cstdarg>
#include <cstddef>

namespace percore {

// -1, 0 or 1; only the ASCII letters have case. Bytes compare as unsigned.
int AsciiCompareIgnoringCase(const char* a, const char* b);
// Looks at `n` bytes at most.
int AsciiCompareIgnoringCase(const char* a, const char* b, std::size_t n);

// C99 vsnprintf, but 0 for an empty buffer and always terminated otherwise.
int FormatText(char* out, std::size_t size, const char* format,
               std::va_list args) __attribute__((format(printf, 3, 0)));

// Copies what fits of `from` and a NUL; returns the length of `from`.
std::size_t CopyText(char* to, const char* from, std::size_t size);

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_TEXT_H_
