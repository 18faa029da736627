#include "percore/tests/runtime/loop/single_step.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace percore {

#if defined(__x86_64__)

namespace {

enum class Kind { kOther, kLocked, kSyscall };

bool IsPrefix(std::uint8_t byte) {
  switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf2:
    case 0xf3:
      return true;
    default:
      return false;
  }
}

// Intel's manual, volume 2: prefixes, REX, opcode, ModRM.
Kind Decode(const std::uint8_t* code, std::size_t size) {
  std::size_t i = 0;
  for (; i < size; ++i) {
    if (code[i] == 0xf0) return Kind::kLocked;
    if (!IsPrefix(code[i])) break;
  }
  if (i < size && (code[i] & 0xf0) == 0x40) ++i;  // REX
  if (i + 1 >= size) return Kind::kOther;
  if (code[i] == 0x0f && code[i + 1] == 0x05) return Kind::kSyscall;
  // xchg locks by itself when an operand is memory.
  const bool xchg = code[i] == 0x86 || code[i] == 0x87;
  return xchg && code[i + 1] >> 6 != 3 ? Kind::kLocked : Kind::kOther;
}

std::string NameOf(std::uint64_t address) {
  char text[256];
  Dl_info info;
  const void* p = reinterpret_cast<const void*>(address);
  if (dladdr(p, &info) == 0) return "?\n";
  std::snprintf(
      text, sizeof(text), "%s+0x%zx %s\n",
      info.dli_fname == nullptr ? "" : std::strrchr(info.dli_fname, '/'),
      static_cast<std::size_t>(static_cast<const char*>(p) -
                               static_cast<const char*>(info.dli_fbase)),
      info.dli_sname == nullptr ? "" : info.dli_sname);
  return text;
}

// Counts the instruction that the stopped child is about to execute.
void CountOne(pid_t pid, StepCount* count) {
  user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &registers) != 0) return;
  std::uint8_t code[16] = {};
  iovec mine{code, sizeof(code)};
  iovec its{reinterpret_cast<void*>(registers.rip), sizeof(code)};
  ssize_t n = process_vm_readv(pid, &mine, 1, &its, 1, 0);
  if (n <= 0) {  // the last bytes of a page
    its.iov_len = 0x1000 - (registers.rip & 0xfff);
    n = process_vm_readv(pid, &mine, 1, &its, 1, 0);
  }
  ++count->instructions;
  if (n <= 0) return;
  switch (Decode(code, static_cast<std::size_t>(n))) {
    case Kind::kLocked:
      ++count->locked;
      count->where += NameOf(registers.rip);
      break;
    case Kind::kSyscall:
      ++count->syscalls;
      break;
    case Kind::kOther:
      break;
  }
}

// int3's trap, not a step's (which over a system call says TRAP_BRKPT).
bool AtMarker(pid_t pid) {
  siginfo_t info;
  return ptrace(PTRACE_GETSIGINFO, pid, nullptr, &info) == 0 &&
         info.si_code == SI_KERNEL;
}

}  // namespace

void StepsBegin() { asm volatile("int3" ::: "memory"); }
void StepsEnd() { asm volatile("int3" ::: "memory"); }

StepCount CountSteps(const std::function<void()>& body) {
  constexpr int kNoTrace = 101;
  StepCount count;
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(60);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(kNoTrace);
    raise(SIGSTOP);
    body();
    _exit(0);
  }
  bool stepping = false;
  int pass_on = 0;
  int status = 0;
  for (;;) {
    if (waitpid(pid, &status, 0) != pid) break;
    if (WIFEXITED(status) || WIFSIGNALED(status)) break;
    pass_on = 0;
    if (WSTOPSIG(status) == SIGTRAP) {
      if (AtMarker(pid)) stepping = !stepping;
      if (stepping) CountOne(pid, &count);
    } else if (WSTOPSIG(status) != SIGSTOP) {
      pass_on = WSTOPSIG(status);
    }
    ptrace(stepping ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, nullptr, pass_on);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoTrace) {
    count.skipped = "SKIP: needs ptrace";
  } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    count.failed = "the child ended with status " + std::to_string(status);
  } else if (count.instructions == 0) {
    count.skipped = "SKIP: needs single steps of ptrace";
  }
  return count;
}

#else

void StepsBegin() {}
void StepsEnd() {}

StepCount CountSteps(const std::function<void()>&) {
  StepCount count;
  count.skipped = "SKIP: needs an x86-64 processor";
  return count;
}

#endif

}  // namespace percore
