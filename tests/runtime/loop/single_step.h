// What the processor is asked to do between two points of a program: a child is
// traced instruction by instruction.
#ifndef PERCORE_TESTS_RUNTIME_LOOP_SINGLE_STEP_H_
#define PERCORE_TESTS_RUNTIME_LOOP_SINGLE_STEP_H_

#include <functional>
#include <string>

namespace percore {

struct StepCount {
  // Why nothing was counted: "SKIP: needs X", or what went wrong. Empty: it
  // was.
  std::string skipped;
  std::string failed;
  long instructions = 0;
  long locked = 0;    // LOCK prefixes, and xchg with memory
  long syscalls = 0;  // syscall instructions
  std::string where;  // of the locked ones: "address symbol\n"
};

// Runs `body` in a child process. What its thread does between StepsBegin() and
// StepsEnd(), in it or in what it calls, is counted.
StepCount CountSteps(const std::function<void()>& body);

// Only in CountSteps.
void StepsBegin();
void StepsEnd();

}  // namespace percore

#endif  // PERCORE_TESTS_RUNTIME_LOOP_SINGLE_STEP_H_
