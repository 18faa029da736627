// Files in a buffer, however they are read: evbuffer_add_file().

#include <errno.h>
#include <event2/buffer.h>
#include <event2/util.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "percore/tests/compat/buffer_files.h"
#include "percore/tests/compat/buffers.h"

namespace {

using compat::Add;
using compat::BufferPtr;
using compat::Channel;
using compat::Contents;
using compat::IsOpen;
using compat::NewBuffer;
using compat::NewFile;
using compat::Pattern;
using compat::Prepend;
using compat::Pump;
using compat::Remove;
using compat::RemoveAll;

// How the library is led to read the file.
struct Access {
  const char* name;
  unsigned flags;
  bool drains_to_fd;
};
void PrintTo(const Access& access, std::ostream* os) { *os << access.name; }

constexpr Access kSendfile = {"sendfile", 0, true};
constexpr Access kMapped = {"mapped", 0, false};
constexpr Access kMappedToo = {"mapped_drains", EVBUF_FS_DISABLE_SENDFILE,
                               true};
constexpr Access kRead = {"read", EVBUF_FS_DISABLE_MMAP, false};
constexpr Access kReadToo = {
    "read_drains", EVBUF_FS_DISABLE_MMAP | EVBUF_FS_DISABLE_SENDFILE, true};

BufferPtr NewBufferFor(const Access& access) {
  BufferPtr buf = NewBuffer();
  if (access.drains_to_fd) {
    EXPECT_EQ(evbuffer_set_flags(buf.get(), EVBUFFER_FLAG_DRAINS_TO_FD), 0);
  }
  return buf;
}

// Adds part of a file, closing `fd` with the segment.
int AddPart(evbuffer* buf, const Access& access, int fd, ev_off_t offset,
            ev_off_t length) {
  evbuffer_file_segment* segment = evbuffer_file_segment_new(
      fd, offset, length, access.flags | EVBUF_FS_CLOSE_ON_FREE);
  if (segment == nullptr) return -1;
  const int result = evbuffer_add_file_segment(buf, segment, 0, -1);
  evbuffer_file_segment_free(segment);
  return result;
}

class BufferFile
    : public testing::TestWithParam<std::tuple<Access, Channel::Kind>> {
 protected:
  const Access& access() const { return std::get<0>(GetParam()); }
  Channel::Kind kind() const { return std::get<1>(GetParam()); }
};

// api evbuffer_file_segment_new, evbuffer_add_file_segment,
// evbuffer_file_segment_free, EVBUF_FS_CLOSE_ON_FREE, EVBUF_FS_DISABLE_MMAP,
// EVBUF_FS_DISABLE_SENDFILE
// semantics 9.15
// Offsets within the first page, at its end, and on other pages.
TEST_P(BufferFile, ArrivesWhole) {
  const std::string data = Pattern(20000);
  for (size_t offset : {0, 1, 4095, 4096, 5000, 8192, 19999}) {
    for (size_t length : {1, 100, 4096, 9000}) {
      if (offset + length > data.size()) length = data.size() - offset;
      Channel channel(kind());
      BufferPtr buf = NewBufferFor(access());
      const int fd = NewFile(data);
      ASSERT_EQ(AddPart(buf.get(), access(), fd, offset, length), 0);
      EXPECT_EQ(evbuffer_get_length(buf.get()), length);
      EXPECT_TRUE(Pump(buf.get(), &channel) == data.substr(offset, length))
          << offset << " " << length;
      buf.reset();
      EXPECT_FALSE(IsOpen(fd));
    }
  }
}

// More than the channel takes at once.
TEST_P(BufferFile, LargeOneArrivesInParts) {
  const std::string data = Pattern(1 << 20);
  Channel channel(kind());
  BufferPtr buf = NewBufferFor(access());
  ASSERT_EQ(AddPart(buf.get(), access(), NewFile(data), 0, -1), 0);
  EXPECT_TRUE(Pump(buf.get(), &channel) == data);
}

// The usual response: a header, the file, something more, another file.
TEST_P(BufferFile, BetweenOtherData) {
  const std::string data = Pattern(10000);
  Channel channel(kind());
  BufferPtr buf = NewBufferFor(access());
  ASSERT_EQ(Add(buf.get(), "header"), 0);
  ASSERT_EQ(AddPart(buf.get(), access(), NewFile(data), 0, -1), 0);
  ASSERT_EQ(Add(buf.get(), "middle"), 0);
  ASSERT_EQ(AddPart(buf.get(), access(), NewFile(data), 100, 5), 0);
  ASSERT_EQ(Add(buf.get(), "end"), 0);
  ASSERT_EQ(Prepend(buf.get(), "start"), 0);
  EXPECT_TRUE(Pump(buf.get(), &channel) ==
              "startheader" + data + "middle" + data.substr(100, 5) + "end");
}

TEST_P(BufferFile, DrainedInPart) {
  const std::string data = Pattern(10000);
  Channel channel(kind());
  BufferPtr buf = NewBufferFor(access());
  ASSERT_EQ(AddPart(buf.get(), access(), NewFile(data), 10, 9000), 0);
  EXPECT_EQ(evbuffer_drain(buf.get(), 5000), 0);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 4000u);
  EXPECT_TRUE(Pump(buf.get(), &channel) == data.substr(5010, 4000));
}

