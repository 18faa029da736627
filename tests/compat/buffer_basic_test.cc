// Bytes in, bytes out: appending, removing, draining, copying.

#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stdarg.h>

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
using compat::Remove;
using compat::RemoveAll;

// api evbuffer, evbuffer_new, evbuffer_free, evbuffer_get_length
TEST(BufferBasic, NewIsEmpty) {
  BufferPtr buf = NewBuffer();
  ASSERT_NE(buf, nullptr);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
  EXPECT_EQ(evbuffer_get_contiguous_space(buf.get()), 0u);
  EXPECT_EQ(evbuffer_pullup(buf.get(), -1), nullptr);
  EXPECT_EQ(evbuffer_drain(buf.get(), 10), 0);
  char out[10];
  EXPECT_EQ(evbuffer_remove(buf.get(), out, sizeof(out)), 0);
  EXPECT_EQ(evbuffer_copyout(buf.get(), out, sizeof(out)), 0);
}

// api evbuffer_add
TEST(BufferBasic, AddCopies) {
  BufferPtr buf = NewBuffer();
  char data[] = "abc";
  EXPECT_EQ(evbuffer_add(buf.get(), data, 3), 0);
  memcpy(data, "xyz", 3);
  EXPECT_EQ(Contents(buf), "abc");
}

TEST(BufferBasic, AddNothing) {
  BufferPtr buf = NewBuffer();
  EXPECT_EQ(evbuffer_add(buf.get(), "x", 0), 0);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
  Add(buf.get(), "abc");
  EXPECT_EQ(evbuffer_add(buf.get(), "x", 0), 0);
  EXPECT_EQ(Contents(buf), "abc");
}

TEST(BufferBasic, AddOfManySizes) {
  BufferPtr buf = NewBuffer();
  std::string want;
  for (size_t n : {1, 2, 100, 971, 976, 1000, 1024, 3000, 4048, 4096, 5000, 1,
                   16384, 65536, 100000, 3}) {
    const std::string piece = Pattern(n, want.size());
    ASSERT_EQ(Add(buf.get(), piece), 0);
    want += piece;
    ASSERT_EQ(evbuffer_get_length(buf.get()), want.size());
  }
  EXPECT_EQ(Contents(buf), want);
  EXPECT_EQ(RemoveAll(buf.get()), want);
}

TEST(BufferBasic, AddOfSingleBytes) {
  BufferPtr buf = NewBuffer();
  const std::string want = Pattern(20000);
  for (char c : want) ASSERT_EQ(evbuffer_add(buf.get(), &c, 1), 0);
  EXPECT_EQ(Contents(buf), want);
}

// The first chunk is part drained: what is free at its front is used or not,
// the order stays.
TEST(BufferBasic, AddAfterDrain) {
  BufferPtr buf = NewBuffer();
  std::string want;
  size_t at = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string piece = Pattern(700, at);
    at += 700;
    ASSERT_EQ(Add(buf.get(), piece), 0);
    want += piece;
    const size_t drop = i % 3 == 0 ? 900 : 600;
    ASSERT_EQ(evbuffer_drain(buf.get(), drop), 0);
    want.erase(0, drop);
    ASSERT_EQ(Contents(buf), want) << i;
  }
}

// api evbuffer_remove
// semantics 9.4
TEST(BufferBasic, Remove) {
  BufferPtr buf = NewBuffer("abcdefgh");
  char out[16] = "...............";
  EXPECT_EQ(evbuffer_remove(buf.get(), out, 3), 3);
  EXPECT_STREQ(out, "abc............");
  EXPECT_EQ(evbuffer_remove(buf.get(), out, 0), 0);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 5u);
  EXPECT_EQ(evbuffer_remove(buf.get(), out, sizeof(out)), 5);
  EXPECT_EQ(std::string(out, 5), "defgh");
  EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
  EXPECT_EQ(evbuffer_remove(buf.get(), out, sizeof(out)), 0);
}

TEST(BufferBasic, RemoveAcrossChunks) {
  const std::string data = Pattern(1000);
  for (size_t step : {1, 6, 7, 8, 50, 999, 1000}) {
    BufferPtr buf = ChunksOf(7, data);
    std::string got;
    while (evbuffer_get_length(buf.get()) > 0) got += Remove(buf.get(), step);
    EXPECT_EQ(got, data) << step;
  }
}

// api evbuffer_drain
// semantics 9.4
TEST(BufferBasic, Drain) {
  BufferPtr buf = NewBuffer("abcdefgh");
  EXPECT_EQ(evbuffer_drain(buf.get(), 0), 0);
  EXPECT_EQ(evbuffer_drain(buf.get(), 3), 0);
  EXPECT_EQ(Contents(buf), "defgh");
  EXPECT_EQ(evbuffer_drain(buf.get(), 6), 0);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
  Add(buf.get(), "again");
  EXPECT_EQ(evbuffer_drain(buf.get(), EV_SIZE_MAX), 0);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
  EXPECT_EQ(Add(buf.get(), "and again"), 0);
  EXPECT_EQ(Contents(buf), "and again");
}

