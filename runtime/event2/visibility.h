/*
 * What the library exports.
 *
 * percore is compiled with hidden visibility; a function declared with one of
 * these macros is the exception. The attribute does nothing in a program that
 * only calls the function, so it needs no "am I building the library" macro.
 */
#ifndef PERCORE_RUNTIME_EVENT2_VISIBILITY_H_
#define PERCORE_RUNTIME_EVENT2_VISIBILITY_H_

#include <event2/event-config.h>

#if defined(__GNUC__) && !defined(_WIN32)
#define EVENT2_EXPORT_SYMBOL __attribute__((visibility("default")))
#else
#define EVENT2_EXPORT_SYMBOL
#endif

/* libevent names its core library apart; here both are one. */
#define EVENT2_CORE_EXPORT_SYMBOL EVENT2_EXPORT_SYMBOL

#endif /* PERCORE_RUNTIME_EVENT2_VISIBILITY_H_ */
