// How a connection ends: close_notify both ways, cut connections, errors.
#include <openssl/err.h>

#include <cerrno>

#include "percore/net/tls/tls_stream.h"

namespace percore {

// --- Errors, for bufferevent_get_openssl_error ------------------------------

void TlsStream::PushError(unsigned long error) {
  if (error_count == kTlsErrorsKept) {
    for (int i = 1; i < kTlsErrorsKept; ++i) errors[i - 1] = errors[i];
    --error_count;
  }
  errors[error_count++] = error;
}

bool TlsStream::KeepErrors() {
  bool any = false;
  while (const unsigned long error = ERR_get_error()) {
    // Of a cut connection EndByCut tells.
    if (wire->at_end() &&
        ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      continue;
    }
    PushError(error);
    any = true;
  }
  return any;
}

unsigned long TlsStream::PopError() {
  StreamScope scope(this);
  return error_count == 0 ? 0 : errors[--error_count];
}

// --- Our end ----------------------------------------------------------------

int TlsStream::Shutdown() {
  StreamScope scope(this);
  if (!open() || failed || closing || !reachable()) return -1;
  closing = true;
  // At once where nothing holds it up: the program may free the stream next.
  if (base()->RunsElsewhere() && !base()->shared()) {
    LeafGuard leaf(this);
    ScheduleFlush();
  } else {
    WriteSome();
  }
  return 0;
}

// The output is empty. Once.
void TlsStream::SendCloseNotify() {
  close_sent = true;
  TlsSection section(wire);
  if (SSL_shutdown(ssl) < 0) {
    // In the middle of a handshake, say: there is nobody to tell.
    KeepErrors();
  }
}

// --- The peer's end, and what fails -----------------------------------------

void TlsStream::EndBy(int ssl_error, bool explained, short direction) {
  const int error = errno;
  const bool is_error = ssl_error != SSL_ERROR_ZERO_RETURN;
  if (is_error && !explained && (wire->at_end() || wire->error() != 0)) {
    EndByCut(wire->error(), direction);
    return;
  }
  // The alert that says why, while there is a stream to send it.
  if (is_error) {
    failed = true;
    SendRecords();
  } else {
    AfterIo();
  }
  if (direction == BEV_EVENT_READING) {
    read_ended = true;
    Disable(EV_READ);
  } else {
    Disable(EV_WRITE);
  }
  UpdateInterest();
  errno = error;
  RunEvent(static_cast<short>((is_error ? BEV_EVENT_ERROR : BEV_EVENT_EOF) |
                              direction),
           0);
}

void TlsStream::EndByCut(int error, short direction) {
  short what = BEV_EVENT_ERROR;
  if (error == 0) {
    if ((flags & BUFFEREVENT_SSL_DIRTY_SHUTDOWN) ||
        (SSL_get_options(ssl) & SSL_OP_IGNORE_UNEXPECTED_EOF)) {
      what = BEV_EVENT_EOF;
    } else {
      PushError(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING));
    }
  }
  // A handshake cannot go on; data may still be sent to a peer that has only
  // closed its own direction.
  if (!open() || error != 0) failed = true;
  if (direction == BEV_EVENT_READING) {
    read_ended = true;
    Disable(EV_READ);
  } else {
    Disable(EV_WRITE);
  }
  UpdateInterest();
  errno = error;
  // A stream below has told the direction of its own (semantics 13.3).
  RunEvent(static_cast<short>(below != nullptr ? what : what | direction), 0);
}

}  // namespace percore
