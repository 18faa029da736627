// Memory of the program's own in a buffer: evbuffer_add_reference().

#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "percore/tests/compat/buffers.h"

namespace {

using compat::Add;
using compat::BufferPtr;
using compat::Contents;
using compat::NewBuffer;
using compat::Pattern;
using compat::Prepend;
using compat::Referenced;
using compat::Remove;

// Where the first byte lies.
const char* FirstByte(evbuffer* buf) {
  evbuffer_iovec vec = {nullptr, 0};
  evbuffer_peek(buf, -1, nullptr, &vec, 1);
  return static_cast<const char*>(vec.iov_base);
}

// api evbuffer_add_reference, evbuffer_ref_cleanup_cb
// semantics 9.13
TEST(BufferReference, IsNotCopied) {
  Referenced ref("0123456789");
  BufferPtr buf = NewBuffer();
  ASSERT_EQ(ref.AddTo(buf.get()), 0);
  EXPECT_EQ(FirstByte(buf.get()), ref.data().data());
  EXPECT_EQ(Contents(buf), ref.data());
  EXPECT_EQ(ref.released(), 0);
}

// semantics 9.13
TEST(BufferReference, ReleasedWithTheLastByte) {
  Referenced ref("0123456789");
  BufferPtr buf = NewBuffer();
  ASSERT_EQ(ref.AddTo(buf.get()), 0);
  EXPECT_EQ(evbuffer_drain(buf.get(), 4), 0);
  EXPECT_EQ(FirstByte(buf.get()), ref.data().data() + 4);
  EXPECT_EQ(evbuffer_drain(buf.get(), 5), 0);
  EXPECT_EQ(ref.released(), 0);
  EXPECT_EQ(evbuffer_drain(buf.get(), 1), 0);
  EXPECT_EQ(ref.released(), 1);
  EXPECT_EQ(ref.released_length(), 10u);
  buf.reset();
  EXPECT_EQ(ref.released(), 1);
}

TEST(BufferReference, ReleasedByRemove) {
  Referenced ref("0123456789");
  BufferPtr buf = NewBuffer("abc");
  ASSERT_EQ(ref.AddTo(buf.get()), 0);
  ASSERT_EQ(Add(buf.get(), "def"), 0);
  EXPECT_EQ(Remove(buf.get(), 12), "abc012345678");
  EXPECT_EQ(ref.released(), 0);
  EXPECT_EQ(Remove(buf.get(), 2), "9d");
  EXPECT_EQ(ref.released(), 1);
  EXPECT_EQ(Contents(buf), "ef");
}

// semantics 9.13
TEST(BufferReference, ReleasedByFree) {
  Referenced ref("0123456789"), drained("abc");
  BufferPtr buf = NewBuffer();
  ASSERT_EQ(drained.AddTo(buf.get()), 0);
  ASSERT_EQ(ref.AddTo(buf.get()), 0);
  evbuffer_drain(buf.get(), 5);
  EXPECT_EQ(drained.released(), 1);
  EXPECT_EQ(ref.released(), 0);
  buf.reset();
  EXPECT_EQ(ref.released(), 1);
  EXPECT_EQ(drained.released(), 1);
  // The whole of it, however much was drained.
  EXPECT_EQ(ref.released_length(), 10u);
}

// semantics 9.13
TEST(BufferReference, ReleasedByTheBufferItWasMovedTo) {
  for (bool drain : {false, true}) {
    Referenced ref("0123456789");
    BufferPtr first = NewBuffer("a"), second = NewBuffer("b"),
              third = NewBuffer("c");
    ASSERT_EQ(ref.AddTo(first.get()), 0);
    ASSERT_EQ(evbuffer_add_buffer(second.get(), first.get()), 0);
    first.reset();
    ASSERT_EQ(evbuffer_prepend_buffer(third.get(), second.get()), 0);
    second.reset();
    EXPECT_EQ(ref.released(), 0);
    EXPECT_EQ(Contents(third), "ba0123456789c");
    if (drain) {
      evbuffer_drain(third.get(), 12);
    } else {
      third.reset();
    }
    EXPECT_EQ(ref.released(), 1);
  }
}

// Part of it moves to another buffer: both are whole, in any order of freeing.
TEST(BufferReference, PartlyMoved) {
  for (bool source_first : {false, true}) {
    Referenced ref("0123456789");
    BufferPtr from = NewBuffer(), to = NewBuffer();
    ASSERT_EQ(ref.AddTo(from.get()), 0);
    ASSERT_EQ(evbuffer_remove_buffer(from.get(), to.get(), 4), 4);
    EXPECT_EQ(Contents(to), "0123");
    EXPECT_EQ(Contents(from), "456789");
    if (source_first) {
      from.reset();
      EXPECT_EQ(Contents(to), "0123");
      to.reset();
    } else {
      to.reset();
      EXPECT_EQ(ref.released(), 0);
      EXPECT_EQ(Contents(from), "456789");
      from.reset();
    }
    EXPECT_EQ(ref.released(), 1);
  }
}

// semantics 9.13
TEST(BufferReference, WithoutCleanup) {
  static const char kText[] = "constant";
  BufferPtr buf = NewBuffer();
  EXPECT_EQ(evbuffer_add_reference(buf.get(), kText, 8, nullptr, nullptr), 0);
  EXPECT_EQ(Contents(buf), "constant");
  EXPECT_EQ(evbuffer_drain(buf.get(), 8), 0);
}

// semantics 9.13
TEST(BufferReference, OfNothing) {
  Referenced ref("");
  BufferPtr buf = NewBuffer("abc");
  ASSERT_EQ(ref.AddTo(buf.get()), 0);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 3u);
  EXPECT_EQ(Add(buf.get(), "def"), 0);
  EXPECT_EQ(Contents(buf), "abcdef");
  buf.reset();
  EXPECT_EQ(ref.released(), 1);
  EXPECT_EQ(ref.released_length(), 0u);
}

