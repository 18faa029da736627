// Blocking name resolution, and lists of results (semantics 15.4).
//
// A list may be the C library's or ours (of the DNS client); the highest bit
// of ai_flags, which no flag uses, tells them apart. Any thread.
#ifndef PERCORE_RUNTIME_SYSTEM_ADDRINFO_H_
#define PERCORE_RUNTIME_SYSTEM_ADDRINFO_H_

#include <netdb.h>
#include <sys/socket.h>

#include <cstdint>

namespace percore {

// Set in ai_flags of entries that NewAddrInfo made.
inline constexpr int kOwnAddrInfo = INT32_MIN;

// The code of a cancelled request (EVUTIL_EAI_CANCEL).
inline constexpr int kResolveCancelled = -90001;

// getaddrinfo(3); on an error *result is null. Blocks.
int ResolveBlocking(const char* node, const char* service,
                    const addrinfo* hints, addrinfo** result);

// Frees a list; entries of both kinds may follow each other. Null is ignored.
void FreeAddrInfo(addrinfo* list);

// Entries for one address, of the socket type and protocol of `hints`; each
// follows from the other. With neither: two entries, TCP then UDP. Null when
// out of memory.
addrinfo* NewAddrInfo(const sockaddr& address, socklen_t size,
                      const addrinfo& hints);

// Sets the protocol of TCP and UDP from the socket type, or the other way.
void InferProtocol(addrinfo* hints);

// Puts `tail` behind `list`; either may be null. Returns the whole.
addrinfo* AppendAddrInfo(addrinfo* list, addrinfo* tail);

// Static text for an EAI_ code, for kResolveCancelled, and for the codes from
// -901 to -911 that <event2/util.h> gives to strict programs.
const char* ResolveErrorText(int code);

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_ADDRINFO_H_
