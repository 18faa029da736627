// The real kv_server, driven over loopback on each backend.

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "percore/tests/examples/kv_server/server_process.h"
#include "percore/tests/examples/kv_server/tcp_client.h"
#include "percore/tests/examples/kv_server/wire_model.h"

namespace percore::kv {
namespace {

// A sanitizer keeps freed memory for a while: what is resident says nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

class ServerTest : public testing::TestWithParam<const char*> {
 protected:
  // Starts the server; false: this machine does not have the backend.
  bool Start(int cores, int memory = 64) {
    server_ = std::make_unique<ServerProcess>(
        ServerBinary(),
        std::vector<std::string>{"--port=0", "--cores=" + std::to_string(cores),
                                 "--memory=" + std::to_string(memory),
                                 std::string("--backend=") + GetParam()});
    if (server_->port() != 0) return true;
    EXPECT_STREQ(GetParam(), "io_uring") << "the server does not start";
    return false;
  }
  int port() const { return server_->port(); }
  std::string Ask(std::string_view bytes, std::string_view end = "\r\n") {
    return TcpClient(port()).Ask(bytes, end);
  }
  // The number behind "STAT `name` ".
  long long Stat(const std::string& name) {
    const std::string stats = Ask("stats\r\n", "END\r\n");
    const size_t at = stats.find("STAT " + name + " ");
    if (at == std::string::npos) return -1;
    return std::atoll(stats.c_str() + at + name.size() + 6);
  }

  std::unique_ptr<ServerProcess> server_;
};

#define START_OR_SKIP(...)                                    \
  if (!Start(__VA_ARGS__)) {                                  \
    if (HasFailure()) return;                                 \
    GTEST_SKIP() << "SKIP: needs the backend " << GetParam(); \
  }

TEST_P(ServerTest, SaysWhatItListensOn) {
  START_OR_SKIP(3);
  const std::string name = GetParam();
  EXPECT_EQ(server_->greeting(),
            "kv_server: listening on 127.0.0.1:" + std::to_string(port()) +
                ", 3 cores, " + name + ", 64 MiB\n");
  const std::string settings = Ask("stats settings\r\n", "END\r\n");
  EXPECT_NE(settings.find("STAT event_backend " + name + "\r\n"),
            std::string::npos);
}

TEST_P(ServerTest, PipelinesOfManyClientsAnswerAsTheModel) {
  START_OR_SKIP(2, 1024);
  EXPECT_EQ(RunWireModel(port(), {.seed = 1, .connections = 24}), "");
  EXPECT_EQ(RunWireModel(
                port(),
                {.seed = 2, .connections = 6, .rounds = 6, .huge_one_in = 60}),
            "");
}

TEST_P(ServerTest, MoreShardsThanProcessors) {
  START_OR_SKIP(7, 512);
  EXPECT_EQ(RunWireModel(port(), {.seed = 3, .connections = 16}), "");
}

TEST_P(ServerTest, MultiGetGathersInTheOrderOfItsKeys) {
  START_OR_SKIP(4);
  std::string sets, get = "get", values;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "key" + std::to_string(i);
    get += " " + key + " none" + std::to_string(i);
    sets += "set " + key + " 0 0 " + std::to_string(key.size()) +
            " noreply\r\n" + key + "\r\n";
    values += "VALUE " + key + " 0 " + std::to_string(key.size()) + "\r\n" +
              key + "\r\n";
  }
  EXPECT_EQ(Ask(sets + get + "\r\n", "END\r\n"), values + "END\r\n");
}

TEST_P(ServerTest, StatsFlushAndMemorySpanTheCores) {
  START_OR_SKIP(4, 16);
  std::string sets, gets;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key" + std::to_string(i);
    sets += "set " + key + " 0 0 1 noreply\r\n1\r\n";
    gets += " " + key;
  }
  EXPECT_EQ(Ask(sets + "version\r\n"), "VERSION 1.6.0-percore\r\n");
  EXPECT_EQ(Stat("curr_items"), 1000);
  EXPECT_EQ(Stat("cmd_set"), 1000);
  EXPECT_EQ(Stat("limit_maxbytes"), 16 << 20);
  EXPECT_EQ(Stat("threads"), 4);
  EXPECT_EQ(Ask("flush_all\r\nget" + gets + "\r\n", "END\r\n"),
            "OK\r\nEND\r\n");
  EXPECT_EQ(Stat("curr_items"), 0);
  EXPECT_EQ(Stat("cmd_flush"), 1);
  const std::string value(100000, 'v');
  std::string many;
  for (int i = 0; i < 400; ++i) {
    many += "set big" + std::to_string(i) + " 0 0 100000 noreply\r\n" + value +
            "\r\n";
  }
  EXPECT_EQ(Ask(many + "version\r\n"), "VERSION 1.6.0-percore\r\n");
  EXPECT_LE(Stat("bytes"), 16 << 20);
  EXPECT_GE(Stat("bytes"), 12 << 20);
  EXPECT_GT(Stat("evictions"), 200);
}

