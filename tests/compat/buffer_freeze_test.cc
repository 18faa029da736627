// Frozen ends: each function fails on one, and nothing has changed then.

#include <errno.h>
#include <event.h>
#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "percore/tests/compat/buffer_files.h"
#include "percore/tests/compat/buffers.h"

namespace {

using compat::Add;
using compat::BufferPtr;
using compat::Channel;
using compat::Contents;
using compat::NewBuffer;
using compat::NewFile;
using compat::Prepend;

constexpr int kFront = 1;
constexpr int kEnd = 0;

// What copyout cannot read while the front is frozen.
std::string Thawed(evbuffer* buf) {
  evbuffer_unfreeze(buf, kFront);
  evbuffer_unfreeze(buf, kEnd);
  return Contents(buf);
}

class BufferFreeze : public testing::Test {
 protected:
  evbuffer* buf() { return buf_.get(); }
  void ExpectUnchanged() {
    EXPECT_EQ(Thawed(buf()), "line\nrest");
    EXPECT_EQ(Thawed(other_.get()), "other");
  }

  BufferPtr buf_ = NewBuffer("line\nrest");
  BufferPtr other_ = NewBuffer("other");
};

// api evbuffer_freeze, evbuffer_unfreeze
// semantics 9.2
TEST_F(BufferFreeze, FrontForbidsTakingOut) {
  ASSERT_EQ(evbuffer_freeze(buf(), kFront), 0);
  char out[32];
  EXPECT_EQ(evbuffer_drain(buf(), 1), -1);
  EXPECT_EQ(evbuffer_drain(buf(), 100), -1);
  EXPECT_EQ(evbuffer_remove(buf(), out, 1), -1);
  EXPECT_EQ(evbuffer_remove(buf(), out, sizeof(out)), -1);
  EXPECT_EQ(evbuffer_copyout(buf(), out, 1), -1);
  EXPECT_EQ(evbuffer_copyout_from(buf(), nullptr, out, 1), -1);
  EXPECT_EQ(evbuffer_remove_buffer(buf(), other_.get(), 1), -1);
  EXPECT_EQ(evbuffer_remove_buffer(buf(), other_.get(), 100), -1);
  EXPECT_EQ(evbuffer_add_buffer(other_.get(), buf()), -1);
  size_t length = 99;
  EXPECT_EQ(evbuffer_readln(buf(), &length, EVBUFFER_EOL_LF), nullptr);
  EXPECT_EQ(evbuffer_readline(buf()), nullptr);
  ExpectUnchanged();
}

// semantics 9.2
TEST_F(BufferFreeze, FrontForbidsPrepending) {
  ASSERT_EQ(evbuffer_freeze(buf(), kFront), 0);
  EXPECT_EQ(Prepend(buf(), "x"), -1);
  EXPECT_EQ(evbuffer_prepend_buffer(buf(), other_.get()), -1);
  ExpectUnchanged();
}

// Moving out at the front, into a buffer's front.
TEST_F(BufferFreeze, FrontOfTheOtherBuffer) {
  ASSERT_EQ(evbuffer_freeze(other_.get(), kFront), 0);
  EXPECT_EQ(evbuffer_prepend_buffer(buf(), other_.get()), -1);
  ExpectUnchanged();
}

// semantics 9.2
TEST_F(BufferFreeze, FrontForbidsWriting) {
  Channel channel(Channel::kSocket);
  ASSERT_EQ(evbuffer_freeze(buf(), kFront), 0);
  EXPECT_EQ(evbuffer_write(buf(), channel.in()), -1);
  EXPECT_EQ(evbuffer_write_atmost(buf(), channel.in(), 3), -1);
  EXPECT_EQ(channel.Arrived(), "");
  ExpectUnchanged();
}

// semantics 9.2
TEST_F(BufferFreeze, FrontLetsAppendAndLook) {
  ASSERT_EQ(evbuffer_freeze(buf(), kFront), 0);
  EXPECT_EQ(Add(buf(), "+"), 0);
  EXPECT_EQ(evbuffer_add_printf(buf(), "%d", 1), 1);
  EXPECT_EQ(evbuffer_add_buffer(buf(), other_.get()), 0);
  EXPECT_EQ(evbuffer_search(buf(), "rest", 4, nullptr).pos, 5);
  EXPECT_EQ(evbuffer_search_eol(buf(), nullptr, nullptr, EVBUFFER_EOL_LF).pos,
            4);
  EXPECT_GE(evbuffer_peek(buf(), -1, nullptr, nullptr, 0), 1);
  EXPECT_NE(evbuffer_pullup(buf(), -1), nullptr);
  EXPECT_EQ(evbuffer_get_length(buf()), 16u);
  EXPECT_EQ(Thawed(buf()), "line\nrest+1other");
}

// semantics 9.2
TEST_F(BufferFreeze, EndForbidsAppending) {
  ASSERT_EQ(evbuffer_freeze(buf(), kEnd), 0);
  EXPECT_EQ(Add(buf(), "x"), -1);
  EXPECT_EQ(evbuffer_add_printf(buf(), "%d", 1), -1);
  evbuffer_iovec vec[2] = {{const_cast<char*>("ab"), 2},
                           {const_cast<char*>("c"), 1}};
  EXPECT_EQ(evbuffer_add_iovec(buf(), vec, 2), 0u);
  EXPECT_EQ(evbuffer_add_reference(buf(), "x", 1, nullptr, nullptr), -1);
  EXPECT_EQ(evbuffer_add_buffer(buf(), other_.get()), -1);
  EXPECT_EQ(evbuffer_add_buffer_reference(buf(), other_.get()), -1);
  EXPECT_EQ(evbuffer_remove_buffer(other_.get(), buf(), 2), -1);
  EXPECT_EQ(evbuffer_add_file(buf(), NewFile("file"), 0, -1), -1);
  ExpectUnchanged();
}

// semantics 9.2
TEST_F(BufferFreeze, EndForbidsReserving) {
  evbuffer_iovec vec[2];
  ASSERT_EQ(evbuffer_freeze(buf(), kEnd), 0);
  EXPECT_EQ(evbuffer_reserve_space(buf(), 10, vec, 1), -1);
  EXPECT_EQ(evbuffer_reserve_space(buf(), 10, vec, 2), -1);
  ExpectUnchanged();
}

// Frozen between the two.
// semantics 9.2
TEST_F(BufferFreeze, EndForbidsCommitting) {
  evbuffer_iovec vec;
  ASSERT_EQ(evbuffer_reserve_space(buf(), 10, &vec, 1), 1);
  memset(vec.iov_base, 'x', 1);
  vec.iov_len = 1;
  ASSERT_EQ(evbuffer_freeze(buf(), kEnd), 0);
  EXPECT_EQ(evbuffer_commit_space(buf(), &vec, 1), -1);
  EXPECT_EQ(evbuffer_get_length(buf()), 9u);
  ASSERT_EQ(evbuffer_unfreeze(buf(), kEnd), 0);
  EXPECT_EQ(evbuffer_commit_space(buf(), &vec, 1), 0);
  EXPECT_EQ(Contents(buf()), "line\nrestx");
}

// semantics 9.2
TEST_F(BufferFreeze, EndForbidsReading) {
  Channel channel(Channel::kSocket);
  ASSERT_EQ(write(channel.in(), "abc", 3), 3);
  ASSERT_EQ(evbuffer_freeze(buf(), kEnd), 0);
  EXPECT_EQ(evbuffer_read(buf(), channel.out(), 10), -1);
  EXPECT_EQ(channel.Arrived(), "abc");
  ExpectUnchanged();
}

// semantics 9.2
TEST_F(BufferFreeze, EndLetsTakeOutAndPrepend) {
  Channel channel(Channel::kSocket);
  ASSERT_EQ(evbuffer_freeze(buf(), kEnd), 0);
  char out[2];
  EXPECT_EQ(Prepend(buf(), "0"), 0);
  EXPECT_EQ(evbuffer_remove(buf(), out, 2), 2);
  char* line = evbuffer_readln(buf(), nullptr, EVBUFFER_EOL_LF);
  EXPECT_STREQ(line, "ine");
  free(line);
  EXPECT_EQ(evbuffer_copyout(buf(), out, 1), 1);
  EXPECT_EQ(evbuffer_drain(buf(), 1), 0);
  EXPECT_EQ(evbuffer_write_atmost(buf(), channel.in(), 1), 1);
  EXPECT_EQ(evbuffer_prepend_buffer(buf(), other_.get()), 0);
  EXPECT_EQ(Contents(buf()), "otherst");
  BufferPtr to = NewBuffer();
  EXPECT_EQ(evbuffer_remove_buffer(buf(), to.get(), 5), 5);
  EXPECT_EQ(evbuffer_add_buffer(to.get(), buf()), 0);
  EXPECT_EQ(Contents(to), "otherst");
}

// semantics 9.2
TEST_F(BufferFreeze, NothingToDoSucceeds) {
  BufferPtr empty = NewBuffer();
  evbuffer_freeze(empty.get(), kFront);
  evbuffer_freeze(empty.get(), kEnd);
  char out[4];
  EXPECT_EQ(evbuffer_drain(empty.get(), 5), 0);
  EXPECT_EQ(evbuffer_remove(empty.get(), out, 4), 0);
  EXPECT_EQ(evbuffer_copyout(empty.get(), out, 4), 0);
  EXPECT_EQ(evbuffer_copyout(buf(), out, 0), 0);
}

// semantics 9.3
TEST_F(BufferFreeze, AddOfAnEmptyBufferSucceeds) {
  BufferPtr empty = NewBuffer();
  evbuffer_freeze(buf(), kEnd);
  evbuffer_freeze(empty.get(), kFront);
  EXPECT_EQ(evbuffer_add_buffer(buf(), empty.get()), 0);
  ExpectUnchanged();
}

// Not counted: one unfreeze is enough, and the ends are apart.
TEST_F(BufferFreeze, TwiceAndOnce) {
  evbuffer_freeze(buf(), kFront);
  evbuffer_freeze(buf(), kFront);
  evbuffer_freeze(buf(), kEnd);
  EXPECT_EQ(evbuffer_unfreeze(buf(), kFront), 0);
  EXPECT_EQ(evbuffer_drain(buf(), 1), 0);
  EXPECT_EQ(Add(buf(), "x"), -1);
  EXPECT_EQ(evbuffer_unfreeze(buf(), kEnd), 0);
  EXPECT_EQ(evbuffer_unfreeze(buf(), kEnd), 0);
  EXPECT_EQ(Add(buf(), "x"), 0);
  EXPECT_EQ(Contents(buf()), "ine\nrestx");
}

// Any number but 0 is the front.
TEST_F(BufferFreeze, AnyTruthIsTheFront) {
  evbuffer_freeze(buf(), 77);
  EXPECT_EQ(evbuffer_drain(buf(), 1), -1);
  EXPECT_EQ(Add(buf(), "x"), 0);
  evbuffer_unfreeze(buf(), -1);
  EXPECT_EQ(evbuffer_drain(buf(), 1), 0);
}

TEST_F(BufferFreeze, CallbacksAreNotRunByWhatFails) {
  int calls = 0;
  evbuffer_add_cb(
      buf(),
      [](evbuffer*, const evbuffer_cb_info*, void* arg) {
        ++*static_cast<int*>(arg);
      },
      &calls);
  evbuffer_freeze(buf(), kFront);
  evbuffer_freeze(buf(), kEnd);
  char out[4];
  EXPECT_EQ(Add(buf(), "x"), -1);
  EXPECT_EQ(Prepend(buf(), "x"), -1);
  EXPECT_EQ(evbuffer_drain(buf(), 1), -1);
  EXPECT_EQ(evbuffer_remove(buf(), out, 4), -1);
  EXPECT_EQ(evbuffer_add_buffer(buf(), other_.get()), -1);
  EXPECT_EQ(calls, 0);
}

// Freed as it is.
TEST_F(BufferFreeze, FreeingAFrozenBuffer) {
  compat::Referenced ref("0123456789");
  ASSERT_EQ(ref.AddTo(buf()), 0);
  evbuffer_freeze(buf(), kFront);
  evbuffer_freeze(buf(), kEnd);
  buf_.reset();
  EXPECT_EQ(ref.released(), 1);
}

}  // namespace
