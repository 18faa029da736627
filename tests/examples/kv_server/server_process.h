// The real server, as a child process of the test.

#ifndef PERCORE_TESTS_EXAMPLES_KV_SERVER_SERVER_PROCESS_H_
#define PERCORE_TESTS_EXAMPLES_KV_SERVER_SERVER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace percore::kv {

class ServerProcess {
 public:
  // Starts `binary` with `arguments` and, if it has a `greeting`, waits for the
  // line that says what it listens on. port() is 0 if that did not come.
  ServerProcess(const std::string& binary,
                const std::vector<std::string>& arguments,
                bool greeting = true);
  // Kills what still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  int port() const { return port_; }
  pid_t pid() const { return pid_; }
  // What it had printed when it was ready.
  const std::string& greeting() const { return greeting_; }

  // Sends `signal` and waits at most 8 seconds for the end. The exit status,
  // or -1: a signal ended it, or it did not end.
  int Stop(int signal);

  // Its resident memory in bytes.
  size_t ResidentBytes() const;

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  int port_ = 0;
  std::string greeting_;
};

// A TCP port that nothing on loopback uses at the moment.
int UnusedPort();

// The server under test: $KV_SERVER.
std::string ServerBinary();

}  // namespace percore::kv

#endif  // PERCORE_TESTS_EXAMPLES_KV_SERVER_SERVER_PROCESS_H_