// Empty references only, then a prepend: they are not in its way.
TEST(BufferReference, OfNothingAndPrepend) {
  Referenced first(""), second("");
  BufferPtr buf = NewBuffer();
  ASSERT_EQ(first.AddTo(buf.get()), 0);
  ASSERT_EQ(second.AddTo(buf.get()), 0);
  EXPECT_EQ(Prepend(buf.get(), "abc"), 0);
  EXPECT_EQ(Contents(buf), "abc");
  BufferPtr from = NewBuffer("000");
  EXPECT_EQ(evbuffer_prepend_buffer(buf.get(), from.get()), 0);
  EXPECT_EQ(Contents(buf), "000abc");
  EXPECT_EQ(evbuffer_drain(buf.get(), 6), 0);
  buf.reset();
  EXPECT_EQ(first.released(), 1);
  EXPECT_EQ(second.released(), 1);
}

// semantics 9.13
TEST(BufferReference, FrozenEndDoesNotTakeIt) {
  Referenced ref("0123456789");
  BufferPtr buf = NewBuffer("abc");
  evbuffer_freeze(buf.get(), 0);
  EXPECT_EQ(ref.AddTo(buf.get()), -1);
  buf.reset();
  EXPECT_EQ(ref.released(), 0);
}

// The program's memory is never written to.
TEST(BufferReference, IsNotWrittenTo) {
  const std::string data = "0123456789";
  Referenced ref(data);
  BufferPtr buf = NewBuffer();
  ASSERT_EQ(ref.AddTo(buf.get()), 0);
  EXPECT_EQ(evbuffer_drain(buf.get(), 5), 0);
  EXPECT_EQ(Prepend(buf.get(), "xyz"), 0);
  EXPECT_EQ(Contents(buf), "xyz56789");
  EXPECT_EQ(Add(buf.get(), "end"), 0);
  EXPECT_EQ(Contents(buf), "xyz56789end");
  evbuffer_iovec vec[2];
  const int n = evbuffer_reserve_space(buf.get(), 2, vec, 2);
  ASSERT_GE(n, 1);
  memset(vec[0].iov_base, '!', 1);
  EXPECT_EQ(evbuffer_expand(buf.get(), 5000), 0);
  unsigned char* bytes = evbuffer_pullup(buf.get(), -1);
  memset(bytes, '#', 11);
  EXPECT_EQ(ref.data(), data);
  buf.reset();
  EXPECT_EQ(ref.released(), 1);
}

// A pullup over it copies it out; it is released once, then or later.
TEST(BufferReference, PulledUp) {
  Referenced ref("0123456789");
  BufferPtr buf = NewBuffer("abc");
  ASSERT_EQ(ref.AddTo(buf.get()), 0);
  ASSERT_NE(evbuffer_pullup(buf.get(), 8), nullptr);
  EXPECT_EQ(Contents(buf), "abc0123456789");
  ASSERT_NE(evbuffer_pullup(buf.get(), -1), nullptr);
  EXPECT_EQ(Contents(buf), "abc0123456789");
  buf.reset();
  EXPECT_EQ(ref.released(), 1);
}

