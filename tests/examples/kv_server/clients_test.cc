// Debian's own memcached clients against the real server, on each backend:
// memccapable's 27 tests, and loads of many connections that compare what they
// read with what they stored.

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "percore/tests/examples/kv_server/server_process.h"

namespace percore::kv {
namespace {

struct CommandResult {
  std::string output;
  int status = -1;
};

CommandResult Shell(const std::string& command) {
  CommandResult run;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return run;
  char piece[4096];
  while (const size_t got = fread(piece, 1, sizeof piece, pipe)) {
    run.output.append(piece, got);
  }
  run.status = pclose(pipe);
  return run;
}

// The number behind "`name`: ".
long Figure(const std::string& output, const std::string& name) {
  const size_t at = output.find(name + ": ");
  return at == std::string::npos
             ? -1
             : std::atol(output.c_str() + at + name.size() + 2);
}

class ClientsTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (access("/usr/bin/memccapable", X_OK) != 0) {
      GTEST_SKIP() << "SKIP: needs libmemcached-tools";
    }
    server_ = std::make_unique<ServerProcess>(
        ServerBinary(),
        std::vector<std::string>{"--port=0", "--cores=2", "--memory=256",
                                 std::string("--backend=") + GetParam()});
    if (server_->port() == 0) {
      ASSERT_STREQ(GetParam(), "io_uring") << "the server does not start";
      GTEST_SKIP() << "SKIP: needs the backend " << GetParam();
    }
  }
  std::string Address() const {
    return "127.0.0.1:" + std::to_string(server_->port());
  }

  std::unique_ptr<ServerProcess> server_;
};

TEST_P(ClientsTest, Memccapable) {
  const CommandResult run = Shell("timeout 60 memccapable -h 127.0.0.1 -p " +
                                  std::to_string(server_->port()) + " -a");
  EXPECT_EQ(run.status, 0) << run.output;
  size_t passed = 0;
  for (size_t at = 0; (at = run.output.find("[pass]", at)) != std::string::npos;
       ++at) {
    ++passed;
  }
  EXPECT_EQ(passed, 27u) << run.output;
  EXPECT_NE(run.output.find("All tests passed"), std::string::npos);
}

TEST_P(ClientsTest, MemcaslapComparesWhatItStored) {
  // 128 connections; every answer of a get is verified; 10 keys a get.
  const CommandResult run = Shell("timeout 60 memcaslap -s " + Address() +
                                  " -T 2 -c 128 -x 20000 -v 1.0 -d 10 -X 500");
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_GE(Figure(run.output, "cmd_get"), 15000) << run.output;
  EXPECT_EQ(Figure(run.output, "get_misses"), 0) << run.output;
  EXPECT_EQ(Figure(run.output, "verify_misses"), 0) << run.output;
  EXPECT_EQ(Figure(run.output, "verify_failed"), 0) << run.output;
}

TEST_P(ClientsTest, MemcaslapOfLargeValues) {
  const CommandResult run = Shell("timeout 60 memcaslap -s " + Address() +
                                  " -T 2 -c 16 -x 800 -v 1.0 -X 200000");
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_EQ(Figure(run.output, "verify_misses"), 0) << run.output;
  EXPECT_EQ(Figure(run.output, "verify_failed"), 0) << run.output;
}

TEST_P(ClientsTest, Memcslap) {
  for (const char* test : {"set", "get", "mget"}) {
    const CommandResult run =
        Shell("timeout 60 memcslap --servers=" + Address() +
              " --concurrency=10 --execute-number=100"
              " --initial-load=100 --flush --test=" +
              test);
    EXPECT_EQ(run.status, 0) << run.output;
    EXPECT_EQ(run.output.find("FAIL"), std::string::npos) << run.output;
    EXPECT_NE(run.output.find("Time total"), std::string::npos) << run.output;
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, ClientsTest,
                         testing::Values("epoll", "poll", "select", "io_uring"),
                         [](const auto& backend) {
                           return std::string(backend.param);
                         });

}  // namespace
}  // namespace percore::kv
