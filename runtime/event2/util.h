/*
 * evutil: the small portable things an event-driven program needs.
 *
 * Sockets, address text, a blocking getaddrinfo, clocks, secure random bytes,
 * locale-free text. Unless a comment says otherwise a function may be called
 * from any thread, takes no NULL pointer, and an int function returns 0, or
 * -1 with errno set.
 */
#ifndef PERCORE_RUNTIME_EVENT2_UTIL_H_
#define PERCORE_RUNTIME_EVENT2_UTIL_H_

#include <event2/visibility.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Integer types: macros that name a type, as programs may test for. */

#define ev_uint64_t uint64_t
#define ev_int64_t int64_t
#define ev_uint32_t uint32_t
#define ev_int32_t int32_t
#define ev_uint16_t uint16_t
#define ev_int16_t int16_t
#define ev_uint8_t uint8_t
#define ev_int8_t int8_t
#define ev_uintptr_t uintptr_t
#define ev_intptr_t intptr_t

#ifdef _WIN32
#define ev_ssize_t intptr_t
#define ev_socklen_t int
#define evutil_socket_t intptr_t
#else
#define ev_ssize_t ssize_t
#define ev_socklen_t socklen_t
#define evutil_socket_t int
#endif

/* A file offset: as wide as off_t of the program that built the library. */
#if EVENT__SIZEOF_OFF_T == 8
#define ev_off_t ev_int64_t
#else
#define ev_off_t ev_int32_t
#endif

#define EV_UINT64_MAX UINT64_MAX
#define EV_INT64_MAX INT64_MAX
#define EV_INT64_MIN INT64_MIN
#define EV_UINT32_MAX UINT32_MAX
#define EV_INT32_MAX INT32_MAX
#define EV_INT32_MIN INT32_MIN
#define EV_UINT16_MAX UINT16_MAX
#define EV_INT16_MAX INT16_MAX
#define EV_INT16_MIN INT16_MIN
#define EV_UINT8_MAX UINT8_MAX
#define EV_INT8_MAX INT8_MAX
#define EV_INT8_MIN INT8_MIN
#if EVENT__SIZEOF_SIZE_T == 8
#define EV_SIZE_MAX EV_UINT64_MAX
#define EV_SSIZE_MAX EV_INT64_MAX
#else
#define EV_SIZE_MAX EV_UINT32_MAX
#define EV_SSIZE_MAX EV_INT32_MAX
#endif
#define EV_SSIZE_MIN ((-EV_SSIZE_MAX) - 1)

/* Old Solaris and AIX name these members differently; none that we build on
   does. Programs may test the first. */
#if defined(__sun) && defined(__SVR4)
#define EVENT__SOLARIS_11_4 1
#else
#define EVENT__SOLARIS_11_4 0
#endif
#if defined(EVENT__HAVE_STRUCT_SOCKADDR_STORAGE___SS_FAMILY) && \
    !defined(ss_family)
#define ss_family __ss_family
#endif

/* ---- Sockets. */

#define EVUTIL_INVALID_SOCKET (-1)

/* A connected pair of sockets in sv, as socketpair(2). Where the system has
   none: a pair of loopback TCP connections. */
EVENT2_EXPORT_SYMBOL
int evutil_socketpair(int domain, int type, int protocol,
                      evutil_socket_t sv[2]);

/* Sets O_NONBLOCK. Logs a warning when it cannot. */
EVENT2_EXPORT_SYMBOL
int evutil_make_socket_nonblocking(evutil_socket_t sock);

/* Lets a listener bind an address with connections still in TIME_WAIT
   (SO_REUSEADDR; nothing on Windows, where it means something else). */
EVENT2_EXPORT_SYMBOL
int evutil_make_listen_socket_reuseable(evutil_socket_t sock);

/* Lets several sockets bind one port (SO_REUSEPORT). 0 where the system has
   no such option. */
EVENT2_EXPORT_SYMBOL
int evutil_make_listen_socket_reuseable_port(evutil_socket_t sock);

/* An IPv6 listener that takes IPv6 only (IPV6_V6ONLY=1). */
EVENT2_EXPORT_SYMBOL
int evutil_make_listen_socket_ipv6only(evutil_socket_t sock);

/* An IPv6 listener that takes IPv4 too (IPV6_V6ONLY=0). Since 2.2. */
EVENT2_EXPORT_SYMBOL
int evutil_make_listen_socket_not_ipv6only(evutil_socket_t sock);

