/* libevent_pthreads: the two functions that libevent keeps in a library of its
 * own. The work is done in libevent_core (or libevent, if that is loaded before
 * it). */

int percore_use_pthreads(void);
int percore_use_pthreads_with_flags(int flags);

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int evthread_use_pthreads(void) { return percore_use_pthreads(); }

EXPORTED int evthread_use_pthreads_with_flags(int flags) {
  return percore_use_pthreads_with_flags(flags);
}
