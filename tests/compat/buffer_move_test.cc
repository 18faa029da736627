// Data between buffers: add_buffer, prepend_buffer, remove_buffer; prepending;
// and empty chunks in the way of all of it.

#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "percore/tests/compat/buffers.h"

namespace {

using compat::Add;
using compat::BufferPtr;
using compat::Chunks;
using compat::ChunksOf;
using compat::Contents;
using compat::NewBuffer;
using compat::Pattern;
using compat::Pieces;
using compat::Prepend;

// api evbuffer_add_buffer
// semantics 9.3
TEST(BufferMove, AddBuffer) {
  BufferPtr to = NewBuffer("abc");
  BufferPtr from = NewBuffer("def");
  EXPECT_EQ(evbuffer_add_buffer(to.get(), from.get()), 0);
  EXPECT_EQ(Contents(to), "abcdef");
  EXPECT_EQ(evbuffer_get_length(from.get()), 0u);
  // Both work on.
  EXPECT_EQ(Add(from.get(), "xyz"), 0);
  EXPECT_EQ(Add(to.get(), "ghi"), 0);
  EXPECT_EQ(Contents(from), "xyz");
  EXPECT_EQ(Contents(to), "abcdefghi");
  EXPECT_EQ(evbuffer_add_buffer(to.get(), from.get()), 0);
  EXPECT_EQ(Contents(to), "abcdefghixyz");
}

TEST(BufferMove, AddBufferEmptyOrSame) {
  BufferPtr to = NewBuffer("abc");
  BufferPtr from = NewBuffer();
  EXPECT_EQ(evbuffer_add_buffer(to.get(), from.get()), 0);
  EXPECT_EQ(evbuffer_add_buffer(to.get(), to.get()), 0);
  EXPECT_EQ(Contents(to), "abc");
  EXPECT_EQ(evbuffer_add_buffer(from.get(), to.get()), 0);
  EXPECT_EQ(Contents(from), "abc");
  EXPECT_EQ(evbuffer_get_length(to.get()), 0u);
}

// The bytes stay where they are in memory.
TEST(BufferMove, AddBufferDoesNotCopy) {
  BufferPtr to = NewBuffer("abc");
  BufferPtr from = NewBuffer(Pattern(50000));
  const unsigned char* bytes = evbuffer_pullup(from.get(), -1);
  evbuffer_add_buffer(to.get(), from.get());
  evbuffer_drain(to.get(), 3);
  EXPECT_EQ(evbuffer_pullup(to.get(), -1), bytes);
}

// api evbuffer_prepend_buffer
TEST(BufferMove, PrependBuffer) {
  BufferPtr to = NewBuffer("def");
  BufferPtr from = NewBuffer("abc");
  EXPECT_EQ(evbuffer_prepend_buffer(to.get(), from.get()), 0);
  EXPECT_EQ(Contents(to), "abcdef");
  EXPECT_EQ(evbuffer_get_length(from.get()), 0u);
  EXPECT_EQ(evbuffer_prepend_buffer(to.get(), from.get()), 0);
  EXPECT_EQ(evbuffer_prepend_buffer(to.get(), to.get()), 0);
  EXPECT_EQ(Contents(to), "abcdef");
  EXPECT_EQ(evbuffer_prepend_buffer(from.get(), to.get()), 0);
  EXPECT_EQ(Contents(from), "abcdef");
  EXPECT_EQ(Add(from.get(), "g"), 0);
  EXPECT_EQ(Add(to.get(), "h"), 0);
  EXPECT_EQ(Contents(from), "abcdefg");
  EXPECT_EQ(Contents(to), "h");
}

// api evbuffer_remove_buffer
TEST(BufferMove, RemoveBuffer) {
  BufferPtr from = NewBuffer("abcdefgh");
  BufferPtr to = NewBuffer("0");
  EXPECT_EQ(evbuffer_remove_buffer(from.get(), to.get(), 3), 3);
  EXPECT_EQ(Contents(to), "0abc");
  EXPECT_EQ(Contents(from), "defgh");
  EXPECT_EQ(evbuffer_remove_buffer(from.get(), to.get(), 0), 0);
  EXPECT_EQ(evbuffer_remove_buffer(from.get(), from.get(), 2), 0);
  EXPECT_EQ(Contents(from), "defgh");
  EXPECT_EQ(evbuffer_remove_buffer(from.get(), to.get(), 100), 5);
  EXPECT_EQ(Contents(to), "0abcdefgh");
  EXPECT_EQ(evbuffer_remove_buffer(from.get(), to.get(), 100), 0);
  EXPECT_EQ(Add(from.get(), "ij"), 0);
  EXPECT_EQ(Contents(from), "ij");
}

TEST(BufferMove, RemoveBufferOfEveryLength) {
  const std::string data = Pattern(100);
  for (size_t size : {1, 9, 10, 33, 100}) {
    for (size_t n = 0; n <= 100; ++n) {
      BufferPtr from = ChunksOf(size, data);
      BufferPtr to = NewBuffer("to");
      ASSERT_EQ(evbuffer_remove_buffer(from.get(), to.get(), n),
                static_cast<int>(n));
      ASSERT_EQ(Contents(to), "to" + data.substr(0, n));
      ASSERT_EQ(Contents(from), data.substr(n));
      ASSERT_EQ(Add(from.get(), "+"), 0);
      ASSERT_EQ(Add(to.get(), "+"), 0);
      ASSERT_EQ(Contents(to), "to" + data.substr(0, n) + "+");
      ASSERT_EQ(Contents(from), data.substr(n) + "+");
    }
  }
}

// Whole chunks change the buffer without being copied.
TEST(BufferMove, RemoveBufferMovesChunks) {
  BufferPtr from = NewBuffer(Pattern(50000));
  Add(from.get(), "rest");
  BufferPtr to = NewBuffer();
  const unsigned char* bytes = evbuffer_pullup(from.get(), 50000);
  evbuffer_iovec first;
  ASSERT_GE(evbuffer_peek(from.get(), -1, nullptr, &first, 1), 1);
  const size_t whole = first.iov_len;
  ASSERT_EQ(evbuffer_remove_buffer(from.get(), to.get(), whole),
            static_cast<int>(whole));
  EXPECT_EQ(evbuffer_pullup(to.get(), static_cast<ev_ssize_t>(whole)), bytes);
}

// api evbuffer_prepend
TEST(BufferMove, Prepend) {
  BufferPtr buf = NewBuffer();
  EXPECT_EQ(Prepend(buf.get(), "c"), 0);
  EXPECT_EQ(Prepend(buf.get(), "b"), 0);
  EXPECT_EQ(evbuffer_prepend(buf.get(), "x", 0), 0);
  EXPECT_EQ(Add(buf.get(), "d"), 0);
  EXPECT_EQ(Prepend(buf.get(), "a"), 0);
  EXPECT_EQ(Contents(buf), "abcd");
}

TEST(BufferMove, PrependOfManySizes) {
  for (size_t drained : {0, 1, 50, 999}) {
    BufferPtr buf = NewBuffer(Pattern(1000));
    evbuffer_drain(buf.get(), drained);
    std::string want = Pattern(1000).substr(drained);
    for (size_t n : {1, 40, 10, 1, 974, 2000, 4096, 3, 50000, 1}) {
      const std::string piece = Pattern(n, want.size());
      ASSERT_EQ(Prepend(buf.get(), piece), 0);
      want = piece + want;
      ASSERT_EQ(Contents(buf), want) << drained << " " << n;
    }
    ASSERT_EQ(Add(buf.get(), "end"), 0);
    EXPECT_EQ(Contents(buf), want + "end");
  }
}

// A protocol's usual way: the body is added, then its length put before it.
TEST(BufferMove, PrependAndDrainAlternating) {
  BufferPtr buf = NewBuffer();
  std::string want;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece = Pattern(i % 37, i);
    if (i % 2) {
      ASSERT_EQ(Prepend(buf.get(), piece), 0);
      want = piece + want;
    } else {
      ASSERT_EQ(Add(buf.get(), piece), 0);
      want += piece;
    }
    const size_t drop = i % 23;
    ASSERT_EQ(evbuffer_drain(buf.get(), drop), 0);
    want.erase(0, drop);
    ASSERT_EQ(Contents(buf), want) << i;
  }
}

