// The replaceable memory functions (event_set_mem_functions, semantics 7.4).
//
// Everything that the C door causes to be allocated comes from here, so that a
// program's own allocator sees it all and a failing one is an error return and
// nothing more. Any thread, as far as the installed functions allow.
#ifndef PERCORE_RUNTIME_SYSTEM_MEMORY_H_
#define PERCORE_RUNTIME_SYSTEM_MEMORY_H_

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "percore/runtime/system/process_state.h"

namespace percore {

// `size` bytes, or null with errno ENOMEM. Zero bytes are null, and the
// installed function is not asked.
void* MemAlloc(std::size_t size) noexcept;

// `count * size` zeroed bytes, or null (also when the product overflows).
void* MemCalloc(std::size_t count, std::size_t size) noexcept;

// As realloc(3) through the installed function; on failure `p` stays valid.
void* MemRealloc(void* p, std::size_t size) noexcept;

// Null is ignored.
void MemFree(void* p) noexcept;

// A copy of `s`, or null with errno EINVAL (null `s`) or ENOMEM.
char* MemStrdup(const char* s) noexcept;

// Constructs a T in memory of MemAlloc; null when there is none. Arguments
// are evaluated either way; constructors must not throw.
template <typename T, typename... Args>
T* MemNew(Args&&... args) noexcept {
  static_assert(alignof(T) <= alignof(std::max_align_t),
                "use MemNewAligned for over-aligned types");
  void* p = MemAlloc(sizeof(T));
  if (p == nullptr) return nullptr;
  return new (p) T(std::forward<Args>(args)...);
}

template <typename T>
void MemDelete(T* p) noexcept {
  if (p == nullptr) return;
  p->~T();
  MemFree(p);
}

// `size` bytes at a multiple of `alignment` (a power of two); freed with
// MemFreeAligned.
void* MemAllocAligned(std::size_t alignment, std::size_t size) noexcept;
void MemFreeAligned(void* p) noexcept;

template <typename T, typename... Args>
T* MemNewAligned(Args&&... args) noexcept {
  void* p = MemAllocAligned(alignof(T), sizeof(T));
  if (p == nullptr) return nullptr;
  return new (p) T(std::forward<Args>(args)...);
}

template <typename T>
void MemDeleteAligned(T* p) noexcept {
  if (p == nullptr) return;
  p->~T();
  MemFreeAligned(p);
}

// A growing array of trivially copyable things in replaceable memory. Growing
// reports failure instead of throwing. Not copied; one thread at a time.
template <typename T>
class PodVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  PodVector() = default;
  PodVector(const PodVector&) = delete;
  PodVector& operator=(const PodVector&) = delete;
  ~PodVector() { MemFree(data_); }

  // Room for `n` elements in all. False when there is no memory.
  [[nodiscard]] bool Reserve(std::size_t n) noexcept {
    if (n <= capacity_) return true;
    std::size_t want = capacity_ < 8 ? 8 : capacity_ * 2;
    if (want < n) want = n;
    if (want > static_cast<std::size_t>(-1) / sizeof(T)) return false;
    void* p = MemRealloc(data_, want * sizeof(T));
    if (p == nullptr) return false;
    data_ = static_cast<T*>(p);
    capacity_ = want;
    return true;
  }
  // Requires room.
  void PushReserved(const T& v) noexcept { data_[size_++] = v; }
  [[nodiscard]] bool Push(const T& v) noexcept {
    if (size_ == capacity_ && !Reserve(size_ + 1)) return false;
    data_[size_++] = v;
    return true;
  }
  // Grows with zeroed elements, or shrinks. False when there is no memory.
  [[nodiscard]] bool Resize(std::size_t n) noexcept {
    if (!Reserve(n)) return false;
    if (n > size_) {
      std::memset(static_cast<void*>(data_ + size_), 0,
                  (n - size_) * sizeof(T));
    }
    size_ = n;
    return true;
  }
  // Forgets elements past `n`; keeps the memory.
  void Truncate(std::size_t n) noexcept { size_ = n; }
  void Clear() noexcept { size_ = 0; }
  // Returns the memory too.
  void Release() noexcept {
    MemFree(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  bool empty() const noexcept { return size_ == 0; }
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  T& back() noexcept { return data_[size_ - 1]; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_MEMORY_H_
