#include "percore/net/stream/buffer_event.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "percore/runtime/core/sleep.h"
#include "percore/runtime/core/spawn.h"
#include "percore/runtime/core/timeout.h"
#include "percore/runtime/core/when.h"

namespace percore {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// One core on the system's clock: most of these wait for sockets.
class BufferEventTest : public testing::Test {
 protected:
  BufferEventTest() : runtime_(Options()) {
    EXPECT_TRUE(runtime_.Start().ok());
  }
  static RuntimeOptions Options() {
    RuntimeOptions options;
    options.cores = 1;
    return options;
  }
  template <typename T>
  AnswerOf<T> Run(Task<T> task) {
    return BlockOn(runtime_, 0, std::move(task));
  }

  Runtime runtime_;
};

using Ends = std::pair<BufferEvent, BufferEvent>;

Ends SocketPair() {
  int fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  return {*BufferEvent::Socket(CurrentBase(), fds[0]),
          *BufferEvent::Socket(CurrentBase(), fds[1])};
}

Ends MemoryPair() { return *BufferEvent::Pair(CurrentBase()); }

// A filter that changes letters, over each end of a socket pair.
bufferevent_filter_result FlipCase(Buffer& source, Buffer& target,
                                   ev_ssize_t limit, bufferevent_flush_mode) {
  std::string bytes = source.ToString();
  if (bytes.empty() || limit == 0) return BEV_NEED_MORE;
  if (limit > 0 && bytes.size() > static_cast<std::size_t>(limit)) {
    bytes.resize(static_cast<std::size_t>(limit));
  }
  source.Drain(bytes.size());
  for (char& c : bytes) c = static_cast<char>(c ^ 0x20);
  target.Add(bytes);
  return BEV_OK;
}

Ends FilteredPair() {
  Ends sockets = SocketPair();
  return {*BufferEvent::Filter(std::move(sockets.first), FlipCase, FlipCase),
          *BufferEvent::Filter(std::move(sockets.second), FlipCase, FlipCase)};
}

// A listening socket on loopback.
class Loopback {
 public:
  Loopback() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(bind(fd_, address(), size), 0);
    EXPECT_EQ(getsockname(fd_, address(), &size), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
  }
  ~Loopback() { Close(); }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  // A queue for one.
  void Shrink() { EXPECT_EQ(listen(fd_, 0), 0); }
  int Accept() { return accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK); }
  sockaddr* address() { return reinterpret_cast<sockaddr*>(&address_); }
  int port() const { return ntohs(address_.sin_port); }

 private:
  int fd_;
  sockaddr_in address_{};
};

std::string Pattern(std::size_t n) {
  std::string bytes(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    bytes[i] = static_cast<char>(i * 131 + (i >> 8));
  }
  return bytes;
}

// Awaiters as tasks, for WithTimeout and WhenAny.
Task<absl::StatusOr<std::string>> ReadTask(BufferEvent* s) {
  co_return co_await s->Read();
}
Task<absl::StatusOr<std::string>> ReadExactlyTask(BufferEvent* s,
                                                  std::size_t n) {
  co_return co_await s->ReadExactly(n);
}
Task<absl::Status> WriteTask(BufferEvent* s, std::string data) {
  co_return co_await s->Write(data);
}
Task<absl::Status> DrainTask(BufferEvent* s) { co_return co_await s->Drain(); }

// --- Every kind -------------------------------------------------------------

struct Kind {
  const char* name;
  Ends (*make)();
};

class EveryKindTest : public BufferEventTest,
                      public testing::WithParamInterface<Kind> {};

