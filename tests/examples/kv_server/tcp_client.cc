#include "percore/tests/examples/kv_server/tcp_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace percore::kv {
namespace {

constexpr int kPatienceMs = 8000;

}  // namespace

TcpClient::TcpClient(int port)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) !=
      0) {
    close(std::exchange(fd_, -1));
    return;
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd_, F_SETFL, O_NONBLOCK);
}

TcpClient::~TcpClient() {
  if (fd_ >= 0) close(fd_);
}

bool TcpClient::Exchange(
    std::string_view bytes,
    const std::function<bool(std::string_view)>& complete) {
  while (!bytes.empty() || !complete(received_)) {
    const short sending = bytes.empty() ? 0 : POLLOUT;
    pollfd wait{fd_, static_cast<short>(POLLIN | sending), 0};
    if (poll(&wait, 1, kPatienceMs) <= 0) return false;
    if ((wait.revents & POLLOUT) != 0) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    }
    if ((wait.revents & ~POLLOUT) != 0) {
      char piece[65536];
      const ssize_t got = recv(fd_, piece, sizeof piece, 0);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
      if (got > 0) received_.append(piece, static_cast<size_t>(got));
    }
  }
  return true;
}

std::string TcpClient::Ask(std::string_view bytes, std::string_view end) {
  Exchange(bytes,
           [&](std::string_view answer) { return answer.ends_with(end); });
  return std::exchange(received_, {});
}

std::string TcpClient::ReadToEnd() {
  for (;;) {
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, kPatienceMs) <= 0) return received_ + "(open)";
    char piece[65536];
    const ssize_t got = recv(fd_, piece, sizeof piece, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) break;
    if (got > 0) received_.append(piece, static_cast<size_t>(got));
  }
  return std::exchange(received_, {});
}

}  // namespace percore::kv