/* Sets FD_CLOEXEC. Logs a warning when it cannot. */
EVENT2_EXPORT_SYMBOL
int evutil_make_socket_closeonexec(evutil_socket_t sock);

/* Closes sock and returns what close(2) does. Use it rather than close():
   it tells the loops first, so that interest in the number is dropped before
   another socket can be given it. */
EVENT2_EXPORT_SYMBOL
int evutil_closesocket(evutil_socket_t sock);
#define EVUTIL_CLOSESOCKET(s) evutil_closesocket(s)

/* A TCP listener that reports a connection once it has data
   (TCP_DEFER_ACCEPT). 0 where the system has no such option. */
EVENT2_EXPORT_SYMBOL
int evutil_make_tcp_listen_socket_deferred(evutil_socket_t sock);

/* TCP keepalive: on, with `timeout` seconds idle before the first of 3 probes
   that are a third of it apart (at least 1 second), or off. A timeout of 0 or
   less does nothing and returns 0. Since 2.2. */
EVENT2_EXPORT_SYMBOL
int evutil_set_tcp_keepalive(evutil_socket_t sock, int on, int timeout);

/* The error of the last socket call of this thread, and its text. */
#ifdef _WIN32
#define EVUTIL_SOCKET_ERROR() WSAGetLastError()
#define EVUTIL_SET_SOCKET_ERROR(errcode) WSASetLastError(errcode)
EVENT2_EXPORT_SYMBOL
int evutil_socket_geterror(evutil_socket_t sock);
EVENT2_EXPORT_SYMBOL
const char *evutil_socket_error_to_string(int errcode);
#else
#define EVUTIL_SOCKET_ERROR() (errno)
#define EVUTIL_SET_SOCKET_ERROR(errcode) \
  do {                                   \
    errno = (errcode);                   \
  } while (0)
#define evutil_socket_geterror(sock) (errno)
#define evutil_socket_error_to_string(errcode) (strerror(errcode))
#endif

/* ---- Time. */

/* Arithmetic on struct timeval; results are normalised. */
#define evutil_timeradd(tvp, uvp, vvp) timeradd((tvp), (uvp), (vvp))
#define evutil_timersub(tvp, uvp, vvp) timersub((tvp), (uvp), (vvp))
#define evutil_timerclear(tvp) timerclear(tvp)
#define evutil_timerisset(tvp) timerisset(tvp)
/* cmp is any of < <= == != >= > (libc's timercmp has trouble with some). */
#define evutil_timercmp(tvp, uvp, cmp)                               \
  ((tvp)->tv_sec == (uvp)->tv_sec ? (tvp)->tv_usec cmp(uvp)->tv_usec \
                                  : (tvp)->tv_sec cmp(uvp)->tv_sec)

#ifdef _WIN32
struct timezone;
EVENT2_EXPORT_SYMBOL
int evutil_gettimeofday(struct timeval *tv, struct timezone *tz);
#else
#define evutil_gettimeofday(tv, tz) gettimeofday((tv), (tz))
#endif

/* A clock that never goes back. One timer is used by one thread at a time. */
struct evutil_monotonic_timer;

#define EV_MONOT_PRECISE 1  /* exact, even where that costs a system call */
#define EV_MONOT_FALLBACK 2 /* as if the system had no monotonic clock */

/* A timer that has yet to be configured, or NULL when out of memory. */
EVENT2_EXPORT_SYMBOL
struct evutil_monotonic_timer *evutil_monotonic_timer_new(void);

/* NULL is allowed. */
EVENT2_EXPORT_SYMBOL
void evutil_monotonic_timer_free(struct evutil_monotonic_timer *timer);

/* Chooses the clock. flags: 0 (a cheap one, good to a few milliseconds, where
   there is one) or EV_MONOT_* bits. */
EVENT2_EXPORT_SYMBOL
int evutil_configure_monotonic_time(struct evutil_monotonic_timer *timer,
                                    int flags);

/* Reads the clock; the epoch is unspecified. */
EVENT2_EXPORT_SYMBOL
int evutil_gettime_monotonic(struct evutil_monotonic_timer *timer,
                             struct timeval *tp);

/* Writes an HTTP date (RFC 7231, 7.1.1.1: "Sun, 06 Nov 1994 08:49:37 GMT"),
   in English whatever the locale. tm: broken-down UTC, or NULL for now.
   Returns the full length (29) even when datelen cut it short. */
