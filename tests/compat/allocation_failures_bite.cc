// A suite with a fault that only a failing allocation shows: what
// allocation_failures_bite_test expects to be found.
#include <event2/buffer.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace {

TEST(Bite, DoesNotLookWhetherThereIsMemory) {
  // A call that the driver does not look at itself.
  evbuffer* buffer = evbuffer_new();
  if (buffer == nullptr) abort();
  evbuffer_free(buffer);
}

TEST(Bite, IsGood) {}

}  // namespace