// ---- Empty chunks: references of no length, space reserved and not used.

// Buffers that hold "abcdef" and empty chunks at every place.
std::vector<std::vector<std::string>> WithEmptyChunks() {
  return {{"abcdef"},
          {"", "abcdef"},
          {"abcdef", ""},
          {"", "", "abcdef", "", ""},
          {"abc", "", "def"},
          {"", "abc", "", "", "def", ""},
          {"a", "", "b", "", "c", "", "d", "", "e", "", "f", ""}};
}

TEST(BufferMove, EmptyChunksOnEitherSide) {
  for (const auto& left : WithEmptyChunks()) {
    for (const auto& right : WithEmptyChunks()) {
      BufferPtr to = Chunks(left), from = Chunks(right);
      ASSERT_EQ(evbuffer_add_buffer(to.get(), from.get()), 0);
      ASSERT_EQ(Contents(to), "abcdefabcdef");
      ASSERT_EQ(evbuffer_get_length(from.get()), 0u);
      ASSERT_EQ(Add(to.get(), "!"), 0);
      ASSERT_EQ(Contents(to), "abcdefabcdef!");
      ASSERT_EQ(Add(from.get(), "?"), 0);
      ASSERT_EQ(Contents(from), "?");

      to = Chunks(left), from = Chunks(right);
      ASSERT_EQ(evbuffer_prepend_buffer(to.get(), from.get()), 0);
      ASSERT_EQ(Add(to.get(), "!"), 0);
      ASSERT_EQ(Contents(to), "abcdefabcdef!");
      ASSERT_EQ(Add(from.get(), "?"), 0);
      ASSERT_EQ(Contents(from), "?");

      for (int n = 0; n <= 7; ++n) {
        to = Chunks(left), from = Chunks(right);
        const int moved = n < 6 ? n : 6;
        ASSERT_EQ(evbuffer_remove_buffer(from.get(), to.get(), n), moved);
        ASSERT_EQ(Contents(to), "abcdef" + std::string("abcdef", moved));
        ASSERT_EQ(Contents(from), std::string("abcdef").substr(moved));
        ASSERT_EQ(Add(to.get(), "!"), 0);
        ASSERT_EQ(Contents(to), "abcdef" + std::string("abcdef", moved) + "!");
        ASSERT_EQ(Add(from.get(), "?"), 0);
        ASSERT_EQ(Contents(from), std::string("abcdef").substr(moved) + "?");
      }
    }
  }
}

