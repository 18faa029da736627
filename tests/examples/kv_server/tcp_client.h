// A client of the tests: one loopback connection, sending and receiving at the
// same time, so that no pipeline is too long for it.

#ifndef PERCORE_TESTS_EXAMPLES_KV_SERVER_TCP_CLIENT_H_
#define PERCORE_TESTS_EXAMPLES_KV_SERVER_TCP_CLIENT_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace percore::kv {

class TcpClient {
 public:
  // Connects to 127.0.0.1:`port`; connected() tells.
  explicit TcpClient(int port);
  ~TcpClient();
  TcpClient(TcpClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), received_(other.received_) {}
  TcpClient& operator=(TcpClient&&) = delete;

  bool connected() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  // Sends `bytes` and receives until `complete` says that what has come (what
  // was not taken by earlier calls included) is enough. False: the connection
  // ended or nothing moved for 8 seconds.
  bool Exchange(std::string_view bytes,
                const std::function<bool(std::string_view)>& complete);

  // Exchange, until the answer ends with `end`; the answer.
  std::string Ask(std::string_view bytes, std::string_view end = "\r\n");

  // Receives until the server closes the connection; all that came. "(open)"
  // at its end: nothing came for 8 seconds.
  std::string ReadToEnd();

  // What has come and was not taken.
  std::string_view received() const { return received_; }
  void Take(size_t bytes) { received_.erase(0, bytes); }

 private:
  int fd_;
  std::string received_;
};

}  // namespace percore::kv

#endif  // PERCORE_TESTS_EXAMPLES_KV_SERVER_TCP_CLIENT_H_