EVENT2_EXPORT_SYMBOL
int evutil_date_rfc1123(char *date, const size_t datelen, const struct tm *tm);

/* ---- Text. */

/* The offset of a member, for C and for compilers without offsetof. */
#define evutil_offsetof(type, field) offsetof(type, field)

/* strtoll of 64 bits. */
EVENT2_EXPORT_SYMBOL
ev_int64_t evutil_strtoll(const char *s, char **endptr, int base);

/* C99 snprintf: returns the length the whole text has, always terminates.
   A buflen of 0 writes nothing and returns 0. */
EVENT2_EXPORT_SYMBOL
int evutil_snprintf(char *buf, size_t buflen, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;
EVENT2_EXPORT_SYMBOL
int evutil_vsnprintf(char *buf, size_t buflen, const char *format, va_list ap)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 0)))
#endif
    ;

/* Compares without regard to case of the ASCII letters, in any locale:
   -1, 0 or 1. The second looks at n characters at most. */
EVENT2_EXPORT_SYMBOL
int evutil_ascii_strcasecmp(const char *str1, const char *str2);
EVENT2_EXPORT_SYMBOL
int evutil_ascii_strncasecmp(const char *str1, const char *str2, size_t n);

/* ---- Addresses. */

/* inet_ntop(3) for AF_INET and AF_INET6 (RFC 5952 text). Returns dst, or NULL
   when it does not fit in len bytes or the family is another. */
EVENT2_EXPORT_SYMBOL
const char *evutil_inet_ntop(int af, const void *src, char *dst, size_t len);

/* inet_pton(3), which for AF_INET6 also takes "address%zone": *indexp is the
   index of the zone (an interface name or a number), 0 without one. 1: done;
   0: not an address; -1: the family is another. */
EVENT2_EXPORT_SYMBOL
int evutil_inet_pton_scope(int af, const char *src, void *dst,
                           unsigned *indexp);

/* inet_pton(3): 1, 0 or -1 as above. */
EVENT2_EXPORT_SYMBOL
int evutil_inet_pton(int af, const char *src, void *dst);

struct sockaddr;

/* Parses "1.2.3.4", "1.2.3.4:80", "::1", "[::1]" or "[::1]:80", IPv6 also
   with a %zone; the port is 1 to 65535, 0 when there is none. *outlen: in,
   the room of out; out, what was used. -1 (errno not set) when it is not an
   address or does not fit. */
EVENT2_EXPORT_SYMBOL
int evutil_parse_sockaddr_port(const char *str, struct sockaddr *out,
                               int *outlen);

/* Orders two addresses: negative, 0, positive. Ports count if include_port.
   Of a family other than AF_INET and AF_INET6, two are never equal. */
EVENT2_EXPORT_SYMBOL
int evutil_sockaddr_cmp(const struct sockaddr *sa1, const struct sockaddr *sa2,
                        int include_port);

/* ---- Blocking name resolution. */

/* `struct evutil_addrinfo` is the system's `struct addrinfo`. */
#define evutil_addrinfo addrinfo

/* Errors and flags are the system's. The C library may hide some of them from
   a strict-mode program; those get numbers of their own, which
   evutil_gai_strerror() also knows. */