TEST(BufferBasic, DrainAcrossChunks) {
  const std::string data = Pattern(300);
  for (size_t step = 1; step <= data.size(); step += 11) {
    BufferPtr buf = ChunksOf(7, data);
    for (size_t at = step; at < data.size(); at += step) {
      ASSERT_EQ(evbuffer_drain(buf.get(), step), 0);
      ASSERT_EQ(Contents(buf), data.substr(at)) << step;
    }
  }
}

// api evbuffer_copyout
TEST(BufferBasic, Copyout) {
  BufferPtr buf = Chunks({"abc", "de", "", "fgh"});
  char out[16];
  EXPECT_EQ(evbuffer_copyout(buf.get(), out, 0), 0);
  for (int n = 1; n <= 8; ++n) {
    memset(out, '.', sizeof(out));
    EXPECT_EQ(evbuffer_copyout(buf.get(), out, n), n);
    EXPECT_EQ(std::string(out, n + 1), std::string("abcdefgh", n) + ".");
  }
  EXPECT_EQ(evbuffer_copyout(buf.get(), out, sizeof(out)), 8);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 8u);
}

// api evbuffer_copyout_from, evbuffer_ptr
TEST(BufferBasic, CopyoutFrom) {
  const std::string data = Pattern(60);
  for (size_t size : {1, 7, 60}) {
    BufferPtr buf = ChunksOf(size, data);
    for (size_t from = 0; from <= data.size(); ++from) {
      evbuffer_ptr ptr;
      ASSERT_EQ(evbuffer_ptr_set(buf.get(), &ptr, from, EVBUFFER_PTR_SET), 0);
      for (size_t n : {0, 1, 6, 7, 8, 59, 60, 100}) {
        char out[100];
        const std::string want = data.substr(from, n);
        ASSERT_EQ(evbuffer_copyout_from(buf.get(), &ptr, out, n),
                  static_cast<ev_ssize_t>(want.size()))
            << from << " " << n;
        EXPECT_EQ(std::string(out, want.size()), want);
      }
    }
    char out[5];
    EXPECT_EQ(evbuffer_copyout_from(buf.get(), nullptr, out, 5), 5);
    EXPECT_EQ(std::string(out, 5), data.substr(0, 5));
  }
}

// api evbuffer_get_contiguous_space: what can be read in one piece.
TEST(BufferBasic, ContiguousSpace) {
  BufferPtr buf = Chunks({"abc", "de"});
  EXPECT_EQ(evbuffer_get_contiguous_space(buf.get()), 3u);
  evbuffer_drain(buf.get(), 1);
  EXPECT_EQ(evbuffer_get_contiguous_space(buf.get()), 2u);
  evbuffer_drain(buf.get(), 2);
  EXPECT_EQ(evbuffer_get_contiguous_space(buf.get()), 2u);
  evbuffer_drain(buf.get(), 2);
  EXPECT_EQ(evbuffer_get_contiguous_space(buf.get()), 0u);
}

// api evbuffer_add_iovec
TEST(BufferBasic, AddIovec) {
  std::string a = "abc", b, c = Pattern(5000), d = "d";
  evbuffer_iovec vec[4];
  std::string* const parts[] = {&a, &b, &c, &d};
  for (int i = 0; i < 4; ++i) {
    vec[i].iov_base = parts[i]->data();
    vec[i].iov_len = parts[i]->size();
  }
  BufferPtr buf = NewBuffer("0");
  EXPECT_EQ(evbuffer_add_iovec(buf.get(), vec, 4), 5004u);
  EXPECT_EQ(Contents(buf), "0abc" + c + "d");
  EXPECT_EQ(evbuffer_add_iovec(buf.get(), vec, 0), 0u);
  EXPECT_EQ(evbuffer_add_iovec(buf.get(), vec + 1, 1), 0u);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 5005u);
}

// api evbuffer_add_printf
TEST(BufferBasic, Printf) {
  BufferPtr buf = NewBuffer("<");
  EXPECT_EQ(evbuffer_add_printf(buf.get(), "%d-%s/%c", 42, "text", 'x'), 9);
  EXPECT_EQ(Contents(buf), "<42-text/x");
  EXPECT_EQ(evbuffer_add_printf(buf.get(), "%s", ""), 0);
  EXPECT_EQ(evbuffer_add_printf(buf.get(), "a%cb", 0), 3);
  EXPECT_EQ(Contents(buf), std::string("<42-text/xa\0b", 13));
}

