/*
 * The rows of abi_facts.inc as a translation unit sees them. Included once by
 * a C file and once by a C++ one; each makes its own table.
 */
#ifndef PERCORE_TESTS_COMPAT_ABI_ROWS_H_
#define PERCORE_TESTS_COMPAT_ABI_ROWS_H_

#include <stddef.h>

struct abi_row {
  const char* what;
  long got;
  long want;
};

#ifdef __cplusplus
extern "C" {
#endif

/* As strict C89, system headers first, sees them. */
const struct abi_row* abi_rows_c89(size_t* count);

/* The two codes that the C library hides from strict programs. */
int abi_c89_eai_addrfamily(void);
int abi_c89_eai_nodata(void);

/* Of the struct event that C code embeds. */
size_t abi_c89_sizeof_event(void);

#ifdef __cplusplus
}
#endif

#ifdef __cplusplus
#define ABI_ALIGN_OF(type) alignof(type)
#else
#define ABI_ALIGN_OF(type) __alignof__(type)
#endif

#define ABI_ROWS_TYPE(type, size, align)               \
  {"sizeof " #type, (long)sizeof(type), (long)(size)}, \
      {"alignof " #type, (long)ABI_ALIGN_OF(type), (long)(align)},
#define ABI_ROWS_MEMBER(type, member, offset, size)                      \
  {"offsetof " #type "." #member, (long)offsetof(type, member),          \
   (long)(offset)},                                                      \
      {"sizeof " #type "." #member, (long)sizeof(((type*)NULL)->member), \
       (long)(size)},
#define ABI_ROWS_VALUE(name, value) {#name, (long)(name), (long)(value)},

#endif /* PERCORE_TESTS_COMPAT_ABI_ROWS_H_ */