Task<absl::Status> TalkInLines(Ends ends) {
  auto& [a, b] = ends;
  EXPECT_TRUE((co_await a.Write("one\r\ntwo\nthree")).ok());
  EXPECT_EQ(*co_await b.ReadLine(), "one");
  EXPECT_EQ(*co_await b.ReadLine(), "two");
  EXPECT_TRUE((co_await a.Write("\n12345678rest;end")).ok());
  EXPECT_EQ(*co_await b.ReadLine(), "three");
  EXPECT_EQ(*co_await b.ReadExactly(4), "1234");
  EXPECT_EQ(*co_await b.Read(4), "5678");
  EXPECT_EQ(*co_await b.ReadUntil(";"), "rest");
  EXPECT_EQ(*co_await b.Read(), "end");
  EXPECT_TRUE((co_await b.Write("back")).ok());
  EXPECT_EQ(*co_await a.ReadExactly(4), "back");
  co_return absl::OkStatus();
}

TEST_P(EveryKindTest, Lines) {
  EXPECT_EQ(Run([](Ends (*make)()) -> Task<absl::Status> {
              co_return co_await TalkInLines(make());
            }(GetParam().make)),
            absl::OkStatus());
}

Task<absl::Status> SendAll(BufferEvent* s, std::string bytes,
                           std::size_t piece) {
  std::size_t most = 0;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    absl::Status status =
        co_await s->Write(std::string_view(bytes).substr(at, piece));
    if (!status.ok()) co_return status;
    most = std::max(most, s->output().size());
  }
  EXPECT_LE(most, s->write_limit());
  co_return co_await s->Shutdown();
}

Task<std::string> ReceiveAll(BufferEvent* s) {
  std::string all;
  for (;;) {
    absl::StatusOr<std::string> piece = co_await s->Read(10000);
    EXPECT_LE(s->input().size(), s->read_limit());
    if (!piece.ok()) {
      EXPECT_TRUE(IsEndOfStream(piece.status())) << piece.status();
      co_return all;
    }
    all += *piece;
    // The writer is to run into its limit.
    if (all.size() < 300000) co_await Sleep(1ms);
  }
}

TEST_P(EveryKindTest, BackPressureAndTheEnd) {
  const std::string bytes = Pattern(3 << 20);
  const auto got =
      Run([](Ends (*make)(), std::string sent) -> Task<std::string> {
        Ends ends = make();
        ends.first.SetWriteLimit(20000);
        ends.second.SetReadLimit(30000);
        auto [status, all] =
            co_await WhenAll(SendAll(&ends.first, std::move(sent), 7000),
                             ReceiveAll(&ends.second));
        EXPECT_TRUE(status.ok()) << status;
        co_return all;
      }(GetParam().make, bytes));
  EXPECT_TRUE(*got == bytes) << got->size();
}

TEST_P(EveryKindTest, ATimedOutReadTakesNothingAndMayBeTriedAgain) {
  EXPECT_EQ(Run([](Ends (*make)()) -> Task<absl::Status> {
              Ends ends = make();
              EXPECT_TRUE((co_await ends.first.Write("abc")).ok());
              // Longer than it takes the three bytes to come.
              const auto late =
                  co_await WithTimeout(50ms, ReadExactlyTask(&ends.second, 6));
              EXPECT_TRUE(absl::IsDeadlineExceeded(late.status()))
                  << late.status();
              EXPECT_EQ(ends.second.input().size(), 3u);
              EXPECT_TRUE((co_await ends.first.Write("def")).ok());
              EXPECT_EQ(*co_await ends.second.ReadExactly(6), "abcdef");
              co_return absl::OkStatus();
            }(GetParam().make)),
            absl::OkStatus());
}

