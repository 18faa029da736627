/*
 * Threads: how a program gives the library locks.
 *
 * Bases made after one of the evthread_use_* calls are shared: any thread may
 * use them, under the lock. Without, a base is owned by the thread that runs
 * its loop; what event2/event.h marks "Any thread." works from others even so.
 * The calls come first of all: what was made earlier stays as it was.
 *
 * Nothing here may be called while another thread uses the library.
 */
#ifndef PERCORE_RUNTIME_EVENT2_THREAD_H_
#define PERCORE_RUNTIME_EVENT2_THREAD_H_

#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct timeval;
struct event_base;

/* Bits of the mode given to lock and unlock. READ and WRITE are used only on
   locks of READWRITE type. */
#define EVTHREAD_WRITE 0x04
#define EVTHREAD_READ 0x08
#define EVTHREAD_TRY 0x10 /* fail rather than wait */

#define EVTHREAD_LOCK_API_VERSION 1

/* Bits of a lock's type. RECURSIVE must be supported. */
#define EVTHREAD_LOCKTYPE_RECURSIVE 1
#define EVTHREAD_LOCKTYPE_READWRITE 2

/* The program's own locks. */
struct evthread_lock_callbacks {
  int lock_api_version; /* EVTHREAD_LOCK_API_VERSION */
  unsigned supported_locktypes;
  /* Returns a new lock, NULL on failure. locktype: EVTHREAD_LOCKTYPE_ bits. */
  void *(*alloc)(unsigned locktype);
  /* Frees a lock that nobody holds; locktype as it was made with. */
  void (*free)(void *lock, unsigned locktype);
  /* 0: done. mode: EVTHREAD_ bits. */
  int (*lock)(unsigned mode, void *lock);
  int (*unlock)(unsigned mode, void *lock);
};

/* Installs the callbacks, which are copied. The same set again: 0. Another
   set while one is installed, or one with a NULL in it: -1. NULL removes
   them, with a warning. */
EVENT2_EXPORT_SYMBOL
int evthread_set_lock_callbacks(const struct evthread_lock_callbacks *);

#define EVTHREAD_CONDITION_API_VERSION 1

/* The program's own condition variables. */
struct evthread_condition_callbacks {
  int condition_api_version; /* EVTHREAD_CONDITION_API_VERSION */
  /* condtype: always 0. */
  void *(*alloc_condition)(unsigned condtype);
  void (*free_condition)(void *cond);
  /* Wakes one waiter, or all if broadcast. 0: done. */
  int (*signal_condition)(void *cond, int broadcast);
  /* Releases the lock, waits, takes it again. timeout: NULL waits for ever.
     0: signalled, 1: timed out, -1: error. */
  int (*wait_condition)(void *cond, void *lock, const struct timeval *timeout);
};

/* As evthread_set_lock_callbacks(); an incomplete set is not stored, yet the
   result is 0. */
EVENT2_EXPORT_SYMBOL
int evthread_set_condition_callbacks(
    const struct evthread_condition_callbacks *);

/* Sets the function that names the calling thread. */
EVENT2_EXPORT_SYMBOL
void evthread_set_id_callback(unsigned long (*id_fn)(void));

#ifdef _WIN32
/* Installs locks made of critical sections. */
EVENT2_EXPORT_SYMBOL
int evthread_use_windows_threads(void);
#define EVTHREAD_USE_WINDOWS_THREADS_IMPLEMENTED 1
#endif

#ifdef EVENT__HAVE_PTHREADS
/* Installs locks, conditions and thread ids of pthreads. Again: 0. */
EVENT2_EXPORT_SYMBOL
int evthread_use_pthreads(void);
#define EVTHREAD_USE_PTHREADS_IMPLEMENTED 1

/* Mutexes inherit priority. */
#define EVTHREAD_PTHREAD_PRIO_INHERIT 0x01

/* The same with EVTHREAD_PTHREAD_ bits; once installed, a later call does
   nothing and returns 0. Since 2.2. */
EVENT2_EXPORT_SYMBOL
int evthread_use_pthreads_with_flags(int flags);
#endif

/* Checks every lock for misuse: unlocking what is not held, or by a thread
   other than its holder, ends the process. After the locks are installed,
   before anything is made. */
EVENT2_EXPORT_SYMBOL
void evthread_enable_lock_debugging(void);
/* The first spelling of it. */
EVENT2_EXPORT_SYMBOL
void evthread_enable_lock_debuging(void);

/* Lets other threads wake this base, which was made before the locks were
   installed. 0 also when it could be woken already; -1: base is NULL, or the
   process is out of file descriptors. Thread of the loop. */
EVENT2_EXPORT_SYMBOL
int evthread_make_base_notifiable(struct event_base *base);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_RUNTIME_EVENT2_THREAD_H_ */
