// Search in one run of bytes, vectorised where the machine allows it.
#ifndef PERCORE_NET_BUFFER_FIND_H_
#define PERCORE_NET_BUFFER_FIND_H_

#include <cstddef>

namespace percore {

// The first `n`-byte `what` within `size` bytes, or null. n >= 1.
const unsigned char* FindBytes(const unsigned char* data, std::size_t size,
                               const unsigned char* what, std::size_t n);

// The first CR or LF, or null.
const unsigned char* FindCrOrLf(const unsigned char* data, std::size_t size);

}  // namespace percore

#endif  // PERCORE_NET_BUFFER_FIND_H_
