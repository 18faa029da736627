// percore in a monorepo that has runtime/, net/ and Abseil of its own.
#include <event2/event.h>
#include <gtest/gtest.h>

#include <cstring>

#include "absl/base/options.h"
#include "absl/container/inlined_vector.h"
#include "net/buffer/buffer.h"
#include "runtime/system/memory.h"

namespace {

#define TEXT_OF(name) #name
#define EXPANDED(name) TEXT_OF(name)

TEST(Consumer, HasItsOwnAbseil) {
  EXPECT_STREQ(EXPANDED(ABSL_OPTION_INLINE_NAMESPACE_NAME), "consumers_own");
  absl::InlinedVector<int, 2> values = {1, 2, 3};
  EXPECT_EQ(values.size(), 3u);
}

TEST(Consumer, HasItsOwnRuntimeAndNet) {
  EXPECT_STREQ(monorepo::RuntimeOwner(), "the monorepo");
  EXPECT_EQ(monorepo::kNetOwner, 1);
}

}  // namespace
