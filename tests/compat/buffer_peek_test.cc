// Looking without copying: evbuffer_peek().

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
using compat::NewBuffer;
using compat::Pattern;
using compat::Pieces;

std::string Join(const std::vector<evbuffer_iovec>& vec, int n) {
  std::string text;
  for (int i = 0; i < n; ++i) {
    text.append(static_cast<const char*>(vec[i].iov_base), vec[i].iov_len);
  }
  return text;
}

// api evbuffer_peek
// semantics 9.10
TEST(BufferPeek, Empty) {
  BufferPtr buf = NewBuffer();
  evbuffer_iovec vec[2];
  EXPECT_EQ(evbuffer_peek(buf.get(), -1, nullptr, nullptr, 0), 0);
  EXPECT_EQ(evbuffer_peek(buf.get(), -1, nullptr, vec, 2), 0);
  EXPECT_EQ(evbuffer_peek(buf.get(), 10, nullptr, vec, 2), 0);
  EXPECT_EQ(evbuffer_peek(buf.get(), 0, nullptr, nullptr, 0), 0);
}

// semantics 9.10
TEST(BufferPeek, All) {
  BufferPtr buf = Chunks({"abc", "d", "efgh"});
  EXPECT_EQ(evbuffer_peek(buf.get(), -1, nullptr, nullptr, 0), 3);
  EXPECT_EQ(Pieces(buf.get()), (std::vector<std::string>{"abc", "d", "efgh"}));
  EXPECT_EQ(evbuffer_get_length(buf.get()), 8u);
}

// Negative length and fewer vectors than pieces: as many as fit.
// semantics 9.10
TEST(BufferPeek, AsManyAsFit) {
  BufferPtr buf = Chunks({"abc", "d", "efgh"});
  std::vector<evbuffer_iovec> vec(3, evbuffer_iovec{nullptr, 99});
  EXPECT_EQ(evbuffer_peek(buf.get(), -1, nullptr, vec.data(), 2), 2);
  EXPECT_EQ(Join(vec, 2), "abcd");
  EXPECT_EQ(vec[2].iov_base, nullptr);
  vec.resize(10);
  EXPECT_EQ(evbuffer_peek(buf.get(), -1, nullptr, vec.data(), 10), 3);
}

// semantics 9.10
TEST(BufferPeek, EveryLength) {
  BufferPtr buf = Chunks({"abc", "d", "efgh"});
  const int pieces[] = {0, 1, 1, 1, 2, 3, 3, 3, 3, 3, 3};
  for (int length = 1; length <= 10; ++length) {
    // How many it takes, whatever room there is.
    EXPECT_EQ(evbuffer_peek(buf.get(), length, nullptr, nullptr, 0),
              pieces[length])
        << length;
    for (int n_vec = 1; n_vec <= 4; ++n_vec) {
      std::vector<evbuffer_iovec> vec(4, evbuffer_iovec{nullptr, 99});
      ASSERT_EQ(evbuffer_peek(buf.get(), length, nullptr, vec.data(), n_vec),
                pieces[length])
          << length << " " << n_vec;
      const int filled = std::min(n_vec, pieces[length]);
      const std::string want = std::string("abcdefgh", filled == 1   ? 3
                                                       : filled == 2 ? 4
                                                                     : 8);
      EXPECT_EQ(Join(vec, filled), want);
      for (int i = filled; i < 4; ++i) EXPECT_EQ(vec[i].iov_base, nullptr);
    }
  }
}

// semantics 9.10
TEST(BufferPeek, FromEverywhere) {
  const std::string data = Pattern(40);
  for (size_t size : {1, 7, 20, 40}) {
    BufferPtr buf = ChunksOf(size, data);
    for (size_t from = 0; from <= 40; ++from) {
      evbuffer_ptr start;
      ASSERT_EQ(evbuffer_ptr_set(buf.get(), &start, from, EVBUFFER_PTR_SET), 0);
      std::vector<evbuffer_iovec> vec(64);
      const int n = evbuffer_peek(buf.get(), -1, &start, vec.data(), 64);
      ASSERT_EQ(Join(vec, n), data.substr(from));
      for (ev_ssize_t length : {1, 6, 7, 8, 100}) {
        const int used =
            evbuffer_peek(buf.get(), length, &start, vec.data(), 64);
        const std::string got = Join(vec, used);
        // The last piece is not cut.
        const std::string want = data.substr(from, length);
        ASSERT_GE(got.size(), want.size());
        ASSERT_EQ(got.substr(0, want.size()), want);
        ASSERT_LT(got.size(), want.size() + size);
      }
    }
  }
}

