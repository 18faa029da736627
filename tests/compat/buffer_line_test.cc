// Ends of lines: evbuffer_search_eol() and evbuffer_readln(), against a model
// that walks a string.

#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <ostream>
#include <string>
#include <utility>
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

struct Style {
  const char* name;
  evbuffer_eol_style style;
};
void PrintTo(const Style& style, std::ostream* os) { *os << style.name; }

constexpr Style kStyles[] = {{"any", EVBUFFER_EOL_ANY},
                             {"crlf", EVBUFFER_EOL_CRLF},
                             {"strict", EVBUFFER_EOL_CRLF_STRICT},
                             {"lf", EVBUFFER_EOL_LF},
                             {"nul", EVBUFFER_EOL_NUL}};

// Position and length of the first end of a line at or after `from`; -1 and 0
// if there is none.
std::pair<ev_ssize_t, size_t> FindEol(const std::string& text, size_t from,
                                      evbuffer_eol_style style) {
  size_t at = std::string::npos, length = 0;
  switch (style) {
    case EVBUFFER_EOL_ANY:
      at = text.find_first_of("\r\n", from);
      if (at != std::string::npos) {
        size_t end = text.find_first_not_of("\r\n", at);
        if (end == std::string::npos) end = text.size();
        length = end - at;
      }
      break;
    case EVBUFFER_EOL_CRLF:
      at = text.find('\n', from);
      length = 1;
      if (at != std::string::npos && at > from && text[at - 1] == '\r') {
        --at;
        ++length;
      }
      break;
    case EVBUFFER_EOL_CRLF_STRICT:
      at = text.find("\r\n", from);
      length = 2;
      break;
    case EVBUFFER_EOL_LF:
      at = text.find('\n', from);
      length = 1;
      break;
    case EVBUFFER_EOL_NUL:
      at = text.find('\0', from);
      length = 1;
      break;
  }
  if (at == std::string::npos) return {-1, 0};
  return {static_cast<ev_ssize_t>(at), length};
}

std::vector<std::string> Texts() {
  return {
      "",
      "no end",
      "one\n",
      "\n",
      "\r\n",
      "\r",
      "one\ntwo\r\nthree\rfour",
      "\n\n\n",
      "\r\n\r\n",
      "a\r\r\nb\n\rc\r\n\n\r\nd",
      "\r\r\r\nlast\r",
      std::string("a\0b\0\0c\r\nd\n\0", 11),
      "header: value\r\nother: value\r\n\r\nbody\r\n",
      Pattern(3000) + "\r\n" + Pattern(5000) + "\n" + Pattern(20),
  };
}

class BufferLine : public testing::TestWithParam<Style> {
 protected:
  evbuffer_eol_style style() const { return GetParam().style; }
};

// api evbuffer_search_eol, evbuffer_eol_style, EVBUFFER_EOL_ANY,
// EVBUFFER_EOL_CRLF, EVBUFFER_EOL_CRLF_STRICT, EVBUFFER_EOL_LF,
// EVBUFFER_EOL_NUL
// semantics 9.8
TEST_P(BufferLine, SearchEolFromEverywhere) {
  for (const std::string& text : Texts()) {
    if (text.size() > 100) continue;
    for (size_t size = 1; size <= text.size() + 1; ++size) {
      BufferPtr buf = ChunksOf(size, text);
      for (size_t from = 0; from <= text.size(); ++from) {
        evbuffer_ptr start;
        ASSERT_EQ(evbuffer_ptr_set(buf.get(), &start, from, EVBUFFER_PTR_SET),
                  0);
        size_t length = 99;
        const evbuffer_ptr found =
            evbuffer_search_eol(buf.get(), &start, &length, style());
        const auto want = FindEol(text, from, style());
        ASSERT_EQ(found.pos, want.first)
            << testing::PrintToString(text) << " from " << from
            << " in chunks of " << size;
        ASSERT_EQ(length, want.second) << testing::PrintToString(text);
        // Where it points is usable.
        if (found.pos >= 0) {
          char byte;
          ASSERT_EQ(evbuffer_copyout_from(buf.get(), &found, &byte, 1), 1);
          ASSERT_EQ(byte, text[found.pos]);
        }
      }
    }
  }
}

TEST_P(BufferLine, SearchEolWithoutStartOrLength) {
  for (const std::string& text : Texts()) {
    BufferPtr buf = NewBuffer(text);
    EXPECT_EQ(evbuffer_search_eol(buf.get(), nullptr, nullptr, style()).pos,
              FindEol(text, 0, style()).first);
    EXPECT_TRUE(Contents(buf) == text);
  }
}

// api evbuffer_readln
// semantics 9.8, 9.9
TEST_P(BufferLine, ReadsAllLines) {
  for (const std::string& text : Texts()) {
    for (size_t size : {1, 2, 3, 5, 1000, 100000}) {
      BufferPtr buf = ChunksOf(size, text);
      size_t at = 0;
      for (;;) {
        const auto eol = FindEol(text, at, style());
        size_t length = 99;
        char* line = evbuffer_readln(buf.get(), &length, style());
        if (eol.first < 0) {
          EXPECT_EQ(line, nullptr);
          EXPECT_EQ(length, 0u);
          break;
        }
        ASSERT_NE(line, nullptr) << testing::PrintToString(text);
        const std::string want = text.substr(at, eol.first - at);
        ASSERT_EQ(length, want.size());
        // With what is in it, and a NUL behind it.
        ASSERT_TRUE(std::string(line, length + 1) == want + '\0');
        free(line);
        at = eol.first + eol.second;
      }
      ASSERT_TRUE(Contents(buf) == text.substr(at));
    }
  }
}

