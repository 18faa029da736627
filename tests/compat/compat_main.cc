// main of the suite's files: with COMPAT_SHARED_MODE locking is set up before
// the first base is made.

#include <event2/event.h>
#include <event2/thread.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include "percore/tests/compat/fail_allocations.h"

int main(int argc, char** argv) {
#ifdef COMPAT_SHARED_MODE
  if (evthread_use_pthreads() != 0) {
    fprintf(stderr, "evthread_use_pthreads failed\n");
    return 1;
  }
#endif
  testing::InitGoogleTest(&argc, argv);
  if (compat::FailingAllocationsAsked()) {
    return compat::RunWithFailingAllocations();
  }
  return RUN_ALL_TESTS();
}
