// The layouts and values of the C door, checked where it is compiled.

#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <event2/util.h>
#include <event2/watch.h>

#include <cstddef>

// Other systems have libevent binaries of other layouts, each with an ABI of
// its own; what is asserted here is the one that Linux distributions ship.
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
#include "percore/runtime/capi/abi_facts.inc"

#endif
