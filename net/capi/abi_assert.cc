// The layouts and values of the C door of net, checked where it is compiled.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_compat.h>
#include <event2/bufferevent_ssl.h>
#include <event2/bufferevent_struct.h>
#include <event2/listener.h>

#include <cstddef>

// As for runtime/capi: the ABI that Linux distributions ship.
#if defined(__linux__) && defined(__x86_64__) && defined(__LP64__)

#define PERCORE_ABI_TYPE(type, size, align) \
  static_assert(sizeof(type) == (size) && alignof(type) == (align), #type);
#define PERCORE_ABI_MEMBER(type, member, offset, size)          \
  static_assert(offsetof(type, member) == (offset) &&           \
                    sizeof(((type*)nullptr)->member) == (size), \
                #type "." #member);
#define PERCORE_ABI_VALUE(name, value)                                         \
  static_assert(static_cast<long long>(name) == static_cast<long long>(value), \
                #name);
#define PERCORE_ABI_VALUE_2_2(name, value) PERCORE_ABI_VALUE(name, value)
#include "percore/net/capi/abi_facts.inc"

#endif
