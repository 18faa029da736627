#include "percore/net/buffer/find.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace percore {
namespace {

const unsigned char* Bytes(const std::string& s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

// In memory of exactly its size, so that a sanitizer sees a byte too far.
std::ptrdiff_t Found(const std::string& in, const std::string& what) {
  std::unique_ptr<unsigned char[]> exact(new unsigned char[in.size()]);
  std::copy(in.begin(), in.end(), exact.get());
  const unsigned char* at =
      FindBytes(exact.get(), in.size(), Bytes(what), what.size());
  return at == nullptr ? -1 : at - exact.get();
}

std::ptrdiff_t Naive(const std::string& in, const std::string& what) {
  const auto at = std::search(in.begin(), in.end(), what.begin(), what.end());
  return at == in.end() ? -1 : at - in.begin();
}

TEST(FindTest, Edges) {
  EXPECT_EQ(Found("", "a"), -1);
  EXPECT_EQ(Found("a", "a"), 0);
  EXPECT_EQ(Found("a", "ab"), -1);
  EXPECT_EQ(Found("aab", "ab"), 1);
  EXPECT_EQ(Found(std::string(100, 'a') + "b", "ab"), 99);
  EXPECT_EQ(Found(std::string("\0\0\1", 3), std::string("\0\1", 2)), 1);
}

// Few letters make many near misses; every length around the vectors' sizes.
TEST(FindTest, AgreesWithANaiveSearch) {
  std::mt19937 random(1);
  std::size_t hits = 0;
  for (int round = 0; round < 60000; ++round) {
    const unsigned letters = 1 + random() % 4;
    const auto word = [&](std::size_t n) {
      std::string s(n, 0);
      for (char& c : s) c = static_cast<char>(0x7e + random() % letters);
      return s;
    };
    const std::string in = word(random() % (round % 50 == 0 ? 6000 : 90));
    std::string what = word(1 + random() % 40);
    if (what.size() < in.size() && random() % 2) {
      what = in.substr(random() % (in.size() - what.size()), what.size());
    }
    const std::ptrdiff_t expected = Naive(in, what);
    hits += expected >= 0;
    ASSERT_EQ(Found(in, what), expected) << "round " << round;
  }
  EXPECT_GT(hits, 20000u);
}

TEST(FindTest, RareBytesInLongRuns) {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    std::string in(random() % 20000, 'x');
    for (unsigned i = random() % 40; i != 0 && !in.empty(); --i) {
      in[random() % in.size()] = static_cast<char>('a' + random() % 3);
    }
    const std::string what = {static_cast<char>('a' + random() % 3), 'x', 'x'};
    ASSERT_EQ(Found(in, what), Naive(in, what)) << "round " << round;
  }
}

TEST(FindTest, CrOrLf) {
  std::mt19937 random(3);
  for (int round = 0; round < 50000; ++round) {
    const std::size_t n = random() % 70;
    std::unique_ptr<unsigned char[]> in(new unsigned char[n]);
    for (std::size_t i = 0; i < n; ++i) {
      static constexpr char kNear[] = "\x0b\x0c\x0e\x09\x8d\x8a";
      in[i] = static_cast<unsigned char>(
          random() % 40 == 0 ? "\r\n"[random() % 2] : kNear[random() % 6]);
    }
    const unsigned char* expected =
        std::find_if(in.get(), in.get() + n,
                     [](unsigned char c) { return c == '\r' || c == '\n'; });
    const unsigned char* got = FindCrOrLf(in.get(), n);
    ASSERT_EQ(got, expected == in.get() + n ? nullptr : expected);
  }
}

}  // namespace
}  // namespace percore
