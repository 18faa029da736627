/* Loads libevent and libevent_core into scopes of their own, as two plug-ins of
 * a host would: memory functions set through one are used by the other. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static int calls;

static void *Counting(size_t size) {
  calls++;
  return malloc(size);
}

int main(void) {
  void *all = dlopen("libevent-2.1.so.7", RTLD_NOW | RTLD_LOCAL);
  void *core = dlopen("libevent_core-2.1.so.7", RTLD_NOW | RTLD_LOCAL);
  void *threads = dlopen("libevent_pthreads-2.1.so.7", RTLD_NOW | RTLD_LOCAL);
  void (*set)(void *(*)(size_t), void *(*)(void *, size_t), void (*)(void *));
  void *(*config_new)(void);
  void (*config_free)(void *);
  int (*use)(void);
  void *config;

  if (all == NULL || core == NULL || threads == NULL) {
    printf("FAIL: %s\n", dlerror());
    return 1;
  }
  set = dlsym(all, "event_set_mem_functions");
  config_new = dlsym(core, "event_config_new");
  config_free = dlsym(core, "event_config_free");
  use = dlsym(threads, "evthread_use_pthreads");
  if (set == NULL || config_new == NULL || config_free == NULL || use == NULL)
    return 2;
  if (dlsym(all, "event_config_new") == (void *)config_new) return 3;
  set(Counting, realloc, free);
  config = config_new();
  if (config == NULL || calls != 1) {
    printf("FAIL: the state is not shared: %d calls\n", calls);
    return 4;
  }
  config_free(config);
  return use() == 0 ? 0 : 5;
}