TEST_P(BufferFile, MovedToAnotherBuffer) {
  const std::string data = Pattern(10000);
  Channel channel(kind());
  BufferPtr buf = NewBufferFor(access()), to = NewBufferFor(access());
  const int fd = NewFile(data);
  ASSERT_EQ(AddPart(buf.get(), access(), fd, 0, -1), 0);
  ASSERT_EQ(Add(to.get(), "to"), 0);
  ASSERT_EQ(evbuffer_add_buffer(to.get(), buf.get()), 0);
  buf.reset();
  EXPECT_TRUE(Pump(to.get(), &channel) == "to" + data);
  to.reset();
  EXPECT_FALSE(IsOpen(fd));
}

TEST_P(BufferFile, FreedUnwritten) {
  BufferPtr buf = NewBufferFor(access());
  const int fd = NewFile(Pattern(100));
  ASSERT_EQ(AddPart(buf.get(), access(), fd, 0, -1), 0);
  EXPECT_TRUE(IsOpen(fd));
  buf.reset();
  EXPECT_FALSE(IsOpen(fd));
}

// semantics 9.17
// api evbuffer_write_atmost
TEST_P(BufferFile, WrittenAtMost) {
  const std::string data = Pattern(10000);
  Channel channel(kind());
  BufferPtr buf = NewBufferFor(access());
  ASSERT_EQ(AddPart(buf.get(), access(), NewFile(data), 0, -1), 0);
#ifdef TESTING_DEBIAN_LIBEVENT
  // better: libevent does not count what sendfile sends.
  if (access().flags == 0 && access().drains_to_fd) GTEST_SKIP();
#endif
  EXPECT_EQ(evbuffer_write_atmost(buf.get(), channel.in(), 1000), 1000);
  EXPECT_EQ(evbuffer_write_atmost(buf.get(), channel.in(), 1), 1);
  EXPECT_EQ(channel.Arrived(), data.substr(0, 1001));
  EXPECT_EQ(evbuffer_get_length(buf.get()), 8999u);
  EXPECT_TRUE(Pump(buf.get(), &channel) == data.substr(1001));
}

// semantics 9.17
TEST_P(BufferFile, WriteThatWouldBlock) {
  Channel channel(kind());
  channel.Fill();
  BufferPtr buf = NewBufferFor(access());
  ASSERT_EQ(AddPart(buf.get(), access(), NewFile(Pattern(100)), 0, -1), 0);
  errno = 0;
  const int n = evbuffer_write(buf.get(), channel.in());
#ifdef TESTING_DEBIAN_LIBEVENT
  // better: libevent's sendfile says 0, which is no error and no progress.
  const bool by_sendfile = access().flags == 0 && access().drains_to_fd;
  EXPECT_EQ(n, by_sendfile ? 0 : -1);
#else
  EXPECT_EQ(n, -1);
#endif
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(evbuffer_get_length(buf.get()), 100u);
}

INSTANTIATE_TEST_SUITE_P(
    Each, BufferFile,
    testing::Combine(testing::Values(kSendfile, kMapped, kMappedToo, kRead,
                                     kReadToo),
                     testing::Values(Channel::kSocket, Channel::kPipe)),
    [](const auto& test) {
      return std::string(std::get<0>(test.param).name) +
             (std::get<1>(test.param) == Channel::kPipe ? "_pipe" : "_socket");
    });

