// A suite with a fault that only a failing allocation shows: what
// allocation_failures_bite_test expects to be found.
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace {

TEST(Bite, DoesNotLookWhetherThereIsMemory) {
  evutil_addrinfo* result = nullptr;
  evutil_addrinfo hints = {};
  hints.ai_flags = EVUTIL_AI_NUMERICHOST;
  evutil_getaddrinfo("127.0.0.1", "80", &hints, &result);
  if (result == nullptr) abort();
  evutil_freeaddrinfo(result);
}

TEST(Bite, IsGood) {}

}  // namespace
