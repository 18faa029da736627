// tls_proxy: relays connections to another server, at most so many bytes a
// second each way.
//
//   tools/bazel run -c opt //examples/tls_proxy --
//       --port=4430 --target_host=127.0.0.1 --target_port=80 --rate=100000
//
// With --cert and --key clients speak TLS and the target gets plain bytes; with
// --target_tls the target is spoken to in TLS, its certificate checked against
// --target_ca or the system's authorities. Half-closed connections are relayed
// as such, and a side that does not read holds the other one up: no more than
// two buffers' limits are in memory for each direction.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "percore/examples/tcp_service/tcp_service.h"
#include "percore/net/tls/tls_buffer_event.h"
#include "percore/net/tls/tls_context.h"
#include "percore/runtime/core/sleep.h"
#include "percore/runtime/core/timeout.h"
#include "percore/runtime/core/when.h"

ABSL_FLAG(std::string, address, "127.0.0.1", "address to listen on");
ABSL_FLAG(int, port, 4430, "TCP port; 0: one that is free");
ABSL_FLAG(int, cores, 0, "event loops; 0: one for each usable core");
ABSL_FLAG(std::string, target_host, "127.0.0.1", "where to relay to");
ABSL_FLAG(int, target_port, 80, "and its port");
ABSL_FLAG(std::int64_t, rate, 0,
          "bytes a second, for each connection and direction; 0: no limit");
ABSL_FLAG(std::string, cert, "", "PEM file: clients speak TLS");
ABSL_FLAG(std::string, key, "", "PEM file of the certificate's key");
ABSL_FLAG(bool, target_tls, false, "speak TLS to the target");
ABSL_FLAG(std::string, target_ca, "",
          "PEM file of whom to believe about the target; empty: the system's");

namespace {

using percore::BufferEvent;
using percore::Task;
using percore::TlsContext;
using std::chrono_literals::operator""s;

struct Relay {
  std::optional<TlsContext> server;
  std::optional<TlsContext> client;

  Task<> Serve(BufferEvent& accepted, int core);
};

Task<absl::Status> Connected(BufferEvent* stream) {
  co_return co_await stream->AwaitConnected();
}

// One direction, to its end.
Task<> Pump(BufferEvent* from, BufferEvent* to) {
  percore::Buffer bytes;
  absl::Status status;
  while (status.ok()) {
    absl::StatusOr<std::size_t> n = co_await from->ReadInto(&bytes);
    status = n.status();
    if (!status.ok()) break;
    status = co_await to->Write(&bytes);
  }
  if (percore::IsEndOfStream(status)) {
    (void)co_await to->Shutdown();
  } else {
    // Broken: the other direction has nothing to wait for either.
    from->Close();
    to->Close();
  }
}

void Complain(const char* what, const absl::Status& status) {
  std::fprintf(stderr, "tls_proxy: %s: %s\n", what, status.ToString().c_str());
}

Task<> Relay::Serve(BufferEvent& accepted, int) {
  BufferEvent target = *BufferEvent::Socket(percore::CurrentBase());
  absl::Status status = co_await target.Connect(
      absl::GetFlag(FLAGS_target_host), absl::GetFlag(FLAGS_target_port), 10s);
  if (!status.ok()) co_return Complain("the target", status);
  if (const std::int64_t rate = absl::GetFlag(FLAGS_rate); rate > 0) {
    const auto most = static_cast<std::size_t>(rate);
    (void)accepted.SetRateLimit(most, most, most, most);
  }
  if (client.has_value()) {
    auto secure = percore::TlsConnect(*client, std::move(target),
                                      absl::GetFlag(FLAGS_target_host));
    if (!secure.ok()) co_return Complain("the target", secure.status());
    target = *std::move(secure);
    status = co_await percore::WithTimeout(10s, Connected(&target));
    if (!status.ok()) co_return Complain("the target", status);
  }
  if (server.has_value()) {
    auto secure = percore::TlsAccept(*server, std::move(accepted));
    if (!secure.ok()) co_return Complain("a client", secure.status());
    accepted = *std::move(secure);
    status = co_await percore::WithTimeout(10s, Connected(&accepted));
    if (!status.ok()) co_return Complain("a client", status);
  }
  co_await percore::WhenAll(Pump(&accepted, &target), Pump(&target, &accepted));
}

absl::Status MakeContexts(Relay* relay) {
  if (!absl::GetFlag(FLAGS_cert).empty()) {
    percore::TlsServerOptions options;
    options.identity.certificate_file = absl::GetFlag(FLAGS_cert);
    options.identity.key_file = absl::GetFlag(FLAGS_key);
    auto context = TlsContext::Server(options);
    if (!context.ok()) return context.status();
    relay->server.emplace(*std::move(context));
  }
  if (absl::GetFlag(FLAGS_target_tls)) {
    percore::TlsClientOptions options;
    options.ca_file = absl::GetFlag(FLAGS_target_ca);
    auto context = TlsContext::Client(options);
    if (!context.ok()) return context.status();
    relay->client.emplace(*std::move(context));
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  Relay relay;
  absl::Status status = MakeContexts(&relay);
  percore::Runtime runtime(
      percore::examples::ServerRuntime("proxy", absl::GetFlag(FLAGS_cores)));
  percore::examples::TcpService service(runtime,
                                        std::bind_front(&Relay::Serve, &relay));
  if (status.ok()) {
    status =
        service.Start(absl::GetFlag(FLAGS_address), absl::GetFlag(FLAGS_port));
  }
  if (!status.ok()) {
    Complain("cannot start", status);
    return 1;
  }
  return service.Run("tls_proxy");
}
