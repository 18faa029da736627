// Debian's memcached against the same model: it shows that the model is the
// protocol's, not the server's.

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "percore/tests/examples/kv_server/server_process.h"
#include "percore/tests/examples/kv_server/tcp_client.h"
#include "percore/tests/examples/kv_server/wire_model.h"

namespace percore::kv {
namespace {

TEST(MemcachedPeer, AnswersAsTheModelDoes) {
  if (access("/usr/bin/memcached", X_OK) != 0) {
    GTEST_SKIP() << "SKIP: needs memcached";
  }
  // memcached does not say which port it was given: 0 is no use, so the test
  // takes one from the system and releases it just before.
  const int port = UnusedPort();
  ServerProcess memcached(
      "/usr/bin/memcached",
      {"-u", "root", "-l", "127.0.0.1", "-p", std::to_string(port), "-m", "256",
       // One thread: by the next command the answer to the
       // last no longer refers to its item.
       "-t", "1", "-o", "no_lru_crawler,no_lru_maintainer"},
      /*greeting=*/false);
  for (int i = 0; i < 500 && !TcpClient(port).connected(); ++i) {
    usleep(10000);  // until the other process listens
  }
  // One command at a time: a number that gets shorter is padded only while no
  // earlier answer of the pipeline still refers to the item.
  const WireModelOptions options = {
      .connections = 8, .rounds = 1500, .pipeline = 1};
  EXPECT_EQ(RunWireModel(port, options), "");
}

}  // namespace
}  // namespace percore::kv