TEST_P(BufferLine, ReadlnWithoutLength) {
  BufferPtr buf = NewBuffer(std::string("line\r\n\0", 7));
  char* line = evbuffer_readln(buf.get(), nullptr, style());
  ASSERT_NE(line, nullptr);
  EXPECT_EQ(std::string(line, 4), "line");
  free(line);
}

// The line comes byte by byte, and is there when its end is.
TEST_P(BufferLine, ReadlnAsTheBytesCome) {
  const std::string eol = style() == EVBUFFER_EOL_NUL  ? std::string(1, '\0')
                          : style() == EVBUFFER_EOL_LF ? "\n"
                                                       : "\r\n";
  const std::string text = Pattern(50) + eol;
  BufferPtr buf = NewBuffer();
  for (size_t i = 0; i < text.size(); ++i) {
    // The end of EOL_ANY may be half here.
    if (text[i] != '\n' || style() != EVBUFFER_EOL_ANY) {
      EXPECT_EQ(evbuffer_readln(buf.get(), nullptr, style()), nullptr);
    }
    compat::AddChunk(buf.get(), text.substr(i, 1));
  }
  char* line = evbuffer_readln(buf.get(), nullptr, style());
  EXPECT_STREQ(line, Pattern(50).c_str());
  free(line);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
}

INSTANTIATE_TEST_SUITE_P(Each, BufferLine, testing::ValuesIn(kStyles),
                         testing::PrintToStringParamName());

// Said in words, of what programs trip over.
// semantics 9.8
TEST(BufferLineStyles, BlankLines) {
  BufferPtr buf = NewBuffer("a\r\n\r\nb\r\n");
  size_t length;
  char* line = evbuffer_readln(buf.get(), &length, EVBUFFER_EOL_ANY);
  EXPECT_STREQ(line, "a");
  free(line);
  // The blank line went with the end of the first one.
  EXPECT_EQ(Contents(buf), "b\r\n");

  buf = NewBuffer("a\r\n\r\nb\r\n");
  for (const char* want : {"a", "", "b"}) {
    line = evbuffer_readln(buf.get(), &length, EVBUFFER_EOL_CRLF);
    EXPECT_STREQ(line, want);
    free(line);
  }
}

// semantics 9.8
TEST(BufferLineStyles, StrictNeedsBoth) {
  BufferPtr buf = NewBuffer("a\nb\rc\r\n");
  size_t length;
  char* line = evbuffer_readln(buf.get(), &length, EVBUFFER_EOL_CRLF_STRICT);
  EXPECT_STREQ(line, "a\nb\rc");
  EXPECT_EQ(length, 5u);
  free(line);
}

// semantics 9.8
TEST(BufferLineStyles, CrBeforeTheStart) {
  BufferPtr buf = Chunks({"a\r", "\nb"});
  evbuffer_ptr start;
  ASSERT_EQ(evbuffer_ptr_set(buf.get(), &start, 2, EVBUFFER_PTR_SET), 0);
  size_t length = 0;
  EXPECT_EQ(
      evbuffer_search_eol(buf.get(), &start, &length, EVBUFFER_EOL_CRLF).pos,
      2);
  EXPECT_EQ(length, 1u);
  ASSERT_EQ(evbuffer_ptr_set(buf.get(), &start, 1, EVBUFFER_PTR_SET), 0);
  EXPECT_EQ(
      evbuffer_search_eol(buf.get(), &start, &length, EVBUFFER_EOL_CRLF).pos,
      1);
  EXPECT_EQ(length, 2u);
}

TEST(BufferLineStyles, UnknownStyle) {
  BufferPtr buf = NewBuffer("a\r\nb");
  size_t length = 99;
  const auto style = static_cast<evbuffer_eol_style>(77);
  EXPECT_EQ(evbuffer_search_eol(buf.get(), nullptr, &length, style).pos, -1);
  EXPECT_EQ(evbuffer_readln(buf.get(), nullptr, style), nullptr);
  EXPECT_EQ(Contents(buf), "a\r\nb");
}

TEST(BufferLineStyles, VeryLongLine) {
  const std::string text = Pattern(1 << 20);
  BufferPtr buf = ChunksOf(4096, text);
  EXPECT_EQ(evbuffer_readln(buf.get(), nullptr, EVBUFFER_EOL_LF), nullptr);
  Add(buf.get(), "\nrest");
  size_t length = 0;
  char* line = evbuffer_readln(buf.get(), &length, EVBUFFER_EOL_LF);
  ASSERT_NE(line, nullptr);
  EXPECT_TRUE(std::string(line, length) == text);
  free(line);
  EXPECT_EQ(Contents(buf), "rest");
}

}  // namespace
