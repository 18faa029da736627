// File segments as such: what they accept, who holds them, when they end.

#include <errno.h>
#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "percore/tests/compat/buffer_files.h"
#include "percore/tests/compat/buffers.h"

namespace {

using compat::BufferPtr;
using compat::Channel;
using compat::Contents;
using compat::IsOpen;
using compat::NewBuffer;
using compat::NewFile;
using compat::Pattern;
using compat::Pump;

BufferPtr NewDrainingBuffer() {
  BufferPtr buf = NewBuffer();
  EXPECT_EQ(evbuffer_set_flags(buf.get(), EVBUFFER_FLAG_DRAINS_TO_FD), 0);
  return buf;
}

// Counts the calls of a segment's cleanup.
struct Ended {
  int calls = 0;
  int flags = -1;
  const evbuffer_file_segment* segment = nullptr;
  int fd = -1;
  bool fd_was_open = false;

  static void Tell(const evbuffer_file_segment* segment, int flags, void* arg) {
    Ended* self = static_cast<Ended*>(arg);
    ++self->calls;
    self->flags = flags;
    self->segment = segment;
    self->fd_was_open = self->fd >= 0 && IsOpen(self->fd);
  }
};

// api evbuffer_file_segment, evbuffer_file_segment_free
TEST(BufferSegment, ClosesOnlyIfAsked) {
  for (bool close_it : {false, true}) {
    const int fd = NewFile("0123456789");
    evbuffer_file_segment* segment = evbuffer_file_segment_new(
        fd, 0, 10, close_it ? EVBUF_FS_CLOSE_ON_FREE : 0);
    ASSERT_NE(segment, nullptr);
    BufferPtr buf = NewBuffer();
    ASSERT_EQ(evbuffer_add_file_segment(buf.get(), segment, 0, 10), 0);
    evbuffer_file_segment_free(segment);
    EXPECT_EQ(Contents(buf), "0123456789");
    buf.reset();
    EXPECT_EQ(IsOpen(fd), !close_it);
    if (!close_it) close(fd);
  }
}

TEST(BufferSegment, NeverAdded) {
  const int fd = NewFile("0123456789");
  evbuffer_file_segment* segment =
      evbuffer_file_segment_new(fd, 0, -1, EVBUF_FS_CLOSE_ON_FREE);
  ASSERT_NE(segment, nullptr);
  EXPECT_TRUE(IsOpen(fd));
  evbuffer_file_segment_free(segment);
  EXPECT_FALSE(IsOpen(fd));
}

// api evbuffer_file_segment_add_cleanup_cb, evbuffer_file_segment_cleanup_cb
// semantics 9.15
TEST(BufferSegment, CleanupComesLast) {
  for (unsigned flags : {0u, unsigned{EVBUF_FS_DISABLE_MMAP},
                         unsigned{EVBUF_FS_DISABLE_SENDFILE},
                         unsigned{EVBUF_FS_DISABLE_LOCKING}}) {
    Ended ended;
    ended.fd = NewFile("0123456789");
    flags |= EVBUF_FS_CLOSE_ON_FREE;
    evbuffer_file_segment* segment =
        evbuffer_file_segment_new(ended.fd, 0, -1, flags);
    ASSERT_NE(segment, nullptr);
    evbuffer_file_segment_add_cleanup_cb(segment, Ended::Tell, &ended);
    BufferPtr buf = NewBuffer();
    ASSERT_EQ(evbuffer_add_file_segment(buf.get(), segment, 0, -1), 0);
    evbuffer_file_segment_free(segment);
    evbuffer_drain(buf.get(), 9);
    EXPECT_EQ(ended.calls, 0);
    evbuffer_drain(buf.get(), 1);
    EXPECT_EQ(ended.calls, 1);
    EXPECT_EQ(ended.flags, static_cast<int>(flags));
    EXPECT_EQ(ended.segment, segment);
    EXPECT_FALSE(ended.fd_was_open);
  }
}

// Drained by sendfile.
TEST(BufferSegment, CleanupAfterSending) {
  Ended ended;
  ended.fd = NewFile(Pattern(5000));
  evbuffer_file_segment* segment =
      evbuffer_file_segment_new(ended.fd, 0, -1, EVBUF_FS_CLOSE_ON_FREE);
  evbuffer_file_segment_add_cleanup_cb(segment, Ended::Tell, &ended);
  BufferPtr buf = NewDrainingBuffer();
  ASSERT_EQ(evbuffer_add_file_segment(buf.get(), segment, 0, -1), 0);
  evbuffer_file_segment_free(segment);
  Channel channel(Channel::kSocket);
  EXPECT_EQ(Pump(buf.get(), &channel), Pattern(5000));
  EXPECT_EQ(ended.calls, 1);
}

// One segment in many buffers, and many times in one.
TEST(BufferSegment, Shared) {
  for (bool draining : {false, true}) {
    Ended ended;
    const std::string data = Pattern(5000);
    ended.fd = NewFile(data);
    evbuffer_file_segment* segment =
        evbuffer_file_segment_new(ended.fd, 0, -1, EVBUF_FS_CLOSE_ON_FREE);
    evbuffer_file_segment_add_cleanup_cb(segment, Ended::Tell, &ended);
    BufferPtr first = draining ? NewDrainingBuffer() : NewBuffer();
    BufferPtr second = draining ? NewDrainingBuffer() : NewBuffer();
    ASSERT_EQ(evbuffer_add_file_segment(first.get(), segment, 0, -1), 0);
    ASSERT_EQ(evbuffer_add_file_segment(first.get(), segment, 100, 200), 0);
    ASSERT_EQ(evbuffer_add_file_segment(second.get(), segment, 4000, -1), 0);
    Channel channel(Channel::kSocket);
    EXPECT_TRUE(Pump(first.get(), &channel) == data + data.substr(100, 200));
    first.reset();
    EXPECT_TRUE(Pump(second.get(), &channel) == data.substr(4000));
    EXPECT_EQ(ended.calls, 0);
    ASSERT_EQ(evbuffer_add_file_segment(second.get(), segment, 0, 1), 0);
    evbuffer_file_segment_free(segment);
    EXPECT_EQ(ended.calls, 0);
    second.reset();
    EXPECT_EQ(ended.calls, 1);
  }
}

// ---- Ranges.

TEST(BufferSegment, PartsOfASegment) {
  const std::string data = Pattern(10000);
  for (unsigned flags : {0u, unsigned{EVBUF_FS_DISABLE_MMAP}}) {
    // The segment is [1000, 9000) of the file.
    evbuffer_file_segment* segment = evbuffer_file_segment_new(
        NewFile(data), 1000, 8000, flags | EVBUF_FS_CLOSE_ON_FREE);
    ASSERT_NE(segment, nullptr);
    for (ev_off_t offset : {0, 1, 3096, 7999}) {
      BufferPtr buf = NewBuffer();
      ASSERT_EQ(evbuffer_add_file_segment(buf.get(), segment, offset, -1), 0);
      EXPECT_TRUE(Contents(buf) == data.substr(1000 + offset, 8000 - offset));
      ASSERT_EQ(evbuffer_add_file_segment(buf.get(), segment, offset, 1), 0);
      EXPECT_EQ(evbuffer_get_length(buf.get()), 8001u - offset);
    }
    evbuffer_file_segment_free(segment);
  }
}

// The segment's end.
TEST(BufferSegment, PartsBeyondASegment) {
  for (bool draining : {false, true}) {
    evbuffer_file_segment* segment = evbuffer_file_segment_new(
        NewFile(Pattern(100)), 0, 50, EVBUF_FS_CLOSE_ON_FREE);
    BufferPtr buf = draining ? NewDrainingBuffer() : NewBuffer();
    const ev_off_t bad[][2] = {{51, -1}, {0, 51}, {50, 1}, {49, 2}, {100, 10}};
    for (const auto& [offset, length] : bad) {
#ifdef TESTING_DEBIAN_LIBEVENT
      // better: libevent's failing call drops the caller's reference; here each
      // call has one of its own to drop.
      evbuffer_file_segment* own = evbuffer_file_segment_new(
          NewFile(Pattern(100)), 0, 50, EVBUF_FS_CLOSE_ON_FREE);
      EXPECT_EQ(evbuffer_add_file_segment(buf.get(), own, offset, length), -1);
#else
      EXPECT_EQ(evbuffer_add_file_segment(buf.get(), segment, offset, length),
                -1)
          << offset << " " << length;
#endif
    }
    EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
    EXPECT_EQ(evbuffer_add_file_segment(buf.get(), segment, 0, 50), 0);
    EXPECT_EQ(evbuffer_get_length(buf.get()), 50u);
    evbuffer_file_segment_free(segment);
  }
}

// Whose the reference is after an error.
TEST(BufferSegment, KeptByTheCallerOnErrors) {
  for (const char* why : {"frozen", "range"}) {
    Ended ended;
    ended.fd = NewFile(Pattern(100));
    evbuffer_file_segment* segment =
        evbuffer_file_segment_new(ended.fd, 0, 50, EVBUF_FS_CLOSE_ON_FREE);
    evbuffer_file_segment_add_cleanup_cb(segment, Ended::Tell, &ended);
    BufferPtr buf = NewBuffer();
    const bool frozen = std::string(why) == "frozen";
    if (frozen) evbuffer_freeze(buf.get(), 0);
    EXPECT_EQ(
        evbuffer_add_file_segment(buf.get(), segment, 0, frozen ? 50 : 51), -1);
#ifndef TESTING_DEBIAN_LIBEVENT
    // better: libevent drops it, which a caller that cleans up drops again.
    EXPECT_EQ(ended.calls, 0) << why;
    evbuffer_file_segment_free(segment);
#endif
    EXPECT_EQ(ended.calls, 1) << why;
  }
}

// A file that cannot be read: neither way, and the segment is no leak.
TEST(BufferSegment, FileThatCannotBeRead) {
  for (unsigned flags : {0u, unsigned{EVBUF_FS_DISABLE_MMAP}}) {
    Ended ended;
    // Only for writing.
    const int file = NewFile(Pattern(100));
    const std::string name = "/proc/self/fd/" + std::to_string(file);
    ended.fd = open(name.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(ended.fd, 0);
    close(file);
    evbuffer_file_segment* segment = evbuffer_file_segment_new(
        ended.fd, 0, 100, flags | EVBUF_FS_CLOSE_ON_FREE);
    ASSERT_NE(segment, nullptr);
    evbuffer_file_segment_add_cleanup_cb(segment, Ended::Tell, &ended);
    BufferPtr buf = NewBuffer("abc");
    EXPECT_EQ(evbuffer_add_file_segment(buf.get(), segment, 0, 100), -1);
    EXPECT_EQ(Contents(buf), "abc");
    EXPECT_EQ(ended.calls, 0);
    evbuffer_file_segment_free(segment);
    EXPECT_EQ(ended.calls, 1);
    EXPECT_FALSE(IsOpen(ended.fd));
  }
}

TEST(BufferSegment, WhatCannotBe) {
  const int fd = NewFile(Pattern(100));
  EXPECT_EQ(evbuffer_file_segment_new(fd, -1, 10, 0), nullptr);
  EXPECT_EQ(evbuffer_file_segment_new(fd, EV_SSIZE_MAX, 10, 0), nullptr);
  EXPECT_EQ(evbuffer_file_segment_new(fd, 0, -2, 0), nullptr);
  EXPECT_EQ(evbuffer_file_segment_new(-1, 0, -1, 0), nullptr);
  // It is still the caller's.
  EXPECT_EQ(evbuffer_file_segment_new(fd, -1, 10, EVBUF_FS_CLOSE_ON_FREE),
            nullptr);
  EXPECT_TRUE(IsOpen(fd));
  close(fd);
}

// semantics 9.15
TEST(BufferSegment, ToTheEndFromAnOffset) {
  const int fd = NewFile(Pattern(10000));
  BufferPtr buf = NewBuffer();
#ifdef TESTING_DEBIAN_LIBEVENT
  // better: libevent takes the file's whole size, 8000 bytes beyond the end.
  buf = NewDrainingBuffer();
  ASSERT_EQ(evbuffer_add_file(buf.get(), fd, 8000, -1), 0);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 10000u);
#else
  ASSERT_EQ(evbuffer_add_file(buf.get(), fd, 8000, -1), 0);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 2000u);
  EXPECT_EQ(Contents(buf), Pattern(10000).substr(8000));
#endif
}

