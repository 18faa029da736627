// Standard containers in the replaceable memory (memory.h).
//
// They report that there is none by throwing std::bad_alloc: what uses them
// catches it before it reaches the C door.
#ifndef PERCORE_RUNTIME_SYSTEM_MEM_ALLOCATOR_H_
#define PERCORE_RUNTIME_SYSTEM_MEM_ALLOCATOR_H_

#include <cstddef>
#include <new>

#include "percore/runtime/system/memory.h"

// In a class, public: objects of it live in the replaceable memory, and are
// made with `new (std::nothrow)`.
#define PERCORE_IN_REPLACEABLE_MEMORY                                        \
  static void* operator new(std::size_t n, const std::nothrow_t&) noexcept { \
    return ::percore::MemAlloc(n);                                           \
  }                                                                          \
  static void operator delete(void* p) noexcept { ::percore::MemFree(p); }   \
  static void operator delete(void* p, const std::nothrow_t&) noexcept {     \
    ::percore::MemFree(p);                                                   \
  }                                                                          \
  static_assert(true, "a semicolon follows")

namespace percore {

template <typename T>
struct MemAllocator {
  static_assert(alignof(T) <= alignof(std::max_align_t));
  using value_type = T;

  MemAllocator() = default;
  template <typename U>
  MemAllocator(const MemAllocator<U>&) {}

  T* allocate(std::size_t n) {
    if (n > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_alloc();
    void* p = MemAlloc(n * sizeof(T));
    if (p == nullptr) throw std::bad_alloc();
    return static_cast<T*>(p);
  }
  void deallocate(T* p, std::size_t) { MemFree(p); }

  bool operator==(const MemAllocator&) const { return true; }
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_MEM_ALLOCATOR_H_