// Every length, with every amount of room left in the chunk before it: the
// NUL of vsnprintf never counts and never costs the last byte.
TEST(BufferBasic, PrintfAtChunkBorders) {
  for (size_t before : {0, 1, 900, 970, 974, 975, 976, 977, 1000, 4000}) {
    for (size_t n :
         {1,   2,    30,   48,   49,   50,   63,   64,   65,   975,  976,
          977, 1023, 1024, 1025, 4047, 4048, 4095, 4096, 4097, 20000}) {
      const std::string head = Pattern(before);
      const std::string text = Pattern(n, 5);
      BufferPtr buf = NewBuffer(head);
      ASSERT_EQ(evbuffer_add_printf(buf.get(), "%s", text.c_str()),
                static_cast<int>(n));
      ASSERT_EQ(Contents(buf), head + text) << before << " " << n;
    }
  }
}

TEST(BufferBasic, PrintfMany) {
  BufferPtr buf = NewBuffer();
  std::string want;
  for (int i = 0; i < 3000; ++i) {
    const std::string line = std::to_string(i) + ":" + Pattern(i % 50) + "\n";
    ASSERT_EQ(
        evbuffer_add_printf(buf.get(), "%d:%s\n", i, Pattern(i % 50).c_str()),
        static_cast<int>(line.size()));
    want += line;
  }
  EXPECT_EQ(Contents(buf), want);
}

int AddVprintf(evbuffer* buf, const char* fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  const int n = evbuffer_add_vprintf(buf, fmt, ap);
  va_end(ap);
  return n;
}

// api evbuffer_add_vprintf
// The text is formatted twice where the room was too small: the va_list too.
TEST(BufferBasic, Vprintf) {
  BufferPtr buf = NewBuffer();
  const std::string longer = Pattern(9000);
  EXPECT_EQ(AddVprintf(buf.get(), "%d %s", 7, "x"), 3);
  EXPECT_EQ(AddVprintf(buf.get(), "%s%d", longer.c_str(), 8), 9001);
  EXPECT_EQ(Contents(buf), "7 x" + longer + "8");
}

// api evbuffer_set_flags, evbuffer_clear_flags, EVBUFFER_FLAG_DRAINS_TO_FD
TEST(BufferBasic, Flags) {
  BufferPtr buf = NewBuffer("abc");
  EXPECT_EQ(evbuffer_set_flags(buf.get(), EVBUFFER_FLAG_DRAINS_TO_FD), 0);
  EXPECT_EQ(Contents(buf), "abc");
  EXPECT_EQ(evbuffer_clear_flags(buf.get(), EVBUFFER_FLAG_DRAINS_TO_FD), 0);
  EXPECT_EQ(Contents(buf), "abc");
}

// api evbuffer_enable_locking: no locks are installed in this program.
// api evbuffer_lock, evbuffer_unlock
TEST(BufferBasic, WithoutLocks) {
  BufferPtr buf = NewBuffer("abc");
  EXPECT_EQ(evbuffer_enable_locking(buf.get(), nullptr), -1);
  evbuffer_lock(buf.get());
  EXPECT_EQ(Contents(buf), "abc");
  evbuffer_unlock(buf.get());
  EXPECT_EQ(Add(buf.get(), "def"), 0);
  EXPECT_EQ(Contents(buf), "abcdef");
}

// semantics 9.19
// A program's arithmetic went wrong: the call fails and nothing changes. The
// sizes leave no room for what is there already, so nothing tries to allocate.
TEST(BufferBasic, SizesThatCannotBe) {
  BufferPtr buf = NewBuffer("0123456789");
  const char byte = 'x';
  for (size_t n :
       {EV_SIZE_MAX, EV_SIZE_MAX - 1, EV_SIZE_MAX - 10, size_t{EV_SSIZE_MAX},
        size_t{EV_SSIZE_MAX} + 1, size_t{EV_SSIZE_MAX} - 9}) {
    EXPECT_EQ(evbuffer_add(buf.get(), &byte, n), -1) << n;
    EXPECT_EQ(evbuffer_prepend(buf.get(), &byte, n), -1) << n;
    EXPECT_EQ(evbuffer_expand(buf.get(), n), -1) << n;
    evbuffer_iovec vec[2];
    EXPECT_EQ(
        evbuffer_reserve_space(buf.get(), static_cast<ev_ssize_t>(n), vec, 1),
        -1)
        << n;
    EXPECT_EQ(
        evbuffer_reserve_space(buf.get(), static_cast<ev_ssize_t>(n), vec, 2),
        -1)
        << n;
#ifndef TESTING_DEBIAN_LIBEVENT
    // better: libevent takes the word of a reference for it.
    EXPECT_EQ(evbuffer_add_reference(buf.get(), &byte, n, nullptr, nullptr), -1)
        << n;
#endif
    EXPECT_EQ(Contents(buf), "0123456789") << n;
  }
}

}  // namespace
