#include "percore/runtime/system/addrinfo.h"

#include <netinet/in.h>

#include <cstring>

#include "percore/runtime/system/memory.h"

namespace percore {
namespace {

bool IsOwn(const addrinfo* entry) {
  return (entry->ai_flags & kOwnAddrInfo) != 0;
}

// The entry and its address are one block.
addrinfo* NewEntry(const sockaddr& address, socklen_t size, int type,
                   int protocol) {
  void* block = MemCalloc(1, sizeof(addrinfo) + size);
  if (block == nullptr) return nullptr;
  auto* entry = static_cast<addrinfo*>(block);
  entry->ai_flags = kOwnAddrInfo;
  entry->ai_family = address.sa_family;
  entry->ai_socktype = type;
  entry->ai_protocol = protocol;
  entry->ai_addrlen = size;
  entry->ai_addr = reinterpret_cast<sockaddr*>(entry + 1);
  std::memcpy(entry->ai_addr, &address, size);
  return entry;
}

void FreeEntry(addrinfo* entry) {
  MemFree(entry->ai_canonname);
  MemFree(entry);
}

// <event2/util.h> numbers what the C library hides from a strict program.
int SystemCode(int code) {
  static constexpr int kCodes[] = {EAI_ADDRFAMILY, EAI_AGAIN,  EAI_BADFLAGS,
                                   EAI_FAIL,       EAI_FAMILY, EAI_MEMORY,
                                   EAI_NODATA,     EAI_NONAME, EAI_SERVICE,
                                   EAI_SOCKTYPE,   EAI_SYSTEM};
  return code <= -901 && code >= -911 ? kCodes[-901 - code] : code;
}

}  // namespace

int ResolveBlocking(const char* node, const char* service,
                    const addrinfo* hints, addrinfo** result) {
  *result = nullptr;
  addrinfo* list = nullptr;
  const int code = getaddrinfo(node, service, hints, &list);
  if (code == 0) *result = list;
  return code;
}

void FreeAddrInfo(addrinfo* list) {
  while (list != nullptr) {
    if (IsOwn(list)) {
      addrinfo* next = list->ai_next;
      FreeEntry(list);
      list = next;
      continue;
    }
    // A stretch of the C library's: cut it off and let it free that.
    addrinfo* last = list;
    while (last->ai_next != nullptr && !IsOwn(last->ai_next)) {
      last = last->ai_next;
    }
    addrinfo* next = last->ai_next;
    last->ai_next = nullptr;
    freeaddrinfo(list);
    list = next;
  }
}

addrinfo* NewAddrInfo(const sockaddr& address, socklen_t size,
                      const addrinfo& hints) {
  addrinfo wanted = hints;
  InferProtocol(&wanted);
  if (wanted.ai_socktype != 0 || wanted.ai_protocol != 0) {
    return NewEntry(address, size, wanted.ai_socktype, wanted.ai_protocol);
  }
  addrinfo* tcp = NewEntry(address, size, SOCK_STREAM, IPPROTO_TCP);
  if (tcp == nullptr) return nullptr;
  tcp->ai_next = NewEntry(address, size, SOCK_DGRAM, IPPROTO_UDP);
  if (tcp->ai_next == nullptr) {
    FreeEntry(tcp);
    return nullptr;
  }
  return tcp;
}

void InferProtocol(addrinfo* hints) {
  if (hints->ai_protocol == 0) {
    if (hints->ai_socktype == SOCK_STREAM) hints->ai_protocol = IPPROTO_TCP;
    if (hints->ai_socktype == SOCK_DGRAM) hints->ai_protocol = IPPROTO_UDP;
  } else if (hints->ai_socktype == 0) {
    if (hints->ai_protocol == IPPROTO_TCP) hints->ai_socktype = SOCK_STREAM;
    if (hints->ai_protocol == IPPROTO_UDP) hints->ai_socktype = SOCK_DGRAM;
  }
}

addrinfo* AppendAddrInfo(addrinfo* list, addrinfo* tail) {
  if (list == nullptr) return tail;
  addrinfo* last = list;
  while (last->ai_next != nullptr) last = last->ai_next;
  last->ai_next = tail;
  return list;
}

const char* ResolveErrorText(int code) {
  if (code == 0) return "No error";
  if (code == kResolveCancelled) return "Request canceled";
  return gai_strerror(SystemCode(code));
}

}  // namespace percore
