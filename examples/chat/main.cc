// chat: every line that somebody sends goes to everybody else.
//
//   tools/bazel run //examples/chat -- --port=5555
//   nc 127.0.0.1 5555          (in two windows; the first line is your name)
//
// Clients are spread over the cores; a line travels to the other cores by
// mail. Somebody who does not read is thrown out when a MiB waits for them:
// the others do not wait.
#include <cstdio>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "percore/examples/tcp_service/tcp_service.h"

ABSL_FLAG(std::string, address, "127.0.0.1", "address to listen on");
ABSL_FLAG(int, port, 5555, "TCP port; 0: one that is free");
ABSL_FLAG(int, cores, 0, "event loops; 0: one for each usable core");

namespace {

constexpr std::size_t kMostWaiting = std::size_t{1} << 20;
constexpr std::size_t kLongestLine = 1000;

class Chat {
 public:
  explicit Chat(percore::Runtime& runtime)
      : runtime_(runtime), rooms_(static_cast<std::size_t>(runtime.cores())) {}

  percore::Task<> Serve(percore::BufferEvent& client, int core) {
    (void)co_await client.Write("Your name?\n");
    absl::StatusOr<std::string> name = co_await client.ReadLine(40);
    if (!name.ok() || name->empty()) co_return;
    Seat seat(rooms_[static_cast<std::size_t>(core)], client);
    // From here on nothing that is said is missed.
    (void)co_await client.Write("Welcome, " + *name + "\n");
    Tell(&client, "* " + *name + " is here\n");
    for (;;) {
      absl::StatusOr<std::string> line = co_await client.ReadLine(kLongestLine);
      if (!line.ok()) break;
      Tell(&client, *name + ": " + *line + "\n");
    }
    Tell(&client, "* " + *name + " has gone\n");
    if (!client.closed()) (void)co_await client.Drain();
  }

 private:
  using Room = std::set<percore::BufferEvent*>;  // of one core, and only its

  // A client in the room, for as long as its coroutine lives.
  class Seat {
   public:
    Seat(Room& room, percore::BufferEvent& client)
        : room_(room), client_(client) {
      room_.insert(&client_);
    }
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    ~Seat() { room_.erase(&client_); }

   private:
    Room& room_;
    percore::BufferEvent& client_;
  };

  // To everybody but `from`, which is only compared.
  void Tell(const percore::BufferEvent* from, const std::string& text) {
    for (int core = 0; core < runtime_.cores(); ++core) {
      // Sent to ourselves too: what one says keeps its order everywhere. To a
      // core that has stopped nothing needs to go.
      (void)runtime_.Post(core, [this, core, from, text] {
        for (percore::BufferEvent* client :
             rooms_[static_cast<std::size_t>(core)]) {
          if (client == from || client->closed()) continue;
          if (client->output().size() > kMostWaiting) {
            client->Close();  // its coroutine goes on, with Cancelled
          } else {
            client->Write(text);
          }
        }
      });
    }
  }

  percore::Runtime& runtime_;
  std::vector<Room> rooms_;
};

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  percore::Runtime runtime(
      percore::examples::ServerRuntime("chat", absl::GetFlag(FLAGS_cores)));
  Chat chat(runtime);
  percore::examples::TcpService service(runtime,
                                        std::bind_front(&Chat::Serve, &chat));
  const absl::Status status =
      service.Start(absl::GetFlag(FLAGS_address), absl::GetFlag(FLAGS_port));
  if (!status.ok()) {
    std::fprintf(stderr, "chat: %s\n", status.ToString().c_str());
    return 1;
  }
  return service.Run("chat");
}
