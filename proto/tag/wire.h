// The bytes of libevent's tagged elements (semantics 23), without a buffer.
//
// An element is a tag, the payload's length as an integer, and the payload.
//
//   Tag: seven bits a byte, the least significant first; the high bit says
//   that more follow. 300 is ac 02.
//   Integer: hex digits from the least significant on. The first byte's high
//   nibble is their number less one, its low nibble the first digit; then two
//   digits a byte, the earlier one high. 0x1234 is 34 32 10.
//
// Pure functions, any thread. Decoding looks at no more than the bytes given
// and, as libevent's, accepts what is longer than it need be.
#ifndef PERCORE_PROTO_TAG_WIRE_H_
#define PERCORE_PROTO_TAG_WIRE_H_

#include <cstddef>
#include <cstdint>

namespace percore::tag {

inline constexpr std::size_t kMaxTagSize = 5;
inline constexpr std::size_t kMaxIntSize = 5;  // of 32 bits
inline constexpr std::size_t kMaxInt64Size = 9;
inline constexpr std::size_t kMaxHeaderSize = kMaxTagSize + kMaxIntSize;

// Writes at most kMaxTagSize, kMaxIntSize (for a number of 32 bits) or
// kMaxInt64Size bytes to `out`; how many.
std::size_t EncodeTag(std::uint32_t tag, unsigned char* out);
std::size_t EncodeInt(std::uint64_t number, unsigned char* out);

// Reads one from the first of `n` bytes. The bytes it takes, or 0 when they
// are too few or it does not fit the type; then `*out` is as it was.
std::size_t DecodeTag(const unsigned char* in, std::size_t n,
                      std::uint32_t* out);
std::size_t DecodeInt(const unsigned char* in, std::size_t n,
                      std::uint32_t* out);
std::size_t DecodeInt(const unsigned char* in, std::size_t n,
                      std::uint64_t* out);

}  // namespace percore::tag

#endif  // PERCORE_PROTO_TAG_WIRE_H_
