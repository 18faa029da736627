// Callbacks on changes: who is called, in what order, with what counts.

#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <functional>
#include <string>
#include <vector>

#include "percore/tests/compat/buffer_files.h"
#include "percore/tests/compat/buffers.h"

namespace {

using compat::Add;
using compat::BufferPtr;
using compat::Channel;
using compat::Contents;
using compat::NewBuffer;
using compat::NewFile;
using compat::Pattern;
using compat::Prepend;

// Writes each call down: "name:original+added-deleted ".
class Watcher {
 public:
  Watcher(evbuffer* buf, std::string* journal, std::string name)
      : buf_(buf),
        journal_(journal),
        name_(std::move(name)),
        entry_(evbuffer_add_cb(buf, &Watcher::Run, this)) {}

  evbuffer_cb_entry* entry() const { return entry_; }
  Watcher& OnCall(std::function<void()> then) {
    then_ = std::move(then);
    return *this;
  }
  int calls() const { return calls_; }

  static void Run(evbuffer* buf, const evbuffer_cb_info* info, void* arg) {
    Watcher* self = static_cast<Watcher*>(arg);
    EXPECT_EQ(buf, self->buf_);
    ++self->calls_;
    *self->journal_ += self->name_ + ":" + std::to_string(info->orig_size) +
                       "+" + std::to_string(info->n_added) + "-" +
                       std::to_string(info->n_deleted) + " ";
    if (self->then_) self->then_();
  }

 private:
  evbuffer* buf_;
  std::string* journal_;
  std::string name_;
  evbuffer_cb_entry* entry_;
  std::function<void()> then_;
  int calls_ = 0;
};

class BufferCallback : public testing::Test {
 protected:
  evbuffer* buf() { return buf_.get(); }
  // What was called since the last look.
  std::string Journal() {
    std::string text;
    text.swap(journal_);
    return text;
  }

