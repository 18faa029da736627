// Buffers of several threads: evbuffer_enable_locking().

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <event2/util.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "percore/tests/compat/buffer_files.h"
#include "percore/tests/compat/buffers.h"
#include "percore/tests/compat/counted_locks.h"
#include "percore/tests/compat/handles.h"

namespace {

using compat::Add;
using compat::BufferPtr;
using compat::Channel;
using compat::Contents;
using compat::NewBuffer;
using compat::NewFile;
using compat::Pattern;
using compat::Prepend;
using percore::compat::AllocLock;
using percore::compat::counts;
using percore::compat::FreeLock;
using percore::compat::held;

class BufferLock : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(percore::compat::InstallCountedLocks(), 0);
  }
  static BufferPtr NewLocked(const std::string& data = "") {
    BufferPtr buf = NewBuffer(data);
    EXPECT_EQ(evbuffer_enable_locking(buf.get(), nullptr), 0);
    return buf;
  }
  static void InThreads(int n, const std::function<void(int)>& body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < n; ++i) threads.emplace_back([&, i] { body(i); });
    for (std::thread& thread : threads) thread.join();
  }
};

// api evbuffer_enable_locking
TEST_F(BufferLock, OwnOfTheBuffer) {
  const int allocated = counts.allocated, freed = counts.freed;
  BufferPtr buf = NewBuffer("abc");
  EXPECT_EQ(counts.allocated, allocated);
  ASSERT_EQ(evbuffer_enable_locking(buf.get(), nullptr), 0);
  EXPECT_EQ(counts.allocated, allocated + 1);
  EXPECT_EQ(evbuffer_enable_locking(buf.get(), nullptr), -1);
  EXPECT_EQ(counts.allocated, allocated + 1);
  buf.reset();
  EXPECT_EQ(counts.freed, freed + 1);
}

// api evbuffer_enable_locking
TEST_F(BufferLock, GivenByTheProgram) {
  void* lock = AllocLock(EVTHREAD_LOCKTYPE_RECURSIVE);
  const int freed = counts.freed;
  BufferPtr buf = NewBuffer("abc"), other = NewBuffer("def");
  ASSERT_EQ(evbuffer_enable_locking(buf.get(), lock), 0);
  ASSERT_EQ(evbuffer_enable_locking(other.get(), lock), 0);
  EXPECT_EQ(evbuffer_enable_locking(buf.get(), lock), -1);
  const int locked = counts.locked;
  EXPECT_EQ(Add(buf.get(), "x"), 0);
  EXPECT_GT(counts.locked, locked);
  // Both buffers of a move have the same.
  EXPECT_EQ(evbuffer_add_buffer(buf.get(), other.get()), 0);
  EXPECT_EQ(evbuffer_remove_buffer(buf.get(), other.get(), 2), 2);
  EXPECT_EQ(evbuffer_prepend_buffer(buf.get(), other.get()), 0);
  EXPECT_EQ(Contents(buf), "abcxdef");
  EXPECT_EQ(held, 0);
  buf.reset();
  other.reset();
  EXPECT_EQ(counts.freed, freed);
  FreeLock(lock, EVTHREAD_LOCKTYPE_RECURSIVE);
}

// api evbuffer_lock, evbuffer_unlock
TEST_F(BufferLock, HeldByTheProgram) {
  BufferPtr buf = NewLocked("abc");
  evbuffer_lock(buf.get());
  EXPECT_EQ(held, 1);
  evbuffer_lock(buf.get());
  EXPECT_EQ(held, 2);
  EXPECT_EQ(Add(buf.get(), "def"), 0);
  EXPECT_EQ(Contents(buf), "abcdef");
  evbuffer_unlock(buf.get());
  evbuffer_unlock(buf.get());
  EXPECT_EQ(held, 0);
}

// The other thread's call waits.
TEST_F(BufferLock, HoldsOffOtherThreads) {
  BufferPtr buf = NewLocked();
  evbuffer_lock(buf.get());
  std::atomic<bool> added{false};
  std::thread thread([&] {
    Add(buf.get(), "other");
    added = true;
  });
  Add(buf.get(), "first ");
  // Gives the other thread the time to break in, if it could.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(added);
  Add(buf.get(), "second ");
  evbuffer_unlock(buf.get());
  thread.join();
  EXPECT_EQ(Contents(buf), "first second other");
}

