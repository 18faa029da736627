// Room at the end: reserve, commit, expand.

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "percore/tests/compat/buffers.h"

namespace {

using compat::Add;
using compat::AddChunk;
using compat::BufferPtr;
using compat::Chunks;
using compat::Contents;
using compat::NewBuffer;
using compat::Pattern;
using compat::Prepend;

size_t Total(const evbuffer_iovec* vec, int n) {
  size_t total = 0;
  for (int i = 0; i < n; ++i) total += vec[i].iov_len;
  return total;
}

// Writes `data` to the vectors, shortens them to it, and returns how many have
// something.
int Fill(evbuffer_iovec* vec, int n, const std::string& data) {
  size_t at = 0;
  int used = 0;
  for (int i = 0; i < n; ++i) {
    const size_t take = std::min(vec[i].iov_len, data.size() - at);
    memcpy(vec[i].iov_base, data.data() + at, take);
    vec[i].iov_len = take;
    at += take;
    if (take > 0) used = i + 1;
  }
  EXPECT_EQ(at, data.size());
  return used;
}

// api evbuffer_reserve_space, evbuffer_commit_space
// semantics 9.5
TEST(BufferReserve, OneVectorIsContiguous) {
  BufferPtr buf = NewBuffer("abc");
  for (ev_ssize_t size : {1, 10, 1000, 1024, 4096, 5000, 100000}) {
    const std::string before = Contents(buf);
    evbuffer_iovec vec;
    ASSERT_EQ(evbuffer_reserve_space(buf.get(), size, &vec, 1), 1);
    ASSERT_GE(vec.iov_len, static_cast<size_t>(size));
    // Nothing is added yet.
    EXPECT_EQ(Contents(buf), before);
    const std::string data = Pattern(size, 3);
    memcpy(vec.iov_base, data.data(), data.size());
    vec.iov_len = data.size();
    ASSERT_EQ(evbuffer_commit_space(buf.get(), &vec, 1), 0);
    EXPECT_EQ(Contents(buf), before + data);
  }
}

// semantics 9.5
TEST(BufferReserve, SeveralVectors) {
  for (int n_vec : {1, 2, 3, 4, 16}) {
    for (size_t there : {0, 1, 100, 900, 975, 976, 1000, 4000}) {
      for (ev_ssize_t size : {1, 50, 1000, 4096, 20000}) {
        const std::string before = Pattern(there);
        BufferPtr buf = NewBuffer(before);
        std::vector<evbuffer_iovec> vec(n_vec);
        const int n =
            evbuffer_reserve_space(buf.get(), size, vec.data(), n_vec);
        ASSERT_GE(n, 1);
        ASSERT_LE(n, n_vec);
        ASSERT_GE(Total(vec.data(), n), static_cast<size_t>(size));
        const std::string data = Pattern(size, 7);
        const int used = Fill(vec.data(), n, data);
        ASSERT_EQ(evbuffer_commit_space(buf.get(), vec.data(), used), 0);
        ASSERT_EQ(Contents(buf), before + data);
        ASSERT_EQ(Add(buf.get(), "!"), 0);
        ASSERT_EQ(Contents(buf), before + data + "!");
      }
    }
  }
}

// More may be written than was asked for: as much as there is room.
TEST(BufferReserve, AllOfTheRoom) {
  BufferPtr buf = NewBuffer("abc");
  evbuffer_iovec vec[2];
  const int n = evbuffer_reserve_space(buf.get(), 3000, vec, 2);
  ASSERT_GE(n, 1);
  const std::string data = Pattern(Total(vec, n));
  Fill(vec, n, data);
  ASSERT_EQ(evbuffer_commit_space(buf.get(), vec, n), 0);
  EXPECT_EQ(Contents(buf), "abc" + data);
}

TEST(BufferReserve, WhatCannotBe) {
  BufferPtr buf = NewBuffer("abc");
  evbuffer_iovec vec[2];
  EXPECT_EQ(evbuffer_reserve_space(buf.get(), 10, vec, 0), -1);
  EXPECT_EQ(evbuffer_reserve_space(buf.get(), 10, vec, -1), -1);
  EXPECT_EQ(evbuffer_reserve_space(buf.get(), -1, vec, 1), -1);
  EXPECT_EQ(evbuffer_reserve_space(buf.get(), -1, vec, 2), -1);
  EXPECT_EQ(Contents(buf), "abc");
}

TEST(BufferReserve, NoRoomAskedFor) {
  for (const char* data : {"", "abc"}) {
    BufferPtr buf = NewBuffer(data);
    evbuffer_iovec vec[2];
    EXPECT_GE(evbuffer_reserve_space(buf.get(), 0, vec, 1), 0);
    EXPECT_GE(evbuffer_reserve_space(buf.get(), 0, vec, 2), 0);
    EXPECT_EQ(Add(buf.get(), "d"), 0);
    EXPECT_EQ(Contents(buf), std::string(data) + "d");
  }
}

// ---- Commit.

// semantics 9.5
TEST(BufferReserve, CommitOfLess) {
  BufferPtr buf = NewBuffer("abc");
  evbuffer_iovec vec[2];
  const int n = evbuffer_reserve_space(buf.get(), 6000, vec, 2);
  ASSERT_GE(n, 1);
  memcpy(vec[0].iov_base, "def", 3);
  vec[0].iov_len = 3;
  ASSERT_EQ(evbuffer_commit_space(buf.get(), vec, 1), 0);
  EXPECT_EQ(Contents(buf), "abcdef");
  EXPECT_EQ(Add(buf.get(), "ghi"), 0);
  EXPECT_EQ(Contents(buf), "abcdefghi");
}

// semantics 9.5
TEST(BufferReserve, CommitOfNothing) {
  BufferPtr buf = NewBuffer("abc");
  evbuffer_iovec vec[2];
  EXPECT_EQ(evbuffer_commit_space(buf.get(), vec, 0), 0);
  const int n = evbuffer_reserve_space(buf.get(), 6000, vec, 2);
  ASSERT_GE(n, 1);
  EXPECT_EQ(evbuffer_commit_space(buf.get(), vec, 0), 0);
  EXPECT_EQ(Contents(buf), "abc");
  vec[0].iov_len = 0;
  EXPECT_EQ(evbuffer_commit_space(buf.get(), vec, 1), 0);
  EXPECT_EQ(Contents(buf), "abc");
  EXPECT_EQ(Add(buf.get(), Pattern(5000)), 0);
  EXPECT_EQ(Contents(buf), "abc" + Pattern(5000));
}

// All in the second vector, none in the first.
TEST(BufferReserve, CommitSkipsAVector) {
  BufferPtr buf = NewBuffer(Pattern(900));
  evbuffer_iovec vec[2];
  const int n = evbuffer_reserve_space(buf.get(), 5000, vec, 2);
  if (n < 2) GTEST_SKIP() << "the room is one piece here";
  vec[0].iov_len = 0;
  memcpy(vec[1].iov_base, "def", 3);
  vec[1].iov_len = 3;
  ASSERT_EQ(evbuffer_commit_space(buf.get(), vec, 2), 0);
  EXPECT_EQ(Contents(buf), Pattern(900) + "def");
  EXPECT_EQ(Add(buf.get(), "ghi"), 0);
  EXPECT_EQ(Contents(buf), Pattern(900) + "defghi");
}

TEST(BufferReserve, CommitOfOtherMemory) {
  BufferPtr buf = NewBuffer("abc");
  evbuffer_iovec vec[2];
  const int n = evbuffer_reserve_space(buf.get(), 6000, vec, 2);
  ASSERT_GE(n, 1);
  char other[16] = {};
  evbuffer_iovec wrong = {other, sizeof(other)};
  EXPECT_EQ(evbuffer_commit_space(buf.get(), &wrong, 1), -1);
  wrong = {static_cast<char*>(vec[0].iov_base) + 1, 1};
  EXPECT_EQ(evbuffer_commit_space(buf.get(), &wrong, 1), -1);
  // More than there is room for.
  wrong = {vec[0].iov_base, vec[0].iov_len + 1};
  EXPECT_EQ(evbuffer_commit_space(buf.get(), &wrong, 1), -1);
  EXPECT_EQ(Contents(buf), "abc");
  // The right ones are still right.
  vec[0].iov_len = 1;
  *static_cast<char*>(vec[0].iov_base) = 'd';
  EXPECT_EQ(evbuffer_commit_space(buf.get(), vec, 1), 0);
  EXPECT_EQ(Contents(buf), "abcd");
}

// One of several is wrong: none is added.
TEST(BufferReserve, CommitOfOneWrongVector) {
  BufferPtr buf = NewBuffer(Pattern(900));
  evbuffer_iovec vec[3];
  const int n = evbuffer_reserve_space(buf.get(), 5000, vec, 2);
  ASSERT_GE(n, 1);
  char other[16] = {};
  vec[n] = {other, sizeof(other)};
  vec[0].iov_len = 1;
  EXPECT_EQ(evbuffer_commit_space(buf.get(), vec, n + 1), -1);
  EXPECT_EQ(Contents(buf), Pattern(900));
}

// What was committed is not reserved any more.
TEST(BufferReserve, CommitTwice) {
  BufferPtr buf = NewBuffer("abc");
  evbuffer_iovec vec;
  ASSERT_EQ(evbuffer_reserve_space(buf.get(), 100, &vec, 1), 1);
  vec.iov_len = 2;
  memcpy(vec.iov_base, "de", 2);
  EXPECT_EQ(evbuffer_commit_space(buf.get(), &vec, 1), 0);
  EXPECT_EQ(evbuffer_commit_space(buf.get(), &vec, 1), -1);
  EXPECT_EQ(Contents(buf), "abcde");
}

TEST(BufferReserve, NothingWasReserved) {
  BufferPtr buf = NewBuffer();
  char memory[4];
  evbuffer_iovec vec = {memory, 4};
  EXPECT_EQ(evbuffer_commit_space(buf.get(), &vec, 1), -1);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
}

// ---- Reserved, then something else.

TEST(BufferReserve, AddInstead) {
  for (int n_vec : {1, 2, 4}) {
    BufferPtr buf = NewBuffer("abc");
    evbuffer_iovec vec[4];
    ASSERT_GE(evbuffer_reserve_space(buf.get(), 9000, vec, n_vec), 1);
    EXPECT_EQ(Add(buf.get(), Pattern(20000)), 0);
    EXPECT_EQ(Contents(buf), "abc" + Pattern(20000));
  }
}

TEST(BufferReserve, ReserveAgain) {
  BufferPtr buf = NewBuffer("abc");
  evbuffer_iovec vec[2];
  ASSERT_GE(evbuffer_reserve_space(buf.get(), 9000, vec, 2), 1);
  ASSERT_GE(evbuffer_reserve_space(buf.get(), 100, vec, 1), 1);
  ASSERT_GE(evbuffer_reserve_space(buf.get(), 30000, vec, 1), 1);
  const std::string data = Pattern(30000);
  ASSERT_EQ(Fill(vec, 1, data), 1);
  ASSERT_EQ(evbuffer_commit_space(buf.get(), vec, 1), 0);
  EXPECT_EQ(Contents(buf), "abc" + data);
}

// The front may change while the end is reserved.
TEST(BufferReserve, FrontChangesMeanwhile) {
  BufferPtr buf = Chunks({"abc", "def"});
  Add(buf.get(), "ghi");
  evbuffer_iovec vec;
  ASSERT_EQ(evbuffer_reserve_space(buf.get(), 100, &vec, 1), 1);
  EXPECT_EQ(evbuffer_drain(buf.get(), 4), 0);
  EXPECT_EQ(Prepend(buf.get(), "0"), 0);
  memcpy(vec.iov_base, "jkl", 3);
  vec.iov_len = 3;
  ASSERT_EQ(evbuffer_commit_space(buf.get(), &vec, 1), 0);
  EXPECT_EQ(Contents(buf), "0efghijkl");
}

TEST(BufferReserve, AfterDrain) {
  BufferPtr buf = NewBuffer(Pattern(1000));
  evbuffer_drain(buf.get(), 1000);
  evbuffer_iovec vec[2];
  const int n = evbuffer_reserve_space(buf.get(), 3000, vec, 2);
  ASSERT_GE(n, 1);
  const std::string data = Pattern(3000, 9);
  ASSERT_EQ(evbuffer_commit_space(buf.get(), vec, Fill(vec, n, data)), 0);
  EXPECT_EQ(Contents(buf), data);
}

// The last chunk cannot be added to, or is empty.
TEST(BufferReserve, AfterReferencesAndEmptyChunks) {
  for (const std::vector<std::string>& pieces :
       std::vector<std::vector<std::string>>{{"abc"},
                                             {""},
                                             {"abc", ""},
                                             {"", "", ""},
                                             {"abc", "", "d", "", ""}}) {
    for (int n_vec : {1, 2, 5}) {
      BufferPtr buf = Chunks(pieces);
      const std::string before = Contents(buf);
      evbuffer_iovec vec[5];
      const int n = evbuffer_reserve_space(buf.get(), 5000, vec, n_vec);
      ASSERT_GE(n, 1);
      const std::string data = Pattern(5000);
      ASSERT_EQ(evbuffer_commit_space(buf.get(), vec, Fill(vec, n, data)), 0);
      EXPECT_EQ(Contents(buf), before + data);
      AddChunk(buf.get(), "ref");
      EXPECT_EQ(Contents(buf), before + data + "ref");
    }
  }
}

// ---- Expand.

int allocations = 0;

// The functions stay after the test; they allocate as the ones before did.
void CountAllocations() {
  event_set_mem_functions(
      [](size_t n) {
        ++allocations;
        return malloc(n);
      },
      [](void* p, size_t n) {
        ++allocations;
        return realloc(p, n);
      },
      free);
}

// api evbuffer_expand
TEST(BufferExpand, KeepsTheData) {
  for (size_t there : {0, 1, 500, 975, 1000, 5000}) {
    for (size_t drained : {0, 1, 400, 900}) {
      if (drained > there) continue;
      for (size_t n : {0, 1, 100, 1000, 5000, 100000}) {
        BufferPtr buf = NewBuffer(Pattern(there));
        evbuffer_drain(buf.get(), drained);
        ASSERT_EQ(evbuffer_expand(buf.get(), n), 0);
        const std::string before = Pattern(there).substr(drained);
        ASSERT_EQ(Contents(buf), before);
        const std::string data = Pattern(n, 1);
        ASSERT_EQ(Add(buf.get(), data), 0);
        ASSERT_EQ(Contents(buf), before + data);
      }
    }
  }
}

TEST(BufferExpand, WithReferencesAndEmptyChunks) {
  for (const std::vector<std::string>& pieces :
       std::vector<std::vector<std::string>>{
           {"abc"}, {""}, {"abc", ""}, {"abc", "", "d", "", ""}}) {
    BufferPtr buf = Chunks(pieces);
    const std::string before = Contents(buf);
    EXPECT_EQ(evbuffer_expand(buf.get(), 3000), 0);
    EXPECT_EQ(evbuffer_expand(buf.get(), 10), 0);
    EXPECT_EQ(Contents(buf), before);
    EXPECT_EQ(Add(buf.get(), Pattern(3000)), 0);
    EXPECT_EQ(Contents(buf), before + Pattern(3000));
  }
}

// semantics 9.19
TEST(BufferExpand, SizesThatCannotBe) {
  BufferPtr buf = NewBuffer("abc");
  BufferPtr references = Chunks({"abc"});
  for (size_t n : {EV_SIZE_MAX, EV_SIZE_MAX - 3, EV_SIZE_MAX - 1024,
                   EV_SIZE_MAX / 2, EV_SIZE_MAX / 2 + 1}) {
    EXPECT_EQ(evbuffer_expand(buf.get(), n), -1) << n;
    EXPECT_EQ(evbuffer_expand(references.get(), n), -1) << n;
  }
  EXPECT_EQ(Contents(buf), "abc");
  EXPECT_EQ(Contents(references), "abc");
  EXPECT_EQ(evbuffer_expand(buf.get(), 100), 0);
}

TEST(BufferExpand, AddingAllocatesNothing) {
  CountAllocations();
  BufferPtr buf = NewBuffer("abc");
  ASSERT_EQ(evbuffer_expand(buf.get(), 50000), 0);
  EXPECT_GT(allocations, 0);
  allocations = 0;
  const std::string data = Pattern(50000);
  EXPECT_EQ(evbuffer_add(buf.get(), data.data(), 20000), 0);
  EXPECT_EQ(evbuffer_add(buf.get(), data.data() + 20000, 30000), 0);
  EXPECT_EQ(allocations, 0);
  EXPECT_EQ(Contents(buf), "abc" + data);
}

// The room is one piece.
TEST(BufferExpand, ReservingAllocatesNothing) {
  CountAllocations();
  BufferPtr buf = NewBuffer(Pattern(700));
  ASSERT_EQ(evbuffer_expand(buf.get(), 50000), 0);
  EXPECT_GT(allocations, 0);
  allocations = 0;
  evbuffer_iovec vec;
  EXPECT_EQ(evbuffer_reserve_space(buf.get(), 50000, &vec, 1), 1);
  EXPECT_GE(vec.iov_len, 50000u);
  EXPECT_EQ(allocations, 0);
}

}  // namespace