// ---- What is in memory can be read like anything else.

class BufferFileInMemory : public testing::TestWithParam<Access> {};

// semantics 9.15
TEST_P(BufferFileInMemory, ReadsAsData) {
  const std::string data = Pattern(10000);
  BufferPtr buf = NewBufferFor(GetParam());
  ASSERT_EQ(Add(buf.get(), "abc"), 0);
  ASSERT_EQ(AddPart(buf.get(), GetParam(), NewFile(data), 5000, 4000), 0);
  ASSERT_EQ(Add(buf.get(), "def"), 0);
  const std::string want = "abc" + data.substr(5000, 4000) + "def";
  EXPECT_TRUE(Contents(buf) == want);
  EXPECT_EQ(Remove(buf.get(), 10), want.substr(0, 10));
  const evbuffer_ptr found = evbuffer_search(buf.get(), "def", 3, nullptr);
  EXPECT_EQ(found.pos, static_cast<ev_ssize_t>(want.find("def") - 10));
  unsigned char* bytes = evbuffer_pullup(buf.get(), -1);
  ASSERT_NE(bytes, nullptr);
  EXPECT_TRUE(std::string(bytes, bytes + 3996) == want.substr(10));
  EXPECT_TRUE(RemoveAll(buf.get()) == want.substr(10));
}

// The file is not written to: the memory may be the file's pages.
TEST_P(BufferFileInMemory, PullupDoesNotChangeTheFile) {
  const std::string data = Pattern(5000);
  const int fd = NewFile(data), again = dup(fd);
  BufferPtr buf = NewBufferFor(GetParam());
  ASSERT_EQ(AddPart(buf.get(), GetParam(), fd, 0, -1), 0);
  ASSERT_EQ(Add(buf.get(), "more"), 0);
  unsigned char* bytes = evbuffer_pullup(buf.get(), -1);
  ASSERT_NE(bytes, nullptr);
  memset(bytes, '!', 10);
  EXPECT_EQ(Contents(buf).substr(0, 11), "!!!!!!!!!!" + data.substr(10, 1));
  char there[10];
  EXPECT_EQ(pread(again, there, 10, 0), 10);
  EXPECT_EQ(std::string(there, 10), data.substr(0, 10));
  close(again);
}

INSTANTIATE_TEST_SUITE_P(Each, BufferFileInMemory,
                         testing::Values(kMapped, kMappedToo, kRead, kReadToo),
                         testing::PrintToStringParamName());

#ifndef TESTING_DEBIAN_LIBEVENT

// better: libevent has no memory of what sendfile is to send; it copies bytes
// from beyond its own allocation.
// semantics 9.15
TEST(BufferFileBySendfile, PulledUp) {
  const std::string data = Pattern(10000);
  BufferPtr buf = NewBufferFor(kSendfile);
  ASSERT_EQ(Add(buf.get(), "abc"), 0);
  ASSERT_EQ(AddPart(buf.get(), kSendfile, NewFile(data), 100, 5000), 0);
  unsigned char* bytes = evbuffer_pullup(buf.get(), -1);
  ASSERT_NE(bytes, nullptr);
  EXPECT_TRUE(std::string(bytes, bytes + 5003) ==
              "abc" + data.substr(100, 5000));
}

// better: the same.
// semantics 9.15
TEST(BufferFileBySendfile, ReadsAsData) {
  const std::string data = Pattern(10000);
  BufferPtr buf = NewBufferFor(kSendfile);
  ASSERT_EQ(Add(buf.get(), "abc"), 0);
  ASSERT_EQ(AddPart(buf.get(), kSendfile, NewFile(data), 100, 5000), 0);
  ASSERT_EQ(Add(buf.get(), "needle"), 0);
  const std::string want = "abc" + data.substr(100, 5000) + "needle";
  EXPECT_TRUE(Contents(buf) == want);
  EXPECT_EQ(evbuffer_search(buf.get(), "needle", 6, nullptr).pos, 5003);
  EXPECT_EQ(Remove(buf.get(), 10), want.substr(0, 10));
  EXPECT_TRUE(RemoveAll(buf.get()) == want.substr(10));
}

#endif

}  // namespace