TEST_P(EveryKindTest, CloseCancelsWhoWaits) {
  EXPECT_EQ(
      Run([](Ends (*make)()) -> Task<absl::Status> {
        Ends ends = make();
        ends.first.SetWriteLimit(1000);
        ends.second.SetReadLimit(1000);
        const auto close = [](BufferEvent* s) -> Task<> {
          co_await Sleep(20ms);  // the others are to be waiting
          s->Close();
        };
        auto [read, written, drained, done] =
            co_await WhenAll(ReadTask(&ends.first),
                             WriteTask(&ends.first, std::string(8 << 20, 'x')),
                             DrainTask(&ends.first), close(&ends.first));
        EXPECT_TRUE(absl::IsCancelled(read.status())) << read.status();
        EXPECT_TRUE(absl::IsCancelled(written)) << written;
        EXPECT_TRUE(absl::IsCancelled(drained)) << drained;
        EXPECT_TRUE(ends.first.closed());
        EXPECT_TRUE(
            absl::IsFailedPrecondition((co_await ends.first.Read()).status()));
        EXPECT_TRUE(absl::IsFailedPrecondition(co_await ends.first.Write("x")));
        EXPECT_TRUE(absl::IsFailedPrecondition(co_await ends.first.Drain()));
        co_return absl::OkStatus();
      }(GetParam().make)),
      absl::OkStatus());
}

TEST_P(EveryKindTest, ThePeersCloseIsTheEnd) {
  EXPECT_EQ(
      Run([](Ends (*make)()) -> Task<absl::Status> {
        Ends ends = make();
        EXPECT_TRUE((co_await ends.first.Write("last")).ok());
        // A pair hands over when the other end reads, or at the close.
        if (ends.first.stream()->kind() != StreamKind::kPair) {
          EXPECT_TRUE((co_await ends.first.Drain()).ok());
        }
        ends.first.Close();
        const auto line = co_await ends.second.ReadLine();
        EXPECT_TRUE(IsEndOfStream(line.status())) << line.status();
        EXPECT_EQ(*co_await ends.second.Read(), "last");
        EXPECT_TRUE(IsEndOfStream((co_await ends.second.Read()).status()));
        co_return absl::OkStatus();
      }(GetParam().make)),
      absl::OkStatus());
}

TEST_P(EveryKindTest, OneReaderAtATime) {
  EXPECT_EQ(Run([](Ends (*make)()) -> Task<absl::Status> {
              Ends ends = make();
              const auto both = [](Ends* e) -> Task<> {
                const auto second = co_await e->second.Read();
                EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
                EXPECT_TRUE((co_await e->first.Write("x")).ok());
              };
              auto [first, done] =
                  co_await WhenAll(ReadTask(&ends.second), both(&ends));
              EXPECT_EQ(*first, "x");
              co_return absl::OkStatus();
            }(GetParam().make)),
            absl::OkStatus());
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryKindTest,
                         testing::Values(Kind{"Socket", SocketPair},
                                         Kind{"Pair", MemoryPair},
                                         Kind{"Filter", FilteredPair}),
                         [](const auto& kind) { return kind.param.name; });

// --- Reading ----------------------------------------------------------------

TEST_F(BufferEventTest, ALineThatIsTooLongStays) {
  EXPECT_EQ(Run([]() -> Task<absl::Status> {
              Ends ends = SocketPair();
              EXPECT_TRUE((co_await ends.first.Write("0123456789\nok\n")).ok());
              const auto line = co_await ends.second.ReadLine(9);
              EXPECT_TRUE(absl::IsResourceExhausted(line.status()))
                  << line.status();
              EXPECT_EQ(*co_await ends.second.ReadLine(10), "0123456789");
              EXPECT_EQ(*co_await ends.second.ReadLine(2), "ok");
              co_return absl::OkStatus();
            }()),
            absl::OkStatus());
}

TEST_F(BufferEventTest, DelimiterAcrossPieces) {
  EXPECT_EQ(Run([]() -> Task<absl::Status> {
              Ends ends = MemoryPair();
              const auto slowly = [](BufferEvent* s) -> Task<> {
                for (char c : std::string_view("a-=-b-=--=-=x")) {
                  EXPECT_TRUE((co_await s->Write({&c, 1})).ok());
                  co_await Sleep(0ms);
                }
              };
              const auto parts = [](BufferEvent* s) -> Task<> {
                EXPECT_EQ(*co_await s->ReadUntil("-=-"), "a");
                EXPECT_EQ(*co_await s->ReadUntil("-=--=-="), "b");
                EXPECT_EQ(*co_await s->Read(), "x");
              };
              co_await WhenAll(slowly(&ends.first), parts(&ends.second));
              co_return absl::OkStatus();
            }()),
            absl::OkStatus());
}

