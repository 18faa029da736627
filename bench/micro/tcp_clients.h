// Connections that wait to be accepted.

#ifndef PERCORE_BENCH_MICRO_TCP_CLIENTS_H_
#define PERCORE_BENCH_MICRO_TCP_CLIENTS_H_

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace percore::bench {

class TcpClients {
 public:
  static constexpr int kClients = 100;
  static constexpr int kBacklog = 128;

  ~TcpClients() { Reset(); }

  // Any port.
  static sockaddr_in Loopback() {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  // Where `listening` listens is where the clients connect to.
  void SetTarget(int listening) {
    socklen_t size = sizeof(target_);
    if (getsockname(listening, reinterpret_cast<sockaddr*>(&target_), &size) !=
        0) {
      std::abort();
    }
  }

  // kClients connections; on loopback they are complete at once.
  void Connect() {
    for (int i = 0; i < kClients; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      // They end with a reset: no port is left in TIME_WAIT.
      const linger at_once = {1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
      if (connect(fd, reinterpret_cast<sockaddr*>(&target_), sizeof(target_)) !=
          0) {
        std::abort();
      }
      fds_.push_back(fd);
    }
  }
  void Reset() {
    for (int fd : fds_) close(fd);
    fds_.clear();
  }

 private:
  sockaddr_in target_ = {};
  std::vector<int> fds_;
};

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_TCP_CLIENTS_H_
