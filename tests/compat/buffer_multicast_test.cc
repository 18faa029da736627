// The data of one buffer in several: evbuffer_add_buffer_reference().

#include <event2/buffer.h>
#include <event2/util.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "percore/tests/compat/buffers.h"

namespace {

using compat::Add;
using compat::AddChunk;
using compat::BufferPtr;
using compat::Chunks;
using compat::ChunksOf;
using compat::Contents;
using compat::NewBuffer;
using compat::Pattern;
using compat::Prepend;
using compat::Referenced;
using compat::RemoveAll;

std::vector<const void*> Addresses(evbuffer* buf) {
  const int n = evbuffer_peek(buf, -1, nullptr, nullptr, 0);
  std::vector<evbuffer_iovec> vec(n);
  evbuffer_peek(buf, -1, nullptr, vec.data(), n);
  std::vector<const void*> addresses;
  for (const evbuffer_iovec& v : vec) addresses.push_back(v.iov_base);
  return addresses;
}

// api evbuffer_add_buffer_reference
// semantics 9.14
TEST(BufferMulticast, BothHaveTheData) {
  BufferPtr source = ChunksOf(1000, Pattern(5000));
  BufferPtr first = NewBuffer(), second = NewBuffer("2");
  ASSERT_EQ(evbuffer_add_buffer_reference(first.get(), source.get()), 0);
  ASSERT_EQ(evbuffer_add_buffer_reference(second.get(), source.get()), 0);
  EXPECT_EQ(Contents(source), Pattern(5000));
  EXPECT_EQ(Contents(first), Pattern(5000));
  EXPECT_EQ(Contents(second), "2" + Pattern(5000));
  // In the same memory.
  EXPECT_EQ(Addresses(first.get()), Addresses(source.get()));
}

// semantics 9.14
TEST(BufferMulticast, DrainedInAnyOrder) {
  for (int order = 0; order < 6; ++order) {
    Referenced ref("0123456789");
    BufferPtr source = NewBuffer("abc");
    ASSERT_EQ(ref.AddTo(source.get()), 0);
    const std::string want = Contents(source);
    BufferPtr first = NewBuffer(), second = NewBuffer();
    ASSERT_EQ(evbuffer_add_buffer_reference(first.get(), source.get()), 0);
    ASSERT_EQ(evbuffer_add_buffer_reference(second.get(), source.get()), 0);
    static const int kOrders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                      {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    evbuffer* bufs[] = {source.get(), first.get(), second.get()};
    for (int which : kOrders[order]) {
      EXPECT_EQ(ref.released(), 0) << order;
      EXPECT_EQ(RemoveAll(bufs[which]), want);
    }
    EXPECT_EQ(ref.released(), 1) << order;
  }
}

// semantics 9.14
TEST(BufferMulticast, FreedInAnyOrder) {
  for (bool source_first : {true, false}) {
    Referenced ref("0123456789");
    BufferPtr source = NewBuffer("abc");
    ASSERT_EQ(ref.AddTo(source.get()), 0);
    BufferPtr copy = NewBuffer("x");
    ASSERT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), 0);
    if (source_first) {
      source.reset();
      EXPECT_EQ(ref.released(), 0);
      EXPECT_EQ(Contents(copy), "xabc0123456789");
      copy.reset();
    } else {
      copy.reset();
      EXPECT_EQ(ref.released(), 0);
      EXPECT_EQ(Contents(source), "abc0123456789");
      source.reset();
    }
    EXPECT_EQ(ref.released(), 1);
  }
}

// semantics 9.14
TEST(BufferMulticast, ChangesStayOnOneSide) {
  BufferPtr source = NewBuffer("abcdef");
  BufferPtr copy = NewBuffer();
  ASSERT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), 0);
  EXPECT_EQ(Add(source.get(), "+source"), 0);
  EXPECT_EQ(Add(copy.get(), "+copy"), 0);
  EXPECT_EQ(Contents(source), "abcdef+source");
  EXPECT_EQ(Contents(copy), "abcdef+copy");
  EXPECT_EQ(evbuffer_drain(source.get(), 2), 0);
  EXPECT_EQ(Prepend(source.get(), "12"), 0);
  EXPECT_EQ(evbuffer_drain(copy.get(), 3), 0);
  EXPECT_EQ(Prepend(copy.get(), "789"), 0);
  EXPECT_EQ(Contents(source), "12cdef+source");
  EXPECT_EQ(Contents(copy), "789def+copy");
  evbuffer_iovec vec[2];
  for (evbuffer* buf : {source.get(), copy.get()}) {
    ASSERT_GE(evbuffer_reserve_space(buf, 10, vec, 1), 1);
    memcpy(vec[0].iov_base, "!", 1);
    vec[0].iov_len = 1;
    ASSERT_EQ(evbuffer_commit_space(buf, vec, 1), 0);
  }
  EXPECT_EQ(Contents(source), "12cdef+source!");
  EXPECT_EQ(Contents(copy), "789def+copy!");
}

