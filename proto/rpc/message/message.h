// What the C++20 structures of event_rpcgen --cpp are made of: elements
// (proto/tag/wire.h) written to a string and read from bytes.
//
// A structure has its entries as members, `std::string Marshal() const` and
// `bool Unmarshal(std::string_view)`; the bytes are those of the generated C.
// Pure, any thread. Reading looks at no byte beyond those given, allocates no
// more than they bear out, and goes at most kMaxDepth structures deep.
#ifndef PERCORE_PROTO_RPC_MESSAGE_MESSAGE_H_
#define PERCORE_PROTO_RPC_MESSAGE_MESSAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "percore/proto/tag/wire.h"

namespace percore::rpc {

inline constexpr int kMaxDepth = 100;

// --- Writing: an element to the end of `out` -------------------------------

inline void AppendBytes(std::string* out, std::uint32_t tag,
                        std::string_view payload) {
  unsigned char header[tag::kMaxTagSize + tag::kMaxInt64Size];
  std::size_t n = tag::EncodeTag(tag, header);
  n += tag::EncodeInt(payload.size(), header + n);
  out->append(reinterpret_cast<const char*>(header), n);
  out->append(payload);
}

inline void Append(std::string* out, std::uint32_t tag,
                   const std::string& value) {
  AppendBytes(out, tag, value);
}

inline void Append(std::string* out, std::uint32_t tag, std::uint64_t value) {
  unsigned char payload[tag::kMaxInt64Size];
  const std::size_t n = tag::EncodeInt(value, payload);
  AppendBytes(out, tag, {reinterpret_cast<const char*>(payload), n});
}

inline void Append(std::string* out, std::uint32_t tag, std::uint32_t value) {
  Append(out, tag, std::uint64_t{value});
}

template <std::size_t N>
void Append(std::string* out, std::uint32_t tag,
            const std::array<std::uint8_t, N>& value) {
  AppendBytes(out, tag, {reinterpret_cast<const char*>(value.data()), N});
}

template <typename Message>
  requires requires(const Message& m) { m.Marshal(); }
void Append(std::string* out, std::uint32_t tag, const Message& value) {
  AppendBytes(out, tag, value.Marshal());
}

// --- Reading ---------------------------------------------------------------

struct Element {
  std::uint32_t tag;
  std::string_view payload;
};

// Takes the first element of `*in`. False when it is malformed or cut short.
inline bool Next(std::string_view* in, Element* element) {
  const auto* p = reinterpret_cast<const unsigned char*>(in->data());
  std::uint32_t length;
  const std::size_t a = tag::DecodeTag(p, in->size(), &element->tag);
  if (a == 0) return false;
  const std::size_t b = tag::DecodeInt(p + a, in->size() - a, &length);
  if (b == 0 || length > in->size() - a - b) return false;
  element->payload = in->substr(a + b, length);
  in->remove_prefix(a + b + length);
  return true;
}

// A payload as a value. `depth`: of the structures around it.
inline bool Read(std::string_view payload, int, std::string* value) {
  value->assign(payload);
  return true;
}

inline bool Read(std::string_view payload, int, std::uint32_t* value) {
  return tag::DecodeInt(reinterpret_cast<const unsigned char*>(payload.data()),
                        payload.size(), value) != 0;
}

inline bool Read(std::string_view payload, int, std::uint64_t* value) {
  return tag::DecodeInt(reinterpret_cast<const unsigned char*>(payload.data()),
                        payload.size(), value) != 0;
}

template <std::size_t N>
bool Read(std::string_view payload, int, std::array<std::uint8_t, N>* value) {
  if (payload.size() != N) return false;
  std::memcpy(value->data(), payload.data(), N);
  return true;
}

template <typename Message>
  requires requires(Message& m) { m.Unmarshal({}, 0); }
bool Read(std::string_view payload, int depth, Message* value) {
  return value->Unmarshal(payload, depth + 1);
}

}  // namespace percore::rpc

#endif  // PERCORE_PROTO_RPC_MESSAGE_MESSAGE_H_