TEST_F(BufferEventTest, MoreThanTheReadLimitWhenAskedFor) {
  const std::string bytes = Pattern(1 << 20);
  EXPECT_EQ(Run([](std::string sent) -> Task<absl::Status> {
              Ends ends = SocketPair();
              ends.second.SetReadLimit(1000);
              const std::size_t n = sent.size();
              auto [status, got] =
                  co_await WhenAll(WriteTask(&ends.first, sent),
                                   ReadExactlyTask(&ends.second, n));
              EXPECT_TRUE(status.ok()) << status;
              EXPECT_TRUE(*got == sent);
              EXPECT_EQ(ends.second.stream()->wm_read.high, 1000u);
              co_return absl::OkStatus();
            }(bytes)),
            absl::OkStatus());
}

TEST_F(BufferEventTest, ReadIntoMovesWithoutACopy) {
  EXPECT_EQ(Run([]() -> Task<absl::Status> {
              Ends ends = SocketPair();
              Buffer taken;
              EXPECT_TRUE((co_await ends.first.Write("0123456789")).ok());
              EXPECT_TRUE((co_await ends.second.AwaitInput(10)).ok());
              EXPECT_EQ(*co_await ends.second.ReadInto(&taken, 4), 4u);
              EXPECT_EQ(*co_await ends.second.ReadInto(&taken), 6u);
              EXPECT_EQ(taken.ToString(), "0123456789");
              // A Buffer is written without a copy too.
              EXPECT_TRUE((co_await ends.second.Write(&taken)).ok());
              EXPECT_TRUE(taken.empty());
              EXPECT_EQ(*co_await ends.first.Read(), "0123456789");
              co_return absl::OkStatus();
            }()),
            absl::OkStatus());
}

// A reader that is busy elsewhere must not make the loop spin.
TEST_F(BufferEventTest, AFullInputIsQuiet) {
  EXPECT_EQ(
      Run([]() -> Task<absl::Status> {
        Ends ends = SocketPair();
        ends.second.SetReadLimit(1000);
        EXPECT_TRUE((co_await ends.first.Write(std::string(50000, 'x'))).ok());
        EXPECT_EQ((co_await ends.second.Read(1))->size(), 1u);
        co_await Sleep(20ms);  // the rest is to have come
        const std::uint64_t before = CurrentBase()->turn();
        co_await Sleep(100ms);  // a spin would show as thousands of turns
        EXPECT_LT(CurrentBase()->turn() - before, 20u);
        EXPECT_EQ((co_await ends.second.ReadExactly(49999))->size(), 49999u);
        co_return absl::OkStatus();
      }()),
      absl::OkStatus());
}

// --- Ends, errors, timeouts -------------------------------------------------

TEST_F(BufferEventTest, HalfClose) {
  EXPECT_EQ(
      Run([]() -> Task<absl::Status> {
        Ends ends = SocketPair();
        EXPECT_TRUE((co_await ends.first.Write("question")).ok());
        EXPECT_TRUE((co_await ends.first.Shutdown()).ok());
        EXPECT_EQ(*co_await ends.second.ReadExactly(8), "question");
        EXPECT_TRUE(IsEndOfStream((co_await ends.second.Read()).status()));
        EXPECT_TRUE((co_await ends.second.Write("answer")).ok());
        EXPECT_EQ(*co_await ends.first.ReadExactly(6), "answer");
        co_return absl::OkStatus();
      }()),
      absl::OkStatus());
}

