#include "percore/runtime/system/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace percore {
namespace {

// The longest "address%zone" or address that is looked at.
constexpr std::size_t kMaxAddressText = 127;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Digits only, all of the text, at most `max`.
bool ParseDecimal(std::string_view text, std::uint32_t max,
                  std::uint32_t* out) {
  if (text.empty()) return false;
  std::uint64_t value = 0;
  for (char c : text) {
    if (!IsDigit(c)) return false;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
    if (value > max) return false;
  }
  *out = static_cast<std::uint32_t>(value);
  return true;
}

void SplitWords(const std::uint8_t* bytes, std::uint16_t words[8]) {
  for (int i = 0; i < 8; ++i) {
    words[i] = static_cast<std::uint16_t>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  }
}

struct Run {
  int start = -1;
  int length = 0;
};

// The first of the longest runs of two zero words or more.
Run LongestZeroRun(const std::uint16_t words[8]) {
  Run best;
  for (int i = 0; i < 8;) {
    int end = i;
    while (end < 8 && words[end] == 0) ++end;
    if (end - i >= 2 && end - i > best.length) best = {i, end - i};
    i = std::max(end, i + 1);
  }
  return best;
}

void FormatV6(const std::uint8_t* bytes, char text[INET6_ADDRSTRLEN]) {
  std::uint16_t words[8];
  SplitWords(bytes, words);
  const bool five_zero =
      std::all_of(words, words + 5, [](std::uint16_t w) { return w == 0; });
  // ::w:0 stays as it is: an address ending in .0.0 is no host's IPv4 one.
  const bool compatible =
      five_zero && words[5] == 0 && words[6] != 0 && words[7] != 0;
  if (compatible || (five_zero && words[5] == 0xffff)) {
    std::snprintf(text, INET6_ADDRSTRLEN, "%s%d.%d.%d.%d",
                  compatible ? "::" : "::ffff:", bytes[12], bytes[13],
                  bytes[14], bytes[15]);
    return;
  }
  const Run run = LongestZeroRun(words);
  char* at = text;
  char* const end = text + INET6_ADDRSTRLEN;
  for (int i = 0; i < 8; ++i) {
    if (i == run.start) {
      *at++ = ':';
      if (i == 0) *at++ = ':';
      i += run.length - 1;
      if (i == 7) *at = '\0';
      continue;
    }
    at += std::snprintf(at, static_cast<std::size_t>(end - at),
                        i == 7 ? "%x" : "%x:", words[i]);
  }
}

}  // namespace

const char* FormatAddress(int family, const void* address, char* out,
                          std::size_t size) {
  char text[INET6_ADDRSTRLEN];
  const auto* bytes = static_cast<const std::uint8_t*>(address);
  if (family == AF_INET) {
    std::snprintf(text, sizeof(text), "%d.%d.%d.%d", bytes[0], bytes[1],
                  bytes[2], bytes[3]);
  } else if (family == AF_INET6) {
    FormatV6(bytes, text);
  } else {
    errno = EAFNOSUPPORT;
    return nullptr;
  }
  const std::size_t needed = std::strlen(text) + 1;
  if (needed > size) {
    errno = ENOSPC;
    return nullptr;
  }
  std::memcpy(out, text, needed);
  return out;
}

const char* FormatAddressPort(const sockaddr& address, char* out,
                              std::size_t size) {
  char text[INET6_ADDRSTRLEN];
  if (address.sa_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    FormatAddress(AF_INET, &in.sin_addr, text, sizeof(text));
    std::snprintf(out, size, "%s:%d", text, ntohs(in.sin_port));
  } else if (address.sa_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
    FormatAddress(AF_INET6, &in6.sin6_addr, text, sizeof(text));
    std::snprintf(out, size, "[%s]:%d", text, ntohs(in6.sin6_port));
  } else {
    std::snprintf(out, size, "?");
  }
  return out;
}

bool ParseV4(std::string_view text, in_addr* out) {
  std::uint8_t bytes[4];
  for (int i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    // More than three digits is a misprint or an attempt at something.
    if (dot == std::string_view::npos || dot > 3) return false;
    std::uint32_t value;
    if (!ParseDecimal(text.substr(0, dot), 255, &value)) return false;
    bytes[i] = static_cast<std::uint8_t>(value);
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  std::memcpy(out, bytes, 4);
  return true;
}

bool ParseV6(std::string_view text, in6_addr* out) {
  std::uint8_t bytes[16] = {};
  int used = 0;  // bytes written
  int gap = -1;  // where "::" stands, in bytes
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (used > 14) return false;
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (group.find('.') != std::string_view::npos) {
      // Dotted form ends the text and takes four bytes.
      in_addr v4;
      if (colon != std::string_view::npos || used > 12) return false;
      if (!ParseV4(group, &v4)) return false;
      std::memcpy(bytes + used, &v4, 4);
      used += 4;
      break;
    }
    if (group.empty() || group.size() > 4) return false;
    int value = 0;
    for (char c : group) {
      if (HexValue(c) < 0) return false;
      value = value << 4 | HexValue(c);
    }
    bytes[used++] = static_cast<std::uint8_t>(value >> 8);
    bytes[used++] = static_cast<std::uint8_t>(value);
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.starts_with(':')) {
      if (gap >= 0) return false;
      gap = used;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return false;  // a single colon at the end
    }
  }
  if (gap < 0) {
    if (used != 16) return false;
  } else {
    if (used > 14) return false;  // "::" stands for one group at least
    std::memmove(bytes + 16 - (used - gap), bytes + gap,
                 static_cast<std::size_t>(used - gap));
    std::memset(bytes + gap, 0, static_cast<std::size_t>(16 - used));
  }
  std::memcpy(out, bytes, 16);
  return true;
}