// The room behind the shared data in the source's last chunk, reserved before.
TEST(BufferMulticast, AppendAfterwards) {
  BufferPtr source = NewBuffer("abc");
  evbuffer_expand(source.get(), 500);
  BufferPtr first = NewBuffer(), second = NewBuffer();
  ASSERT_EQ(evbuffer_add_buffer_reference(first.get(), source.get()), 0);
  EXPECT_EQ(Add(source.get(), "def"), 0);
  ASSERT_EQ(evbuffer_add_buffer_reference(second.get(), source.get()), 0);
  EXPECT_EQ(Add(source.get(), "ghi"), 0);
  EXPECT_EQ(evbuffer_add_printf(source.get(), "%s", "jkl"), 3);
  EXPECT_EQ(Contents(first), "abc");
  EXPECT_EQ(Contents(second), "abcdef");
  EXPECT_EQ(Contents(source), "abcdefghijkl");
}

// A pullup gives memory that can be written to: not the shared one.
TEST(BufferMulticast, Pullup) {
  BufferPtr source = ChunksOf(3, "abcdefghi");
  BufferPtr copy = NewBuffer();
  ASSERT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), 0);
  unsigned char* bytes = evbuffer_pullup(copy.get(), -1);
  ASSERT_NE(bytes, nullptr);
  bytes[0] = 'X';
  EXPECT_EQ(Contents(copy), "Xbcdefghi");
  EXPECT_EQ(Contents(source), "abcdefghi");
}

TEST(BufferMulticast, PartOfTheSourceDrained) {
  BufferPtr source = Chunks({"abcdef", "ghi"});
  evbuffer_drain(source.get(), 2);
  BufferPtr copy = NewBuffer("0");
  ASSERT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), 0);
  EXPECT_EQ(Contents(copy), "0cdefghi");
  evbuffer_drain(source.get(), 5);
  EXPECT_EQ(Contents(copy), "0cdefghi");
  evbuffer_drain(copy.get(), 4);
  EXPECT_EQ(Contents(copy), "fghi");
  EXPECT_EQ(Contents(source), "hi");
}

TEST(BufferMulticast, MovedOn) {
  Referenced ref("0123456789");
  BufferPtr source = NewBuffer();
  ASSERT_EQ(ref.AddTo(source.get()), 0);
  BufferPtr copy = NewBuffer("a"), last = NewBuffer("b");
  ASSERT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), 0);
  source.reset();
  ASSERT_EQ(evbuffer_remove_buffer(copy.get(), last.get(), 5), 5);
  EXPECT_EQ(Contents(last), "ba0123");
  EXPECT_EQ(Contents(copy), "456789");
  ASSERT_EQ(evbuffer_add_buffer(last.get(), copy.get()), 0);
  copy.reset();
  EXPECT_EQ(Contents(last), "ba0123456789");
  EXPECT_EQ(ref.released(), 0);
  last.reset();
  EXPECT_EQ(ref.released(), 1);
}

// The source moved to another buffer is still the owner of the memory.
TEST(BufferMulticast, SourceMovedOn) {
  BufferPtr source = NewBuffer("abcdef");
  BufferPtr copy = NewBuffer(), other = NewBuffer("0");
  ASSERT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), 0);
  ASSERT_EQ(evbuffer_add_buffer(other.get(), source.get()), 0);
  source.reset();
  EXPECT_EQ(Add(other.get(), "+other"), 0);
  EXPECT_EQ(Contents(copy), "abcdef");
  EXPECT_EQ(Contents(other), "0abcdef+other");
  other.reset();
  EXPECT_EQ(Contents(copy), "abcdef");
}

// What refers to a buffer's data comes into that buffer itself.
TEST(BufferMulticast, MovedBackHome) {
  Referenced ref("0123456789");
  BufferPtr source = NewBuffer(), copy = NewBuffer();
  ASSERT_EQ(ref.AddTo(source.get()), 0);
  ASSERT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), 0);
  ASSERT_EQ(evbuffer_add_buffer(source.get(), copy.get()), 0);
  EXPECT_EQ(Contents(source), "01234567890123456789");
  copy.reset();
  source.reset();
