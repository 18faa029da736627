// Streams and the errors of the system: read, write and their vectors are
// taken the place of.
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "percore/net/stream/socket_stream.h"
#include "percore/net/stream/stream.h"
#include "percore/tests/net/stream/stream_fixture.h"

namespace {

// For one descriptor; the other calls of the process are the system's.
struct Faults {
  int fd = -1;
  int error = 0;         // of each call; 0: none
  unsigned one_in = 1;   // how often
  std::size_t most = 0;  // bytes of a call; 0: as many as asked
  std::mt19937 random{1};
  int calls = 0;
  int failed = 0;

  bool Fails(int number) {
    if (number != fd) return false;
    ++calls;
    if (error == 0 || random() % one_in != 0) return false;
    ++failed;
    errno = error;
    return true;
  }
  std::size_t Part(int number, std::size_t n) {
    if (number != fd || most == 0) return n;
    return std::min(n, 1 + random() % most);
  }
};
Faults reads;
Faults writes;

}  // namespace

extern "C" {

ssize_t read(int fd, void* bytes, size_t n) {
  if (reads.Fails(fd)) return -1;
  return syscall(SYS_read, fd, bytes, reads.Part(fd, n));
}
ssize_t readv(int fd, const iovec* v, int count) {
  if (fd == reads.fd && reads.most != 0) {
    return read(fd, v[0].iov_base, v[0].iov_len);
  }
  if (reads.Fails(fd)) return -1;
  return syscall(SYS_readv, fd, v, count);
}
ssize_t write(int fd, const void* bytes, size_t n) {
  if (writes.Fails(fd)) return -1;
  return syscall(SYS_write, fd, bytes, writes.Part(fd, n));
}
ssize_t writev(int fd, const iovec* v, int count) {
  if (fd == writes.fd && writes.most != 0) {
    return write(fd, v[0].iov_base, v[0].iov_len);
  }
  if (writes.Fails(fd)) return -1;
  return syscall(SYS_writev, fd, v, count);
}

}  // extern "C"

namespace percore {
namespace {

class StreamFaultsTest : public testing::Test {
 protected:
  StreamFaultsTest() : base_(NewEventBase(true)) {
    s_ = NewSocketStream(base_.get(), ends_.ours, BEV_OPT_CLOSE_ON_FREE);
    calls_.on_event = [this](Stream* s, short what) {
      error_ = errno;
      events_ = static_cast<short>(events_ | what);
      enabled_ = s->enabled;
    };
    calls_.Attach(s_);
    reads = Faults{};
    writes = Faults{};
    reads.fd = writes.fd = ends_.ours;
  }
  ~StreamFaultsTest() override {
    reads = Faults{};
    writes = Faults{};
    s_->Free();
    close(ends_.theirs);
  }
  void Turn() { base_->Loop(EVLOOP_NONBLOCK); }

  // 200000 bytes each way, through whatever the faults do.
  void Exchange() {
    std::string sent(200000, 0);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      sent[i] = static_cast<char>(i * 37 + (i >> 9));
    }
    s_->Enable(EV_READ | EV_WRITE);
    s_->output_buffer.Add(sent);
    std::string got;
    std::size_t fed = 0;
    for (int turn = 0; turn < 500000; ++turn) {
      Turn();
      char bytes[65536];
      ssize_t n = syscall(SYS_read, ends_.theirs, bytes, sizeof bytes);
      if (n > 0) got.append(bytes, static_cast<std::size_t>(n));
      n = syscall(SYS_write, ends_.theirs, sent.data() + fed,
                  std::min<std::size_t>(sent.size() - fed, 5000));
      if (n > 0) fed += static_cast<std::size_t>(n);
      if (got.size() == sent.size() && s_->input_buffer.size() == sent.size()) {
        break;
      }
    }
    EXPECT_TRUE(got == sent) << got.size();
    EXPECT_TRUE(s_->input_buffer.ToString() == sent);
    EXPECT_EQ(events_, 0);
  }

  EventBasePtr base_;
  SocketEnds ends_;
  Stream* s_;
  Calls calls_;
  short events_ = 0;
  short enabled_ = 0;
  int error_ = 0;
};

TEST_F(StreamFaultsTest, ShortCounts) {
  reads.most = writes.most = 300;
  Exchange();
  EXPECT_GT(writes.calls, 600);
}

TEST_F(StreamFaultsTest, Interrupted) {
  reads.error = writes.error = EINTR;
  reads.one_in = writes.one_in = 2;
  reads.most = writes.most = 3000;
  Exchange();
  EXPECT_GT(reads.failed, 10);
  EXPECT_GT(writes.failed, 10);
}

TEST_F(StreamFaultsTest, ReadyWithoutBytes) {
  reads.error = writes.error = EAGAIN;
  reads.one_in = writes.one_in = 2;
  reads.most = writes.most = 3000;
  Exchange();
  EXPECT_GT(reads.failed, 10);
  EXPECT_GT(writes.failed, 10);
}

// semantics 10.5, 10.17: an error is told once, with its direction and errno;
// that direction stops.
TEST_F(StreamFaultsTest, AReadThatFails) {
  for (const int error : {ECONNRESET, ENOBUFS, ETIMEDOUT, EIO}) {
    SCOPED_TRACE(error);
    events_ = 0;
    reads.error = 0;
    s_->Enable(EV_READ);
    (void)!syscall(SYS_write, ends_.theirs, "x", 1);
    Turn();
    EXPECT_EQ(events_, 0);
    reads.error = error;
    (void)!syscall(SYS_write, ends_.theirs, "y", 1);
    Turn();
    EXPECT_EQ(events_, BEV_EVENT_ERROR | BEV_EVENT_READING);
    EXPECT_EQ(error_, error);
    EXPECT_EQ(enabled_ & EV_READ, 0);
    const int calls = reads.calls;
    Turn();
    EXPECT_EQ(reads.calls, calls) << "it has stopped";
    // Nothing that had come is lost.
    EXPECT_EQ(s_->input_buffer.ToString().front(), 'x');
    reads.error = 0;
    s_->Enable(EV_READ);
    Turn();
  }
}

TEST_F(StreamFaultsTest, AWriteThatFails) {
  for (const int error : {ECONNRESET, ENOBUFS, EPIPE}) {
    SCOPED_TRACE(error);
    events_ = 0;
    writes.error = error;
    s_->Enable(EV_WRITE);
    s_->output_buffer.Add("kept");
    Turn();
    EXPECT_EQ(events_, BEV_EVENT_ERROR | BEV_EVENT_WRITING);
    EXPECT_EQ(error_, error);
    EXPECT_EQ(enabled_ & EV_WRITE, 0);
    const std::size_t kept = s_->output_buffer.size();
    EXPECT_GE(kept, 4u) << "the bytes stay";
    const int calls = writes.calls;
    Turn();
    EXPECT_EQ(writes.calls, calls) << "it has stopped";
  }
  // And goes on when the program says so.
  writes.error = 0;
  s_->Enable(EV_WRITE);
  Turn();
  EXPECT_TRUE(s_->output_buffer.empty());
}

}  // namespace
}  // namespace percore
