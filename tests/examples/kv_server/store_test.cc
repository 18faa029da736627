#include "percore/examples/kv_server/store.h"

#include <string>

#include "gtest/gtest.h"
#include "percore/tests/examples/kv_server/local_session.h"

namespace percore::kv {
namespace {

class StoreTest : public testing::Test {
 protected:
  std::string ValueOf(std::string_view key) {
    const Item* item = store_.Get(key);
    return item == nullptr ? "(none)" : std::string(item->value());
  }
  Outcome Set(std::string_view key, std::string_view value,
              int64_t exptime = 0) {
    return store_.Set(key, {.flags = 7, .exptime = exptime, .value = value});
  }

  ManualClock clock_;
  Store store_{{}, clock_};
};

TEST_F(StoreTest, StoresOnlyWhatTheVerbAllows) {
  EXPECT_EQ(store_.Replace("a", {.value = "1"}), Outcome::kNotStored);
  EXPECT_EQ(store_.Append("a", "1"), Outcome::kNotStored);
  EXPECT_EQ(store_.Prepend("a", "1"), Outcome::kNotStored);
  EXPECT_EQ(store_.Add("a", {.flags = 3, .value = "mid"}), Outcome::kStored);
  EXPECT_EQ(store_.Add("a", {.value = "2"}), Outcome::kNotStored);
  EXPECT_EQ(store_.Append("a", "dle"), Outcome::kStored);
  EXPECT_EQ(store_.Prepend("a", "the "), Outcome::kStored);
  EXPECT_EQ(ValueOf("a"), "the middle");
  EXPECT_EQ(store_.Get("a")->flags, 3u);
  EXPECT_EQ(store_.Replace("a", {.flags = 9}), Outcome::kStored);
  EXPECT_EQ(ValueOf("a"), "");
  EXPECT_EQ(store_.Delete("a"), Outcome::kDeleted);
  EXPECT_EQ(store_.Delete("a"), Outcome::kNotFound);
}

TEST_F(StoreTest, CasTakesOnlyTheLastVersion) {
  EXPECT_EQ(store_.Cas("a", {.value = "x"}, 1), Outcome::kNotFound);
  Set("a", "1");
  const uint64_t first = store_.Get("a")->cas_unique;
  EXPECT_EQ(store_.Cas("a", {.value = "2"}, first), Outcome::kStored);
  EXPECT_EQ(store_.Cas("a", {.value = "3"}, first), Outcome::kExists);
  EXPECT_EQ(ValueOf("a"), "2");
  // Whatever changes the value changes the number; touch does not.
  uint64_t last = store_.Get("a")->cas_unique;
  uint64_t number = 0;
  store_.Increment("a", 1, &number);
  EXPECT_NE(store_.Get("a")->cas_unique, last);
  last = store_.Get("a")->cas_unique;
  store_.Touch("a", 100);
  EXPECT_EQ(store_.Get("a")->cas_unique, last);
  store_.Append("a", "");
  EXPECT_NE(store_.Get("a")->cas_unique, last);
}

TEST_F(StoreTest, IncrementWrapsDecrementStopsAtZero) {
  uint64_t number = 0;
  EXPECT_EQ(store_.Increment("n", 1, &number), Outcome::kNotFound);
  Set("n", "10");
  EXPECT_EQ(store_.Decrement("n", 1, &number), Outcome::kNumber);
  EXPECT_EQ(number, 9u);
  EXPECT_EQ(ValueOf("n"), "9 ");
  EXPECT_EQ(store_.Decrement("n", 100, &number), Outcome::kNumber);
  EXPECT_EQ(number, 0u);
  EXPECT_EQ(store_.Increment("n", UINT64_MAX, &number), Outcome::kNumber);
  EXPECT_EQ(ValueOf("n"), "18446744073709551615");
  EXPECT_EQ(store_.Get("n")->flags, 7u);
  EXPECT_EQ(store_.Increment("n", 2, &number), Outcome::kNumber);
  EXPECT_EQ(number, 1u);
}

TEST_F(StoreTest, NumbersAsMemcachedReadsThem) {
  const std::pair<const char*, int> values[] = {
      {"12", 13},  {" 12", 13},  {"12 ", 13},  {"+1", 2},
      {"1 2", 2},  {"\t12", 13}, {"12\n", 13}, {"000000000000000000000005", 6},
      {"abc", -1}, {"1a2", -1},  {"", -1},     {"-1", -1},
      {"-", -1},   {"+", -1},    {"+ 1", -1},  {"18446744073709551616", -1}};
  for (const auto& [value, after] : values) {
    Set("n", value);
    uint64_t number = 0;
    const Outcome outcome = store_.Increment("n", 1, &number);
    if (after < 0) {
      EXPECT_EQ(outcome, Outcome::kNotNumeric) << value;
      EXPECT_EQ(ValueOf("n"), value);
    } else {
      EXPECT_EQ(outcome, Outcome::kNumber) << value;
      EXPECT_EQ(number, static_cast<uint64_t>(after)) << value;
    }
  }
}

TEST_F(StoreTest, ExpiryRules) {
  const int64_t now = clock_.now_ms / 1000;
  Set("never", "1", 0);
  Set("at once", "1", -1);
  Set("relative", "1", 10);
  Set("month", "1", 60 * 60 * 24 * 30);
  Set("absolute", "1", now + 20);
  Set("past", "1", 60 * 60 * 24 * 30 + 1);
  Set("largest", "1", INT64_MAX);
  EXPECT_EQ(ValueOf("at once"), "(none)");
  EXPECT_EQ(ValueOf("past"), "(none)");
  clock_.now_ms += 9999;
  EXPECT_EQ(ValueOf("relative"), "1");
  clock_.now_ms += 1;
  EXPECT_EQ(ValueOf("relative"), "(none)");
  EXPECT_EQ(ValueOf("absolute"), "1");
  clock_.AdvanceSeconds(10);
  EXPECT_EQ(ValueOf("absolute"), "(none)");
  clock_.AdvanceSeconds(60 * 60 * 24 * 30 - 21);
  EXPECT_EQ(ValueOf("month"), "1");
  clock_.AdvanceSeconds(1);
  EXPECT_EQ(ValueOf("month"), "(none)");
  EXPECT_EQ(ValueOf("never"), "1");
  EXPECT_EQ(ValueOf("largest"), "1");
}

TEST_F(StoreTest, ExpiredIsAbsentForEveryVerb) {
  uint64_t number = 0;
  const auto expired = [&] {
    Set("a", "1", 1);
    clock_.AdvanceSeconds(1);
    return std::string_view("a");
  };
  EXPECT_EQ(store_.Replace(expired(), {.value = "2"}), Outcome::kNotStored);
  EXPECT_EQ(store_.Append(expired(), "2"), Outcome::kNotStored);
  EXPECT_EQ(store_.Increment(expired(), 1, &number), Outcome::kNotFound);
  EXPECT_EQ(store_.Touch(expired(), 5), Outcome::kNotFound);
  EXPECT_EQ(store_.Delete(expired()), Outcome::kNotFound);
  EXPECT_EQ(store_.Cas(expired(), {}, 1), Outcome::kNotFound);
  EXPECT_EQ(store_.Add(expired(), {.value = "2"}), Outcome::kStored);
}

TEST_F(StoreTest, TouchMovesTheExpiry) {
  EXPECT_EQ(store_.Touch("a", 5), Outcome::kNotFound);
  Set("a", "1", 1);
  EXPECT_EQ(store_.Touch("a", 100), Outcome::kTouched);
  clock_.AdvanceSeconds(99);
  EXPECT_EQ(ValueOf("a"), "1");
  EXPECT_EQ(store_.Touch("a", -1), Outcome::kTouched);
  EXPECT_EQ(ValueOf("a"), "(none)");
}

TEST_F(StoreTest, FlushAllNowAndLater) {
  Set("a", "1");
  store_.FlushAll(0);
  EXPECT_EQ(ValueOf("a"), "(none)");
  Set("a", "1");
  store_.FlushAll(10);
  EXPECT_EQ(ValueOf("a"), "1");
  clock_.AdvanceSeconds(5);
  Set("b", "1");  // before the moment: goes too
  clock_.AdvanceSeconds(5);
  EXPECT_EQ(ValueOf("a"), "(none)");
  EXPECT_EQ(ValueOf("b"), "(none)");
  Set("c", "1");
  clock_.AdvanceSeconds(100);
  EXPECT_EQ(ValueOf("c"), "1");
  // A later flush replaces one that is not due.
  store_.FlushAll(10);
  store_.FlushAll(1000);
  clock_.AdvanceSeconds(11);
  EXPECT_EQ(ValueOf("c"), "1");
}

TEST_F(StoreTest, FlushedMemoryComesBackInSmallSteps) {
  for (int i = 0; i < 1000; ++i) Set(std::to_string(i), "value");
  store_.FlushAll(0);
  EXPECT_EQ(store_.stats().curr_items, 0u);
  EXPECT_GT(store_.stats().bytes, 0u);
  for (int i = 0; i < 130; ++i) store_.Get("x");
  EXPECT_EQ(store_.stats().bytes, 0u);
}

TEST_F(StoreTest, SizeLimits) {
  const std::string largest(kMaxValueSize, 'x');
  const std::string key(kMaxKeySize, 'k');
  EXPECT_EQ(Set(key, largest), Outcome::kStored);
  EXPECT_EQ(ValueOf(key), largest);
  EXPECT_EQ(store_.Append(key, "y"), Outcome::kNotStored);
  EXPECT_EQ(store_.Prepend(key, "y"), Outcome::kNotStored);
  EXPECT_EQ(store_.Add("a", {.value = largest + "x"}), Outcome::kTooLarge);
  Set("a", "1");
  EXPECT_EQ(store_.Replace("a", {.value = largest + "x"}), Outcome::kTooLarge);
  EXPECT_EQ(ValueOf("a"), "1");
  // A set that fails must not leave what it was to replace.
  EXPECT_EQ(Set("a", largest + "x"), Outcome::kTooLarge);
  EXPECT_EQ(ValueOf("a"), "(none)");
}

TEST_F(StoreTest, LeastRecentlyUsedGoFirst) {
  const size_t one = Item::Footprint(2, 100);
  store_.SetMemoryLimit(10 * one);
  const std::string value(100, 'v');
  for (int i = 10; i < 20; ++i) Set(std::to_string(i), value);
  EXPECT_EQ(store_.stats().counters.evictions, 0u);
  EXPECT_EQ(store_.stats().bytes, 10 * one);
  store_.Get("10");
  store_.Touch("11", 0);
  Set("20", value);
  Set("21", value);
  EXPECT_EQ(ValueOf("10"), value);
  EXPECT_EQ(ValueOf("11"), value);
  EXPECT_EQ(ValueOf("12"), "(none)");
  EXPECT_EQ(ValueOf("13"), "(none)");
  EXPECT_EQ(ValueOf("14"), value);
  EXPECT_EQ(store_.stats().counters.evictions, 2u);
  EXPECT_EQ(store_.stats().bytes, 10 * one);
}

TEST_F(StoreTest, OverheadCountsAndTheLimitHolds) {
  store_.SetMemoryLimit(100000);
  for (int i = 0; i < 5000; ++i) {
    Set(std::to_string(i), "");
    ASSERT_LE(store_.stats().bytes, 100000u);
  }
  EXPECT_LT(store_.stats().curr_items, 100000 / sizeof(Item));
  EXPECT_GT(store_.stats().curr_items, 500u);
  store_.SetMemoryLimit(1000);
  EXPECT_LE(store_.stats().bytes, 1000u);
  Set("a", "1");
  EXPECT_EQ(Set("a", std::string(1000, 'x')), Outcome::kNoMemory);
  EXPECT_EQ(ValueOf("a"), "(none)");
  Set("b", "1");
  EXPECT_EQ(store_.Append("b", std::string(1000, 'x')), Outcome::kNoMemory);
  EXPECT_EQ(ValueOf("b"), "1");
}

TEST_F(StoreTest, GrowingTheOldestItemDoesNotEvictItself) {
  const size_t one = Item::Footprint(1, 100);
  store_.SetMemoryLimit(3 * one + 50);
  for (const char* key : {"a", "b", "c"}) Set(key, std::string(100, 'v'));
  EXPECT_EQ(store_.Append("a", std::string(100, 'w')), Outcome::kStored);
  EXPECT_EQ(ValueOf("a"), std::string(100, 'v') + std::string(100, 'w'));
  EXPECT_EQ(ValueOf("b"), "(none)");
  EXPECT_EQ(ValueOf("c"), std::string(100, 'v'));
}

TEST_F(StoreTest, FlushedAndExpiredMakeRoomBeforeTheLiving) {
  const size_t one = Item::Footprint(1, 100);
  store_.SetMemoryLimit(20 * one);
  const std::string value(100, 'v');
  for (char c = 'a'; c < 'a' + 20; ++c) Set(std::string(1, c), value);
  store_.FlushAll(0);
  for (char c = 'A'; c < 'A' + 20; ++c) Set(std::string(1, c), value);
  EXPECT_EQ(store_.stats().counters.evictions, 0u);
  EXPECT_EQ(store_.stats().curr_items, 20u);
  store_.Touch("A", -1);
  for (char c = 'B'; c < 'A' + 20; ++c) store_.Get(std::string(1, c));
  Set("z", value);
  EXPECT_EQ(store_.stats().counters.evictions, 0u);
  EXPECT_EQ(store_.stats().counters.reclaimed, 1u);
}

TEST_F(StoreTest, Counters) {
  uint64_t number = 0;
  Set("a", "1");
  store_.Get("a");
  store_.Get("b");
  store_.Increment("a", 1, &number);
  store_.Increment("b", 1, &number);
  store_.Decrement("a", 1, &number);
  store_.Decrement("b", 1, &number);
  store_.Touch("a", 0);
  store_.Touch("b", 0);
  store_.Cas("a", {}, 0);
  store_.Cas("b", {}, 0);
  store_.Cas("a", {}, store_.Get("a")->cas_unique);
  store_.Delete("a");
  store_.Delete("a");
  store_.RejectTooLarge("a", true);
  Set("e", "1", 1);
  clock_.AdvanceSeconds(1);
  store_.Get("e");
  const StoreCounters counters = store_.stats().counters;
  EXPECT_EQ(counters.cmd_set, 5u);
  EXPECT_EQ(counters.cmd_get, 4u);
  EXPECT_EQ(counters.get_hits, 2u);
  EXPECT_EQ(counters.get_misses, 2u);
  EXPECT_EQ(counters.get_expired, 1u);
  EXPECT_EQ(counters.expired_unfetched, 1u);
  EXPECT_EQ(counters.incr_hits, 1u);
  EXPECT_EQ(counters.incr_misses, 1u);
  EXPECT_EQ(counters.decr_hits, 1u);
  EXPECT_EQ(counters.decr_misses, 1u);
  EXPECT_EQ(counters.touch_hits, 1u);
  EXPECT_EQ(counters.touch_misses, 1u);
  EXPECT_EQ(counters.cas_badval, 1u);
  EXPECT_EQ(counters.cas_misses, 1u);
  EXPECT_EQ(counters.cas_hits, 1u);
  EXPECT_EQ(counters.delete_hits, 1u);
  EXPECT_EQ(counters.delete_misses, 1u);
  EXPECT_EQ(counters.store_too_large, 1u);
  EXPECT_EQ(counters.total_items, 3u);
  store_.ResetCounters();
  EXPECT_EQ(store_.stats().counters.cmd_set, 0u);
}

TEST(Placement, KeysSpreadOverShardsAndStayPut) {
  for (const size_t shards : {1, 2, 3, 7, 64}) {
    std::vector<int> owned(shards);
    for (int i = 0; i < 20000; ++i) {
      const uint64_t hash = HashOf("key" + std::to_string(i));
      const size_t owner = OwnerOf(hash, shards);
      ASSERT_LT(owner, shards);
      ++owned[owner];
    }
    for (const int count : owned) {
      EXPECT_NEAR(count, 20000.0 / double(shards), 4000.0 / double(shards));
    }
  }
}

}  // namespace
}  // namespace percore::kv
