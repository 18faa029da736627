// IP addresses as text, and their order (semantics 15.1 to 15.3, 15.11).
//
// Reading is strict where libevent is lenient: no signs, no white space, no
// number that overflows, nothing after the end. Leading zeros in IPv4 are
// decimal, as in libevent, never octal. Any thread; no memory is allocated.
#ifndef PERCORE_RUNTIME_SYSTEM_ADDRESS_H_
#define PERCORE_RUNTIME_SYSTEM_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace percore {

// The longest text FormatAddressPort makes, with its NUL.
inline constexpr std::size_t kAddressPortText = INET6_ADDRSTRLEN + 8;

// inet_ntop(3) for AF_INET and AF_INET6; IPv6 by RFC 5952, with the last four
// bytes of v4-mapped and v4-compatible addresses in dotted form. Returns
// `out`; null with errno ENOSPC (more than `size`) or EAFNOSUPPORT.
const char* FormatAddress(int family, const void* address, char* out,
                          std::size_t size);

// "a.b.c.d:port" or "[v6]:port" of a sockaddr, "?" of another family. Returns
// `out`, cut to `size`.
const char* FormatAddressPort(const sockaddr& address, char* out,
                              std::size_t size);

// Each returns whether the whole text was an address; outputs are written
// only then. RFC 4291, section 2.2, for IPv6.
bool ParseV4(std::string_view text, in_addr* out);
bool ParseV6(std::string_view text, in6_addr* out);
// "address" or "address%zone" (RFC 4007, section 11); the zone is the name of
// an interface of this machine, or a number; empty or none: 0.
bool ParseV6WithZone(std::string_view text, in6_addr* out, std::uint32_t* zone);

// Parses "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80", IPv6 with a
// zone or without. Port 1 to 65535, 0 if absent. `*size`: room in `out`, then
// what the address takes. False: not an address, or no room; then nothing is
// changed. Room that is left over is zeroed.
bool ParseAddressPort(std::string_view text, sockaddr* out, int* size);

// Negative, 0, positive. Orders by family, address, and with `with_port` port.
// Two of a family that is not IP never compare equal.
int CompareAddresses(const sockaddr& a, const sockaddr& b, bool with_port);

// Addresses that say nothing about being connected: unspecified, loopback,
// link-local. (AI_ADDRCONFIG asks for an interface with another one.)
bool IsLocalV4(const in_addr& address);
bool IsLocalV6(const in6_addr& address);

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_ADDRESS_H_
