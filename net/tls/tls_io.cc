// Plain text in and out.
#include <openssl/err.h>

#include <cerrno>

#include "percore/net/stream/stream_limit.h"
#include "percore/net/tls/tls_stream.h"

namespace percore {
namespace {

constexpr std::size_t kRecord = 16384;         // plain text, at most
constexpr std::size_t kRecordsKept = 65536;    // before they are written
constexpr std::size_t kWriteBudget = 1 << 20;  // of plain text in a turn

enum class Step {
  kAgain,   // there may be more
  kWait,    // for more to arrive
  kFailed,  // see the error
};

struct Result {
  Step step;
  int ssl_error;
  bool explained;  // OpenSSL gave reasons, which are kept
  std::size_t bytes;
};

// In the section of the call that returned `result`.
Result StepOf(TlsStream* s, int result, std::size_t bytes) {
  const int error = SSL_get_error(s->ssl, result);
  switch (error) {
    case SSL_ERROR_WANT_WRITE:
      s->wants_writable = true;
      [[fallthrough]];
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_ASYNC:
    case SSL_ERROR_WANT_ASYNC_JOB:
    case SSL_ERROR_WANT_X509_LOOKUP:
    case SSL_ERROR_WANT_RETRY_VERIFY:
      return {Step::kWait, error, false, bytes};
    default:
      return {Step::kFailed, error, s->KeepErrors(), bytes};
  }
}

// Decrypts into the room of the input; at most `most` bytes.
Result Decrypt(TlsStream* s, std::size_t most) {
  std::size_t room = static_cast<std::size_t>(SSL_pending(s->ssl)) +
                     (s->below != nullptr ? s->below->input_buffer.size()
                                          : s->wire->in.size());
  if (room < 512) room = 512;
  if (s->wire->ReadsByKernel()) room = kRecord;
  if (room > kReadMost) room = kReadMost;
  if (room > most) room = most;
  iovec pieces[2];
  const int count =
      s->input_buffer.Reserve(static_cast<ev_ssize_t>(room), pieces, 2);
  if (count < 0) {
    errno = ENOMEM;
    return {Step::kFailed, SSL_ERROR_SYSCALL, true, 0};
  }
  Result result = {Step::kAgain, SSL_ERROR_NONE, false, 0};
  int filled = 0;
  {
    TlsSection section(s->wire);
    while (filled < count && result.step == Step::kAgain && room != 0) {
      iovec& piece = pieces[filled];
      auto* at = static_cast<unsigned char*>(piece.iov_base);
      std::size_t left = piece.iov_len < room ? piece.iov_len : room;
      room -= left;
      piece.iov_len = 0;
      while (left != 0) {
        std::size_t n = 0;
        if (SSL_read_ex(s->ssl, at, left, &n) <= 0) {
          result = StepOf(s, 0, result.bytes);
          room = 0;
          break;
        }
        at += n;
        left -= n;
        piece.iov_len += n;
        result.bytes += n;
        if (!s->HasArrived()) {
          // Asking OpenSSL would only tell so.
          result = {Step::kWait, SSL_ERROR_WANT_READ, false, result.bytes};
          room = 0;
          break;
        }
      }
      ++filled;
    }
  }
  if (result.bytes != 0) s->input_buffer.Commit(pieces, filled);
  return result;
}

// For what OpenSSL has to see although the program reads nothing: data stays.
Result Look(TlsStream* s) {
  TlsSection section(s->wire);
  char byte;
  std::size_t n = 0;
  if (SSL_peek_ex(s->ssl, &byte, 1, &n) > 0) {
    return {Step::kWait, SSL_ERROR_NONE, false, 0};
  }
  return StepOf(s, 0, 0);
}

// Encrypts up to `most` bytes of the output; those that were.
Result Encrypt(TlsStream* s, std::size_t most) {
  unsigned char joined[kRecord];
  Result total = {Step::kAgain, SSL_ERROR_NONE, false, 0};
  Buffer& output = s->output_buffer;
  while (total.bytes < most && total.step == Step::kAgain && !output.empty()) {
    // A large piece as it is, small ones joined into a record.
    iovec piece;
    std::size_t n = most - total.bytes;
    if (s->retry_size != 0) n = s->retry_size;
    if (n > output.size()) n = output.size();
    if (output.Peek(-1, nullptr, &piece, 1) < 1) break;
    const void* from = piece.iov_base;
    if (piece.iov_len < n && (piece.iov_len < kRecord || s->retry_size != 0)) {
      if (n > kRecord) n = kRecord;
      if (output.CopyOut(nullptr, joined, n) < static_cast<ev_ssize_t>(n)) {
        break;
      }
      from = joined;
    } else if (piece.iov_len < n) {
      n = piece.iov_len - piece.iov_len % kRecord;
    }
    std::size_t written = 0;
    {
      TlsSection section(s->wire);
      if (SSL_write_ex(s->ssl, from, n, &written) <= 0) {
        total = StepOf(s, 0, total.bytes);
      }
    }
    if (total.step == Step::kWait) {
      s->retry_size = n;
      s->write_wants_read = total.ssl_error == SSL_ERROR_WANT_READ;
    } else if (total.step == Step::kAgain) {
      s->retry_size = 0;
      total.bytes += written;
      output.Drain(written);
    }
  }
  return total;
}

bool IsFull(const Stream* below) {
  return below->wm_write.high != 0 &&
         below->output_buffer.size() >= below->wm_write.high;
}

}  // namespace

// --- In ---------------------------------------------------------------------

bool TlsStream::HasArrived() const {
  if (SSL_has_pending(ssl) || wire->ReadsByKernel()) return true;
  return below != nullptr ? !below->input_buffer.empty() : !wire->in.empty();
}

void TlsStream::ReadAll() {
  while (may_read() || (must_read() && open())) {
    Result result;
    if (may_read()) {
      std::size_t most = below != nullptr ? ReadMaxOf(this) : kReadMost;
      if (wm_read.high != 0) {
        const std::size_t size = input_buffer.size();
        if (size >= wm_read.high) {
          SuspendRead(kSuspendWatermark);
          break;
        }
        if (wm_read.high - size < most) most = wm_read.high - size;
      }
      if (most == 0) break;
      result = Decrypt(this, most);
    } else {
      result = Look(this);
    }
    if (write_wants_read) {
      write_wants_read = false;
      LeafGuard leaf(this);
      ScheduleFlush();
    }
    FinishRenegotiation();
    if (result.bytes != 0) {
      if (below != nullptr) {
        LeafGuard leaf(this);
        TouchReadTimeout();
      }
      TriggerLocked(EV_READ, 0);
      // The callback may have changed everything; what is left is told again.
      if (result.step == Step::kFailed && !may_read()) break;
    }
    if (result.step == Step::kFailed) {
      EndBy(result.ssl_error, result.explained, BEV_EVENT_READING);
      return;
    }
    if (result.step == Step::kAgain) continue;
    if (result.ssl_error == SSL_ERROR_WANT_READ &&
        (wire->at_end() || wire->error() != 0) && !wire->ReadsByKernel() &&
        may_read()) {
      EndByCut(wire->error(), BEV_EVENT_READING);
      return;
    }
    break;
  }
  AfterIo();
}

// --- Out --------------------------------------------------------------------

bool TlsStream::SendRecords() {
  if (below != nullptr) return true;
  while (!wire->out.empty()) {
    std::size_t most = kWriteMost;
    if (open()) {
      most = WriteMaxOf(this);
      if (most == 0 || (write_suspended & (kSuspendLimit | kSuspendGroup))) {
        return false;
      }
    }
    const std::size_t before = wire->out.size();
    const ev_ssize_t n = wire->Send(most);
    const int error = errno;
    if (n > 0) {
      StreamLimit::ChargeWrite(this, n);
      // Less than asked: the system is full.
      const auto sent = static_cast<std::size_t>(n);
      if (sent < most && sent < before) return false;
      continue;
    }
    if (n < 0 && (error == EAGAIN || error == EWOULDBLOCK || error == EINTR)) {
      return false;
    }
    wire->out.Drain(before);
    if (!failed) {
      failed = true;
      Disable(EV_WRITE);
      UpdateInterest();
      errno = error;
      RunEvent(n < 0 ? BEV_EVENT_ERROR | BEV_EVENT_WRITING
                     : BEV_EVENT_EOF | BEV_EVENT_WRITING,
               0);
    }
    return false;
  }
  return true;
}

void TlsStream::EncryptAll() {
  while (open() && !failed && !close_sent && !output_buffer.empty()) {
    if (Encrypt(this, kRecordsKept).bytes == 0) break;
  }
}

void TlsStream::WriteSome() {
  flushed_turn = base()->turn();
  std::size_t budget = kWriteBudget;
  bool progress = false;
  bool sent = SendRecords();
  while (sent && open() && !failed && (enabled & EV_WRITE) &&
         !write_suspended && !write_wants_read && !close_sent &&
         !output_buffer.empty() && !(below != nullptr && IsFull(below))) {
    if (budget == 0) {
      LeafGuard leaf(this);
      ScheduleFlush();
      break;
    }
    std::size_t most = WriteMaxOf(this);
    if (most > kRecordsKept) most = kRecordsKept;
    if (most == 0) break;
    const Result result = Encrypt(this, most);
    budget -= result.bytes < budget ? result.bytes : budget;
    if (result.bytes != 0) untold_progress = progress = true;
    if (result.step == Step::kFailed) {
      EndBy(result.ssl_error, result.explained, BEV_EVENT_WRITING);
      return;
    }
    sent = SendRecords();
    if (result.step == Step::kWait) break;
  }
  if (closing && !close_sent && !failed && open() && output_buffer.empty()) {
    SendCloseNotify();
    sent = SendRecords();
  }
  UpdateInterest();
  {
    LeafGuard leaf(this);
    if (below != nullptr) {
      if (progress) TouchWriteTimeout();
    } else {
      AwaitRoom(!failed && (!sent || wants_writable));
    }
  }
  if (!sent || failed) return;
  if (untold_progress) {
    untold_progress = false;
    TriggerLocked(EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
  }
  if (close_sent && !close_told) {
    close_told = true;
    Disable(EV_WRITE);
    RunEvent(BEV_EVENT_EOF | BEV_EVENT_WRITING, 0);
  }
}

// After calls that may have made records without sending them.
void TlsStream::AfterIo() {
  UpdateInterest();
  LeafGuard leaf(this);
  if (below != nullptr || failed) return;
  if (wants_writable) {
    AwaitRoom(true);
  } else if (!wire->out.empty() && !IsAwaitingRoom()) {
    ScheduleFlush();
  }
}

}  // namespace percore