// semantics 9.13
TEST(BufferReference, ReleasedFrontToBack) {
  std::vector<int> order;
  struct Note {
    std::vector<int>* order;
    int number;
  } notes[4];
  BufferPtr buf = NewBuffer();
  for (int i = 0; i < 4; ++i) {
    notes[i] = {&order, i};
    evbuffer_add_reference(
        buf.get(), "abc", 3,
        [](const void*, size_t, void* arg) {
          Note* note = static_cast<Note*>(arg);
          note->order->push_back(note->number);
        },
        &notes[i]);
  }
  evbuffer_drain(buf.get(), 3);
  EXPECT_EQ(order, std::vector<int>{0});
  buf.reset();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

// A message that lives in another buffer, which its release frees.
TEST(BufferReference, CleanupFreesAnotherBuffer) {
  Referenced inner("0123456789");
  evbuffer* message = evbuffer_new();
  ASSERT_EQ(inner.AddTo(message), 0);
  BufferPtr buf = NewBuffer("abc");
  ASSERT_EQ(evbuffer_add_reference(
                buf.get(), evbuffer_pullup(message, -1), 10,
                [](const void*, size_t, void* arg) {
                  evbuffer_free(static_cast<evbuffer*>(arg));
                },
                message),
            0);
  EXPECT_EQ(Contents(buf), "abc0123456789");
  EXPECT_EQ(inner.released(), 0);
  evbuffer_drain(buf.get(), 13);
  EXPECT_EQ(inner.released(), 1);
}

// The same memory many times over.
TEST(BufferReference, SharedMemory) {
  Referenced ref(Pattern(5000));
  BufferPtr buf = NewBuffer();
  std::string want;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(ref.AddTo(buf.get()), 0);
    want += ref.data();
  }
  EXPECT_EQ(Contents(buf), want);
  evbuffer_drain(buf.get(), 42 * 5000 + 1);
  EXPECT_EQ(ref.released(), 42);
  buf.reset();
  EXPECT_EQ(ref.released(), 100);
}

#ifndef TESTING_DEBIAN_LIBEVENT

// api evbuffer_add_reference_with_offset
TEST(BufferReference, WithOffset) {
  Referenced ref("0123456789");
  BufferPtr buf = NewBuffer("abc");
  ASSERT_EQ(evbuffer_add_reference_with_offset(buf.get(), ref.data().data(), 3,
                                               5, Referenced::Release, &ref),
            0);
  EXPECT_EQ(Contents(buf), "abc34567");
  EXPECT_EQ(evbuffer_drain(buf.get(), 3), 0);
  EXPECT_EQ(FirstByte(buf.get()), ref.data().data() + 3);
  EXPECT_EQ(Prepend(buf.get(), "xyz"), 0);
  EXPECT_EQ(Contents(buf), "xyz34567");
  EXPECT_EQ(ref.data(), "0123456789");
  EXPECT_EQ(evbuffer_drain(buf.get(), 7), 0);
  EXPECT_EQ(ref.released(), 0);
  EXPECT_EQ(evbuffer_drain(buf.get(), 1), 0);
  EXPECT_EQ(ref.released(), 1);
  EXPECT_EQ(ref.released_length(), 8u);
}

// api evbuffer_add_reference_with_offset
TEST(BufferReference, WithOffsetOfNothingAndTooMuch) {
  Referenced ref("0123456789");
  BufferPtr buf = NewBuffer("abc");
  const char* data = ref.data().data();
  ASSERT_EQ(evbuffer_add_reference_with_offset(buf.get(), data, 10, 0,
                                               Referenced::Release, &ref),
            0);
  EXPECT_EQ(Contents(buf), "abc");
  EXPECT_EQ(evbuffer_add_reference_with_offset(buf.get(), data, EV_SIZE_MAX, 1,
                                               Referenced::Release, &ref),
            -1);
  EXPECT_EQ(evbuffer_add_reference_with_offset(buf.get(), data, 5, EV_SSIZE_MAX,
                                               Referenced::Release, &ref),
            -1);
  evbuffer_freeze(buf.get(), 0);
  EXPECT_EQ(evbuffer_add_reference_with_offset(buf.get(), data, 1, 1,
                                               Referenced::Release, &ref),
            -1);
  buf.reset();
  EXPECT_EQ(ref.released(), 1);
  EXPECT_EQ(ref.released_length(), 10u);
}

#endif

}  // namespace
