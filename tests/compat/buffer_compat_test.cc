// The buffer calls of libevent 1.x, as a program of that time includes them.

#include <event.h>
#include <gtest/gtest.h>
#include <stdlib.h>

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

// api EVBUFFER_LENGTH, EVBUFFER_DATA
TEST(BufferCompat, LengthAndData) {
  BufferPtr buf = Chunks({"abc", "def"});
  EXPECT_EQ(EVBUFFER_LENGTH(buf.get()), 6u);
  EXPECT_EQ(memcmp(EVBUFFER_DATA(buf.get()), "abcdef", 6), 0);
  evbuffer_drain(buf.get(), 2);
  EXPECT_EQ(EVBUFFER_LENGTH(buf.get()), 4u);
  EXPECT_EQ(memcmp(EVBUFFER_DATA(buf.get()), "cdef", 4), 0);
  evbuffer_drain(buf.get(), 4);
  EXPECT_EQ(EVBUFFER_LENGTH(buf.get()), 0u);
  EXPECT_EQ(EVBUFFER_DATA(buf.get()), nullptr);
}

// api evbuffer_readline
TEST(BufferCompat, Readline) {
  BufferPtr buf = ChunksOf(2, "one\r\ntwo\n\nthree\rrest");
  for (const char* want : {"one", "two", "three"}) {
    char* line = evbuffer_readline(buf.get());
    EXPECT_STREQ(line, want);
    free(line);
  }
  EXPECT_EQ(evbuffer_readline(buf.get()), nullptr);
  EXPECT_EQ(Contents(buf), "rest");
}

unsigned char* Find(evbuffer* buf, const std::string& what) {
  return evbuffer_find(buf, reinterpret_cast<const unsigned char*>(what.data()),
                       what.size());
}

// api evbuffer_find
TEST(BufferCompat, Find) {
  const std::string text = "aabaabaaabaabaac";
  for (size_t size = 1; size <= text.size(); ++size) {
    for (const std::string what :
         {"a", "b", "c", "aab", "aabaac", "baac", "aabaabaaabaabaac"}) {
      BufferPtr buf = ChunksOf(size, text);
      unsigned char* found = Find(buf.get(), what);
      ASSERT_NE(found, nullptr) << what;
      // In one piece, with all before it.
      EXPECT_EQ(memcmp(found, what.data(), what.size()), 0);
      const size_t at = text.find(what);
      EXPECT_EQ(found - evbuffer_pullup(buf.get(), static_cast<ev_ssize_t>(
                                                       at + what.size())),
                static_cast<ptrdiff_t>(at));
      EXPECT_EQ(Contents(buf), text);
    }
    BufferPtr buf = ChunksOf(size, text);
    EXPECT_EQ(Find(buf.get(), "x"), nullptr);
    EXPECT_EQ(Find(buf.get(), text + "a"), nullptr);
  }
  BufferPtr empty = NewBuffer();
  EXPECT_EQ(Find(empty.get(), "a"), nullptr);
}

struct OldCall {
  evbuffer* buf;
  size_t old_length;
  size_t new_length;
};
void OldCallback(evbuffer* buf, size_t old_length, size_t new_length,
                 void* arg) {
  static_cast<std::vector<OldCall>*>(arg)->push_back(
      {buf, old_length, new_length});
}

// api evbuffer_setcb, evbuffer_cb
TEST(BufferCompat, Setcb) {
  BufferPtr buf = NewBuffer("ab");
  std::vector<OldCall> calls;
  EXPECT_EQ(evbuffer_setcb(buf.get(), OldCallback, &calls), 0);
  EXPECT_TRUE(calls.empty());
  Add(buf.get(), "cde");
  evbuffer_drain(buf.get(), 1);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].buf, buf.get());
  EXPECT_EQ(calls[0].old_length, 2u);
  EXPECT_EQ(calls[0].new_length, 5u);
  EXPECT_EQ(calls[1].old_length, 5u);
  EXPECT_EQ(calls[1].new_length, 4u);
}

// api evbuffer_setcb
TEST(BufferCompat, SetcbAgain) {
  BufferPtr buf = NewBuffer();
  std::vector<OldCall> first, second;
  EXPECT_EQ(evbuffer_setcb(buf.get(), OldCallback, &first), 0);
  EXPECT_EQ(evbuffer_setcb(buf.get(), OldCallback, &second), 0);
  Add(buf.get(), "a");
  EXPECT_EQ(first.size(), 0u);
  EXPECT_EQ(second.size(), 1u);
  EXPECT_EQ(evbuffer_setcb(buf.get(), nullptr, nullptr), 0);
  Add(buf.get(), "b");
  EXPECT_EQ(second.size(), 1u);
}

void NewCallback(evbuffer*, const evbuffer_cb_info*, void* arg) {
  ++*static_cast<int*>(arg);
}

// semantics 9.12
// The new ones go too, and those added afterwards stay.
TEST(BufferCompat, SetcbAmongNewCallbacks) {
  BufferPtr buf = NewBuffer();
  int before = 0, after = 0;
  std::vector<OldCall> calls;
  evbuffer_add_cb(buf.get(), NewCallback, &before);
  EXPECT_EQ(evbuffer_setcb(buf.get(), OldCallback, &calls), 0);
  evbuffer_add_cb(buf.get(), NewCallback, &after);
  Add(buf.get(), "a");
  EXPECT_EQ(before, 0);
  EXPECT_EQ(after, 1);
  EXPECT_EQ(calls.size(), 1u);
  EXPECT_EQ(evbuffer_setcb(buf.get(), nullptr, nullptr), 0);
  Add(buf.get(), "b");
  EXPECT_EQ(after, 1);
  EXPECT_EQ(calls.size(), 1u);
}

// Set from within: a reader that hands the buffer to the next stage.
TEST(BufferCompat, SetcbFromItsCallback) {
  BufferPtr buf = NewBuffer();
  int calls = 0;
  evbuffer_setcb(
      buf.get(),
      [](evbuffer* b, size_t, size_t, void* arg) {
        ++*static_cast<int*>(arg);
        evbuffer_setcb(b, nullptr, nullptr);
      },
      &calls);
  Add(buf.get(), "a");
  Add(buf.get(), "b");
  EXPECT_EQ(calls, 1);
}

}  // namespace