bool ParseV6WithZone(std::string_view text, in6_addr* out,
                     std::uint32_t* zone) {
  const std::size_t percent = text.find('%');
  in6_addr address;
  if (!ParseV6(text.substr(0, percent), &address)) return false;
  std::uint32_t index = 0;
  if (percent != std::string_view::npos && percent + 1 < text.size()) {
    const std::string_view name = text.substr(percent + 1);
    char terminated[IF_NAMESIZE] = {};
    if (name.size() < sizeof(terminated)) {
      std::memcpy(terminated, name.data(), name.size());
      index = if_nametoindex(terminated);
    }
    if (index == 0 && !ParseDecimal(name, UINT32_MAX, &index)) return false;
  }
  *out = address;
  *zone = index;
  return true;
}

bool ParseAddressPort(std::string_view text, sockaddr* out, int* size) {
  // Brackets, or two colons, make it IPv6; one colon makes a port.
  std::string_view host = text;
  std::string_view port_text;
  bool has_port = false;
  bool is_v6 = true;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    has_port = !rest.empty();
    if (has_port && rest[0] != ':') return false;
    if (has_port) port_text = rest.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
      is_v6 = false;
    } else if (text.find(':', colon + 1) == std::string_view::npos) {
      is_v6 = false;
      has_port = true;
      host = text.substr(0, colon);
      port_text = text.substr(colon + 1);
    }
  }
  if (host.size() > kMaxAddressText) return false;
  std::uint32_t port = 0;
  if (has_port && (!ParseDecimal(port_text, 65535, &port) || port == 0)) {
    return false;
  }

  sockaddr_storage parsed{};
  int length;
  if (is_v6) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(parsed);
    length = sizeof(in6);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(static_cast<std::uint16_t>(port));
    std::uint32_t zone;
    if (!ParseV6WithZone(host, &in6.sin6_addr, &zone)) return false;
    in6.sin6_scope_id = zone;
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(parsed);
    length = sizeof(in);
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<std::uint16_t>(port));
    if (!ParseV4(host, &in.sin_addr)) return false;
  }
  if (*size < length) return false;
  std::memset(out, 0, static_cast<std::size_t>(*size));
  std::memcpy(out, &parsed, static_cast<std::size_t>(length));
  *size = length;
  return true;
}

int CompareAddresses(const sockaddr& a, const sockaddr& b, bool with_port) {
  if (a.sa_family != b.sa_family) return a.sa_family < b.sa_family ? -1 : 1;
  int order = 1;
  in_port_t port_a = 0;
  in_port_t port_b = 0;
  if (a.sa_family == AF_INET) {
    const auto& in_a = reinterpret_cast<const sockaddr_in&>(a);
    const auto& in_b = reinterpret_cast<const sockaddr_in&>(b);
    order = std::memcmp(&in_a.sin_addr, &in_b.sin_addr, 4);
    port_a = ntohs(in_a.sin_port);
    port_b = ntohs(in_b.sin_port);
  } else if (a.sa_family == AF_INET6) {
    const auto& in_a = reinterpret_cast<const sockaddr_in6&>(a);
    const auto& in_b = reinterpret_cast<const sockaddr_in6&>(b);
    order = std::memcmp(&in_a.sin6_addr, &in_b.sin6_addr, 16);
    port_a = ntohs(in_a.sin6_port);
    port_b = ntohs(in_b.sin6_port);
  }
  if (order != 0) return order < 0 ? -1 : 1;
  return with_port ? static_cast<int>(port_a) - static_cast<int>(port_b) : 0;
}

bool IsLocalV4(const in_addr& address) {
  const std::uint32_t v4 = ntohl(address.s_addr);
  return v4 == INADDR_ANY || (v4 >> 24) == 127 || (v4 >> 16) == 0xa9fe;
}

bool IsLocalV6(const in6_addr& address) {
  return IN6_IS_ADDR_UNSPECIFIED(&address) || IN6_IS_ADDR_LOOPBACK(&address) ||
         IN6_IS_ADDR_LINKLOCAL(&address);
}

}  // namespace percore