  BufferPtr buf_ = NewBuffer();
  std::string journal_;
};

// api evbuffer_add_cb, evbuffer_cb_func, evbuffer_cb_info, evbuffer_cb_entry
// semantics 9.11
TEST_F(BufferCallback, OneCallAChange) {
  Watcher watcher(buf(), &journal_, "a");
  ASSERT_NE(watcher.entry(), nullptr);
  char out[16];
  evbuffer_add(buf(), "abcdef", 6);
  EXPECT_EQ(Journal(), "a:0+6-0 ");
  evbuffer_remove(buf(), out, 2);
  EXPECT_EQ(Journal(), "a:6+0-2 ");
  evbuffer_drain(buf(), 1);
  EXPECT_EQ(Journal(), "a:4+0-1 ");
  evbuffer_prepend(buf(), "xy", 2);
  EXPECT_EQ(Journal(), "a:3+2-0 ");
  evbuffer_add_printf(buf(), "%d\n", 100);
  EXPECT_EQ(Journal(), "a:5+4-0 ");
  evbuffer_add_reference(buf(), "ref", 3, nullptr, nullptr);
  EXPECT_EQ(Journal(), "a:9+3-0 ");
  evbuffer_drain(buf(), 4);
  EXPECT_EQ(Journal(), "a:12+0-4 ");
  evbuffer_drain(buf(), 100);
  EXPECT_EQ(Journal(), "a:8+0-8 ");
}

// Over many chunks it is still one.
TEST_F(BufferCallback, OneCallALargeChange) {
  Watcher watcher(buf(), &journal_, "a");
  const std::string data = Pattern(100000);
  Add(buf(), data);
  EXPECT_EQ(Journal(), "a:0+100000-0 ");
  Prepend(buf(), data);
  EXPECT_EQ(Journal(), "a:100000+100000-0 ");
  evbuffer_drain(buf(), 150000);
  EXPECT_EQ(Journal(), "a:200000+0-150000 ");
  std::string out(50000, '\0');
  evbuffer_remove(buf(), out.data(), out.size());
  EXPECT_EQ(Journal(), "a:50000+0-50000 ");
  evbuffer_add_printf(buf(), "%s", data.c_str());
  EXPECT_EQ(Journal(), "a:0+100000-0 ");
}

// semantics 9.11
TEST_F(BufferCallback, BothBuffersOfAMove) {
  BufferPtr other = NewBuffer("other");
  Watcher a(buf(), &journal_, "a"), b(other.get(), &journal_, "b");
  EXPECT_EQ(evbuffer_add_buffer(buf(), other.get()), 0);
  EXPECT_EQ(a.calls(), 1);
  EXPECT_EQ(b.calls(), 1);
  EXPECT_NE(journal_.find("a:0+5-0 "), std::string::npos) << journal_;
  EXPECT_NE(Journal().find("b:5+0-5 "), std::string::npos);
  EXPECT_EQ(evbuffer_prepend_buffer(other.get(), buf()), 0);
  EXPECT_NE(journal_.find("a:5+0-5 "), std::string::npos) << journal_;
  EXPECT_NE(Journal().find("b:0+5-0 "), std::string::npos);
  EXPECT_EQ(evbuffer_remove_buffer(other.get(), buf(), 2), 2);
  EXPECT_NE(journal_.find("a:0+2-0 "), std::string::npos) << journal_;
  EXPECT_NE(Journal().find("b:5+0-2 "), std::string::npos);
  EXPECT_EQ(evbuffer_remove_buffer(other.get(), buf(), 100), 3);
  EXPECT_NE(journal_.find("a:2+3-0 "), std::string::npos) << journal_;
  EXPECT_NE(Journal().find("b:3+0-3 "), std::string::npos);
  EXPECT_EQ(a.calls(), 4);
  EXPECT_EQ(b.calls(), 4);
  // Its data stays in the other.
  EXPECT_EQ(evbuffer_add_buffer_reference(other.get(), buf()), 0);
  EXPECT_EQ(Journal(), "b:0+5-0 ");
}

// semantics 9.11
TEST_F(BufferCallback, CommitFilesAndDescriptors) {
  Watcher watcher(buf(), &journal_, "a");
  evbuffer_iovec vec;
  ASSERT_EQ(evbuffer_reserve_space(buf(), 100, &vec, 1), 1);
  memset(vec.iov_base, 'x', 3);
  vec.iov_len = 3;
  EXPECT_EQ(Journal(), "");
  ASSERT_EQ(evbuffer_commit_space(buf(), &vec, 1), 0);
  EXPECT_EQ(Journal(), "a:0+3-0 ");
  ASSERT_EQ(evbuffer_add_file(buf(), NewFile("0123456789"), 2, 5), 0);
  EXPECT_EQ(Journal(), "a:3+5-0 ");
  Channel channel(Channel::kSocket);
  ASSERT_EQ(evbuffer_write_atmost(buf(), channel.in(), 2), 2);
  EXPECT_EQ(Journal(), "a:8+0-2 ");
  ASSERT_EQ(evbuffer_write(buf(), channel.in()), 6);
  EXPECT_EQ(Journal(), "a:6+0-6 ");
  EXPECT_EQ(channel.Arrived(), "xxx23456");
  ASSERT_EQ(write(channel.in(), "hello", 5), 5);
  ASSERT_EQ(evbuffer_read(buf(), channel.out(), 100), 5);
  EXPECT_EQ(Journal(), "a:0+5-0 ");
}

// How many calls these make is not said; libevent makes one for each vector,
// and two for a line and its end.
TEST_F(BufferCallback, VectorsAndLinesAddUp) {
  struct Sums {
    size_t added = 0;
    size_t deleted = 0;
  } sums;
  evbuffer_add_cb(
      buf(),
      [](evbuffer*, const evbuffer_cb_info* info, void* arg) {
        static_cast<Sums*>(arg)->added += info->n_added;
        static_cast<Sums*>(arg)->deleted += info->n_deleted;
      },
      &sums);
  evbuffer_iovec vec[2] = {{const_cast<char*>("ab\r"), 3},
                           {const_cast<char*>("\nc"), 2}};
  EXPECT_EQ(evbuffer_add_iovec(buf(), vec, 2), 5u);
  EXPECT_EQ(sums.added, 5u);
  EXPECT_EQ(sums.deleted, 0u);
  free(evbuffer_readln(buf(), nullptr, EVBUFFER_EOL_CRLF));
  EXPECT_EQ(sums.added, 5u);
  EXPECT_EQ(sums.deleted, 4u);
}

// semantics 9.11
TEST_F(BufferCallback, NotByLooking) {
  Add(buf(), "line\nabc");
  Watcher watcher(buf(), &journal_, "a");
  char out[16];
  evbuffer_copyout(buf(), out, sizeof(out));
  evbuffer_search(buf(), "abc", 3, nullptr);
  evbuffer_search_eol(buf(), nullptr, nullptr, EVBUFFER_EOL_LF);
  evbuffer_peek(buf(), -1, nullptr, nullptr, 0);
  evbuffer_pullup(buf(), -1);
  evbuffer_expand(buf(), 5000);
  evbuffer_freeze(buf(), 1);
  evbuffer_unfreeze(buf(), 1);
  evbuffer_iovec vec[2];
  evbuffer_reserve_space(buf(), 100, vec, 2);
  evbuffer_commit_space(buf(), vec, 0);
  EXPECT_EQ(evbuffer_readln(buf(), nullptr, EVBUFFER_EOL_NUL), nullptr);
  EXPECT_EQ(Journal(), "");
}

// semantics 9.3, 9.11
TEST_F(BufferCallback, NotByNothing) {
  BufferPtr empty = NewBuffer();
  Watcher a(buf(), &journal_, "a"), b(empty.get(), &journal_, "b");
  evbuffer_add(buf(), "", 0);
  evbuffer_prepend(buf(), "", 0);
  evbuffer_drain(buf(), 10);
  char out[4];
  evbuffer_remove(buf(), out, 4);
  evbuffer_add_buffer(buf(), empty.get());
  evbuffer_prepend_buffer(buf(), empty.get());
  evbuffer_remove_buffer(empty.get(), buf(), 10);
  evbuffer_add_printf(buf(), "%s", "");
  EXPECT_EQ(Journal(), "");
}

// semantics 9.11
TEST_F(BufferCallback, NewestFirst) {
  Watcher a(buf(), &journal_, "a"), b(buf(), &journal_, "b"),
      c(buf(), &journal_, "c");
  Add(buf(), "x");
  EXPECT_EQ(Journal(), "c:0+1-0 b:0+1-0 a:0+1-0 ");
}

// api evbuffer_cb_set_flags, evbuffer_cb_clear_flags, EVBUFFER_CB_ENABLED
// semantics 9.11
TEST_F(BufferCallback, Disabled) {
  Watcher a(buf(), &journal_, "a"), b(buf(), &journal_, "b");
  EXPECT_EQ(evbuffer_cb_clear_flags(buf(), a.entry(), EVBUFFER_CB_ENABLED), 0);
  Add(buf(), "x");
  EXPECT_EQ(Journal(), "b:0+1-0 ");
  EXPECT_EQ(evbuffer_cb_set_flags(buf(), a.entry(), EVBUFFER_CB_ENABLED), 0);
  Add(buf(), "y");
  EXPECT_EQ(Journal(), "b:1+1-0 a:1+1-0 ");
  // Bits that are not the program's have no effect.
  EXPECT_EQ(evbuffer_cb_clear_flags(buf(), a.entry(), 0xfffffffe), 0);
  EXPECT_EQ(evbuffer_cb_set_flags(buf(), a.entry(), 0xfffffffe), 0);
  Add(buf(), "z");
  EXPECT_EQ(Journal(), "b:2+1-0 a:2+1-0 ");
}

// api evbuffer_remove_cb_entry
TEST_F(BufferCallback, EntryRemoved) {
  Watcher a(buf(), &journal_, "a"), b(buf(), &journal_, "b"),
      c(buf(), &journal_, "c");
  EXPECT_EQ(evbuffer_remove_cb_entry(buf(), b.entry()), 0);
  Add(buf(), "x");
  EXPECT_EQ(Journal(), "c:0+1-0 a:0+1-0 ");
}

// api evbuffer_remove_cb
TEST_F(BufferCallback, RemovedByFunctionAndArgument) {
  Watcher a(buf(), &journal_, "a"), b(buf(), &journal_, "b");
  EXPECT_EQ(evbuffer_remove_cb(buf(), &Watcher::Run, this), -1);
  EXPECT_EQ(evbuffer_remove_cb(
                buf(), [](evbuffer*, const evbuffer_cb_info*, void*) {}, &a),
            -1);
  EXPECT_EQ(evbuffer_remove_cb(buf(), &Watcher::Run, &a), 0);
  EXPECT_EQ(evbuffer_remove_cb(buf(), &Watcher::Run, &a), -1);
  Add(buf(), "x");
  EXPECT_EQ(Journal(), "b:0+1-0 ");
}

// Twice the same: one at a time.
TEST_F(BufferCallback, RemovedOnce) {
  Watcher a(buf(), &journal_, "a");
  ASSERT_NE(evbuffer_add_cb(buf(), &Watcher::Run, &a), nullptr);
  Add(buf(), "x");
  EXPECT_EQ(a.calls(), 2);
  EXPECT_EQ(evbuffer_remove_cb(buf(), &Watcher::Run, &a), 0);
  Add(buf(), "y");
  EXPECT_EQ(a.calls(), 3);
  EXPECT_EQ(evbuffer_remove_cb(buf(), &Watcher::Run, &a), 0);
  EXPECT_EQ(evbuffer_remove_cb(buf(), &Watcher::Run, &a), -1);
}

// ---- What a callback may do.

// semantics 9.11
TEST_F(BufferCallback, RemovesItself) {
  Watcher a(buf(), &journal_, "a"), b(buf(), &journal_, "b"),
      c(buf(), &journal_, "c");
  b.OnCall([&] { evbuffer_remove_cb_entry(buf(), b.entry()); });
  Add(buf(), "x");
  EXPECT_EQ(Journal(), "c:0+1-0 b:0+1-0 a:0+1-0 ");
  Add(buf(), "y");
  EXPECT_EQ(Journal(), "c:1+1-0 a:1+1-0 ");
}

TEST_F(BufferCallback, DisablesTheNext) {
  Watcher a(buf(), &journal_, "a"), b(buf(), &journal_, "b");
  b.OnCall(
      [&] { evbuffer_cb_clear_flags(buf(), a.entry(), EVBUFFER_CB_ENABLED); });
  Add(buf(), "x");
  EXPECT_EQ(Journal(), "b:0+1-0 ");
}

TEST_F(BufferCallback, AddsAnother) {
  Watcher a(buf(), &journal_, "a");
  std::unique_ptr<Watcher> b;
  a.OnCall([&] {
    if (!b) b = std::make_unique<Watcher>(buf(), &journal_, "b");
  });
  Add(buf(), "x");
  // The newest come first: it is past its place.
  EXPECT_EQ(Journal(), "a:0+1-0 ");
  Add(buf(), "y");
  EXPECT_EQ(Journal(), "b:1+1-0 a:1+1-0 ");
}

// Each change of a callback is a call again.
// semantics 9.11
TEST_F(BufferCallback, ChangesTheBuffer) {
  Watcher a(buf(), &journal_, "a");
  a.OnCall([&] {
    if (evbuffer_get_length(buf()) > 2) evbuffer_drain(buf(), 2);
  });
  Add(buf(), "12345");
  EXPECT_EQ(Journal(), "a:0+5-0 a:5+0-2 a:3+0-2 ");
  EXPECT_EQ(Contents(buf()), "5");
}

// The older callback hears of both, the change within first.
TEST_F(BufferCallback, ChangesTheBufferBeforeOthersAreTold) {
  Watcher a(buf(), &journal_, "a"), b(buf(), &journal_, "b");
  b.OnCall([&] {
    if (evbuffer_get_length(buf()) == 5) evbuffer_drain(buf(), 2);
  });
  Add(buf(), "12345");
  EXPECT_EQ(Journal(), "b:0+5-0 b:5+0-2 a:5+0-2 a:0+5-0 ");
}

// A tee: what comes into one buffer is passed on to another.
TEST_F(BufferCallback, PassesDataOn) {
  BufferPtr to = NewBuffer();
  Watcher a(buf(), &journal_, "a"), b(to.get(), &journal_, "b");
  a.OnCall([&] { evbuffer_add_buffer(to.get(), buf()); });
  Add(buf(), "abc");
  Add(buf(), "def");
  EXPECT_EQ(Contents(to), "abcdef");
  EXPECT_EQ(evbuffer_get_length(buf()), 0u);
  EXPECT_EQ(b.calls(), 2);
}

TEST_F(BufferCallback, NotByFreeing) {
  Add(buf(), "abc");
  Watcher a(buf(), &journal_, "a");
  buf_.reset();
  EXPECT_EQ(Journal(), "");
}

// The library's view at the time of the call is the state after the change.
TEST_F(BufferCallback, SeesTheNewState) {
  Watcher a(buf(), &journal_, "a");
  std::vector<std::string> seen;
  a.OnCall([&] { seen.push_back(Contents(buf())); });
  Add(buf(), "abc");
  Prepend(buf(), "0");
  evbuffer_drain(buf(), 2);
  EXPECT_EQ(seen, (std::vector<std::string>{"abc", "0abc", "bc"}));
}

}  // namespace