TEST_F(BufferEventTest, AResetIsReadable) {
  EXPECT_EQ(Run([]() -> Task<absl::Status> {
              Loopback server;
              BufferEvent client = *BufferEvent::Socket(CurrentBase());
              EXPECT_TRUE((co_await client.Connect(server.address(),
                                                   sizeof(sockaddr_in)))
                              .ok());
              const int fd = server.Accept();
              const linger hard = {1, 0};
              setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
              close(fd);
              const auto got = co_await client.Read();
              EXPECT_TRUE(absl::IsUnavailable(got.status())) << got.status();
              EXPECT_NE(got.status().message().find("reset by peer"),
                        std::string::npos)
                  << got.status();
              EXPECT_FALSE((co_await client.Write("x")).ok());
              co_return absl::OkStatus();
            }()),
            absl::OkStatus());
}

TEST_F(BufferEventTest, TimeoutsLeaveTheStreamUsable) {
  EXPECT_EQ(
      Run([]() -> Task<absl::Status> {
        Ends ends = SocketPair();
        ends.second.SetTimeouts(30ms, 30ms);
        for (int i = 0; i < 2; ++i) {
          const auto got = co_await ends.second.Read();
          EXPECT_TRUE(absl::IsDeadlineExceeded(got.status())) << got.status();
        }
        EXPECT_TRUE((co_await ends.first.Write("now")).ok());
        EXPECT_EQ(*co_await ends.second.Read(), "now");
        // Nobody reads at the other end.
        ends.first.SetReadLimit(1);
        const std::string much(4 << 20, 'x');
        const absl::Status stuck = co_await ends.second.Write(much);
        EXPECT_TRUE(absl::IsDeadlineExceeded(stuck)) << stuck;
        auto [drained, got] = co_await WhenAll(
            DrainTask(&ends.second), ReadExactlyTask(&ends.first, much.size()));
        EXPECT_TRUE(drained.ok()) << drained;
        EXPECT_TRUE(*got == much);
        co_return absl::OkStatus();
      }()),
      absl::OkStatus());
}

TEST_F(BufferEventTest, AnUnheardWriteTimeoutIsToldToTheNextWriter) {
  EXPECT_EQ(
      Run([]() -> Task<absl::Status> {
        Ends ends = SocketPair();
        ends.second.SetTimeouts(0ms, 30ms);
        ends.second.SetWriteLimit(8 << 20);
        EXPECT_TRUE(
            (co_await ends.second.Write(std::string(4 << 20, 'x'))).ok());
        co_await Sleep(100ms);  // for the timeout to pass unheard
        EXPECT_TRUE(absl::IsDeadlineExceeded(co_await ends.second.Write("y")));
        auto [drained, got] =
            co_await WhenAll(DrainTask(&ends.second),
                             ReadExactlyTask(&ends.first, (4 << 20) + 1));
        EXPECT_TRUE(drained.ok()) << drained;
        EXPECT_EQ(got->back(), 'y');
        co_return absl::OkStatus();
      }()),
      absl::OkStatus());
}

TEST_F(BufferEventTest, AFilterThatFailsIsAReadableEnd) {
  EXPECT_EQ(Run([]() -> Task<absl::Status> {
              Ends ends = SocketPair();
              EXPECT_TRUE(absl::IsFailedPrecondition(
                  BufferEvent::Filter(BufferEvent(), {}, {}).status()));
              // Without functions bytes pass as they are.
              BufferEvent plain =
                  *BufferEvent::Filter(std::move(ends.second), {}, {});
              EXPECT_TRUE(ends.second.closed());
              EXPECT_TRUE((co_await ends.first.Write("through")).ok());
              EXPECT_EQ(*co_await plain.ReadExactly(7), "through");
              ends.first.Close();
              EXPECT_TRUE(IsEndOfStream((co_await plain.Read()).status()));
              co_return absl::OkStatus();
            }()),
            absl::OkStatus());
}

// --- Connecting -------------------------------------------------------------

