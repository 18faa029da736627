// Buffers and descriptors: evbuffer_read(), evbuffer_write().

#include <errno.h>
#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "percore/tests/compat/buffer_files.h"
#include "percore/tests/compat/buffers.h"

namespace {

using compat::Add;
using compat::AddChunk;
using compat::BufferPtr;
using compat::Channel;
using compat::Chunks;
using compat::ChunksOf;
using compat::Contents;
using compat::NewBuffer;
using compat::NewFile;
using compat::Pattern;
using compat::Pump;

class BufferIo : public testing::TestWithParam<Channel::Kind> {
 protected:
  static void SetUpTestSuite() { signal(SIGPIPE, SIG_IGN); }

  void Send(const std::string& data) {
    ASSERT_EQ(write(channel_.in(), data.data(), data.size()),
              static_cast<ssize_t>(data.size()));
  }
  Channel channel_{GetParam()};
};

// ---- Reading.

// api evbuffer_read
// semantics 9.16
TEST_P(BufferIo, ReadsWhatIsThere) {
  BufferPtr buf = NewBuffer("abc");
  Send("hello");
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), -1), 5);
  EXPECT_EQ(Contents(buf), "abchello");
}

TEST_P(BufferIo, ReadsNoMoreThanAsked) {
  BufferPtr buf = NewBuffer();
  Send("hello world");
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), 5), 5);
  EXPECT_EQ(Contents(buf), "hello");
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), 1), 1);
  EXPECT_EQ(Contents(buf), "hello ");
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), 1000), 5);
  EXPECT_EQ(Contents(buf), "hello world");
}

// semantics 9.16
TEST_P(BufferIo, ReadsAtMost4096) {
  const std::string data = Pattern(10000);
  BufferPtr buf = NewBuffer();
  Send(data);
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), -1), 4096);
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), 8000), 4096);
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), INT_MAX), 10000 - 8192);
  EXPECT_TRUE(Contents(buf) == data);
}

#ifndef TESTING_DEBIAN_LIBEVENT

// api evbuffer_set_max_read, evbuffer_get_max_read
// semantics 9.16
TEST_P(BufferIo, MaxRead) {
  const std::string data = Pattern(20000);
  BufferPtr buf = NewBuffer();
  EXPECT_EQ(evbuffer_get_max_read(buf.get()), 4096u);
  EXPECT_EQ(evbuffer_set_max_read(buf.get(), 16000), 0);
  EXPECT_EQ(evbuffer_get_max_read(buf.get()), 16000u);
  Send(data);
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), -1), 16000);
  EXPECT_EQ(evbuffer_set_max_read(buf.get(), 100), 0);
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), -1), 100);
  EXPECT_EQ(evbuffer_set_max_read(buf.get(), size_t{INT_MAX} + 1), -1);
  EXPECT_EQ(evbuffer_set_max_read(buf.get(), EV_SIZE_MAX), -1);
  EXPECT_EQ(evbuffer_get_max_read(buf.get()), 100u);
  EXPECT_EQ(evbuffer_set_max_read(buf.get(), INT_MAX), 0);
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), -1), 3900);
  EXPECT_TRUE(Contents(buf) == data);
}

#endif

// Into every state that the last chunk can be in.
TEST_P(BufferIo, ReadsAfterAnything) {
  for (size_t there : {0, 1, 900, 970, 976, 1000, 4000}) {
    for (size_t n : {1, 30, 100, 1024, 4096}) {
      const std::string data = Pattern(n, 3);
      Send(data);
      BufferPtr buf = NewBuffer(Pattern(there));
      ASSERT_EQ(evbuffer_read(buf.get(), channel_.out(), 4096),
                static_cast<int>(n));
      ASSERT_TRUE(Contents(buf) == Pattern(there) + data);
      ASSERT_EQ(Add(buf.get(), "!"), 0);
      ASSERT_TRUE(Contents(buf) == Pattern(there) + data + "!");
    }
  }
}

