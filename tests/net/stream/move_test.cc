// Streams that move between the bases of two threads.
#include "percore/net/stream/move.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <percore/percore.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace percore {
namespace {

event_base* OwnedBase() {
  event_config* config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  return base;
}

// Two bases, each with its thread.
class MoveTest : public testing::Test {
 protected:
  void SetUp() override {
    for (event_base*& base : bases_) {
      base = OwnedBase();
      ASSERT_NE(base, nullptr);
    }
  }
  void StartThreads() {
    for (int i = 0; i < 2; ++i) {
      threads_[i] = std::thread(
          [this, i] { event_base_loop(bases_[i], EVLOOP_NO_EXIT_ON_EMPTY); });
    }
  }
  void StopThreads() {
    for (int i = 0; i < 2; ++i) {
      if (!threads_[i].joinable()) continue;
      event_base_loopbreak(bases_[i]);
      threads_[i].join();
    }
  }
  void TearDown() override {
    StopThreads();
    for (event_base* base : bases_) event_base_free(base);
  }

  event_base* Other(bufferevent* bev) {
    return bases_[bufferevent_get_base(bev) == bases_[0] ? 1 : 0];
  }

  event_base* bases_[2] = {};
  std::thread threads_[2];
};

struct Echo {
  MoveTest* test;
  event_base* bases[2];
  std::minstd_rand random{1};
  int move_one_in = 4;
  std::atomic<int> moves{0};
  std::atomic<int> wrong_thread{0};

  void MaybeMove(bufferevent* bev) {
    if (random() % static_cast<unsigned>(move_one_in) != 0) return;
    event_base* to = bases[bufferevent_get_base(bev) == bases[0] ? 1 : 0];
    if (percore_bufferevent_move(bev, to) == 0) ++moves;
  }
  void CheckThread(bufferevent* bev) {
    if (!EventBase::From(bufferevent_get_base(bev))->OnOwner()) ++wrong_thread;
  }
  static void OnRead(bufferevent* bev, void* arg) {
    auto* echo = static_cast<Echo*>(arg);
    echo->CheckThread(bev);
    bufferevent_write_buffer(bev, bufferevent_get_input(bev));
    echo->MaybeMove(bev);
  }
  static void OnWrite(bufferevent* bev, void* arg) {
    auto* echo = static_cast<Echo*>(arg);
    echo->CheckThread(bev);
    echo->MaybeMove(bev);
  }
  static void OnEvent(bufferevent* bev, short what, void* arg) {
    auto* echo = static_cast<Echo*>(arg);
    // Output may wait: the stream is freed when all has come back.
    EXPECT_EQ(what, BEV_EVENT_EOF | BEV_EVENT_READING);
    echo->CheckThread(bev);
  }
};

// Sends `total` numbered bytes in pieces and reads them back, in order.
void Exchange(int fd, std::size_t total, unsigned seed) {
  std::thread writer([fd, total, seed] {
    std::minstd_rand random(seed);
    std::size_t sent = 0;
    std::string piece;
    while (sent < total) {
      piece.resize(1 + random() % 20000);
      if (piece.size() > total - sent) piece.resize(total - sent);
      for (std::size_t i = 0; i < piece.size(); ++i) {
        piece[i] = static_cast<char>((sent + i) * 131 >> 3);
      }
      std::size_t done = 0;
      while (done < piece.size()) {
        const ssize_t n = write(fd, piece.data() + done, piece.size() - done);
        ASSERT_GT(n, 0);
        done += static_cast<std::size_t>(n);
      }
      sent += piece.size();
    }
    shutdown(fd, SHUT_WR);
  });
  std::size_t got = 0;
  char buffer[30000];
  while (got < total) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; ++i) {
      const auto at = got + static_cast<std::size_t>(i);
      ASSERT_EQ(buffer[i], static_cast<char>(at * 131 >> 3)) << at;
    }
    got += static_cast<std::size_t>(n);
  }
  EXPECT_EQ(got, total);
  writer.join();
}

bufferevent_filter_result Xor(evbuffer* source, evbuffer* target, ev_ssize_t,
                              bufferevent_flush_mode, void*) {
  std::string bytes(evbuffer_get_length(source), '\0');
  if (bytes.empty()) return BEV_NEED_MORE;
  evbuffer_remove(source, bytes.data(), bytes.size());
  for (char& c : bytes) c = static_cast<char>(c ^ 0x5a);
  evbuffer_add(target, bytes.data(), bytes.size());
  return BEV_OK;
}

