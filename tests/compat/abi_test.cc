// The binary interface of libevent 2.1.12 on x86_64 Linux: every size, offset
// and value that a program compiled against its headers has built in.

#include <event2/buffer.h>
#include <event2/buffer_compat.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_compat.h>
#include <event2/bufferevent_ssl.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <event2/thread.h>
#include <event2/util.h>
#ifndef TESTING_DEBIAN_LIBEVENT
#include <event2/watch.h>
#endif
#include <event.h>
#include <evutil.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "gtest/gtest.h"
#include "tests/compat/abi_rows.h"

namespace {

const abi_row kRows[] = {
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
};

TEST(Abi, LayoutAndValuesAsCppSeesThem) {
  EXPECT_GT(std::size(kRows), 250u);
  for (const abi_row& row : kRows) EXPECT_EQ(row.got, row.want) << row.what;
}

TEST(Abi, LayoutAndValuesAsStrictC89SeesThem) {
  size_t count = 0;
  const abi_row* rows = abi_rows_c89(&count);
  EXPECT_EQ(count, std::size(kRows));
  for (size_t i = 0; i < count; ++i) {
    EXPECT_EQ(rows[i].got, rows[i].want) << rows[i].what;
  }
  EXPECT_EQ(abi_c89_sizeof_event(), sizeof(struct event));
}

// api EVUTIL_EAI_ADDRFAMILY, EVUTIL_EAI_NODATA
// A strict program does not see these two of glibc's codes and gets numbers
// of libevent's own; a GNU one gets glibc's.
TEST(Abi, ErrorCodesThatStrictModeHides) {
  EXPECT_EQ(abi_c89_eai_addrfamily(), -901);
  EXPECT_EQ(abi_c89_eai_nodata(), -907);
  EXPECT_EQ(EVUTIL_EAI_ADDRFAMILY, EAI_ADDRFAMILY);
  EXPECT_EQ(EVUTIL_EAI_NODATA, EAI_NODATA);
}

// api LIBEVENT_VERSION
TEST(Abi, VersionMacros) {
  EXPECT_STREQ(LIBEVENT_VERSION, "2.1.12-stable");
  EXPECT_STREQ(EVENT__VERSION, "2.1.12-stable");
}

// api ev_uint64_t, ev_int64_t, ev_uint32_t, ev_int32_t, ev_uint16_t,
// ev_int16_t, ev_uint8_t, ev_int8_t, ev_uintptr_t, ev_intptr_t, ev_ssize_t,
// ev_off_t, ev_socklen_t, evutil_socket_t, evutil_addrinfo
TEST(Abi, IntegerTypesAreMacros) {
#if !defined(ev_uint64_t) || !defined(ev_int64_t) || !defined(ev_uint32_t) || \
    !defined(ev_int32_t) || !defined(ev_uint16_t) || !defined(ev_int16_t) ||  \
    !defined(ev_uint8_t) || !defined(ev_int8_t) || !defined(ev_uintptr_t) ||  \
    !defined(ev_intptr_t) || !defined(ev_ssize_t) || !defined(ev_off_t) ||    \
    !defined(ev_socklen_t) || !defined(evutil_socket_t)
  FAIL() << "a type is not a macro";
#endif
  EXPECT_TRUE((std::is_same_v<ev_int64_t, int64_t>));
  EXPECT_TRUE((std::is_same_v<ev_uint8_t, uint8_t>));
  EXPECT_TRUE((std::is_same_v<ev_ssize_t, ssize_t>));
  EXPECT_TRUE((std::is_same_v<struct evutil_addrinfo, struct addrinfo>));
}

// What a program may test for before it uses a function.
TEST(Abi, FeatureMacros) {
#if !defined(EVENT_SET_MEM_FUNCTIONS_IMPLEMENTED) ||                         \
    !defined(EVTHREAD_USE_PTHREADS_IMPLEMENTED) ||                           \
    !defined(EVENT2_EXPORT_SYMBOL) || !defined(EVENT2_CORE_EXPORT_SYMBOL) || \
    !defined(EVENT__HAVE_PTHREADS) || defined(EVENT__DISABLE_THREAD_SUPPORT)
  FAIL() << "a feature macro is not as libevent's";
#endif
  EXPECT_EQ(_EVENT_LOG_DEBUG, EVENT_LOG_DEBUG);
  EXPECT_EQ(_EVENT_LOG_MSG, EVENT_LOG_MSG);
  EXPECT_EQ(_EVENT_LOG_WARN, EVENT_LOG_WARN);
  EXPECT_EQ(_EVENT_LOG_ERR, EVENT_LOG_ERR);
}

// api TAILQ_ENTRY, TAILQ_HEAD, LIST_ENTRY, LIST_HEAD
// The closure of these names must not leak out of event_struct.h where the
// system's <sys/queue.h> was not included.
TEST(Abi, QueueMacrosDoNotLeak) {
#if defined(TAILQ_ENTRY) && !defined(_SYS_QUEUE_H_)
  FAIL() << "TAILQ_ENTRY is left behind";
#endif
#if defined(LIST_HEAD) && !defined(_SYS_QUEUE_H_)
  FAIL() << "LIST_HEAD is left behind";
#endif
#if (defined(TAILQ_HEAD) || defined(LIST_ENTRY)) && !defined(_SYS_QUEUE_H_)
  FAIL() << "TAILQ_HEAD or LIST_ENTRY is left behind";
#endif
}

// api evbuffer_iovec, EVBUFFER_IOVEC_IS_NATIVE_
// A program may give the library vectors of its own.
TEST(Abi, BufferVectorsAreTheSystems) {
#if !defined(evbuffer_iovec) || !defined(EVBUFFER_IOVEC_IS_NATIVE_)
  FAIL() << "evbuffer_iovec is not a macro";
#endif
  EXPECT_TRUE((std::is_same_v<struct evbuffer_iovec, struct iovec>));
}

// api evbuffercb, everrorcb, EVBUFFER_LENGTH, EVBUFFER_DATA, EVBUFFER_INPUT,
// EVBUFFER_OUTPUT
TEST(Abi, OldNamesOfStreamsAreMacros) {
#if !defined(evbuffercb) || !defined(everrorcb) ||          \
    !defined(EVBUFFER_LENGTH) || !defined(EVBUFFER_DATA) || \
    !defined(EVBUFFER_INPUT) || !defined(EVBUFFER_OUTPUT)
  FAIL() << "an old name is not a macro";
#endif
  EXPECT_TRUE((std::is_same_v<evbuffercb, bufferevent_data_cb>));
  EXPECT_TRUE((std::is_same_v<everrorcb, bufferevent_event_cb>));
}

}  // namespace
