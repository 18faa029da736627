/*
 * The headers as a strict C89 program has them: the C library's own headers
 * first and nothing but POSIX asked for, then every header of runtime and net,
 * the 1.x ones too. Compiled with -std=c89 -pedantic -Werror.
 */
#define _POSIX_C_SOURCE 200112L
#include <netdb.h>
#include <stdio.h>
#include <sys/time.h>

#include <event2/visibility.h>

#include <event2/thread.h>

#include <event2/util.h>

#include <event2/event_compat.h>

#include <event2/event_struct.h>

#include <event2/event.h>

#include <event2/listener.h>

#include <event2/bufferevent_ssl.h>

#include <event2/bufferevent_compat.h>

#include <event2/bufferevent_struct.h>

#include <event2/bufferevent.h>

#include <event2/buffer_compat.h>

#include <event2/buffer.h>

#include <event.h>
#include <evutil.h>
#ifndef TESTING_DEBIAN_LIBEVENT
#include <event2/watch.h>
#if !defined(PERCORE_EVENT_H_) || !defined(PERCORE_EVUTIL_H_)
#error "the 1.x headers are another libevent's"
#endif
#endif

#include "tests/compat/abi_rows.h"

static const struct abi_row rows[] = {
#define PERCORE_ABI_TYPE ABI_ROWS_TYPE
#define PERCORE_ABI_MEMBER ABI_ROWS_MEMBER
#define PERCORE_ABI_VALUE ABI_ROWS_VALUE
#ifndef TESTING_DEBIAN_LIBEVENT
#define PERCORE_ABI_VALUE_2_2 ABI_ROWS_VALUE
#endif
#include "percore/runtime/capi/abi_facts.inc"
#define PERCORE_ABI_TYPE ABI_ROWS_TYPE
#define PERCORE_ABI_MEMBER ABI_ROWS_MEMBER
#define PERCORE_ABI_VALUE ABI_ROWS_VALUE
#ifndef TESTING_DEBIAN_LIBEVENT
#define PERCORE_ABI_VALUE_2_2 ABI_ROWS_VALUE
#endif
#include "percore/net/capi/abi_facts.inc"
    {NULL, 0, 0}};

const struct abi_row* abi_rows_c89(size_t* count) {
  *count = sizeof(rows) / sizeof(rows[0]) - 1;
  return rows;
}

int abi_c89_eai_addrfamily(void) { return EVUTIL_EAI_ADDRFAMILY; }
int abi_c89_eai_nodata(void) { return EVUTIL_EAI_NODATA; }
size_t abi_c89_sizeof_event(void) { return sizeof(struct event); }
