// tls_echo CERTIFICATE KEY: a TLS server that sends back what it gets; prints
// its port.
#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "percore/net/tls/tls_context.h"

namespace {

void OnRead(bufferevent* stream, void*) {
  bufferevent_write_buffer(stream, bufferevent_get_input(stream));
}

void OnEvent(bufferevent* stream, short what, void*) {
  if (what & BEV_EVENT_CONNECTED) return;
  if (what == (BEV_EVENT_EOF | BEV_EVENT_READING)) {
    // Answers the peer's close_notify after what is still to be echoed.
    if (percore::TlsShutdown(stream).ok()) return;
  }
  if (const absl::Status why = percore::TlsError(stream); !why.ok()) {
    std::fprintf(stderr, "%s\n", why.ToString().c_str());
  }
  bufferevent_free(stream);
}

struct Server {
  event_base* base;
  percore::TlsContext* context;
};

void OnAccept(evutil_socket_t listener, short, void* arg) {
  auto* server = static_cast<Server*>(arg);
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
  if (fd < 0) return;
  auto stream = server->context->Accept(server->base, fd);
  if (!stream.ok()) {
    close(fd);
    return;
  }
  bufferevent_setcb(*stream, OnRead, nullptr, OnEvent, nullptr);
  bufferevent_enable(*stream, EV_READ | EV_WRITE);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::signal(SIGPIPE, SIG_IGN);
  percore::TlsServerOptions options;
  options.identity = {argv[1], argv[2]};
  auto context = percore::TlsContext::Server(options);
  if (!context.ok()) {
    std::fprintf(stderr, "%s\n", context.status().ToString().c_str());
    return 1;
  }
  event_base* base = event_base_new();
  Server server = {base, &*context};
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) < 0 ||
      listen(listener, 16) < 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) < 0) {
    std::perror("tls_echo");
    return 1;
  }
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  event* accepting =
      event_new(base, listener, EV_READ | EV_PERSIST, OnAccept, &server);
  event_add(accepting, nullptr);
  return event_base_dispatch(base);
}