TEST_F(BufferEventTest, ConnectByAddressAndByName) {
  EXPECT_EQ(
      Run([]() -> Task<absl::Status> {
        Loopback server;
        for (bool by_name : {false, true}) {
          BufferEvent client = *BufferEvent::Socket(CurrentBase());
          EXPECT_FALSE(client.connected());
          EXPECT_TRUE(
              absl::IsFailedPrecondition((co_await client.Read()).status()));
          absl::Status status;
          if (by_name) {
            status = co_await client.Connect("127.0.0.1", server.port(), 5s);
          } else {
            status =
                co_await client.Connect(server.address(), sizeof(sockaddr_in));
          }
          EXPECT_TRUE(status.ok()) << status;
          EXPECT_TRUE(client.connected());
          BufferEvent peer =
              *BufferEvent::Socket(CurrentBase(), server.Accept());
          EXPECT_TRUE((co_await client.Write("hello")).ok());
          EXPECT_EQ(*co_await peer.ReadExactly(5), "hello");
          EXPECT_TRUE(absl::IsFailedPrecondition(
              co_await client.Connect("127.0.0.1", server.port())));
        }
        co_return absl::OkStatus();
      }()),
      absl::OkStatus());
}

TEST_F(BufferEventTest, ARefusedConnectMayBeTriedAgain) {
  EXPECT_EQ(Run([]() -> Task<absl::Status> {
              auto dead = std::make_unique<Loopback>();
              dead->Close();
              Loopback server;
              BufferEvent client = *BufferEvent::Socket(CurrentBase());
              absl::Status status =
                  co_await client.Connect(dead->address(), sizeof(sockaddr_in));
              EXPECT_TRUE(absl::IsUnavailable(status)) << status;
              EXPECT_NE(status.message().find("refused"), std::string::npos);
              status = co_await client.Connect("127.0.0.1", dead->port());
              EXPECT_TRUE(absl::IsUnavailable(status)) << status;
              status = co_await client.Connect("no such host.invalid", 80);
              EXPECT_TRUE(absl::IsNotFound(status)) << status;
              status = co_await client.Connect("127.0.0.1", 0);
              EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
              status = co_await client.Connect("127.0.0.1", server.port());
              EXPECT_TRUE(status.ok()) << status;
              BufferEvent peer =
                  *BufferEvent::Socket(CurrentBase(), server.Accept());
              EXPECT_TRUE((co_await client.Write("after all")).ok());
              EXPECT_EQ(*co_await peer.ReadExactly(9), "after all");
              co_return absl::OkStatus();
            }()),
            absl::OkStatus());
}

// A listener whose queue is full lets a connect hang.
TEST_F(BufferEventTest, AConnectThatHangsTimesOutOrIsGivenUp) {
  EXPECT_EQ(Run([]() -> Task<absl::Status> {
              Loopback full;
              full.Shrink();
              std::vector<BufferEvent> fill;
              bool hangs = false;
              for (int i = 0; i < 64 && !hangs; ++i) {
                fill.push_back(*BufferEvent::Socket(CurrentBase()));
                const absl::Status status = co_await fill.back().Connect(
                    full.address(), sizeof(sockaddr_in), 50ms);
                hangs = absl::IsDeadlineExceeded(status);
                EXPECT_TRUE(hangs || status.ok()) << status;
              }
              EXPECT_TRUE(hangs);
              BufferEvent& client = fill.back();
              EXPECT_EQ(client.fd(), -1);
              const auto connect = [](BufferEvent* s, Loopback* to) -> Task<> {
                (void)co_await s->Connect(to->address(), sizeof(sockaddr_in));
              };
              EXPECT_TRUE(absl::IsDeadlineExceeded(
                  co_await WithTimeout(30ms, connect(&client, &full))));
              EXPECT_EQ(client.fd(), -1);
              // It is as new.
              Loopback server;
              EXPECT_TRUE((co_await client.Connect(server.address(),
                                                   sizeof(sockaddr_in)))
                              .ok());
              co_return absl::OkStatus();
            }()),
            absl::OkStatus());
}

// --- Life, callbacks, limits ------------------------------------------------

