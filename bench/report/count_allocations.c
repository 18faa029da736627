// Preloaded into a benchmark: counts heap allocations of the whole process and
// tells the number on standard error when it exits.

#define _GNU_SOURCE
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

// glibc's own entry points: calling them needs no lookup that might allocate.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong allocations;

static void Count(void) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

void *malloc(size_t size) {
  Count();
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  Count();
  return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
  Count();
  return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
  Count();
  *out = __libc_memalign(alignment, size);
  return *out == NULL ? 12 /* ENOMEM */ : 0;
}

__attribute__((destructor)) static void Tell(void) {
  fprintf(stderr, "allocations %lu\n",
          atomic_load_explicit(&allocations, memory_order_relaxed));
}
