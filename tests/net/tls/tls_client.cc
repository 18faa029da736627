// tls_client PORT HOST CA FILE: sends the file to a server on this machine that
// is to be HOST, prints as many bytes of the answer, and ends in order. Status
// 1, with the reason, when anything fails.
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/in.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "percore/net/tls/tls_context.h"

namespace {

struct Exchange {
  event_base* base;
  std::size_t size;
  std::size_t got = 0;
  bool connected = false;
  bool good = false;
};

void OnRead(bufferevent* stream, void* arg) {
  auto* exchange = static_cast<Exchange*>(arg);
  evbuffer* input = bufferevent_get_input(stream);
  const std::size_t n = evbuffer_get_length(input);
  std::fwrite(evbuffer_pullup(input, -1), 1, n, stdout);
  evbuffer_drain(input, n);
  exchange->got += n;
  if (exchange->got >= exchange->size) {
    exchange->good = percore::TlsShutdown(stream).ok();
  }
}

void OnEvent(bufferevent* stream, short what, void* arg) {
  auto* exchange = static_cast<Exchange*>(arg);
  if (what & BEV_EVENT_CONNECTED) {
    exchange->connected = true;
    return;
  }
  if (what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) {
    exchange->good = false;
    std::fprintf(stderr, "events %#x: %s\n", what,
                 percore::TlsError(stream).ToString().c_str());
  }
  event_base_loopexit(exchange->base, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  std::signal(SIGPIPE, SIG_IGN);
  percore::TlsClientOptions options;
  options.ca_file = argv[3];
  auto context = percore::TlsContext::Client(options);
  if (!context.ok()) {
    std::fprintf(stderr, "%s\n", context.status().ToString().c_str());
    return 1;
  }
  std::string text;
  std::FILE* file = std::fopen(argv[4], "rb");
  if (file == nullptr) return 2;
  char block[65536];
  while (const std::size_t n = std::fread(block, 1, sizeof(block), file)) {
    text.append(block, n);
  }
  std::fclose(file);
  event_base* base = event_base_new();
  auto stream = context->Connect(base, -1, argv[2]);
  if (!stream.ok()) return 1;
  Exchange exchange = {base, text.size()};
  bufferevent_setcb(*stream, OnRead, nullptr, OnEvent, &exchange);
  bufferevent_enable(*stream, EV_READ | EV_WRITE);
  bufferevent_write(*stream, text.data(), text.size());
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bufferevent_socket_connect(*stream, reinterpret_cast<sockaddr*>(&address),
                                 sizeof(address)) < 0) {
    std::perror("tls_client");
    return 1;
  }
  event_base_dispatch(base);
  bufferevent_free(*stream);
  event_base_free(base);
  return exchange.connected && exchange.good ? 0 : 1;
}
