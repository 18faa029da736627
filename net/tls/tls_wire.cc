#include "percore/net/tls/tls_wire.h"

#include <openssl/err.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "percore/net/stream/stream_limit.h"
#include "percore/net/tls/tls_stream.h"
#include "percore/runtime/system/memory.h"

namespace percore {

// What OpenSSL asks of a BIO for kernel TLS; its <openssl/bio.h> reserves the
// numbers and names them in a comment.
enum : int {
  kCtrlSetKernelTls = 72,
  kCtrlSetRecordType = 74,
  kCtrlClearRecordType = 75,
};

// The functions of the BIO's method.
struct TlsBio {
  static TlsWire* WireOf(BIO* bio) {
    return static_cast<TlsWire*>(BIO_get_data(bio));
  }

  static int Read(BIO* bio, char* to, int n) {
    BIO_clear_retry_flags(bio);
    if (n <= 0) return 0;
    return WireOf(bio)->Read(to, static_cast<std::size_t>(n));
  }

  static int Write(BIO* bio, const char* from, int n) {
    BIO_clear_retry_flags(bio);
    if (n <= 0) return 0;
    return WireOf(bio)->Write(from, static_cast<std::size_t>(n));
  }

  static long Ctrl(BIO* bio, int what, long number, void* pointer) {
    TlsWire* wire = WireOf(bio);
    switch (what) {
      case BIO_CTRL_FLUSH:
      case BIO_CTRL_DUP:
        return 1;
      case BIO_CTRL_EOF:
        return wire->at_end_ && wire->in.empty() ? 1 : 0;
      case BIO_CTRL_PENDING:
        return static_cast<long>(wire->in.size());
      case BIO_C_GET_FD: {
        const int fd = wire->fd();
        if (pointer != nullptr) *static_cast<int*>(pointer) = fd;
        return fd;
      }
      case BIO_CTRL_GET_CLOSE:
        return BIO_NOCLOSE;
      case kCtrlSetKernelTls:
        return wire->StartKernelTls(number, pointer);
      case kCtrlSetRecordType:
        wire->typed_record_ = true;
        break;
      case kCtrlClearRecordType:
        wire->typed_record_ = false;
        break;
      default:
        break;
    }
    return wire->kernel_ != nullptr
               ? BIO_ctrl(wire->kernel_, what, number, pointer)
               : 0;
  }

  static int Destroy(BIO* bio) {
    TlsWire* wire = WireOf(bio);
    if (wire != nullptr) {
      wire->~TlsWire();
      MemFree(wire);
    }
    return 1;
  }

  static const BIO_METHOD* Method() {
    // Made once for the process, as OpenSSL makes its own.
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* m = BIO_meth_new(
          BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR,
          "percore");
      if (m == nullptr) return m;
      BIO_meth_set_read(m, &Read);
      BIO_meth_set_write(m, &Write);
      BIO_meth_set_ctrl(m, &Ctrl);
      BIO_meth_set_destroy(m, &Destroy);
      return m;
    }();
    return method;
  }
};

namespace {

bool TryAgain(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR ||
         error == ENOTCONN;
}

}  // namespace

TlsWire* TlsWire::Create() {
  const BIO_METHOD* method = TlsBio::Method();
  if (method == nullptr) return nullptr;
  void* memory = MemAlloc(sizeof(TlsWire));
  if (memory == nullptr) return nullptr;
  auto* wire = new (memory) TlsWire;
  wire->bio_ = BIO_new(method);
  if (wire->bio_ == nullptr) {
    wire->~TlsWire();
    MemFree(wire);
    return nullptr;
  }
  BIO_set_data(wire->bio_, wire);
  BIO_set_init(wire->bio_, 1);
  return wire;
}

TlsWire::~TlsWire() {
  BIO_free(kernel_);
  BIO_free_all(replaced_[0]);
  BIO_free_all(replaced_[1]);
}

void TlsWire::AttachTo(SSL* ssl, bool keep) {
  BIO* read = SSL_get_rbio(ssl);
  BIO* write = SSL_get_wbio(ssl);
  if (keep && read != nullptr && BIO_up_ref(read)) replaced_[0] = read;
  if (keep && write != nullptr && write != read && BIO_up_ref(write)) {
    replaced_[1] = write;
  }
  BIO_up_ref(bio_);
  SSL_set_bio(ssl, bio_, bio_);
}

