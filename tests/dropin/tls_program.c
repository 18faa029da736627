/* A program in C with TLS: client and server in one loop, over a socket pair
 * and over other streams, as programs of libevent have it. The certificate is
 * made here. Exits with 0 when all went well. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <percore/tls.h>
#include <stdio.h>
#include <string.h>

struct run {
  struct event_base *base;
  struct bufferevent *client, *server;
  size_t got;
  int ended;
  int errors;
};

#define VOLUME 200000

static void on_server_read(struct bufferevent *bev, void *arg) {
  (void)arg;
  bufferevent_write_buffer(bev, bufferevent_get_input(bev));
}

static void on_client_read(struct bufferevent *bev, void *arg) {
  struct run *run = arg;
  struct evbuffer *input = bufferevent_get_input(bev);
  run->got += evbuffer_get_length(input);
  evbuffer_drain(input, evbuffer_get_length(input));
  if (run->got == VOLUME) percore_bufferevent_ssl_shutdown(bev);
}

static void on_client_event(struct bufferevent *bev, short what, void *arg) {
  struct run *run = arg;
  if (what & BEV_EVENT_CONNECTED) {
    static char bytes[VOLUME];
    bufferevent_write(bev, bytes, sizeof(bytes));
  } else if (what & BEV_EVENT_ERROR) {
    run->errors++;
  }
}

static void on_server_event(struct bufferevent *bev, short what, void *arg) {
  struct run *run = arg;
  (void)bev;
  if (what & BEV_EVENT_CONNECTED) return;
  if (what == (BEV_EVENT_EOF | BEV_EVENT_READING)) {
    run->ended = 1;
  } else {
    run->errors++;
  }
  event_base_loopexit(run->base, NULL);
}

static SSL_CTX *server_context(void) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(cert), 0);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  X509_sign(cert, key, EVP_sha256());
  SSL_CTX_use_certificate(ctx, cert);
  SSL_CTX_use_PrivateKey(ctx, key);
  X509_free(cert);
  EVP_PKEY_free(key);
  return ctx;
}

static struct bufferevent *tls(struct event_base *base, evutil_socket_t fd,
                               SSL_CTX *ctx, enum bufferevent_ssl_state state,
                               int filter) {
  if (!filter) {
    return bufferevent_openssl_socket_new(base, fd, SSL_new(ctx), state,
                                          BEV_OPT_CLOSE_ON_FREE);
  }
  return bufferevent_openssl_filter_new(
      base, bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE),
      SSL_new(ctx), state, BEV_OPT_CLOSE_ON_FREE);
}

int main(void) {
  SSL_CTX *client_ctx = SSL_CTX_new(TLS_client_method());
  SSL_CTX *server_ctx = server_context();
  int bad = 0;
  int filter;
  for (filter = 0; filter < 2; filter++) {
    struct run run;
    const struct timeval limit = {5, 0};
    evutil_socket_t fds[2];
    memset(&run, 0, sizeof(run));
    run.base = event_base_new();
    if (evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return 1;
    evutil_make_socket_nonblocking(fds[0]);
    evutil_make_socket_nonblocking(fds[1]);
    run.client =
        tls(run.base, fds[0], client_ctx, BUFFEREVENT_SSL_CONNECTING, filter);
    run.server =
        tls(run.base, fds[1], server_ctx, BUFFEREVENT_SSL_ACCEPTING, filter);
    bufferevent_setcb(run.client, on_client_read, NULL, on_client_event, &run);
    bufferevent_setcb(run.server, on_server_read, NULL, on_server_event, &run);
    bufferevent_enable(run.client, EV_READ | EV_WRITE);
    bufferevent_enable(run.server, EV_READ | EV_WRITE);
    event_base_loopexit(run.base, &limit);
    event_base_dispatch(run.base);
    if (run.got != VOLUME || !run.ended || run.errors != 0) {
      fprintf(stderr, "filter %d: got %zu, ended %d, errors %d\n", filter,
              run.got, run.ended, run.errors);
      bad = 1;
    }
    bufferevent_free(run.client);
    bufferevent_free(run.server);
    event_base_free(run.base);
  }
  SSL_CTX_free(client_ctx);
  SSL_CTX_free(server_ctx);
  return bad;
}