#ifdef EAI_ADDRFAMILY
#define EVUTIL_EAI_ADDRFAMILY EAI_ADDRFAMILY
#else
#define EVUTIL_EAI_ADDRFAMILY (-901)
#endif
#ifdef EAI_AGAIN
#define EVUTIL_EAI_AGAIN EAI_AGAIN
#else
#define EVUTIL_EAI_AGAIN (-902)
#endif
#ifdef EAI_BADFLAGS
#define EVUTIL_EAI_BADFLAGS EAI_BADFLAGS
#else
#define EVUTIL_EAI_BADFLAGS (-903)
#endif
#ifdef EAI_FAIL
#define EVUTIL_EAI_FAIL EAI_FAIL
#else
#define EVUTIL_EAI_FAIL (-904)
#endif
#ifdef EAI_FAMILY
#define EVUTIL_EAI_FAMILY EAI_FAMILY
#else
#define EVUTIL_EAI_FAMILY (-905)
#endif
#ifdef EAI_MEMORY
#define EVUTIL_EAI_MEMORY EAI_MEMORY
#else
#define EVUTIL_EAI_MEMORY (-906)
#endif
/* Windows: EAI_NODATA is EAI_NONAME there. */
#if defined(EAI_NODATA) && (!defined(EAI_NONAME) || EAI_NODATA != EAI_NONAME)
#define EVUTIL_EAI_NODATA EAI_NODATA
#else
#define EVUTIL_EAI_NODATA (-907)
#endif
#ifdef EAI_NONAME
#define EVUTIL_EAI_NONAME EAI_NONAME
#else
#define EVUTIL_EAI_NONAME (-908)
#endif
#ifdef EAI_SERVICE
#define EVUTIL_EAI_SERVICE EAI_SERVICE
#else
#define EVUTIL_EAI_SERVICE (-909)
#endif
#ifdef EAI_SOCKTYPE
#define EVUTIL_EAI_SOCKTYPE EAI_SOCKTYPE
#else
#define EVUTIL_EAI_SOCKTYPE (-910)
#endif
#ifdef EAI_SYSTEM
#define EVUTIL_EAI_SYSTEM EAI_SYSTEM
#else
#define EVUTIL_EAI_SYSTEM (-911)
#endif
/* The request was cancelled by evdns_getaddrinfo_cancel(). */
#define EVUTIL_EAI_CANCEL (-90001)

#ifdef AI_PASSIVE
#define EVUTIL_AI_PASSIVE AI_PASSIVE
#else
#define EVUTIL_AI_PASSIVE 0x1000
#endif
#ifdef AI_CANONNAME
#define EVUTIL_AI_CANONNAME AI_CANONNAME
#else
#define EVUTIL_AI_CANONNAME 0x2000
#endif
#ifdef AI_NUMERICHOST
#define EVUTIL_AI_NUMERICHOST AI_NUMERICHOST
#else
#define EVUTIL_AI_NUMERICHOST 0x4000
#endif
#ifdef AI_NUMERICSERV
#define EVUTIL_AI_NUMERICSERV AI_NUMERICSERV
#else
#define EVUTIL_AI_NUMERICSERV 0x8000
#endif
#ifdef AI_V4MAPPED
#define EVUTIL_AI_V4MAPPED AI_V4MAPPED
#else
#define EVUTIL_AI_V4MAPPED 0x10000
#endif
#ifdef AI_ALL
#define EVUTIL_AI_ALL AI_ALL
#else
#define EVUTIL_AI_ALL 0x20000
#endif
#ifdef AI_ADDRCONFIG
#define EVUTIL_AI_ADDRCONFIG AI_ADDRCONFIG
#else
#define EVUTIL_AI_ADDRCONFIG 0x40000
#endif

struct evutil_addrinfo;

/* getaddrinfo(3). Blocks: a loop uses evdns_getaddrinfo(). Returns 0, or an
   EVUTIL_EAI_ code and leaves *res NULL. */
EVENT2_EXPORT_SYMBOL
int evutil_getaddrinfo(const char *nodename, const char *servname,
                       const struct evutil_addrinfo *hints_in,
                       struct evutil_addrinfo **res);

/* Frees a list that evutil_getaddrinfo() or evdns_getaddrinfo() gave. */
EVENT2_EXPORT_SYMBOL
void evutil_freeaddrinfo(struct evutil_addrinfo *ai);

/* The text of an EVUTIL_EAI_ code, static. */
EVENT2_EXPORT_SYMBOL
const char *evutil_gai_strerror(int err);

/* ---- Random bytes fit for keys. */

/* Fills buf; never fails (the process dies rather than get weak bytes). A
   child of fork() gets bytes of its own. */
EVENT2_EXPORT_SYMBOL
void evutil_secure_rng_get_bytes(void *buf, size_t n);

/* Seeds now rather than at first use, for instance before chroot(). -1: the
   system has no source of entropy. */
EVENT2_EXPORT_SYMBOL
int evutil_secure_rng_init(void);

/* Names a file to seed from instead of /dev/urandom; fname is not copied and
   must live on. Always 0. Nothing where the system's own generator is used. */
EVENT2_EXPORT_SYMBOL
int evutil_secure_rng_set_urandom_device_file(char *fname);

/* Mixes bytes into the generator. Nothing where it is the system's own. */
EVENT2_EXPORT_SYMBOL
void evutil_secure_rng_add_bytes(const char *dat, size_t datlen);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_RUNTIME_EVENT2_UTIL_H_ */