TEST_P(BufferIo, ReadsAfterReferencesAndEmptyChunks) {
  for (const std::vector<std::string>& pieces :
       std::vector<std::vector<std::string>>{
           {"abc"}, {""}, {"abc", ""}, {"", "", ""}, {"abc", "", "d", ""}}) {
    BufferPtr buf = Chunks(pieces);
    const std::string before = Contents(buf);
    Send("hello");
    EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), -1), 5);
    EXPECT_EQ(Contents(buf), before + "hello");
  }
}

TEST_P(BufferIo, ReadsTheEnd) {
  BufferPtr buf = NewBuffer("abc");
  Send("last");
  channel_.CloseIn();
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), -1), 4);
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), -1), 0);
  EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), 100), 0);
  EXPECT_EQ(Contents(buf), "abclast");
}

TEST_P(BufferIo, ReadThatWouldBlock) {
  BufferPtr buf = NewBuffer("abc");
  for (int howmuch : {-1, 1, 100}) {
    errno = 0;
    EXPECT_EQ(evbuffer_read(buf.get(), channel_.out(), howmuch), -1);
    EXPECT_EQ(errno, EAGAIN);
  }
  EXPECT_EQ(Contents(buf), "abc");
  EXPECT_EQ(Add(buf.get(), "def"), 0);
  EXPECT_EQ(Contents(buf), "abcdef");
}