int TlsWire::fd() const {
  return stream_ != nullptr ? stream_->ev_read.ev_fd : fd_;
}

void TlsWire::LeaveTo(int fd) {
  stream_ = nullptr;
  fd_ = fd;
}

void TlsWire::Reset() {
  in.Drain(in.size());
  out.Drain(out.size());
  BIO_free(kernel_);
  kernel_ = nullptr;
  error_ = 0;
  at_end_ = typed_record_ = false;
}

bool TlsWire::ReadsByKernel() const {
  return kernel_ != nullptr &&
         BIO_ctrl(kernel_, BIO_CTRL_GET_KTLS_RECV, 0, nullptr) > 0;
}

int TlsWire::Read(char* to, std::size_t n) {
  const bool filter = stream_ != nullptr && stream_->below != nullptr;
  Buffer& from = filter ? stream_->below->input_buffer : in;
  if (!from.empty()) {
    const int got = from.Remove(to, n);
    if (filter && got > 0) StreamLimit::ChargeRead(stream_, got);
    return got;
  }
  if (ReadsByKernel()) {
    const int got = BIO_read(kernel_, to, static_cast<int>(n));
    BIO_copy_next_retry(bio_);
    if (BIO_should_retry(kernel_)) {
      BIO_set_retry_read(bio_);
    } else if (got <= 0) {
      NoteEnd(got == 0 ? 0 : errno);
    } else if (stream_ != nullptr) {
      StreamLimit::ChargeRead(stream_, got);
    }
    return got;
  }
  if (filter || collects_ || fd() < 0) {
    // What the stream reads it reads by itself.
    BIO_set_retry_read(bio_);
    return -1;
  }
  const ssize_t got = read(fd(), to, n);
  if (got < 0) {
    if (TryAgain(errno)) BIO_set_retry_read(bio_);
  } else if (got == 0) {
    at_end_ = true;
  }
  return static_cast<int>(got);
}

int TlsWire::Write(const char* from, std::size_t n) {
  if (stream_ != nullptr && stream_->below != nullptr) {
    StreamLimit::ChargeWrite(stream_, static_cast<ev_ssize_t>(n));
    if (!stream_->below->output_buffer.Add(from, n)) return -1;
    return static_cast<int>(n);
  }
  if (collects_ && !typed_record_) {
    // One large piece for the records of a large write.
    if (n > 4096 && out.empty()) out.Expand(kReadSegment - sizeof(Segment));
    if (out.Add(from, n)) return static_cast<int>(n);
    errno = ENOMEM;
    return -1;
  }
  if (fd() < 0) {
    errno = EBADF;
    return -1;
  }
  if (!SendAll()) {
    if (TryAgain(errno)) BIO_set_retry_write(bio_);
    return -1;
  }
  if (typed_record_) {
    const int sent = BIO_write(kernel_, from, static_cast<int>(n));
    if (BIO_should_retry(kernel_)) BIO_set_retry_write(bio_);
    return sent;
  }
  const ssize_t sent = write(fd(), from, n);
  if (sent < 0 && TryAgain(errno)) BIO_set_retry_write(bio_);
  return static_cast<int>(sent);
}

bool TlsWire::SendAll() {
  while (!out.empty()) {
    if (Send(INT_MAX) < 0) return false;
  }
  return true;
}

ev_ssize_t TlsWire::Send(std::size_t limit) {
  return out.WriteForStream(fd(), limit);
}

// 1: the kernel has the keys. 0: it has not, and OpenSSL goes on by itself.
long TlsWire::StartKernelTls(long sends, void* keys) {
  if (fd() < 0 || (stream_ != nullptr && stream_->below != nullptr)) return 0;
  // What OpenSSL has encrypted must go before, and what has arrived must have
  // been read.
  if (sends != 0 ? !SendAll() : !in.empty()) return 0;
  if (kernel_ == nullptr) kernel_ = BIO_new_socket(fd(), BIO_NOCLOSE);
  if (kernel_ == nullptr) return 0;
  return BIO_ctrl(kernel_, kCtrlSetKernelTls, sends, keys);
}

TlsSection::TlsSection(TlsWire* wire) : wire_(wire), was_(wire->collects_) {
  wire->collects_ = true;
  ERR_clear_error();
}

}  // namespace percore