// semantics 9.7, 9.10
TEST(BufferPeek, FromTheEnd) {
  BufferPtr buf = Chunks({"abc", "def"});
  evbuffer_ptr end;
  ASSERT_EQ(evbuffer_ptr_set(buf.get(), &end, 6, EVBUFFER_PTR_SET), 0);
  evbuffer_iovec vec[2];
  EXPECT_EQ(evbuffer_peek(buf.get(), -1, &end, vec, 2), 0);
  EXPECT_EQ(evbuffer_peek(buf.get(), 5, &end, vec, 2), 0);
  EXPECT_EQ(evbuffer_peek(buf.get(), -1, &end, nullptr, 0), 0);
}

// A piece that is asked for from its middle counts from there: 4 bytes from
// position 2 need the second piece.
TEST(BufferPeek, StartInTheFirstPiece) {
  BufferPtr buf = Chunks({"abcd", "efgh", "ijkl"});
  evbuffer_ptr start;
  ASSERT_EQ(evbuffer_ptr_set(buf.get(), &start, 2, EVBUFFER_PTR_SET), 0);
  EXPECT_EQ(evbuffer_peek(buf.get(), 2, &start, nullptr, 0), 1);
  EXPECT_EQ(evbuffer_peek(buf.get(), 3, &start, nullptr, 0), 2);
  EXPECT_EQ(evbuffer_peek(buf.get(), 6, &start, nullptr, 0), 2);
  EXPECT_EQ(evbuffer_peek(buf.get(), 7, &start, nullptr, 0), 3);
  evbuffer_iovec vec[1];
  EXPECT_EQ(evbuffer_peek(buf.get(), 7, &start, vec, 1), 3);
  EXPECT_EQ(vec[0].iov_len, 2u);
  EXPECT_EQ(memcmp(vec[0].iov_base, "cd", 2), 0);
}

TEST(BufferPeek, AfterDrain) {
  BufferPtr buf = Chunks({"abcd", "efgh"});
  evbuffer_drain(buf.get(), 1);
  EXPECT_EQ(Pieces(buf.get()), (std::vector<std::string>{"bcd", "efgh"}));
  evbuffer_drain(buf.get(), 3);
  EXPECT_EQ(Pieces(buf.get()), (std::vector<std::string>{"efgh"}));
}

// What a writer does: peek, write the pieces, drain what was written.
TEST(BufferPeek, PiecesCoverTheData) {
  BufferPtr buf = NewBuffer();
  std::string want;
  for (int i = 0; i < 300; ++i) {
    const std::string piece = Pattern(i * 7, i);
    if (i % 3) {
      ASSERT_EQ(Add(buf.get(), piece), 0);
    } else {
      compat::AddChunk(buf.get(), piece);
    }
    want += piece;
  }
  std::string got;
  while (evbuffer_get_length(buf.get()) > 0) {
    std::vector<evbuffer_iovec> vec(4);
    int n = evbuffer_peek(buf.get(), 5000, nullptr, vec.data(), 4);
    ASSERT_GT(n, 0);
    n = std::min(n, 4);
    const std::string part = Join(vec, n);
    got += part;
    ASSERT_EQ(evbuffer_drain(buf.get(), part.size()), 0);
  }
  EXPECT_TRUE(got == want);
}

// Space that was reserved is not data.
TEST(BufferPeek, ReservedSpaceIsNotSeen) {
  BufferPtr buf = NewBuffer("abc");
  evbuffer_iovec vec[2];
  ASSERT_GE(evbuffer_reserve_space(buf.get(), 9000, vec, 2), 1);
  std::string text;
  for (const std::string& piece : Pieces(buf.get())) text += piece;
  EXPECT_EQ(text, "abc");
}

// Pieces without bytes may be shown or not; the bytes are all there.
TEST(BufferPeek, WithEmptyChunks) {
  BufferPtr buf = Chunks({"", "abc", "", "", "def", ""});
  std::string text;
  for (const std::string& piece : Pieces(buf.get())) text += piece;
  EXPECT_EQ(text, "abcdef");
  std::vector<evbuffer_iovec> vec(8);
  const int n = evbuffer_peek(buf.get(), 6, nullptr, vec.data(), 8);
  EXPECT_EQ(Join(vec, n), "abcdef");
}

// Nothing more is asked for than is there.
TEST(BufferPeek, MoreThanThereIs) {
  BufferPtr buf = Chunks({"abc", "def"});
  std::vector<evbuffer_iovec> vec(4);
  EXPECT_EQ(evbuffer_peek(buf.get(), EV_SSIZE_MAX, nullptr, vec.data(), 4), 2);
  EXPECT_EQ(Join(vec, 2), "abcdef");
}

}  // namespace