TEST(BufferMove, BuffersOfEmptyChunksOnly) {
  for (const auto& data : WithEmptyChunks()) {
    BufferPtr full = Chunks(data), empty = Chunks({"", ""});
    EXPECT_EQ(evbuffer_add_buffer(full.get(), empty.get()), 0);
    EXPECT_EQ(evbuffer_prepend_buffer(full.get(), empty.get()), 0);
    EXPECT_EQ(evbuffer_remove_buffer(empty.get(), full.get(), 5), 0);
    EXPECT_EQ(Contents(full), "abcdef");
    empty = Chunks({"", ""});
    EXPECT_EQ(evbuffer_add_buffer(empty.get(), full.get()), 0);
    EXPECT_EQ(Contents(empty), "abcdef");
    full = Chunks(data), empty = Chunks({"", ""});
    EXPECT_EQ(evbuffer_prepend_buffer(empty.get(), full.get()), 0);
    EXPECT_EQ(Contents(empty), "abcdef");
    full = Chunks(data), empty = Chunks({"", ""});
    EXPECT_EQ(evbuffer_remove_buffer(full.get(), empty.get(), 6), 6);
    EXPECT_EQ(Contents(empty), "abcdef");
    EXPECT_EQ(evbuffer_pullup(full.get(), -1), nullptr);
  }
}

// api evbuffer_pullup
TEST(BufferMove, EmptyChunksAndPullup) {
  for (const auto& data : WithEmptyChunks()) {
    for (int n = 1; n <= 6; ++n) {
      BufferPtr buf = Chunks(data);
      const unsigned char* bytes = evbuffer_pullup(buf.get(), n);
      ASSERT_NE(bytes, nullptr);
      ASSERT_EQ(std::string(bytes, bytes + n), std::string("abcdef", n));
      ASSERT_GE(evbuffer_get_contiguous_space(buf.get()), size_t(n));
      ASSERT_EQ(Contents(buf), "abcdef");
      ASSERT_EQ(Add(buf.get(), "!"), 0);
      ASSERT_EQ(Contents(buf), "abcdef!");
    }
  }
}

