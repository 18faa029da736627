#include "percore/tests/sim/square_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace percore::sim {

std::string SquareLine(std::uint64_t number) {
  return std::to_string(number * number) + std::string(number % 97, '.') + "\n";
}

SquareServer::SquareServer(Runtime* runtime, Fault fault)
    : runtime_(runtime),
      fault_(fault),
      parts_(static_cast<std::size_t>(runtime->cores())) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  for (Part& one : parts_) {
    one.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(one.listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    bind(one.listener, generic, size);
    getsockname(one.listener, generic, &size);
    listen(one.listener, 100);
  }
  port_ = ntohs(address.sin_port);
  runtime->core()->Register(this);
  runtime->core()->OnEveryCore(
      [this](int core, const std::function<void()>& done) {
        part(core).acceptable = std::make_unique<Event>(
            runtime_->base(core), part(core).listener, EV_READ | EV_PERSIST,
            [this, core](short) { Accept(core); });
        part(core).acceptable->Add();
        done();
      },
      INT64_MAX / 4);
}

SquareServer::~SquareServer() {
  runtime_->core()->Unregister(this);
  for (Part& one : parts_) close(one.listener);
}

void SquareServer::Quiesce(int core, std::function<void()> done) {
  part(core).acceptable->Remove();
  done();
}

void SquareServer::Destroy(int core) {
  while (!part(core).connections.empty()) {
    Close(core, part(core).connections.begin()->first);
  }
  part(core).acceptable.reset();
}

SquareServer::Connection* SquareServer::Find(int core, std::uint64_t id) {
  const auto it = part(core).connections.find(id);
  return it == part(core).connections.end() ? nullptr : it->second.get();
}

void SquareServer::Accept(int core) {
  const int fd = accept4(part(core).listener, nullptr, nullptr, SOCK_NONBLOCK);
  if (fd < 0) return;
  const std::uint64_t id = part(core).next++;
  auto made = std::make_unique<Connection>();
  made->fd = fd;
  made->readable =
      std::make_unique<Event>(runtime_->base(core), fd, EV_READ | EV_PERSIST,
                              [this, core, id](short) { Read(core, id); });
  made->writable =
      std::make_unique<Event>(runtime_->base(core), fd, EV_WRITE,
                              [this, core, id](short) { Write(core, id); });
  made->readable->Add();
  part(core).connections[id] = std::move(made);
}

void SquareServer::Read(int core, std::uint64_t id) {
  Connection* connection = Find(core, id);
  char bytes[512];
  const ssize_t n = recv(connection->fd, bytes, sizeof(bytes), 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return Close(core, id);
  if (fault_ == Fault::kAssumesWholeReads) connection->input.clear();
  connection->input.append(bytes, static_cast<std::size_t>(n));
  for (;;) {
    const std::size_t end = connection->input.find('\n');
    if (end == std::string::npos) return;
    const std::uint64_t number =
        std::strtoull(connection->input.c_str(), nullptr, 10);
    connection->input.erase(0, end + 1);
    Ask(core, id, number);
  }
}

void SquareServer::Ask(int core, std::uint64_t id, std::uint64_t number) {
  Connection* connection = Find(core, id);
  const std::uint64_t question = connection->asked++;
  connection->answers.emplace_back();
  const int owner =
      static_cast<int>(number % static_cast<std::uint64_t>(runtime_->cores()));
  runtime_->Post(owner, [this, core, id, question, number] {
    runtime_->Post(core, [this, core, id, question, number] {
      Answer(core, id, question, SquareLine(number));
    });
  });
}

void SquareServer::Answer(int core, std::uint64_t id, std::uint64_t question,
                          std::string line) {
  Connection* connection = Find(core, id);
  if (connection == nullptr) return;
  if (fault_ == Fault::kAnswersAsTheyCome) {
    connection->output += line;
    return Write(core, id);
  }
  connection->answers[question - connection->taken] = std::move(line);
  while (!connection->answers.empty() && !connection->answers.front().empty()) {
    connection->output += connection->answers.front();
    connection->answers.pop_front();
    ++connection->taken;
  }
  Write(core, id);
}

void SquareServer::Write(int core, std::uint64_t id) {
  Connection* connection = Find(core, id);
  std::string& output = connection->output;
  if (output.empty()) return;
  const ssize_t n =
      send(connection->fd, output.data(), output.size(), MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN) return Close(core, id);
  if (n > 0 && fault_ == Fault::kAssumesWholeWrites) return output.clear();
  if (n > 0) output.erase(0, static_cast<std::size_t>(n));
  if (!output.empty()) connection->writable->Add();
}

void SquareServer::Close(int core, std::uint64_t id) {
  Connection* connection = Find(core, id);
  connection->readable.reset();
  connection->writable.reset();
  runtime_->base(core)->FlushFd(connection->fd);
  close(connection->fd);
  part(core).connections.erase(id);
}

}  // namespace percore::sim
