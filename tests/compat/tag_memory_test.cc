// Where the memory of tags comes from, and what a call does without any.

#include <event2/event.h>
#include <event2/tag.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "percore/tests/compat/tags.h"

namespace {

using compat::BufferPtr;
using compat::Contents;
using compat::NewBuffer;

size_t largest;     // asked for
bool refuse_large;  // more than kLarge bytes
constexpr size_t kLarge = 100000;
void* last;  // the block that was allocated last

void* Allocate(size_t size) {
  if (size > largest) largest = size;
  if (refuse_large && size > kLarge) return nullptr;
  return last = malloc(size);
}
void* Reallocate(void* p, size_t size) {
  if (size > largest) largest = size;
  if (refuse_large && size > kLarge) return nullptr;
  return realloc(p, size);
}
void Free(void* p) { free(p); }

class TagMemory : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    event_set_mem_functions(Allocate, Reallocate, Free);
  }
  void SetUp() override {
    largest = 0;
    refuse_large = false;
  }
};

// A string is of the program's allocator, and of the length there is.
TEST_F(TagMemory, StringIsOfTheProgramsAllocator) {
  BufferPtr buf = NewBuffer();
  evtag_marshal_string(buf.get(), 5, "text");
  char* text = nullptr;
  ASSERT_EQ(evtag_unmarshal_string(buf.get(), 5, &text), 0);
  EXPECT_EQ(text, last);
  EXPECT_STREQ(text, "text");
  Free(text);
}

TEST_F(TagMemory, NoMemoryForTheString) {
  const std::string payload(2 * kLarge, 'x');
  BufferPtr buf = NewBuffer();
  evtag_marshal(buf.get(), 5, payload.data(),
                static_cast<ev_uint32_t>(payload.size()));
  ASSERT_GT(evbuffer_get_length(buf.get()), payload.size());
  refuse_large = true;
  char* text = nullptr;
  EXPECT_EQ(evtag_unmarshal_string(buf.get(), 5, &text), -1);
  EXPECT_EQ(text, nullptr);
}

// An element that there is no room for leaves no half of it.
TEST_F(TagMemory, NoMemoryForTheElement) {
  BufferPtr buf = NewBuffer("before");
  const std::string payload(2 * kLarge, 'x');
  refuse_large = true;
  evtag_marshal(buf.get(), 5, payload.data(),
                static_cast<ev_uint32_t>(payload.size()));
#ifndef TESTING_DEBIAN_LIBEVENT  // better: there the header stays
  EXPECT_EQ(Contents(buf), "before");
#endif
}

// A length that lies costs nothing.
TEST_F(TagMemory, LengthsAreNotBelieved) {
  for (const char* hex :
       {"05 7f ff ff ff 70 61", "05 7f ff ff ff f0 61", "05 60 00 00 01 61"}) {
    BufferPtr buf = compat::FromHex(hex);
    BufferPtr to = NewBuffer();
    largest = 0;
    char* text = nullptr;
    EXPECT_EQ(evtag_unmarshal_string(buf.get(), 5, &text), -1);
    buf = compat::FromHex(hex);
    EXPECT_EQ(evtag_unmarshal(buf.get(), nullptr, to.get()), -1);
    EXPECT_LT(largest, 70000u) << hex;
  }
}

}  // namespace