#ifdef TESTING_DEBIAN_LIBEVENT
  // better: libevent's reference is to the buffer, which keeps itself alive.
  EXPECT_EQ(ref.released(), 0);
#else
  EXPECT_EQ(ref.released(), 1);
#endif
}

// semantics 9.14
TEST(BufferMulticast, OfAReferenceIsRefused) {
  BufferPtr source = NewBuffer("abc");
  BufferPtr copy = NewBuffer(), third = NewBuffer("third");
  ASSERT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), 0);
  EXPECT_EQ(evbuffer_add_buffer_reference(third.get(), copy.get()), -1);
  EXPECT_EQ(Contents(third), "third");
  // One reference among other data is enough.
  Add(copy.get(), "own");
  EXPECT_EQ(evbuffer_add_buffer_reference(third.get(), copy.get()), -1);
  EXPECT_EQ(Contents(third), "third");
  EXPECT_EQ(Contents(copy), "abcown");
  // The source itself is no reference.
  EXPECT_EQ(evbuffer_add_buffer_reference(third.get(), source.get()), 0);
  EXPECT_EQ(Contents(third), "thirdabc");
  // And the copy can be referred to when that data is gone.
  evbuffer_drain(copy.get(), 3);
  EXPECT_EQ(evbuffer_add_buffer_reference(third.get(), copy.get()), 0);
  EXPECT_EQ(Contents(third), "thirdabcown");
}

// semantics 9.14
TEST(BufferMulticast, OfAFileIsRefused) {
  FILE* file = tmpfile();
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(fwrite("0123456789", 1, 10, file), 10u);
  fflush(file);
  BufferPtr source = NewBuffer("abc"), copy = NewBuffer("x");
  ASSERT_EQ(evbuffer_add_file(source.get(), dup(fileno(file)), 0, 10), 0);
  EXPECT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), -1);
  EXPECT_EQ(Contents(copy), "x");
  EXPECT_EQ(Contents(source), "abc0123456789");
  fclose(file);
}

TEST(BufferMulticast, WhatCannotBe) {
  BufferPtr buf = NewBuffer("abc"), empty = NewBuffer();
  EXPECT_EQ(evbuffer_add_buffer_reference(buf.get(), buf.get()), -1);
  EXPECT_EQ(Contents(buf), "abc");
  EXPECT_EQ(evbuffer_add_buffer_reference(buf.get(), empty.get()), 0);
  EXPECT_EQ(Contents(buf), "abc");
  BufferPtr to = NewBuffer("to");
  evbuffer_freeze(to.get(), 0);
  EXPECT_EQ(evbuffer_add_buffer_reference(to.get(), buf.get()), -1);
  EXPECT_EQ(Contents(to), "to");
  EXPECT_EQ(Contents(buf), "abc");
}

TEST(BufferMulticast, WithEmptyChunks) {
  BufferPtr source = Chunks({"", "abc", "", "", "def", ""});
  BufferPtr copy = Chunks({"0", ""});
  ASSERT_EQ(evbuffer_add_buffer_reference(copy.get(), source.get()), 0);
  EXPECT_EQ(Contents(copy), "0abcdef");
  AddChunk(copy.get(), "g");
  EXPECT_EQ(Contents(copy), "0abcdefg");
  source.reset();
  EXPECT_EQ(RemoveAll(copy.get()), "0abcdefg");
}

// The writer's side goes on while readers of all lengths lag behind.
TEST(BufferMulticast, ManyReaders) {
  BufferPtr readers[20];
  for (BufferPtr& reader : readers) reader = NewBuffer();
  std::string want;
  for (int turn = 0; turn < 50; ++turn) {
    BufferPtr message = NewBuffer();
    evbuffer_add_printf(message.get(), "%d:", turn);
    AddChunk(message.get(), Pattern(turn * 10));
    want += Contents(message);
    for (BufferPtr& reader : readers) {
      ASSERT_EQ(evbuffer_add_buffer_reference(reader.get(), message.get()), 0);
    }
  }
  for (size_t i = 0; i < 20; ++i) {
    std::string got;
    while (evbuffer_get_length(readers[i].get()) > 0) {
      got += compat::Remove(readers[i].get(), i * 31 + 1);
    }
    EXPECT_EQ(got, want);
  }
}

}  // namespace