// Each function that reads or changes takes the lock and gives it back, on its
// errors too.
TEST_F(BufferLock, EachCallLocksAndUnlocks) {
  BufferPtr buf = NewLocked("0123456789"), other = NewLocked("other");
  Channel channel(Channel::kSocket);
  char out[8];
  evbuffer_iovec vec[2];
  evbuffer_ptr ptr;
  evbuffer_cb_entry* entry = nullptr;
  evbuffer* b = buf.get();
  const std::function<void()> calls[] = {
      [&] { Add(b, "x"); },
      [&] { Prepend(b, "x"); },
      [&] { evbuffer_drain(b, 1); },
      [&] { evbuffer_remove(b, out, 2); },
      [&] { evbuffer_copyout(b, out, 2); },
      [&] { evbuffer_copyout_from(b, nullptr, out, 2); },
      [&] { evbuffer_get_length(b); },
      [&] { evbuffer_get_contiguous_space(b); },
      [&] { evbuffer_add_printf(b, "%s", "text\n"); },
      [&] { free(evbuffer_readln(b, nullptr, EVBUFFER_EOL_LF)); },
      [&] { evbuffer_readln(b, nullptr, EVBUFFER_EOL_NUL); },
      [&] { evbuffer_expand(b, 5000); },
      [&] {
        evbuffer_lock(b);
        evbuffer_reserve_space(b, 10, vec, 1);
        vec[0].iov_len = 0;
        evbuffer_commit_space(b, vec, 1);
        evbuffer_unlock(b);
      },
      [&] { evbuffer_reserve_space(b, 10, vec, 2); },
      [&] { evbuffer_reserve_space(b, -1, vec, 1); },
      [&] { evbuffer_add_buffer(b, other.get()); },
      [&] { evbuffer_remove_buffer(b, other.get(), 3); },
      [&] { evbuffer_prepend_buffer(b, other.get()); },
      [&] { evbuffer_add_buffer_reference(other.get(), b); },
      [&] { evbuffer_add_buffer_reference(b, other.get()); },
      [&] { evbuffer_add_reference(b, "ref", 3, nullptr, nullptr); },
      [&] { evbuffer_add_file(b, NewFile("file"), 0, -1); },
      [&] { evbuffer_pullup(b, 2); },
      [&] { evbuffer_pullup(b, 1 << 20); },
      [&] { evbuffer_peek(b, 2, nullptr, nullptr, 0); },
      [&] { evbuffer_search(b, "x", 1, nullptr); },
      [&] { evbuffer_search_eol(b, nullptr, nullptr, EVBUFFER_EOL_LF); },
      [&] { evbuffer_ptr_set(b, &ptr, 1, EVBUFFER_PTR_SET); },
      [&] { evbuffer_ptr_set(b, &ptr, 1 << 20, EVBUFFER_PTR_SET); },
      [&] { evbuffer_write_atmost(b, channel.in(), 1); },
      [&] { evbuffer_write(b, -1); },
      [&] { evbuffer_read(b, channel.out(), 10); },
      [&] { evbuffer_read(b, -1, 10); },
      [&] { evbuffer_freeze(b, 1); },
      [&] { evbuffer_drain(b, 1); },
      [&] { evbuffer_write(b, channel.in()); },
      [&] { evbuffer_add_buffer(other.get(), b); },
      [&] { evbuffer_unfreeze(b, 1); },
      [&] { evbuffer_freeze(b, 0); },
      [&] { Add(b, "x"); },
      [&] { evbuffer_read(b, channel.out(), 10); },
      [&] { evbuffer_add_printf(b, "%d", 1); },
      [&] { evbuffer_reserve_space(b, 10, vec, 1); },
      [&] { evbuffer_unfreeze(b, 0); },
      [&] { evbuffer_set_flags(b, EVBUFFER_FLAG_DRAINS_TO_FD); },
      [&] { evbuffer_clear_flags(b, EVBUFFER_FLAG_DRAINS_TO_FD); },
      [&] {
        entry = evbuffer_add_cb(
            b, [](evbuffer*, const evbuffer_cb_info*, void*) {}, nullptr);
      },
      [&] { evbuffer_cb_clear_flags(b, entry, EVBUFFER_CB_ENABLED); },
      [&] { evbuffer_cb_set_flags(b, entry, EVBUFFER_CB_ENABLED); },
      [&] { evbuffer_remove_cb_entry(b, entry); },
  };
  int number = 0;
  for (const auto& call : calls) {
    const int locked = counts.locked;
    call();
    EXPECT_GT(counts.locked, locked) << "call " << number;
    EXPECT_EQ(held, 0) << "call " << number;
    ++number;
  }
}

// semantics 9.11
TEST_F(BufferLock, CallbacksRunWithIt) {
  BufferPtr buf = NewLocked();
  int held_inside = 0;
  evbuffer_add_cb(
      buf.get(),
      [](evbuffer* b, const evbuffer_cb_info*, void* arg) {
        *static_cast<int*>(arg) = held;
        // It may take it again.
        if (evbuffer_get_length(b) > 2) evbuffer_drain(b, 1);
      },
      &held_inside);
  Add(buf.get(), "abc");
  EXPECT_GE(held_inside, 1);
  EXPECT_EQ(held, 0);
  EXPECT_EQ(Contents(buf), "bc");
}

TEST_F(BufferLock, DeferredCallbacksRunWithIt) {
  percore::compat::BasePtr base = percore::compat::NewBase();
  BufferPtr buf = NewLocked();
  ASSERT_EQ(evbuffer_defer_callbacks(buf.get(), base.get()), 0);
  int held_inside = 0;
  evbuffer_add_cb(
      buf.get(),
      [](evbuffer*, const evbuffer_cb_info*, void* arg) {
        *static_cast<int*>(arg) = held;
      },
      &held_inside);
  Add(buf.get(), "abc");
  event_base_loop(base.get(), EVLOOP_NONBLOCK);
  EXPECT_GE(held_inside, 1);
  EXPECT_EQ(held, 0);
}

