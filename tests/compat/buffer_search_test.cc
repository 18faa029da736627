// Positions and searching: evbuffer_search(), evbuffer_ptr_set().

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

ev_ssize_t Search(evbuffer* buf, const std::string& what,
                  const evbuffer_ptr* start = nullptr) {
  return evbuffer_search(buf, what.data(), what.size(), start).pos;
}

evbuffer_ptr At(evbuffer* buf, size_t pos) {
  evbuffer_ptr ptr;
  EXPECT_EQ(evbuffer_ptr_set(buf, &ptr, pos, EVBUFFER_PTR_SET), 0) << pos;
  return ptr;
}

// What std::string says.
ev_ssize_t Find(const std::string& text, const std::string& what, size_t from,
                size_t to) {
  const size_t at = text.substr(0, to).find(what, from);
  return at == std::string::npos ? -1 : static_cast<ev_ssize_t>(at);
}

// api evbuffer_search
// semantics 9.7
TEST(BufferSearch, Simple) {
  BufferPtr buf = NewBuffer("hello world");
  EXPECT_EQ(Search(buf.get(), "hello"), 0);
  EXPECT_EQ(Search(buf.get(), "o"), 4);
  EXPECT_EQ(Search(buf.get(), "world"), 6);
  EXPECT_EQ(Search(buf.get(), "d"), 10);
  EXPECT_EQ(Search(buf.get(), "hello world"), 0);
  EXPECT_EQ(Search(buf.get(), "hello world!"), -1);
  EXPECT_EQ(Search(buf.get(), "worlds"), -1);
  EXPECT_EQ(Search(buf.get(), "x"), -1);
  EXPECT_EQ(Contents(buf), "hello world");
}

TEST(BufferSearch, EmptyBuffer) {
  BufferPtr buf = NewBuffer();
  EXPECT_EQ(Search(buf.get(), "x"), -1);
  evbuffer_ptr start = At(buf.get(), 0);
  EXPECT_EQ(Search(buf.get(), "x", &start), -1);
}

// semantics 9.7
TEST(BufferSearch, ForNothing) {
  BufferPtr buf = Chunks({"abc", "def"});
  EXPECT_EQ(Search(buf.get(), ""), 0);
  for (size_t pos : {0, 1, 3, 5}) {
    evbuffer_ptr start = At(buf.get(), pos);
    EXPECT_EQ(Search(buf.get(), "", &start), static_cast<ev_ssize_t>(pos));
  }
}

TEST(BufferSearch, AllBytes) {
  std::string all(256, '\0');
  for (int i = 0; i < 256; ++i) all[i] = static_cast<char>(i);
  BufferPtr buf = ChunksOf(10, all);
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(Search(buf.get(), std::string(1, all[i])), i);
  }
  EXPECT_EQ(Search(buf.get(), std::string("\0\1", 2)), 0);
}

// Needles that begin again within themselves, over every chunk size.
// semantics 9.7
TEST(BufferSearch, EverywhereInEveryChunking) {
  const std::string text = "aabaabaaabaabaacaabaabaadaaab";
  const std::vector<std::string> needles = {
      "a",         "b",    "c",   "d",     "aa",      "ab",
      "ba",        "aab",  "aac", "aabaa", "aabaaba", "aabaabaac",
      "aabaabaad", "aaab", "x",   "aax",   text,      text + "x"};
  for (size_t size = 1; size <= text.size(); ++size) {
    BufferPtr buf = ChunksOf(size, text);
    for (const std::string& what : needles) {
      EXPECT_EQ(Search(buf.get(), what), Find(text, what, 0, text.size()));
      for (size_t from = 0; from < text.size(); ++from) {
        evbuffer_ptr start = At(buf.get(), from);
        ASSERT_EQ(Search(buf.get(), what, &start),
                  Find(text, what, from, text.size()))
            << what << " from " << from << " in chunks of " << size;
      }
    }
  }
}

// api evbuffer_search_range
// semantics 9.7
// All of the match lies before the end.
TEST(BufferSearch, EveryRange) {
  const std::string text = "aabaabaaabaabaacaabaabaad";
  for (size_t size : {1, 2, 3, 7, 25}) {
    BufferPtr buf = ChunksOf(size, text);
    for (const std::string what : {"a", "aab", "aac", "aad", "baa"}) {
      EXPECT_EQ(evbuffer_search_range(buf.get(), what.data(), what.size(),
                                      nullptr, nullptr)
                    .pos,
                Find(text, what, 0, text.size()));
      for (size_t from = 0; from < text.size(); ++from) {
        for (size_t to = from; to <= text.size(); ++to) {
          evbuffer_ptr start = At(buf.get(), from), end = At(buf.get(), to);
          ASSERT_EQ(evbuffer_search_range(buf.get(), what.data(), what.size(),
                                          &start, &end)
                        .pos,
                    Find(text, what, from, to))
              << what << " [" << from << ", " << to << ") chunks of " << size;
        }
      }
    }
  }
}

TEST(BufferSearch, LargeBuffer) {
  std::string text = Pattern(300000);
  const std::string needle = "the needle in the haystack";
  text.replace(299000, needle.size(), needle);
  BufferPtr buf = NewBuffer();
  for (size_t at = 0; at < text.size(); at += 1234) {
    Add(buf.get(), text.substr(at, 1234));
  }
  EXPECT_EQ(Search(buf.get(), needle), 299000);
  evbuffer_ptr start = At(buf.get(), 299001);
  EXPECT_EQ(Search(buf.get(), needle, &start), -1);
}