#ifndef TESTING_DEBIAN_LIBEVENT

// better: libevent reads with the descriptor's own position, which moves.
// semantics 9.15
TEST(BufferSegment, DescriptorsPositionStays) {
  const int fd = NewFile(Pattern(10000));
  ASSERT_EQ(lseek(fd, 17, SEEK_SET), 17);
  for (unsigned flags : {0u, unsigned{EVBUF_FS_DISABLE_MMAP}}) {
    evbuffer_file_segment* segment =
        evbuffer_file_segment_new(fd, 5000, 100, flags);
    ASSERT_NE(segment, nullptr);
    BufferPtr buf = NewBuffer();
    ASSERT_EQ(evbuffer_add_file_segment(buf.get(), segment, 0, -1), 0);
    evbuffer_file_segment_free(segment);
    EXPECT_EQ(Contents(buf), Pattern(10000).substr(5000, 100));
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 17);
  }
  close(fd);
}

#endif

// ---- evbuffer_add_file.

// api evbuffer_add_file
// semantics 9.15
TEST(BufferAddFile, OwnsTheDescriptor) {
  for (bool draining : {false, true}) {
    for (bool drain : {false, true}) {
      const int fd = NewFile("0123456789");
      BufferPtr buf = draining ? NewDrainingBuffer() : NewBuffer();
      ASSERT_EQ(evbuffer_add_file(buf.get(), fd, 2, 5), 0);
      EXPECT_EQ(evbuffer_get_length(buf.get()), 5u);
      if (!draining) {
        EXPECT_EQ(Contents(buf), "23456");
      }
      EXPECT_TRUE(IsOpen(fd));
      if (drain) {
        evbuffer_drain(buf.get(), 5);
      } else {
        buf.reset();
      }
      EXPECT_FALSE(IsOpen(fd));
    }
  }
}

