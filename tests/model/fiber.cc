#include "percore/tests/model/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace percore::model {
namespace {

constexpr size_t kStackBytes = 256 * 1024;
// What a start wipes, so that InUse() shows nothing of earlier executions.
constexpr size_t kWipedBytes = 4096;

// The explorer is one OS thread; this names the fiber being entered first time.
Fiber* starting = nullptr;

}  // namespace

#if defined(__x86_64__)

// swapcontext() makes a system call for the signal mask on every switch; an
// exploration makes hundreds of millions of switches, hence the few
// instructions of our own. Other machines take the slow way.
extern "C" void percore_model_switch(void** save, void* load);
asm(R"(
.text
.globl percore_model_switch
.hidden percore_model_switch
.type percore_model_switch,@function
percore_model_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size percore_model_switch,.-percore_model_switch
)");

struct Fiber::Context {
  void* fiber = nullptr;
  void* scheduler = nullptr;
};

void Fiber::Start(void (*entry)(void*), void* argument) {
  entry_ = entry;
  argument_ = argument;
  auto* top = reinterpret_cast<uintptr_t*>(stack_ + kStackBytes);
  // At a function's entry the stack is 8 off its alignment; the zero there is
  // the return address that Trampoline never uses.
  for (int i = 0; i < 3; ++i) *--top = 0;
  *--top = reinterpret_cast<uintptr_t>(&Fiber::Trampoline);
  for (int i = 0; i < 6; ++i) *--top = 0;
  context_->fiber = top;
}

std::span<const uint64_t> Fiber::InUse() const {
  const auto* low = static_cast<const uint64_t*>(context_->fiber);
  const auto* high = reinterpret_cast<const uint64_t*>(stack_ + kStackBytes);
  return {low, high};
}

void Fiber::Resume() {
  starting = this;
  percore_model_switch(&context_->scheduler, context_->fiber);
}

void Fiber::Suspend() {
  percore_model_switch(&context_->fiber, context_->scheduler);
}

#else

struct Fiber::Context {
  ucontext_t fiber;
  ucontext_t scheduler;
};

void Fiber::Start(void (*entry)(void*), void* argument) {
  entry_ = entry;
  argument_ = argument;
  getcontext(&context_->fiber);
  context_->fiber.uc_stack.ss_sp = stack_;
  context_->fiber.uc_stack.ss_size = kStackBytes;
  context_->fiber.uc_link = nullptr;
  makecontext(&context_->fiber, &Fiber::Trampoline, 0);
}

void Fiber::Resume() {
  starting = this;
  swapcontext(&context_->scheduler, &context_->fiber);
}

std::span<const uint64_t> Fiber::InUse() const { return {}; }

void Fiber::Suspend() { swapcontext(&context_->fiber, &context_->scheduler); }

#endif

Fiber::Fiber() : context_(new Context) {
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  stack_ = static_cast<char*>(memory);
}

Fiber::~Fiber() {
  munmap(stack_, kStackBytes);
  delete context_;
}

void Fiber::Trampoline() {
  Fiber* self = starting;
  self->entry_(self->argument_);
  abort();
}

}  // namespace percore::model