TEST_F(MoveTest, NothingIsLostUnderLoad) {
  for (const bool with_filter : {false, true}) {
    for (const int deferred : {0, int{BEV_OPT_DEFER_CALLBACKS}}) {
      int pair[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
      evutil_make_socket_nonblocking(pair[0]);
      Echo echo{.test = this, .bases = {bases_[0], bases_[1]}};
      bufferevent* bev = bufferevent_socket_new(
          bases_[0], pair[0], BEV_OPT_CLOSE_ON_FREE | deferred);
      if (with_filter) {
        bev = bufferevent_filter_new(
            bev, Xor, Xor, BEV_OPT_CLOSE_ON_FREE | deferred, nullptr, nullptr);
      }
      bufferevent_setcb(bev, Echo::OnRead, Echo::OnWrite, Echo::OnEvent, &echo);
      const timeval idle = {30, 0};
      bufferevent_set_timeouts(bev, &idle, &idle);
      bufferevent_enable(bev, EV_READ | EV_WRITE);
      StartThreads();
      Exchange(pair[1], 4 << 20, 7);
      StopThreads();
      // A move may be under way: its note is in the mail.
      for (event_base* base : bases_) event_base_loop(base, EVLOOP_NONBLOCK);
      bufferevent_free(bev);
      close(pair[1]);
      EXPECT_GT(echo.moves, 20);
      EXPECT_EQ(echo.wrong_thread, 0);
    }
  }
}

// From outside of the loop, with output that waits and a read timeout that has
// run for a while.
TEST_F(MoveTest, QueuedOutputAndTimeLeftGoAlong) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  bufferevent* bev =
      bufferevent_socket_new(bases_[0], pair[0], BEV_OPT_CLOSE_ON_FREE);
  struct Seen {
    short what = 0;
    event_base* base = nullptr;
  } seen;
  bufferevent_setcb(
      bev, nullptr, nullptr,
      [](bufferevent* b, short what, void* arg) {
        auto* s = static_cast<Seen*>(arg);
        s->what = what;
        s->base = bufferevent_get_base(b);
        event_base_loopbreak(s->base);
      },
      &seen);
  const timeval idle = {0, 200000};
  bufferevent_set_timeouts(bev, &idle, nullptr);
  bufferevent_enable(bev, EV_READ);
  timeval due_before;
  ASSERT_TRUE(event_pending(&bev->ev_read, EV_TIMEOUT, &due_before));
  bufferevent_write(bev, "queued", 6);
  ASSERT_EQ(percore_bufferevent_move(bev, bases_[1]), 0);
  EXPECT_EQ(event_base_get_num_events(
                bases_[0], EVENT_BASE_COUNT_ACTIVE | EVENT_BASE_COUNT_ADDED),
            0);
  event_base_loop(bases_[1], EVLOOP_NONBLOCK);
  EXPECT_EQ(bufferevent_get_base(bev), bases_[1]);
  char bytes[16];
  ASSERT_EQ(read(pair[1], bytes, sizeof(bytes)), 6);
  EXPECT_EQ(std::string(bytes, 6), "queued");
  timeval due;
  ASSERT_TRUE(event_pending(&bev->ev_read, EV_TIMEOUT, &due));
  timeval difference;
  evutil_timersub(&due, &due_before, &difference);
  EXPECT_LT(std::abs(difference.tv_sec * 1000000 + difference.tv_usec), 5000);
  event_base_dispatch(bases_[1]);
  EXPECT_EQ(seen.what, BEV_EVENT_TIMEOUT | BEV_EVENT_READING);
  EXPECT_EQ(seen.base, bases_[1]);
  bufferevent_free(bev);
  close(pair[1]);
}