TEST_F(BufferEventTest, AReaderMayDestroyTheStreamItReads) {
  EXPECT_EQ(Run([]() -> Task<absl::Status> {
              auto ends = std::make_unique<Ends>(SocketPair());
              BufferEvent other = std::move(ends->first);
              EXPECT_TRUE((co_await other.Write("x")).ok());
              EXPECT_EQ(*co_await ends->second.Read(), "x");
              ends.reset();  // resumed by it: it is on our stack
              EXPECT_TRUE(IsEndOfStream((co_await other.Read()).status()));
              co_return absl::OkStatus();
            }()),
            absl::OkStatus());
}

TEST_F(BufferEventTest, Callbacks) {
  EXPECT_EQ(Run([]() -> Task<absl::Status> {
              Ends ends = SocketPair();
              std::string got;
              int written = 0;
              std::optional<absl::Status> ended;
              BufferEvent& b = ends.second;
              StreamCallbacks callbacks;
              callbacks.on_read = [&] {
                got += b.input().ToString();
                b.input().Drain(b.input().size());
              };
              callbacks.on_write = [&] { ++written; };
              callbacks.on_event = [&](short what, const absl::Status& why) {
                EXPECT_TRUE(what & BEV_EVENT_EOF);
                ended = why;
                b.Close();  // from its own callback
              };
              b.SetCallbacks(std::move(callbacks));
              b.Enable(EV_READ);
              EXPECT_TRUE((co_await ends.first.Write("hello")).ok());
              b.Write("back");
              EXPECT_EQ(*co_await ends.first.ReadExactly(4), "back");
              EXPECT_GE(written, 1);
              EXPECT_TRUE((co_await ends.first.Shutdown()).ok());
              EXPECT_TRUE(IsEndOfStream((co_await ends.first.Read()).status()));
              EXPECT_EQ(got, "hello");
              EXPECT_TRUE(ended.has_value() && IsEndOfStream(*ended));
              co_return absl::OkStatus();
            }()),
            absl::OkStatus());
}

TEST_F(BufferEventTest, RateLimit) {
  EXPECT_EQ(
      Run([]() -> Task<absl::Status> {
        Ends ends = SocketPair();
        EXPECT_TRUE(
            absl::IsInvalidArgument(ends.first.SetRateLimit(0, 1, 1, 1)));
        EXPECT_TRUE(ends.first.SetRateLimit(100000, 10000, 100000, 10000).ok());
        const auto begin = std::chrono::steady_clock::now();
        auto [status, got] =
            co_await WhenAll(WriteTask(&ends.first, std::string(50000, 'x')),
                             ReadExactlyTask(&ends.second, 50000));
        EXPECT_TRUE(status.ok() && got.ok());
        // 10000 at once and 40000 at 100000 a second; the real clock.
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 290ms);
        // The limit stays when a filter takes the stream over.
        BufferEvent filter =
            *BufferEvent::Filter(std::move(ends.first), {}, {});
        EXPECT_NE(filter.stream()->Underlying()->limit, nullptr);
        filter.ClearRateLimit();
        EXPECT_TRUE((co_await filter.Write("y")).ok());
        EXPECT_EQ(*co_await ends.second.Read(), "y");
        co_return absl::OkStatus();
      }()),
      absl::OkStatus());
}

// The runtime stops while coroutines wait for streams: they are destroyed on
// their core, and what they own with them.
TEST_F(BufferEventTest, AStopDestroysWhoWaits) {
  const auto serve = [](Ends ends) -> Task<> {
    (void)co_await ends.first.Read();
    ADD_FAILURE() << "nothing was written";
  };
  const auto start = [](auto* test, auto make) -> Task<> {
    (void)Spawn(test->runtime_, 0, make(SocketPair()));
    (void)Spawn(test->runtime_, 0, make(FilteredPair()));
    co_return;
  };
  struct Open {
    Runtime& runtime_;
  } open{runtime_};
  EXPECT_TRUE(Run(start(&open, serve)).ok());
  EXPECT_TRUE(runtime_.Drain(1'000'000'000));
}

}  // namespace
}  // namespace percore
