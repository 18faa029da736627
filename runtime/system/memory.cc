#include "percore/runtime/system/memory.h"

#include <cerrno>
#include <cstdint>

namespace percore {

void* MemAlloc(std::size_t size) noexcept {
  if (size == 0) return nullptr;
  void* p = State().malloc_fn ? State().malloc_fn(size) : std::malloc(size);
  if (p == nullptr) errno = ENOMEM;
  return p;
}

void* MemCalloc(std::size_t count, std::size_t size) noexcept {
  if (count == 0 || size == 0) return nullptr;
  if (count > SIZE_MAX / size) {
    errno = ENOMEM;
    return nullptr;
  }
  void* p = MemAlloc(count * size);
  if (p != nullptr) std::memset(p, 0, count * size);
  return p;
}

void* MemRealloc(void* p, std::size_t size) noexcept {
  void* q =
      State().realloc_fn ? State().realloc_fn(p, size) : std::realloc(p, size);
  if (q == nullptr && size != 0) errno = ENOMEM;
  return q;
}

void MemFree(void* p) noexcept {
  if (p == nullptr) return;
  if (State().free_fn) {
    State().free_fn(p);
  } else {
    std::free(p);
  }
}

char* MemStrdup(const char* s) noexcept {
  if (s == nullptr) {
    errno = EINVAL;
    return nullptr;
  }
  const std::size_t n = std::strlen(s) + 1;
  char* copy = static_cast<char*>(MemAlloc(n));
  if (copy != nullptr) std::memcpy(copy, s, n);
  return copy;
}

void* MemAllocAligned(std::size_t alignment, std::size_t size) noexcept {
  // The start of the block is kept in the word before what is handed out.
  if (size > SIZE_MAX - alignment - sizeof(void*)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* block = MemAlloc(size + alignment + sizeof(void*));
  if (block == nullptr) return nullptr;
  std::uintptr_t at = reinterpret_cast<std::uintptr_t>(block) + sizeof(void*);
  at = (at + alignment - 1) & ~(static_cast<std::uintptr_t>(alignment) - 1);
  reinterpret_cast<void**>(at)[-1] = block;
  return reinterpret_cast<void*>(at);
}

void MemFreeAligned(void* p) noexcept {
  if (p != nullptr) MemFree(static_cast<void**>(p)[-1]);
}

}  // namespace percore
