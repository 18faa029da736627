// Sessions over several shards without threads or sockets: messages between
// shards are delivered in an order that the seed chooses (each sender's to one
// shard stay in theirs), and clients read when the seed says so.

#include "percore/examples/kv_server/session.h"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "percore/examples/kv_server/answer.h"
#include "percore/tests/examples/kv_server/local_session.h"
#include "percore/tests/examples/kv_server/random_requests.h"
#include "percore/tests/examples/kv_server/reference_model.h"

namespace percore::kv {
namespace {

// All shards, and the messages between them.
class World {
 public:
  World(size_t shards, size_t sessions)
      : lanes_(shards * shards), more_(sessions) {
    for (size_t i = 0; i < shards; ++i) {
      stores_.push_back(std::make_unique<Store>(
          Store::Options{.memory_limit = size_t{1} << 30}, clock));
      routers_.push_back(std::make_unique<Port>(*this, i));
    }
    for (size_t i = 0; i < sessions; ++i) {
      sessions_.push_back(std::make_unique<Session>(*routers_[i % shards], i));
    }
  }

  Session& session(size_t i) { return *sessions_[i]; }
  // What a connection does after something has changed, and after it has sent
  // some of the output: no call of Advance() but those that the session wants.
  void Changed(size_t i) { more_[i] = sessions_[i]->Advance(); }
  void Sent(size_t i) {
    while (more_[i] && sessions_[i]->output().size() < Session::kOutputHigh) {
      Changed(i);
    }
  }
  Store& store(size_t i) { return *stores_[i]; }
  size_t batches() const { return batches_; }
  size_t waiting() const { return waiting_; }

  // Delivers the first message of the `n`-th lane that has one.
  bool Deliver(uint64_t n) {
    for (size_t i = 0; i < lanes_.size(); ++i) {
      auto& lane = lanes_[(n + i) % lanes_.size()];
      if (lane.empty()) continue;
      const std::function<void()> message = std::move(lane.front());
      lane.pop_front();
      --waiting_;
      message();
      return true;
    }
    return false;
  }

  void Settle() {
    while (Deliver(0)) {
    }
  }

  ManualClock clock;

 private:
  class Port : public Router {
   public:
    Port(World& world, size_t here) : world_(world), here_(here) {}
    size_t shards() const override { return world_.stores_.size(); }
    size_t here() const override { return here_; }
    Store& store() override { return world_.store(here_); }
    ConnectionCounters& counters() override { return counters_; }
    void Send(size_t to, std::unique_ptr<Batch> batch) override {
      EXPECT_NE(to, here_);
      ++world_.batches_;
      Round(
          to, std::move(batch),
          [this, to](Batch& there) { there.Run(world_.store(to)); },
          [this](std::unique_ptr<Batch> back) {
            const size_t session = back->from().session;
            world_.session(session).OnBatch(std::move(back));
            world_.Changed(session);
          });
    }
    void Send(size_t to, std::unique_ptr<Order> order) override {
      Round(
          to, std::move(order),
          [this, to](Order& there) { there.Run(world_.store(to), counters_); },
          [this](std::unique_ptr<Order> back) {
            const size_t session = back->from.session;
            world_.session(session).OnOrder(std::move(back));
            world_.Changed(session);
          });
    }
    void AppendStats(const ShardStats& stats, std::string* out) override {
      AppendStat("curr_items", stats.store.curr_items, out);
      out->append(kEnd);
    }
    void AppendSettings(const ShardStats&, std::string* out) override {
      out->append(kEnd);
    }

   private:
    template <class T, class Run, class Back>
    void Round(size_t to, std::unique_ptr<T> message, Run run, Back back) {
      std::shared_ptr<T> shared = std::move(message);
      world_.Push(here_, to, [this, to, shared, run, back] {
        run(*shared);
        world_.Push(to, here_, [shared, back] {
          back(std::make_unique<T>(std::move(*shared)));
        });
      });
    }

    World& world_;
    const size_t here_;
    ConnectionCounters counters_;
  };

  void Push(size_t from, size_t to, std::function<void()> message) {
    ++waiting_;
    lanes_[from * stores_.size() + to].push_back(std::move(message));
  }