TEST_P(ServerTest, BadInputGetsErrorsNeverACrashOrAWedge) {
  START_OR_SKIP(2);
  const std::string long_line(100000, 'x');
  const std::string large(2000000, 'v');
  const std::pair<std::string, std::string> cases[] = {
      {"\r\n", "ERROR\r\n"},
      {"get\r\n", "ERROR\r\n"},
      {"get " + std::string(251, 'k') + "\r\n",
       "CLIENT_ERROR bad command line format\r\n"},
      {"set a 0 0 -1\r\n", "CLIENT_ERROR bad command line format\r\n"},
      {"set a 0 0 1\r\n12345\r\n", "CLIENT_ERROR bad data chunk\r\nERROR\r\n"},
      {long_line + "\r\n", "CLIENT_ERROR line too long\r\n"},
      {"set a 0 0 2000000\r\n" + large + "\r\nversion\r\n",
       "SERVER_ERROR object too large for cache\r\n"
       "VERSION 1.6.0-percore\r\n"},
      {"incr a b\r\n", "CLIENT_ERROR invalid numeric delta argument\r\n"}};
  for (const auto& [wire, answer] : cases) {
    TcpClient client(port());
    client.Exchange(wire, [&answer = answer](std::string_view received) {
      return received.size() >= answer.size();
    });
    EXPECT_EQ(client.received(), answer) << wire.substr(0, 60);
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 40; ++i) {
    std::string noise = "get a\r\n";
    for (uint64_t n = random() % 3000; n > 0; --n) {
      noise += static_cast<char>(random() % (i % 2 == 0 ? 256 : 64));
    }
    TcpClient client(port());
    client.Exchange(noise, [](std::string_view) { return true; });
  }
  EXPECT_EQ(Ask("version\r\n"), "VERSION 1.6.0-percore\r\n");
}

TEST_P(ServerTest, HalfSentCommandsAreNotCarriedOut) {
  START_OR_SKIP(2);
  for (const char* half : {"set a 0 0 10\r\n12345", "set a 0 0 5\r\n12345",
                           "set a 0 0 5\r\n12345\r", "set a 0", "delete b"}) {
    TcpClient client(port());
    client.Exchange("set b 0 0 1\r\n1\r\n", [](std::string_view received) {
      return received == "STORED\r\n";
    });
    client.Take(8);
    client.Exchange(half, [](std::string_view) { return true; });
    shutdown(client.fd(), SHUT_WR);
    EXPECT_EQ(client.ReadToEnd(), "") << half;
  }
  EXPECT_EQ(Ask("get a b\r\n", "END\r\n"), "VALUE b 0 1\r\n1\r\nEND\r\n");
  // A client that says so and sends no more is answered, then closed.
  TcpClient client(port());
  client.Exchange("get b\r\nget b", [](std::string_view) { return true; });
  shutdown(client.fd(), SHUT_WR);
  EXPECT_EQ(client.ReadToEnd(), "VALUE b 0 1\r\n1\r\nEND\r\n");
  TcpClient quits(port());
  quits.Exchange("get b\r\nquit\r\nget b\r\n",
                 [](std::string_view) { return true; });
  EXPECT_EQ(quits.ReadToEnd(), "VALUE b 0 1\r\n1\r\nEND\r\n");
}