// ---- Several threads.

// A record added in one call is never split.
TEST_F(BufferLock, RecordsStayWhole) {
  BufferPtr buf = NewLocked();
  constexpr int kThreads = 4, kRecords = 2000;
  InThreads(kThreads, [&](int id) {
    for (int i = 0; i < kRecords; ++i) {
      switch (i % 3) {
        case 0:
          Add(buf.get(), std::string(20 + i % 50, 'a' + id) + "\n");
          break;
        case 1:
          evbuffer_add_printf(buf.get(), "%s\n",
                              std::string(30, 'a' + id).c_str());
          break;
        case 2:
          evbuffer_lock(buf.get());
          Add(buf.get(), std::string(5, 'a' + id));
          Add(buf.get(), std::string(5, 'a' + id) + "\n");
          evbuffer_unlock(buf.get());
          break;
      }
    }
  });
  int lines = 0;
  while (char* line = evbuffer_readln(buf.get(), nullptr, EVBUFFER_EOL_LF)) {
    const std::string text = line;
    free(line);
    ASSERT_FALSE(text.empty());
    ASSERT_EQ(text, std::string(text.size(), text[0]));
    ++lines;
  }
  EXPECT_EQ(lines, kThreads * kRecords);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
}

// One adds, another removes.
TEST_F(BufferLock, ProducerAndConsumer) {
  BufferPtr buf = NewLocked();
  const std::string data = Pattern(300000);
  std::string got;
  InThreads(2, [&](int id) {
    if (id == 0) {
      for (size_t at = 0; at < data.size();) {
        const size_t n = std::min<size_t>(1 + at % 700, data.size() - at);
        Add(buf.get(), data.substr(at, n));
        at += n;
      }
      return;
    }
    char piece[997];
    while (got.size() < data.size()) {
      const int n = evbuffer_remove(buf.get(), piece, sizeof(piece));
      got.append(piece, n);
      if (n == 0) std::this_thread::yield();
    }
  });
  EXPECT_TRUE(got == data);
}

// semantics 9.18
// Two threads move data between two buffers, each in its own direction.
TEST_F(BufferLock, TwoBuffersInBothOrders) {
  BufferPtr a = NewLocked(std::string(5000, 'a')),
            b = NewLocked(std::string(5000, 'b'));
  InThreads(2, [&](int id) {
    evbuffer* from = id == 0 ? a.get() : b.get();
    evbuffer* to = id == 0 ? b.get() : a.get();
    for (int i = 0; i < 5000; ++i) {
      switch (i % 3) {
        case 0:
          evbuffer_remove_buffer(from, to, 1 + i % 3000);
          break;
        case 1:
          evbuffer_add_buffer(to, from);
          break;
        case 2:
          evbuffer_prepend_buffer(to, from);
          break;
      }
    }
  });
  EXPECT_EQ(evbuffer_get_length(a.get()) + evbuffer_get_length(b.get()),
            10000u);
  const std::string all = Contents(a) + Contents(b);
  EXPECT_EQ(std::count(all.begin(), all.end(), 'a'), 5000);
}

// semantics 9.14, 9.18
// The memory that buffers share is let go of from several threads.
TEST_F(BufferLock, SharedChunks) {
  BufferPtr source = NewLocked();
  for (int i = 0; i < 20; ++i) compat::AddChunk(source.get(), Pattern(100));
  std::string want;
  for (int i = 0; i < 20; ++i) want += Pattern(100);
  std::atomic<int> wrong{0};
  InThreads(4, [&](int id) {
    for (int i = 0; i < 500; ++i) {
      BufferPtr copy = NewBuffer();
      if (id % 2) evbuffer_enable_locking(copy.get(), nullptr);
      if (evbuffer_add_buffer_reference(copy.get(), source.get()) != 0) ++wrong;
      evbuffer_drain(copy.get(), 150);
      if (Contents(copy) != want.substr(150)) ++wrong;
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(Contents(source) == want);
}

// A segment in the buffers of several threads.
TEST_F(BufferLock, SharedSegment) {
  const std::string data = Pattern(20000);
  const int fd = NewFile(data);
  evbuffer_file_segment* segment =
      evbuffer_file_segment_new(fd, 0, -1, EVBUF_FS_CLOSE_ON_FREE);
  ASSERT_NE(segment, nullptr);
  std::atomic<int> wrong{0};
  InThreads(4, [&](int id) {
    for (int i = 0; i < 300; ++i) {
      BufferPtr buf = NewBuffer();
      const ev_off_t offset = (id * 300 + i) * 13 % 15000;
      if (evbuffer_add_file_segment(buf.get(), segment, offset, 5000) != 0) {
        ++wrong;
      }
      if (Contents(buf) != data.substr(offset, 5000)) ++wrong;
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(compat::IsOpen(fd));
  evbuffer_file_segment_free(segment);
  EXPECT_FALSE(compat::IsOpen(fd));
}

}  // namespace
