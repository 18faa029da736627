#include "percore/runtime/core/crossing.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "percore/runtime/core/actor.h"
#include "percore/runtime/core/sharded.h"

namespace percore {
namespace {

// Values and owners cross.
static_assert(CrossesCores<int>);
static_assert(CrossesCores<std::string>);
static_assert(CrossesCores<const std::string&>);  // copied
static_assert(CrossesCores<std::unique_ptr<int>>);
static_assert(CrossesCores<std::shared_ptr<int>>);
static_assert(CrossesCores<std::vector<std::string>>);
static_assert(CrossesCores<int (*)(int)>);  // code belongs to nobody

// What points into the sender's memory does not.
static_assert(!CrossesCores<int*>);
static_assert(!CrossesCores<const char*>);
static_assert(!CrossesCores<const char (&)[6]>);  // a literal decays to that
static_assert(!CrossesCores<void*>);
static_assert(!CrossesCores<std::string_view>);
static_assert(!CrossesCores<const std::string_view&>);
static_assert(!CrossesCores<std::u16string_view>);
static_assert(!CrossesCores<std::span<int>>);
static_assert(!CrossesCores<std::span<const char, 4>>);
static_assert(!CrossesCores<std::reference_wrapper<int>>);
// Nor inside the usual wrappers.
static_assert(!CrossesCores<std::optional<std::string_view>>);
static_assert(!CrossesCores<std::vector<std::string_view>>);
static_assert(!CrossesCores<std::pair<int, char*>>);
static_assert(!CrossesCores<std::pair<int&, int>>);
static_assert(!CrossesCores<std::tuple<int, std::span<int>>>);
static_assert(!CrossesCores<std::variant<int, std::string_view>>);
static_assert(!CrossesCores<absl::StatusOr<std::string_view>>);

// Unless lent by name.
static_assert(CrossesCores<Borrowed<int>>);
static_assert(CrossesCores<Borrowed<const std::string>>);

// Results are values; nothing is lent back.
static_assert(ReturnsAcrossCores<void>);
static_assert(ReturnsAcrossCores<std::string>);
static_assert(ReturnsAcrossCores<absl::StatusOr<std::string>>);
static_assert(!ReturnsAcrossCores<std::string&>);
static_assert(!ReturnsAcrossCores<const std::string&>);
static_assert(!ReturnsAcrossCores<int*>);
static_assert(!ReturnsAcrossCores<std::string_view>);
static_assert(!ReturnsAcrossCores<absl::StatusOr<std::span<int>>>);
static_assert(!ReturnsAcrossCores<Borrowed<int>>);

// Answers look into what a function returns.
static_assert(std::is_same_v<AnswerOf<void>, absl::Status>);
static_assert(std::is_same_v<AnswerOf<absl::Status>, absl::Status>);
static_assert(std::is_same_v<AnswerOf<int>, absl::StatusOr<int>>);
static_assert(
    std::is_same_v<AnswerOf<absl::StatusOr<int>>, absl::StatusOr<int>>);
static_assert(std::is_same_v<AnswerOf<Task<>>, absl::Status>);
static_assert(
    std::is_same_v<AnswerOf<Task<absl::StatusOr<int>>>, absl::StatusOr<int>>);

TEST(KeyHash, StringsHashAlikeHoweverTheyAreHeld) {
  const std::string text = "a key";
  EXPECT_EQ(KeyHash(text), KeyHash(std::string_view(text)));
  EXPECT_EQ(KeyHash(text), KeyHash("a key"));
  EXPECT_EQ(KeyHash(text), KeyHash(text.c_str()));
}

TEST(KeyHash, IntegersInARowAreSpreadEvenly) {
  for (int cores : {2, 3, 7}) {
    std::vector<int> count(static_cast<std::size_t>(cores));
    constexpr std::uint64_t kKeys = 30000;
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      const int core = CoreOfHash(KeyHash(key), cores);
      ASSERT_GE(core, 0);
      ASSERT_LT(core, cores);
      ++count[static_cast<std::size_t>(core)];
    }
    for (int n : count) {
      EXPECT_NEAR(n, static_cast<int>(kKeys) / cores, 600);
    }
  }
}

}  // namespace
}  // namespace percore
