// A suite with a fault that only a failing allocation shows: what
// allocation_failures_bite_test expects to be found.
#include <event2/event.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace {

TEST(Bite, DoesNotLookWhetherThereIsMemory) {
  event_config* config = event_config_new();
  if (config == nullptr) abort();
  event_config_free(config);
}

TEST(Bite, IsGood) {}

}  // namespace
