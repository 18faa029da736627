// Every test of a suite, with one allocation failing (DESIGN, Memory).
//
// With COMPAT_FAIL_ALLOCATIONS in the environment a suite's main runs each test
// in children of its own, the first to count what it allocates through the
// replaceable functions, the others with the first, the second, ... of these
// failing. The test may then fail; the child must neither crash nor hang.
//
// A call of the C door that answers with an error for want of memory ends the
// test there (it throws, or ends the child when that is another thread), since
// no test is written to go on without its base or event. That is also where
// "and changes nothing" is looked at: such a call has freed what it allocated.
// The calls are those that are linked with --wrap (defs.bzl).
#ifndef PERCORE_TESTS_COMPAT_FAIL_ALLOCATIONS_H_
#define PERCORE_TESTS_COMPAT_FAIL_ALLOCATIONS_H_

namespace compat {

// Whether the environment asks for it.
bool FailingAllocationsAsked();

// Runs all that, instead of RUN_ALL_TESTS; before anything is allocated.
// Returns main's status: 0 if no child crashed, hung or kept memory.
int RunWithFailingAllocations();

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_FAIL_ALLOCATIONS_H_
