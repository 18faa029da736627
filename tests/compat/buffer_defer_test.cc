// Deferred callbacks: from the loop, once for all changes up to then.

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/util.h>
#include <gtest/gtest.h>

#include <string>

#include "percore/tests/compat/buffers.h"
#include "percore/tests/compat/handles.h"

namespace {

using compat::Add;
using compat::BufferPtr;
using compat::Contents;
using compat::NewBuffer;
using compat::Prepend;
using compat::Referenced;

class BufferDefer : public testing::Test {
 protected:
  struct Calls {
    std::string text;
    evbuffer* drain = nullptr;  // changed by the callback
    evbuffer_cb_entry* entry = nullptr;
  };

  void SetUp() override {
    ASSERT_EQ(evbuffer_defer_callbacks(buf(), base_.get()), 0);
    calls_.entry = evbuffer_add_cb(buf(), Call, &calls_);
  }
  evbuffer* buf() { return buf_.get(); }
  void Turn() { event_base_loop(base_.get(), EVLOOP_NONBLOCK); }
  std::string Journal() {
    std::string text;
    text.swap(calls_.text);
    return text;
  }

  static void Call(evbuffer* buf, const evbuffer_cb_info* info, void* arg) {
    Calls* calls = static_cast<Calls*>(arg);
    calls->text += std::to_string(info->orig_size) + "+" +
                   std::to_string(info->n_added) + "-" +
                   std::to_string(info->n_deleted) + " ";
    if (calls->drain != nullptr) {
      evbuffer* drain = calls->drain;
      calls->drain = nullptr;
      evbuffer_drain(drain, 1);
    }
  }

  percore::compat::BasePtr base_ = percore::compat::NewBase();
  BufferPtr buf_ = NewBuffer();
  Calls calls_;
};

// api evbuffer_defer_callbacks
// semantics 9.11
TEST_F(BufferDefer, OnceFromTheLoop) {
  Add(buf(), "abcdef");
  evbuffer_drain(buf(), 2);
  Prepend(buf(), "x");
  EXPECT_EQ(Journal(), "");
  Turn();
  EXPECT_EQ(Journal(), "0+7-2 ");
  Turn();
  EXPECT_EQ(Journal(), "");
  evbuffer_drain(buf(), 1);
  Turn();
  EXPECT_EQ(Journal(), "5+0-1 ");
}

// What came and went is still told.
TEST_F(BufferDefer, NothingLeftOfIt) {
  Add(buf(), "abc");
  evbuffer_drain(buf(), 3);
  Turn();
  EXPECT_EQ(Journal(), "0+3-3 ");
}

TEST_F(BufferDefer, ALoopWithNothingElseEnds) {
  Add(buf(), "abc");
  EXPECT_EQ(event_base_dispatch(base_.get()), 1);
  EXPECT_EQ(Journal(), "0+3-0 ");
}

TEST_F(BufferDefer, ChangedByItsCallback) {
  calls_.drain = buf();
  Add(buf(), "abc");
  Turn();
  Turn();
  EXPECT_EQ(Journal(), "0+3-0 3+0-1 ");
}

TEST_F(BufferDefer, CallbackAddedLater) {
  Add(buf(), "abc");
  Calls later;
  evbuffer_add_cb(buf(), Call, &later);
  Turn();
  // It hears of all that its buffer has not told yet.
  EXPECT_EQ(later.text, "0+3-0 ");
  EXPECT_EQ(Journal(), "0+3-0 ");
}

TEST_F(BufferDefer, CallbackRemovedBefore) {
  Add(buf(), "abc");
  evbuffer_remove_cb_entry(buf(), calls_.entry);
  Turn();
  EXPECT_EQ(Journal(), "");
}

TEST_F(BufferDefer, CallbackDisabledBefore) {
  Add(buf(), "abc");
  evbuffer_cb_clear_flags(buf(), calls_.entry, EVBUFFER_CB_ENABLED);
  Turn();
  EXPECT_EQ(Journal(), "");
}

// The program's reference is gone; the callback's is not.
// semantics 9.11
TEST_F(BufferDefer, FreedBefore) {
  Referenced ref("0123456789");
  ASSERT_EQ(ref.AddTo(buf()), 0);
  buf_.reset();
  EXPECT_EQ(ref.released(), 0);
  Turn();
  EXPECT_EQ(Journal(), "0+10-0 ");
  EXPECT_EQ(ref.released(), 1);
}

// semantics 9.11
TEST_F(BufferDefer, FreedByItsCallback) {
  Referenced ref("0123456789");
  evbuffer_add_cb(
      buf(),
      [](evbuffer*, const evbuffer_cb_info*, void* arg) {
        static_cast<BufferPtr*>(arg)->reset();
      },
      &buf_);
  ASSERT_EQ(ref.AddTo(buf()), 0);
  Turn();
  EXPECT_EQ(Journal(), "0+10-0 ");
  EXPECT_EQ(ref.released(), 1);
}

// The base goes first, with a call due: no call, and no crash.
TEST_F(BufferDefer, BaseFreedBefore) {
  Add(buf(), "abc");
  base_.reset();
  EXPECT_EQ(Contents(buf()), "abc");
}

TEST_F(BufferDefer, MovesTellBoth) {
  BufferPtr other = NewBuffer();
  Calls others;
  evbuffer_add_cb(other.get(), Call, &others);
  Add(buf(), "abc");
  evbuffer_add_buffer(other.get(), buf());
  // The other is not deferred.
  EXPECT_EQ(others.text, "0+3-0 ");
  EXPECT_EQ(Journal(), "");
  Turn();
  EXPECT_EQ(Journal(), "0+3-3 ");
}

}  // namespace