TEST(BufferAddFile, WholeFile) {
  BufferPtr buf = NewBuffer("abc");
  ASSERT_EQ(evbuffer_add_file(buf.get(), NewFile(Pattern(9999)), 0, -1), 0);
  EXPECT_EQ(Contents(buf), "abc" + Pattern(9999));
}

TEST(BufferAddFile, FrozenEndClosesIt) {
  const int fd = NewFile("0123456789");
  BufferPtr buf = NewBuffer("abc");
  evbuffer_freeze(buf.get(), 0);
  EXPECT_EQ(evbuffer_add_file(buf.get(), fd, 0, 10), -1);
  EXPECT_EQ(Contents(buf), "abc");
  EXPECT_FALSE(IsOpen(fd));
}

#ifndef TESTING_DEBIAN_LIBEVENT

// better: libevent loses the descriptor of a file that it cannot map.
TEST(BufferAddFile, UnreadableFileIsClosed) {
  const int file = NewFile(Pattern(100));
  const std::string name = "/proc/self/fd/" + std::to_string(file);
  const int fd = open(name.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  close(file);
  BufferPtr buf = NewBuffer("abc");
  EXPECT_EQ(evbuffer_add_file(buf.get(), fd, 0, 100), -1);
  EXPECT_EQ(Contents(buf), "abc");
  EXPECT_FALSE(IsOpen(fd));
}

#endif

TEST(BufferAddFile, BadRangeLeavesItOpen) {
  const int fd = NewFile("0123456789");
  BufferPtr buf = NewBuffer("abc");
  EXPECT_EQ(evbuffer_add_file(buf.get(), fd, -1, 10), -1);
  EXPECT_EQ(evbuffer_add_file(buf.get(), fd, EV_SSIZE_MAX, 10), -1);
  EXPECT_EQ(Contents(buf), "abc");
  EXPECT_TRUE(IsOpen(fd));
  close(fd);
  EXPECT_EQ(evbuffer_add_file(buf.get(), fd, 0, -1), -1);
}

}  // namespace
