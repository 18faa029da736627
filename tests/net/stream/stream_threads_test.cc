// Streams that other threads than their loop's use.
#include <event2/thread.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "percore/net/stream/socket_stream.h"
#include "percore/net/stream/stream.h"
#include "percore/tests/net/stream/stream_fixture.h"

namespace percore {
namespace {

// A base whose loop runs on a thread of its own.
class LoopThread {
 public:
  explicit LoopThread(bool owned = false) : base_(NewEventBase(owned)) {}
  void Start() {
    thread_ = std::thread([this] { base_->Loop(EVLOOP_NO_EXIT_ON_EMPTY); });
    while (!base_->RunsElsewhere()) std::this_thread::yield();
  }
  void Stop() {
    if (!thread_.joinable()) return;
    base_->RequestStop();
    thread_.join();
  }
  ~LoopThread() { Stop(); }
  EventBase* base() { return base_.get(); }

 private:
  EventBasePtr base_;
  std::thread thread_;
};

template <typename Done>
bool Await(Done done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    // Another thread's doing, without a signal to us.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

class StreamThreadsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(evthread_use_pthreads(), 0); }
};

TEST_F(StreamThreadsTest, FreedByAnotherThreadOfASharedBase) {
  for (int i = 0; i < 50; ++i) {
    LoopThread loop;
    SocketEnds ends;
    Stream* s = NewSocketStream(loop.base(), ends.ours,
                                BEV_OPT_THREADSAFE | BEV_OPT_CLOSE_ON_FREE);
    Calls calls;
    calls.on_read = [](Stream* stream) {
      stream->input_buffer.Drain(stream->input_buffer.size());
    };
    calls.Attach(s);
    s->Enable(EV_READ);
    loop.Start();
    std::thread writer([&ends] {
      for (int k = 0; k < 100; ++k)
        (void)!send(ends.theirs, "x", 1, MSG_NOSIGNAL);
    });
    if (i % 2) std::this_thread::yield();
    s->Free();
    EXPECT_TRUE(Await([&] { return !IsOpen(ends.ours); }));
    writer.join();
    loop.Stop();
    close(ends.theirs);
  }
}

// In an owned base the owner's events are the owner's to take back.
TEST_F(StreamThreadsTest, FreedByAnotherThreadOfAnOwnedBase) {
  LoopThread loop(/*owned=*/true);
  SocketEnds ends;
  Stream* s = NewSocketStream(loop.base(), ends.ours, BEV_OPT_CLOSE_ON_FREE);
  s->Enable(EV_READ);
  loop.Start();
  s->Free();
  EXPECT_TRUE(Await([&] { return !IsOpen(ends.ours); }));
  close(ends.theirs);
}

// The callbacks of each write to the other, on two loops, for long.
TEST_F(StreamThreadsTest, TwoThatWriteToEachOther) {
  constexpr int kRounds = 1000;
  LoopThread loops[2];
  SocketEnds ends[2];
  Stream* streams[2];
  Calls calls[2];
  std::atomic<int> written[2] = {0, 0};
  for (int i = 0; i < 2; ++i) {
    streams[i] = NewSocketStream(loops[i].base(), ends[i].ours,
                                 BEV_OPT_THREADSAFE | BEV_OPT_CLOSE_ON_FREE);
  }
  for (int i = 0; i < 2; ++i) {
    calls[i].on_read = [i, &streams, &written](Stream* s) {
      s->input_buffer.Drain(s->input_buffer.size());
      if (written[i].load() >= kRounds) return;
      ++written[i];
      streams[1 - i]->output_buffer.Add("from the other's callback");
      streams[1 - i]->Enable(EV_WRITE);
      streams[1 - i]->Trigger(EV_WRITE, 0);
    };
    calls[i].Attach(streams[i]);
    streams[i]->Enable(EV_READ | EV_WRITE);
  }
  for (LoopThread& loop : loops) loop.Start();
  // Each socket's far end keeps both callbacks busy, and takes what comes.
  std::atomic<bool> over = false;
  std::thread feeders[2];
  std::atomic<std::size_t> received[2] = {0, 0};
  for (int i = 0; i < 2; ++i) {
    feeders[i] = std::thread([&, i] {
      char bytes[4096];
      while (!over.load()) {
        (void)!send(ends[i].theirs, "x", 1, MSG_NOSIGNAL);
        const ssize_t n = read(ends[i].theirs, bytes, sizeof bytes);
        if (n > 0) received[i] += static_cast<std::size_t>(n);
        std::this_thread::yield();
      }
    });
  }
  const std::size_t all =
      kRounds * std::string("from the other's callback").size();
  EXPECT_TRUE(Await([&] { return received[0] >= all && received[1] >= all; }))
      << written[0] << " " << written[1] << ", received " << received[0] << " "
      << received[1] << " of " << all;
  over = true;
  for (std::thread& feeder : feeders) feeder.join();
  for (LoopThread& loop : loops) loop.Stop();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(received[i].load(), all);
    streams[i]->Free();
    close(ends[i].theirs);
  }
}

// What one thread writes between Lock and Unlock nobody's bytes interrupt.
TEST_F(StreamThreadsTest, LockSectionsStayAtomic) {
  constexpr int kSections = 3000;
  LoopThread loop;
  SocketEnds ends;
  Stream* s = NewSocketStream(loop.base(), ends.ours,
                              BEV_OPT_THREADSAFE | BEV_OPT_CLOSE_ON_FREE);
  Calls calls;
  std::atomic<int> from_callback = 0;
  calls.on_write = [&](Stream* stream) {
    // The loop's thread writes too.
    if (from_callback.load() < kSections) {
      ++from_callback;
      stream->output_buffer.Add("cc");
    }
  };
  calls.Attach(s);
  loop.Start();
  const auto sections = [s](char letter) {
    for (int i = 0; i < kSections; ++i) {
      s->Lock();
      const std::size_t before = s->output_buffer.size();
      s->output_buffer.Add(&letter, 1);
      s->output_buffer.Add(&letter, 1);
      EXPECT_EQ(s->output_buffer.size(), before + 2);
      s->Unlock();
    }
  };
  std::thread one(sections, 'a');
  std::thread two(sections, 'b');
  std::string got;
  const std::size_t least = std::size_t{4} * kSections;
  EXPECT_TRUE(Await([&] {
    char bytes[4096];
    for (;;) {
      const ssize_t n = read(ends.theirs, bytes, sizeof bytes);
      if (n <= 0) break;
      got.append(bytes, static_cast<std::size_t>(n));
    }
    return got.size() >=
               least + 2 * static_cast<std::size_t>(from_callback.load()) &&
           from_callback.load() > 0;
  })) << got.size();
  one.join();
  two.join();
  for (std::size_t i = 0; i + 1 < got.size(); i += 2) {
    ASSERT_EQ(got[i], got[i + 1]) << "at " << i;
  }
  s->Free();
  loop.Stop();
  close(ends.theirs);
}

}  // namespace
}  // namespace percore