TEST(BufferMove, EmptyChunksAndTheRest) {
  for (const auto& data : WithEmptyChunks()) {
    BufferPtr buf = Chunks(data);
    EXPECT_EQ(Prepend(buf.get(), "0"), 0);
    EXPECT_EQ(Contents(buf), "0abcdef");
    for (const char* want : {"abcdef", "bcdef", "cdef", "def", "ef", "f", ""}) {
      EXPECT_EQ(evbuffer_drain(buf.get(), 1), 0);
      EXPECT_EQ(Contents(buf), want);
    }
    EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
    EXPECT_EQ(Add(buf.get(), "new"), 0);
    EXPECT_EQ(Contents(buf), "new");
  }
}

// Space that was reserved and left stays in the way like an empty chunk.
// semantics 9.3
TEST(BufferMove, ReservedSpaceIsNotMovedAsData) {
  for (bool to_reserved : {false, true}) {
    BufferPtr to = NewBuffer("abc"), from = NewBuffer("def");
    evbuffer_iovec vec[2];
    ASSERT_GT(evbuffer_reserve_space(from.get(), 5000, vec, 2), 0);
    if (to_reserved) {
      ASSERT_GT(evbuffer_reserve_space(to.get(), 5000, vec, 2), 0);
    }
    EXPECT_EQ(evbuffer_add_buffer(to.get(), from.get()), 0);
    EXPECT_EQ(Contents(to), "abcdef");
    EXPECT_EQ(Add(from.get(), Pattern(6000)), 0);
    EXPECT_EQ(Add(to.get(), Pattern(6000)), 0);
    EXPECT_EQ(Contents(from), Pattern(6000));
    EXPECT_EQ(Contents(to), "abcdef" + Pattern(6000));

    ASSERT_GT(evbuffer_reserve_space(from.get(), 5000, vec, 2), 0);
    EXPECT_EQ(evbuffer_prepend_buffer(to.get(), from.get()), 0);
    EXPECT_EQ(Contents(to), Pattern(6000) + "abcdef" + Pattern(6000));
    EXPECT_EQ(Add(from.get(), "x"), 0);
    EXPECT_EQ(Contents(from), "x");
  }
}

// ---- Pullup.

// api evbuffer_pullup
// semantics 9.6
TEST(BufferMove, PullupOfEveryLength) {
  const std::string data = Pattern(64);
  for (size_t size : {1, 5, 16, 64}) {
    for (int n = 1; n <= 64; ++n) {
      BufferPtr buf = ChunksOf(size, data);
      unsigned char* bytes = evbuffer_pullup(buf.get(), n);
      ASSERT_NE(bytes, nullptr);
      ASSERT_EQ(std::string(bytes, bytes + n), data.substr(0, n));
      ASSERT_EQ(Contents(buf), data);
    }
  }
}

// semantics 9.6
TEST(BufferMove, PullupThatCannotBe) {
  BufferPtr buf = Chunks({"abc", "def"});
  EXPECT_EQ(evbuffer_pullup(buf.get(), 0), nullptr);
  EXPECT_EQ(evbuffer_pullup(buf.get(), 7), nullptr);
  EXPECT_EQ(evbuffer_pullup(buf.get(), EV_SSIZE_MAX), nullptr);
  EXPECT_EQ(Pieces(buf.get()), (std::vector<std::string>{"abc", "def"}));
  evbuffer_drain(buf.get(), 6);
  EXPECT_EQ(evbuffer_pullup(buf.get(), -1), nullptr);
  EXPECT_EQ(evbuffer_pullup(buf.get(), 1), nullptr);
}

// semantics 9.6
// What is in one piece already stays where it is; all negative sizes are all.
TEST(BufferMove, PullupAgainGivesTheSame) {
  BufferPtr buf = ChunksOf(1000, Pattern(100000));
  unsigned char* bytes = evbuffer_pullup(buf.get(), -1);
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(evbuffer_pullup(buf.get(), -7), bytes);
  EXPECT_EQ(evbuffer_pullup(buf.get(), 5), bytes);
  EXPECT_EQ(evbuffer_get_contiguous_space(buf.get()), 100000u);
  EXPECT_EQ(std::string(bytes, bytes + 100000), Pattern(100000));
  evbuffer_drain(buf.get(), 10);
  EXPECT_EQ(evbuffer_pullup(buf.get(), -1), bytes + 10);
}

// The memory is the buffer's, and the program may change the bytes in it.
TEST(BufferMove, PullupIsWritable) {
  BufferPtr buf = ChunksOf(2, "abcdef");
  unsigned char* bytes = evbuffer_pullup(buf.get(), -1);
  bytes[0] = 'X';
  EXPECT_EQ(Contents(buf), "Xbcdef");
}

}  // namespace