// Finding all matches, each from where the last began.
TEST(BufferSearch, Continued) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "x=" + std::to_string(i) + ";";
  BufferPtr buf = ChunksOf(13, text);
  evbuffer_ptr ptr = evbuffer_search(buf.get(), "x=", 2, nullptr);
  int found = 0;
  for (size_t want = 0; ptr.pos >= 0; ++found) {
    ASSERT_EQ(ptr.pos, static_cast<ev_ssize_t>(want));
    ASSERT_EQ(evbuffer_ptr_set(buf.get(), &ptr, 1, EVBUFFER_PTR_ADD), 0);
    ptr = evbuffer_search(buf.get(), "x=", 2, &ptr);
    want = text.find("x=", want + 1);
  }
  EXPECT_EQ(found, 200);
}

TEST(BufferSearch, WithEmptyChunks) {
  BufferPtr buf = Chunks({"", "ab", "", "", "cab", "", "d", ""});
  EXPECT_EQ(Search(buf.get(), "abcabd"), 0);
  EXPECT_EQ(Search(buf.get(), "abd"), 3);
  EXPECT_EQ(Search(buf.get(), "bc"), 1);
  EXPECT_EQ(Search(buf.get(), "abe"), -1);
}

// semantics 9.7
TEST(BufferSearch, FromTheEnd) {
  BufferPtr buf = Chunks({"abc", "def"});
  evbuffer_ptr end = At(buf.get(), 6);
  EXPECT_EQ(Search(buf.get(), "f", &end), -1);
  char out[4];
  EXPECT_EQ(evbuffer_copyout_from(buf.get(), &end, out, 4), 0);
}

// ---- Positions.

// api evbuffer_ptr_set, evbuffer_ptr_how, EVBUFFER_PTR_SET
// semantics 9.7
TEST(BufferPtr, Set) {
  BufferPtr buf = Chunks({"abc", "", "def"});
  evbuffer_ptr ptr;
  for (size_t pos = 0; pos <= 6; ++pos) {
    EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, pos, EVBUFFER_PTR_SET), 0);
    EXPECT_EQ(ptr.pos, static_cast<ev_ssize_t>(pos));
  }
  for (size_t pos :
       {size_t{7}, size_t{100}, size_t{EV_SSIZE_MAX}, EV_SIZE_MAX}) {
    EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, pos, EVBUFFER_PTR_SET), -1);
    EXPECT_EQ(ptr.pos, -1);
  }
}

TEST(BufferPtr, SetInAnEmptyBuffer) {
  BufferPtr buf = NewBuffer();
  evbuffer_ptr ptr;
  EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, 0, EVBUFFER_PTR_SET), 0);
  EXPECT_EQ(ptr.pos, 0);
  EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, 1, EVBUFFER_PTR_SET), -1);
  EXPECT_EQ(ptr.pos, -1);
}

// api EVBUFFER_PTR_ADD
// semantics 9.7
TEST(BufferPtr, Add) {
  const std::string data = Pattern(50);
  for (size_t size : {1, 7, 50}) {
    for (size_t step = 1; step <= 50; ++step) {
      BufferPtr buf = ChunksOf(size, data);
      evbuffer_ptr ptr = At(buf.get(), 0);
      size_t at = 0;
      while (evbuffer_ptr_set(buf.get(), &ptr, step, EVBUFFER_PTR_ADD) == 0) {
        at += step;
        ASSERT_EQ(ptr.pos, static_cast<ev_ssize_t>(at));
        char byte = 0;
        ASSERT_EQ(evbuffer_copyout_from(buf.get(), &ptr, &byte, 1),
                  at < 50 ? 1 : 0);
        if (at < 50) {
          ASSERT_EQ(byte, data[at]);
        }
      }
      EXPECT_GT(at + step, 50u);
      EXPECT_EQ(ptr.pos, -1);
    }
  }
}

TEST(BufferPtr, AddOfNothingAndTooMuch) {
  BufferPtr buf = Chunks({"abc", "def"});
  evbuffer_ptr ptr = At(buf.get(), 2);
  EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, 0, EVBUFFER_PTR_ADD), 0);
  EXPECT_EQ(ptr.pos, 2);
  EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, 4, EVBUFFER_PTR_ADD), 0);
  EXPECT_EQ(ptr.pos, 6);
  // At the end there is only the end.
  EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, 0, EVBUFFER_PTR_ADD), 0);
  EXPECT_EQ(ptr.pos, 6);
  EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, 1, EVBUFFER_PTR_ADD), -1);
  EXPECT_EQ(ptr.pos, -1);
  for (size_t n :
       {size_t{5}, EV_SIZE_MAX, EV_SIZE_MAX - 1, size_t{EV_SSIZE_MAX}}) {
    ptr = At(buf.get(), 2);
    EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, n, EVBUFFER_PTR_ADD), -1) << n;
  }
}

// A position that was never valid finds nothing.
TEST(BufferPtr, Invalid) {
  BufferPtr buf = NewBuffer("abc");
  evbuffer_ptr ptr;
  ASSERT_EQ(evbuffer_ptr_set(buf.get(), &ptr, 4, EVBUFFER_PTR_SET), -1);
  EXPECT_EQ(Search(buf.get(), "a", &ptr), -1);
#ifndef TESTING_DEBIAN_LIBEVENT
  // better: libevent does not survive these.
  char out[4];
  EXPECT_EQ(evbuffer_copyout_from(buf.get(), &ptr, out, 4), -1);
  EXPECT_EQ(evbuffer_peek(buf.get(), -1, &ptr, nullptr, 0), 0);
  EXPECT_EQ(evbuffer_ptr_set(buf.get(), &ptr, 1, EVBUFFER_PTR_ADD), -1);
#endif
}

}  // namespace
