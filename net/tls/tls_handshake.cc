// From the start, or a new descriptor, to CONNECTED.
#include <openssl/err.h>

#include "percore/net/tls/tls_stream.h"

namespace percore {

void TlsStream::StartAgain() {
  state = original;
  failed = read_ended = renegotiating = false;
  write_wants_read = wants_writable = untold_progress = false;
  closing = close_sent = close_told = false;
  retry_size = 0;
  if (open()) return;
  if (!SSL_in_before(ssl)) SSL_clear(ssl);
  if (state == BUFFEREVENT_SSL_CONNECTING) {
    SSL_set_connect_state(ssl);
  } else {
    SSL_set_accept_state(ssl);
  }
}

bool TlsStream::Handshake() {
  int error;
  bool explained = false;
  {
    TlsSection section(wire);
    const int result = SSL_do_handshake(ssl);
    error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, result);
    if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) {
      explained = KeepErrors();
    }
  }
  switch (error) {
    case SSL_ERROR_NONE:
      break;
    case SSL_ERROR_WANT_WRITE:
      wants_writable = true;
      AfterIo();
      return false;
    case SSL_ERROR_WANT_READ:
      if (wire->at_end() || wire->error() != 0) {
        EndByCut(wire->error(), BEV_EVENT_READING);
        return false;
      }
      AfterIo();
      return false;
    case SSL_ERROR_WANT_X509_LOOKUP:
    case SSL_ERROR_WANT_ASYNC:
    case SSL_ERROR_WANT_ASYNC_JOB:
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
    case SSL_ERROR_WANT_RETRY_VERIFY:
      // A callback of the program needs time; enabling goes on.
      AfterIo();
      return false;
    default:
      EndBy(error, explained, BEV_EVENT_READING);
      return false;
  }
  {
    LeafGuard leaf(this);
    state = BUFFEREVENT_SSL_OPEN;
    // With our last message goes what the program writes now.
    ScheduleFlush();
  }
  AfterIo();
  RunEvent(BEV_EVENT_CONNECTED, 0);
  return open();
}

int TlsStream::Renegotiate() {
  StreamScope scope(this);
  if (!open() || failed || !reachable()) return -1;
  int error;
  bool explained = false;
  {
    TlsSection section(wire);
    if (SSL_version(ssl) > TLS1_2_VERSION || SSL_renegotiate(ssl) <= 0) {
      KeepErrors();
      return -1;
    }
    // Only to send its first message: what arrives in between may be data of
    // the program, and SSL_read is for that.
    const int result = SSL_do_handshake(ssl);
    error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, result);
    if (error != SSL_ERROR_NONE) explained = KeepErrors();
  }
  if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ &&
      error != SSL_ERROR_WANT_WRITE) {
    EndBy(error, explained, BEV_EVENT_READING);
    return -1;
  }
  renegotiating = true;
  AfterIo();
  LeafGuard leaf(this);
  ScheduleFlush();
  return 0;
}

void TlsStream::FinishRenegotiation() {
  if (!renegotiating || failed || !SSL_is_init_finished(ssl) ||
      SSL_renegotiate_pending(ssl)) {
    return;
  }
  renegotiating = false;
  AfterIo();
  RunEvent(BEV_EVENT_CONNECTED, 0);
}

}  // namespace percore