  std::vector<std::unique_ptr<Store>> stores_;
  std::vector<std::unique_ptr<Port>> routers_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<std::deque<std::function<void()>>> lanes_;
  std::vector<bool> more_;
  size_t batches_ = 0;
  size_t waiting_ = 0;
};

std::string TakeOutput(Session& session) {
  const std::string out(session.output().data());
  session.output().Consume(out.size());
  return out;
}

std::string Answers(World& world, size_t session, std::string_view bytes) {
  world.session(session).Receive(bytes);
  world.Changed(session);
  world.Settle();
  return TakeOutput(world.session(session));
}

class SessionModelTest
    : public testing::TestWithParam<std::tuple<uint64_t, size_t>> {};

TEST_P(SessionModelTest, ManySessionsAnswerAsTheModel) {
  const auto [seed, shards] = GetParam();
  constexpr size_t kSessions = 5;
  World world(shards, kSessions);
  struct Client {
    std::unique_ptr<RandomRequests> requests;
    ReferenceModel model;
    std::string unsent;
    std::deque<Expected> expected;
    std::string received;
  };
  std::vector<Client> clients(kSessions);
  for (size_t i = 0; i < kSessions; ++i) {
    clients[i].requests = std::make_unique<RandomRequests>(
        RandomRequests::Options{.seed = seed * 100 + i,
                                .prefix = "s" + std::to_string(i) + "-",
                                .huge_one_in = 250});
  }
  std::mt19937_64 random(seed);
  int commands = 0;
  for (bool busy = true; busy || commands < 6000;) {
    const size_t i = random() % kSessions;
    Client& client = clients[i];
    Session& session = world.session(i);
    switch (random() % 4) {
      case 0:
        for (uint64_t n = random() % 30; n > 0 && commands < 6000; --n) {
          if (client.unsent.size() > 100000) break;
          const Request request = client.requests->Next(client.model);
          client.unsent += request.Wire();
          client.expected.push_back(
              client.model.Apply(request, world.clock.now_ms));
          ++commands;
        }
        break;
      case 1: {
        if (!session.WantsInput()) break;
        const size_t piece =
            std::min<size_t>(client.unsent.size(), 1 + random() % 65536);
        session.Receive(std::string_view(client.unsent).substr(0, piece));
        client.unsent.erase(0, piece);
        world.Changed(i);
        break;
      }
      case 2:
        for (uint64_t n = random() % 8; n > 0; --n) world.Deliver(random());
        break;
      default: {
        const size_t piece =
            std::min<size_t>(session.output().size(), random() % 300000);
        client.received.append(session.output().data().substr(0, piece));
        session.output().Consume(piece);
        world.Sent(i);
        size_t used = 0;
        while (!client.expected.empty()) {
          const size_t matched = client.model.Match(
              client.expected.front(),
              std::string_view(client.received).substr(used));
          if (matched == std::string::npos) break;
          used += matched;
          client.expected.pop_front();
        }
        client.received.erase(0, used);
      }
    }
    ASSERT_LE(session.output().size(),
              2 * Session::kOutputHigh + 2 * kMaxValueSize);
    busy = world.waiting() > 0;
    for (size_t j = 0; j < kSessions; ++j) {
      busy |= !clients[j].unsent.empty() || !world.session(j).AtRest() ||
              !world.session(j).output().empty();
    }
  }
  for (Client& client : clients) {
    EXPECT_TRUE(client.expected.empty())
        << "seed " << seed
        << "\nexpected: " << client.expected.front().text.substr(0, 300)
        << "\nreceived: " << client.received.substr(0, 300);
    EXPECT_EQ(client.received, "");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Seeds, SessionModelTest,
    testing::Combine(testing::Range(uint64_t{1}, uint64_t{5}),
                     testing::Values(size_t{1}, size_t{2}, size_t{5})));

// The keys' owners in turn: 0, 1, 2, 0, ...
std::vector<std::string> KeysOfEachShard(size_t shards, size_t count) {
  std::vector<std::string> keys;
  for (int i = 0; keys.size() < count; ++i) {
    const std::string key = "key" + std::to_string(i);
    if (OwnerOf(HashOf(key), shards) == keys.size() % shards) {
      keys.push_back(key);
    }
  }
  return keys;
}

TEST(Session, PipelineTakesOneBatchForEachOwner) {
  World world(3, 1);
  std::string sets, gets = "get", values;
  for (const std::string& key : KeysOfEachShard(3, 60)) {
    sets += "set " + key + " 0 0 3 \r\nabc\r\n";
    gets += " " + key;
    values += "VALUE " + key + " 0 3\r\nabc\r\n";
  }
  std::string stored;
  for (int i = 0; i < 60; ++i) stored += "STORED\r\n";
  EXPECT_EQ(Answers(world, 0, sets), stored);
  EXPECT_EQ(world.batches(), 2u);
  EXPECT_EQ(Answers(world, 0, gets + "\r\n"), values + "END\r\n");
  EXPECT_EQ(world.batches(), 4u);
}

TEST(Session, KeysOfThisShardNeedNoMessage) {
  World world(3, 1);
  const std::string key = KeysOfEachShard(3, 1)[0];
  Session& session = world.session(0);
  session.Receive("set " + key + " 0 0 1\r\n1\r\nincr " + key + " 5\r\n");
  session.Advance();
  EXPECT_EQ(world.waiting(), 0u);
  EXPECT_EQ(TakeOutput(session), "STORED\r\n6\r\n");
}

TEST(Session, CommandsOfTheServerSeeWhatIsBeforeThemAndNothingElse) {
  World world(4, 2);
  std::string wire, expected;
  for (const std::string& key : KeysOfEachShard(4, 40)) {
    wire += "set " + key + " 0 0 1\r\n1\r\n";
    expected += "STORED\r\n";
  }
  wire += "stats\r\nflush_all\r\nstats\r\n";
  expected += "STAT curr_items 40\r\nEND\r\nOK\r\nSTAT curr_items 0\r\nEND\r\n";
  const std::string key = KeysOfEachShard(4, 2)[1];
  wire += "add " + key + " 0 0 1\r\n2\r\nstats reset\r\nget " + key + "\r\n";
  expected += "STORED\r\nRESET\r\nVALUE " + key + " 0 1\r\n2\r\nEND\r\n";
  EXPECT_EQ(Answers(world, 0, wire), expected);
  EXPECT_EQ(Answers(world, 1,
                    "flush_all noreply\r\ncache_memlimit 8\r\n"
                    "cache_memlimit 7\r\nstats items\r\n"),
            "OK\r\nMEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m"
            "\r\nEND\r\n");
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(world.store(i).stats().limit_maxbytes, size_t{2} << 20);
    EXPECT_EQ(world.store(i).stats().curr_items, 0u);
  }
}

TEST(Session, ClientThatDoesNotReadHoldsLittle) {
  constexpr size_t kShards = 4;
  World world(kShards, 1);
  Session& session = world.session(0);
  const std::string value(100000, 'v');
  const std::vector<std::string> keys = KeysOfEachShard(kShards, 8);
  std::string get = "get", answer;
  for (const std::string& key : keys) {
    world.store(OwnerOf(HashOf(key), kShards)).Set(key, {.value = value});
    get += " " + key;
    answer += "VALUE " + key + " 0 100000\r\n" + value + "\r\n";
  }
  get += "\r\n";
  answer += "END\r\n";
  size_t sent = 0;
  for (; session.WantsInput(); ++sent) {
    ASSERT_LT(sent, 10000u);
    session.Receive(get);
    world.Changed(0);
    world.Settle();
    ASSERT_LE(session.output().size(),
              2 * Session::kOutputHigh + 2 * kMaxValueSize);
  }
  // 64 KiB of commands, and not one answer more than fits.
  EXPECT_LE(sent * get.size(), Session::kInputHigh + 2 * get.size());
  for (size_t i = 0; i < sent; ++i) {
    std::string received;
    while (received.size() < answer.size()) {
      ASSERT_FALSE(session.output().empty());
      const size_t piece =
          std::min(session.output().size(), answer.size() - received.size());
      received.append(session.output().data().substr(0, piece));
      session.output().Consume(piece);
      world.Sent(0);
      world.Settle();
      world.Sent(0);
    }
    ASSERT_TRUE(received == answer);
  }
  EXPECT_TRUE(session.AtRest());
}

TEST(Session, LongWorkIsDoneInTurns) {
  World world(1, 1);
  Session& session = world.session(0);
  std::string get = "get";
  for (int i = 0; i < 20000; ++i) get += " k" + std::to_string(i);
  session.Receive(get + "\r\n");
  int turns = 1;
  while (session.Advance()) ++turns;
  EXPECT_GT(turns, 5);
  EXPECT_EQ(TakeOutput(session), "END\r\n");
}

TEST(Session, QuitEndsItAfterTheAnswersBeforeIt) {
  World world(2, 1);
  const std::string key = KeysOfEachShard(2, 2)[1];
  Session& session = world.session(0);
  session.Receive("get " + key + "\r\nquit\r\nversion\r\n");
  session.Advance();
  EXPECT_FALSE(session.finished());
  world.Settle();
  EXPECT_TRUE(session.finished());
  EXPECT_FALSE(session.WantsInput());
  EXPECT_EQ(TakeOutput(session), "END\r\n");
}

}  // namespace
}  // namespace percore::kv