TEST_P(ServerTest, OneByteAtATime) {
  START_OR_SKIP(2);
  TcpClient client(port());
  const std::string wire =
      "set a 0 0 3\r\nabc\r\nset b 0 0 1\r\n1\r\nget a b\r\nincr b 1\r\n";
  for (const char& byte : wire) {
    client.Exchange({&byte, 1}, [](std::string_view) { return true; });
  }
  EXPECT_EQ(client.Ask("version\r\n", "VERSION 1.6.0-percore\r\n"),
            "STORED\r\nSTORED\r\nVALUE a 0 3\r\nabc\r\nVALUE b 0 1\r\n1\r\n"
            "END\r\n2\r\nVERSION 1.6.0-percore\r\n");
}

TEST_P(ServerTest, ClientThatDoesNotReadIsNotReadFrom) {
  START_OR_SKIP(2, 128);
  const std::string value(1000000, 'v');
  std::string sets, get = "get", answer;
  for (int i = 0; i < 20; ++i) {
    const std::string key = "key" + std::to_string(i);
    sets += "set " + key + " 0 0 1000000 noreply\r\n" + value + "\r\n";
    get += " " + key;
    answer += "VALUE " + key + " 0 1000000\r\n" + value + "\r\n";
  }
  get += "\r\n";
  answer += "END\r\n";
  ASSERT_EQ(Ask(sets + get, "END\r\n").size(), answer.size());
  const size_t before = server_->ResidentBytes();
  // Each asks for up to 4 GB.
  std::vector<TcpClient> clients;
  std::string gets;
  for (int i = 0; i < 200; ++i) gets += get;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(port());
    size_t sent = 0;
    for (int idle = 0; idle < 20 && sent < (size_t{64} << 20);) {
      const ssize_t now = send(clients[i].fd(), gets.data(), gets.size(),
                               MSG_DONTWAIT | MSG_NOSIGNAL);
      if (now > 0) {
        sent += size_t(now);
        idle = 0;
      } else {
        ++idle;
        usleep(10000);  // that nothing moves any more takes time to see
      }
    }
    EXPECT_LT(sent, size_t{64} << 20);
  }
  // Session: (shards + 3) * 1.1 MiB for each, and what malloc keeps.
  if (!kSanitized) {
    EXPECT_LT(server_->ResidentBytes(), before + (size_t{40} << 20));
  }
  EXPECT_EQ(Ask("version\r\n"), "VERSION 1.6.0-percore\r\n");
  // When they read, they get what they have asked for.
  for (TcpClient& client : clients) {
    ASSERT_TRUE(client.Exchange("", [&](std::string_view received) {
      return received.size() >= answer.size() + 4;
    }));
    EXPECT_TRUE(client.received().starts_with(answer + "VALU"));
  }
}

TEST_P(ServerTest, TerminationAnswersWhatWasAskedThenEnds) {
  START_OR_SKIP(2);
  TcpClient idle(port());
  TcpClient half(port());
  half.Exchange("set a 0 0 5\r\n12", [](std::string_view) { return true; });
  TcpClient busy(port());
  std::string wire, answer;
  for (int i = 0; i < 300; ++i) {
    wire += "set key" + std::to_string(i) + " 0 0 4\r\nabcd\r\n";
    answer += "STORED\r\n";
  }
  ASSERT_TRUE(idle.Ask("version\r\n").starts_with("VERSION"));
  ASSERT_TRUE(busy.Ask("version\r\n").starts_with("VERSION"));
  busy.Exchange(wire, [](std::string_view) { return true; });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(server_->Stop(SIGTERM), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
  EXPECT_EQ(busy.ReadToEnd(), answer);
  EXPECT_EQ(idle.ReadToEnd(), "");
  EXPECT_EQ(half.ReadToEnd(), "");
  EXPECT_FALSE(TcpClient(port()).connected());
}

INSTANTIATE_TEST_SUITE_P(Backends, ServerTest,
                         testing::Values("epoll", "poll", "select", "io_uring"),
                         [](const auto& backend) {
                           return std::string(backend.param);
                         });

TEST(ServerFlags, BadOnesAreRefused) {
  for (const char* flag : {"--memory=1", "--port=70000", "--backend=nonsense",
                           "--cores=-1", "--address=nowhere"}) {
    ServerProcess server(ServerBinary(), {"--port=0", "--cores=2", flag});
    EXPECT_EQ(server.port(), 0) << flag;
    EXPECT_EQ(server.Stop(0), 1) << flag;
  }
}

}  // namespace
}  // namespace percore::kv
