/*
 * Watchers: calls just before and just after a loop waits (since 2.2).
 *
 * For statistics, and for programs that put a second event source into the
 * loop. A watcher does not keep the loop running. Prepare watchers run before
 * each wait, check watchers after it and before anything that became ready;
 * both in the order they were made. All functions: thread of the loop.
 */
#ifndef PERCORE_RUNTIME_EVENT2_WATCH_H_
#define PERCORE_RUNTIME_EVENT2_WATCH_H_

#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct evwatch;
struct evwatch_prepare_cb_info;
struct evwatch_check_cb_info;
struct timeval;

/* The info lives only during the call. A callback may add and free watchers,
   itself too. */
typedef void (*evwatch_prepare_cb)(struct evwatch *,
                                   const struct evwatch_prepare_cb_info *,
                                   void *);
typedef void (*evwatch_check_cb)(struct evwatch *,
                                 const struct evwatch_check_cb_info *, void *);

/* A new watcher of base, or NULL when out of memory. The caller frees it with
   evwatch_free(), or the base does when it is freed. */
EVENT2_EXPORT_SYMBOL
struct evwatch *evwatch_prepare_new(struct event_base *base,
                                    evwatch_prepare_cb callback, void *arg);
EVENT2_EXPORT_SYMBOL
struct evwatch *evwatch_check_new(struct event_base *base,
                                  evwatch_check_cb callback, void *arg);

/* The base it was made for. */
EVENT2_EXPORT_SYMBOL
struct event_base *evwatch_base(struct evwatch *watcher);

/* Ends and frees it. */
EVENT2_EXPORT_SYMBOL
void evwatch_free(struct evwatch *watcher);

/* How long the coming wait will be. 1: *timeout is set; 0: until something
   happens, *timeout is untouched. */
EVENT2_EXPORT_SYMBOL
int evwatch_prepare_get_timeout(const struct evwatch_prepare_cb_info *info,
                                struct timeval *timeout);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_RUNTIME_EVENT2_WATCH_H_ */
