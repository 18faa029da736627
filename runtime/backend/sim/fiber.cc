#include "percore/runtime/backend/sim/fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>

#include "percore/runtime/observe/log.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PERCORE_SIM_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define PERCORE_SIM_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define PERCORE_SIM_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define PERCORE_SIM_TSAN 1
#endif

#ifdef PERCORE_SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef PERCORE_SIM_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace percore::sim {
namespace {

constexpr std::size_t kGuard = 4096;
constexpr std::size_t kStack = std::size_t{1} << 20;  // touched only if used

}  // namespace

Fiber::~Fiber() {
  PERCORE_CHECK(stack_ == nullptr || finished_);
#ifdef PERCORE_SIM_TSAN
  if (thread_sanitizer_inside_ != nullptr) {
    __tsan_destroy_fiber(thread_sanitizer_inside_);
  }
#endif
  if (stack_ == nullptr) return;
#ifdef PERCORE_SIM_ASAN
  // Somebody else's memory may come to lie here.
  __asan_unpoison_memory_region(static_cast<char*>(stack_) + kGuard, kStack);
#endif
  munmap(stack_, kGuard + kStack);
}

bool Fiber::Start(void (*main)(void*), void* arg) {
  main_ = main;
  arg_ = arg;
  void* stack = mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) return false;
  mprotect(stack, kGuard, PROT_NONE);
  stack_ = stack;
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = static_cast<char*>(stack) + kGuard;
  inside_.uc_stack.ss_size = kStack;
  inside_.uc_link = nullptr;
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&inside_, reinterpret_cast<void (*)()>(&Trampoline), 2,
              static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
#ifdef PERCORE_SIM_TSAN
  thread_sanitizer_inside_ = __tsan_create_fiber(0);
#endif
  return true;
}

void Fiber::Trampoline(unsigned high, unsigned low) {
  const std::uintptr_t self = (std::uintptr_t{high} << 32) | low;
  reinterpret_cast<Fiber*>(self)->Main();
}

void Fiber::Main() {
#ifdef PERCORE_SIM_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &outside_bottom_, &outside_size_);
#endif
  main_(arg_);
  finished_ = true;
  Leave();
}

void Fiber::ExchangeExceptions() {
  // What a thread keeps of exceptions under way (Itanium C++ ABI): a catch
  // block that waits must find its own again.
  auto* current = abi::__cxa_get_globals();
  Exceptions kept;
  std::memcpy(&kept, static_cast<void*>(current), sizeof(kept));
  std::memcpy(static_cast<void*>(current), &exceptions_, sizeof(exceptions_));
  exceptions_ = kept;
}

void Fiber::Enter() {
  ExchangeExceptions();
#ifdef PERCORE_SIM_ASAN
  __sanitizer_start_switch_fiber(&fake_stack_outside_,
                                 static_cast<char*>(stack_) + kGuard, kStack);
#endif
#ifdef PERCORE_SIM_TSAN
  thread_sanitizer_outside_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(thread_sanitizer_inside_, 0);
#endif
  swapcontext(&outside_, &inside_);
#ifdef PERCORE_SIM_ASAN
  __sanitizer_finish_switch_fiber(fake_stack_outside_, nullptr, nullptr);
#endif
  ExchangeExceptions();
}

void Fiber::Leave() {
#ifdef PERCORE_SIM_ASAN
  // Null: the fiber does not come back, its fake stack goes.
  __sanitizer_start_switch_fiber(finished_ ? nullptr : &fake_stack_inside_,
                                 outside_bottom_, outside_size_);
#endif
#ifdef PERCORE_SIM_TSAN
  __tsan_switch_to_fiber(thread_sanitizer_outside_, 0);
#endif
  swapcontext(&inside_, &outside_);
#ifdef PERCORE_SIM_ASAN
  __sanitizer_finish_switch_fiber(fake_stack_inside_, &outside_bottom_,
                                  &outside_size_);
#endif
}

}  // namespace percore::sim