TEST_P(BufferIo, ReadOfNoDescriptor) {
  BufferPtr buf = NewBuffer("abc");
  errno = 0;
  EXPECT_EQ(evbuffer_read(buf.get(), -1, 10), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(Contents(buf), "abc");
}

// ---- Writing.

// api evbuffer_write
TEST_P(BufferIo, WritesAll) {
  BufferPtr buf = Chunks({"abc", "", "def", ""});
  Add(buf.get(), "ghi");
  EXPECT_EQ(evbuffer_write(buf.get(), channel_.in()), 9);
  EXPECT_EQ(channel_.Arrived(), "abcdefghi");
  EXPECT_EQ(evbuffer_get_length(buf.get()), 0u);
}

TEST_P(BufferIo, WritesNothing) {
  BufferPtr buf = NewBuffer();
  EXPECT_EQ(evbuffer_write(buf.get(), channel_.in()), -1);
  EXPECT_EQ(evbuffer_write_atmost(buf.get(), channel_.in(), 10), -1);
}

// api evbuffer_write_atmost
TEST_P(BufferIo, WritesAtMost) {
  const std::string data = Pattern(100);
  for (size_t size : {1, 7, 50, 100}) {
    BufferPtr buf = ChunksOf(size, data);
    EXPECT_EQ(evbuffer_write_atmost(buf.get(), channel_.in(), 1), 1);
    EXPECT_EQ(evbuffer_write_atmost(buf.get(), channel_.in(), 30), 30);
    EXPECT_EQ(channel_.Arrived(), data.substr(0, 31));
    EXPECT_EQ(Contents(buf), data.substr(31));
    EXPECT_EQ(evbuffer_write_atmost(buf.get(), channel_.in(), 1000), 69);
    EXPECT_EQ(channel_.Arrived(), data.substr(31));
  }
}

TEST_P(BufferIo, WriteOfNegativeIsAll) {
  BufferPtr buf = Chunks({"abc", "def"});
  EXPECT_EQ(evbuffer_write_atmost(buf.get(), channel_.in(), -1), 6);
  EXPECT_EQ(channel_.Arrived(), "abcdef");
}

TEST_P(BufferIo, WriteOfNoBytes) {
  BufferPtr buf = NewBuffer("abc");
  EXPECT_EQ(evbuffer_write_atmost(buf.get(), channel_.in(), 0), -1);
  EXPECT_EQ(channel_.Arrived(), "");
  EXPECT_EQ(Contents(buf), "abc");
}

// One write takes a limited number of pieces; the others come after it.
// semantics 9.17
TEST_P(BufferIo, WritesManyPieces) {
  const std::string data = Pattern(3000);
  BufferPtr buf = ChunksOf(2, data);
  const int first = evbuffer_write(buf.get(), channel_.in());
#ifdef TESTING_DEBIAN_LIBEVENT
  EXPECT_EQ(first, 256);
#else
  // better: as many as the kernel takes at once, where libevent takes 128.
  EXPECT_GE(first, 256);
#endif
  const std::string arrived = channel_.Arrived();
  EXPECT_EQ(arrived, data.substr(0, first));
  EXPECT_TRUE(Pump(buf.get(), &channel_) == data.substr(first));
}

TEST_P(BufferIo, WriteOfPart) {
  const std::string data = Pattern(4 << 20);
  BufferPtr buf = NewBuffer(data);
  const int n = evbuffer_write(buf.get(), channel_.in());
  ASSERT_GT(n, 0);
  ASSERT_LT(n, 4 << 20);
  EXPECT_EQ(evbuffer_get_length(buf.get()), data.size() - n);
  std::string text = channel_.Arrived();
  EXPECT_TRUE(text == data.substr(0, n));
  text += Pump(buf.get(), &channel_);
  EXPECT_TRUE(text == data);
}

TEST_P(BufferIo, WriteThatWouldBlock) {
  channel_.Fill();
  BufferPtr buf = NewBuffer("abc");
  errno = 0;
  EXPECT_EQ(evbuffer_write(buf.get(), channel_.in()), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(Contents(buf), "abc");
}

TEST_P(BufferIo, WriteToAClosedEnd) {
  channel_.CloseOut();
  BufferPtr buf = NewBuffer("abc");
  errno = 0;
  EXPECT_EQ(evbuffer_write(buf.get(), channel_.in()), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(Contents(buf), "abc");
}

TEST_P(BufferIo, WriteToNoDescriptor) {
  BufferPtr buf = NewBuffer("abc");
  errno = 0;
  EXPECT_EQ(evbuffer_write(buf.get(), -1), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(Contents(buf), "abc");
}

// A relay: what is read is written, in pieces of every size.
TEST_P(BufferIo, Relays) {
  const std::string data = Pattern(200000);
  Channel to(GetParam());
  BufferPtr buf = NewBuffer();
  std::string got;
  size_t sent = 0;
  for (int turn = 0; got.size() < data.size(); ++turn) {
    ASSERT_LT(turn, 100000);
    if (sent < data.size()) {
      const size_t n =
          std::min<size_t>(1 + turn * 37 % 5000, data.size() - sent);
      const ssize_t wrote = write(channel_.in(), data.data() + sent, n);
      if (wrote > 0) sent += wrote;
    }
    evbuffer_read(buf.get(), channel_.out(), 1 + turn * 91 % 6000);
    evbuffer_write_atmost(buf.get(), to.in(), 1 + turn * 53 % 7000);
    got += to.Arrived();
  }
  EXPECT_TRUE(got == data);
}

INSTANTIATE_TEST_SUITE_P(Each, BufferIo,
                         testing::Values(Channel::kSocket, Channel::kPipe),
                         [](const auto& test) {
                           return test.param == Channel::kPipe ? "pipe"
                                                               : "socket";
                         });

// A file has no FIONREAD that says "nothing yet".
TEST(BufferIoFile, ReadAndWritten) {
  const std::string data = Pattern(10000);
  const int fd = NewFile(data);
  ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
  BufferPtr buf = NewBuffer();
  while (evbuffer_read(buf.get(), fd, -1) > 0) {
  }
  EXPECT_TRUE(Contents(buf) == data);
  ASSERT_EQ(ftruncate(fd, 0), 0);
  ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
  AddChunk(buf.get(), "end");
  while (evbuffer_get_length(buf.get()) > 0) {
    ASSERT_GT(evbuffer_write(buf.get(), fd), 0);
  }
  std::string there(data.size() + 10, '\0');
  EXPECT_EQ(pread(fd, there.data(), there.size(), 0), 10003);
  EXPECT_TRUE(there.substr(0, 10003) == data + "end");
  close(fd);
}

}  // namespace
