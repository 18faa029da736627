// What the tests of tags share: bytes in hex, and the four functions that are
// exported, used by generated code and old programs, and in no header.

#ifndef PERCORE_TESTS_COMPAT_TAGS_H_
#define PERCORE_TESTS_COMPAT_TAGS_H_

#include <event2/buffer.h>
#include <event2/tag.h>
#include <event2/util.h>

#include <string>
#include <string_view>

#include "percore/tests/compat/buffers.h"

extern "C" {
int evtag_decode_int(ev_uint32_t* pnumber, struct evbuffer* evbuf);
int evtag_decode_int64(ev_uint64_t* pnumber, struct evbuffer* evbuf);
int evtag_encode_tag(struct evbuffer* evbuf, ev_uint32_t tag);
int evtag_decode_tag(ev_uint32_t* ptag, struct evbuffer* evbuf);
}

namespace compat {

// "05 03 34" and back.
inline std::string Bytes(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size();) {
    if (hex[i] == ' ') {
      ++i;
      continue;
    }
    bytes += static_cast<char>(
        std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    i += 2;
  }
  return bytes;
}

inline std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (!hex.empty()) hex += ' ';
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 0xf];
  }
  return hex;
}

// A buffer of these bytes in one chunk, or in chunks of `size`.
inline BufferPtr FromHex(std::string_view hex) { return NewBuffer(Bytes(hex)); }
inline BufferPtr FromHex(size_t size, std::string_view hex) {
  return ChunksOf(size, Bytes(hex));
}

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_TAGS_H_