TEST_F(MoveTest, Refusals) {
  const auto refusal = [&](bufferevent* bev, event_base* to) {
    errno = 0;
    return percore_bufferevent_move(bev, to) == 0 ? 0 : errno;
  };
  bufferevent* ends[2];
  ASSERT_EQ(bufferevent_pair_new(bases_[0], 0, ends), 0);
  EXPECT_EQ(refusal(ends[0], bases_[1]), ENOTSUP);
  bufferevent* filter =
      bufferevent_filter_new(ends[0], nullptr, nullptr, 0, nullptr, nullptr);
  EXPECT_EQ(refusal(filter, bases_[1]), ENOTSUP);
  bufferevent_free(filter);
  bufferevent_free(ends[0]);
  bufferevent_free(ends[1]);

  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  bufferevent* socket =
      bufferevent_socket_new(bases_[0], pair[0], BEV_OPT_CLOSE_ON_FREE);
  EXPECT_EQ(refusal(socket, bases_[0]), 0);  // it is there
  filter = bufferevent_filter_new(socket, nullptr, nullptr,
                                  BEV_OPT_CLOSE_ON_FREE, nullptr, nullptr);
  EXPECT_EQ(refusal(socket, bases_[1]), EPERM);
  EXPECT_EQ(refusal(filter, bases_[1]), 0);
  EXPECT_EQ(refusal(filter, bases_[1]), EBUSY);  // under way
  event_base_loop(bases_[1], EVLOOP_NONBLOCK);
  EXPECT_EQ(bufferevent_get_base(filter), bases_[1]);
  EXPECT_EQ(bufferevent_get_base(socket), bases_[1]);
  bufferevent_free(filter);
  close(pair[1]);

  // Connecting: to an address that does not answer at once.
  bufferevent* connecting =
      bufferevent_socket_new(bases_[0], -1, BEV_OPT_CLOSE_ON_FREE);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(1);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(
      bufferevent_socket_connect(
          connecting, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
      0);
  EXPECT_EQ(refusal(connecting, bases_[1]), EBUSY);
  bufferevent_free(connecting);
}

TEST_F(MoveTest, FreedBeforeItLeaves) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  bufferevent* bev =
      bufferevent_socket_new(bases_[0], pair[0], BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(
      bev,
      [](bufferevent* b, void* to) {
        EXPECT_EQ(percore_bufferevent_move(b, static_cast<event_base*>(to)), 0);
        bufferevent_free(b);
      },
      nullptr, nullptr, bases_[1]);
  bufferevent_enable(bev, EV_READ);
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  event_base_loop(bases_[0], EVLOOP_ONCE);
  event_base_loop(bases_[1], EVLOOP_NONBLOCK);
  char byte;
  EXPECT_EQ(read(pair[1], &byte, 1), 0);  // closed
  close(pair[1]);
}

// The target ends with the stream under way: it belongs to nobody.
TEST_F(MoveTest, TargetEndsMeanwhile) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  event_base* third = OwnedBase();
  bufferevent* bev =
      bufferevent_socket_new(bases_[0], pair[0], BEV_OPT_CLOSE_ON_FREE);
  bufferevent_enable(bev, EV_READ);
  ASSERT_EQ(percore_bufferevent_move(bev, third), 0);
  event_base_free(third);
  EXPECT_EQ(bufferevent_get_base(bev), nullptr);
  EXPECT_EQ(bufferevent_write(bev, "x", 1), 0);
  bufferevent_free(bev);
  char byte;
  EXPECT_EQ(read(pair[1], &byte, 1), 0);  // closed
  close(pair[1]);
}

TEST_F(MoveTest, RateLimitsGoAlong) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  bufferevent* bev =
      bufferevent_socket_new(bases_[0], pair[0], BEV_OPT_CLOSE_ON_FREE);
  ev_token_bucket_cfg* config =
      ev_token_bucket_cfg_new(1000, 1000, 1000, 1000, nullptr);
  bufferevent_rate_limit_group* groups[2];
  for (int i = 0; i < 2; ++i) {
    groups[i] = bufferevent_rate_limit_group_new(bases_[i], config);
  }
  percore_rate_limit_group_make_twins(groups[0], groups[1]);
  ASSERT_EQ(bufferevent_add_to_rate_limit_group(bev, groups[0]), 0);
  ASSERT_EQ(bufferevent_set_rate_limit(bev, config), 0);
  ASSERT_EQ(bufferevent_decrement_read_limit(bev, 400), 0);
  ASSERT_EQ(percore_bufferevent_move(bev, bases_[1]), 0);
  event_base_loop(bases_[1], EVLOOP_NONBLOCK);
  EXPECT_GE(bufferevent_get_read_limit(bev), 600);
  EXPECT_EQ(bufferevent_get_token_bucket_cfg(bev), config);
  // A member of the twin: what it reads is counted there.
  bufferevent_enable(bev, EV_READ);
  ASSERT_EQ(write(pair[1], "twelve bytes", 12), 12);
  event_base_loop(bases_[1], EVLOOP_ONCE);
  ev_uint64_t read_there = 0, read_here = 0;
  bufferevent_rate_limit_group_get_totals(groups[1], &read_there, nullptr);
  bufferevent_rate_limit_group_get_totals(groups[0], &read_here, nullptr);
  EXPECT_EQ(read_there, 12u);
  EXPECT_EQ(read_here, 0u);
  bufferevent_free(bev);
  for (auto* group : groups) bufferevent_rate_limit_group_free(group);
  ev_token_bucket_cfg_free(config);
  close(pair[1]);
}

}  // namespace
}  // namespace percore
