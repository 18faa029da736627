// <event2/buffer.h> and <event2/buffer_compat.h>, one call deep.
#include <event2/buffer.h>
#include <event2/buffer_compat.h>
#include <unistd.h>

#include "percore/net/buffer/buffer.h"
#include "percore/net/buffer/file_segment.h"
#include "percore/runtime/loop/event_base.h"

using percore::Buffer;
using percore::EventBase;
using percore::FileSegment;

namespace {

int Result(bool ok) { return ok ? 0 : -1; }

}  // namespace

extern "C" {

struct evbuffer* evbuffer_new(void) {
  Buffer* b = Buffer::New();
  return b != nullptr ? b->c() : nullptr;
}

void evbuffer_free(struct evbuffer* buf) { Buffer::From(buf)->Unref(); }

int evbuffer_enable_locking(struct evbuffer* buf, void* lock) {
  return Result(Buffer::From(buf)->EnableLocking(lock));
}

void evbuffer_lock(struct evbuffer* buf) { Buffer::From(buf)->Lock(); }
void evbuffer_unlock(struct evbuffer* buf) { Buffer::From(buf)->Unlock(); }

int evbuffer_set_flags(struct evbuffer* buf, ev_uint64_t flags) {
  Buffer::From(buf)->SetFlags(static_cast<std::uint32_t>(flags));
  return 0;
}

int evbuffer_clear_flags(struct evbuffer* buf, ev_uint64_t flags) {
  Buffer::From(buf)->ClearFlags(static_cast<std::uint32_t>(flags));
  return 0;
}

int evbuffer_set_max_read(struct evbuffer* buf, size_t max) {
  return Result(Buffer::From(buf)->SetMaxRead(max));
}

size_t evbuffer_get_max_read(struct evbuffer* buf) {
  return Buffer::From(buf)->max_read();
}

int evbuffer_freeze(struct evbuffer* buf, int at_front) {
  Buffer::From(buf)->Freeze(at_front != 0);
  return 0;
}

int evbuffer_unfreeze(struct evbuffer* buf, int at_front) {
  Buffer::From(buf)->Unfreeze(at_front != 0);
  return 0;
}

size_t evbuffer_get_length(const struct evbuffer* buf) {
  return Buffer::From(buf)->size();
}

size_t evbuffer_get_contiguous_space(const struct evbuffer* buf) {
  return Buffer::From(buf)->ContiguousSize();
}

int evbuffer_expand(struct evbuffer* buf, size_t datlen) {
  return Result(Buffer::From(buf)->Expand(datlen));
}

int evbuffer_reserve_space(struct evbuffer* buf, ev_ssize_t size,
                           struct evbuffer_iovec* vec, int n_vec) {
  return Buffer::From(buf)->Reserve(size, vec, n_vec);
}

int evbuffer_commit_space(struct evbuffer* buf, struct evbuffer_iovec* vec,
                          int n_vecs) {
  return Result(Buffer::From(buf)->Commit(vec, n_vecs));
}

int evbuffer_add(struct evbuffer* buf, const void* data, size_t datlen) {
  return Result(Buffer::From(buf)->Add(data, datlen));
}

size_t evbuffer_add_iovec(struct evbuffer* buffer, struct evbuffer_iovec* vec,
                          int n_vec) {
  return Buffer::From(buffer)->AddVectors(vec, n_vec);
}

int evbuffer_add_printf(struct evbuffer* buf, const char* fmt, ...) {
  std::va_list args;
  va_start(args, fmt);
  const int n = Buffer::From(buf)->AddFormatted(fmt, args);
  va_end(args);
  return n;
}

int evbuffer_add_vprintf(struct evbuffer* buf, const char* fmt, va_list ap) {
  return Buffer::From(buf)->AddFormatted(fmt, ap);
}

int evbuffer_add_buffer(struct evbuffer* outbuf, struct evbuffer* inbuf) {
  return Result(Buffer::From(outbuf)->Take(Buffer::From(inbuf)));
}

int evbuffer_add_buffer_reference(struct evbuffer* outbuf,
                                  struct evbuffer* inbuf) {
  return Result(Buffer::From(outbuf)->Share(Buffer::From(inbuf)));
}

int evbuffer_add_reference(struct evbuffer* outbuf, const void* data,
                           size_t datlen, evbuffer_ref_cleanup_cb cleanupfn,
                           void* cleanupfn_arg) {
  return Result(Buffer::From(outbuf)->AddReference(data, 0, datlen, cleanupfn,
                                                   cleanupfn_arg));
}

int evbuffer_add_reference_with_offset(struct evbuffer* outbuf,
                                       const void* data, size_t offset,
                                       size_t datlen,
                                       evbuffer_ref_cleanup_cb cleanupfn,
                                       void* cleanupfn_arg) {
  return Result(Buffer::From(outbuf)->AddReference(data, offset, datlen,
                                                   cleanupfn, cleanupfn_arg));
}

int evbuffer_add_file(struct evbuffer* outbuf, int fd, ev_off_t offset,
                      ev_off_t length) {
  FileSegment* file =
      FileSegment::Create(fd, offset, length, EVBUF_FS_CLOSE_ON_FREE);
  if (file == nullptr) return -1;
  const bool ok = Buffer::From(outbuf)->AddFile(file, 0, -1);
  file->Unref();
  return Result(ok);
}

struct evbuffer_file_segment* evbuffer_file_segment_new(int fd, ev_off_t offset,
                                                        ev_off_t length,
                                                        unsigned flags) {
  FileSegment* file = FileSegment::Create(fd, offset, length, flags);
  return file != nullptr ? file->c() : nullptr;
}

void evbuffer_file_segment_free(struct evbuffer_file_segment* seg) {
  FileSegment::From(seg)->Unref();
}

void evbuffer_file_segment_add_cleanup_cb(struct evbuffer_file_segment* seg,
                                          evbuffer_file_segment_cleanup_cb cb,
                                          void* arg) {
  FileSegment::From(seg)->SetCleanup(cb, arg);
}

int evbuffer_add_file_segment(struct evbuffer* buf,
                              struct evbuffer_file_segment* seg,
                              ev_off_t offset, ev_off_t length) {
  return Result(
      Buffer::From(buf)->AddFile(FileSegment::From(seg), offset, length));
}

int evbuffer_prepend(struct evbuffer* buf, const void* data, size_t size) {
  return Result(Buffer::From(buf)->Prepend(data, size));
}

int evbuffer_prepend_buffer(struct evbuffer* dst, struct evbuffer* src) {
  return Result(Buffer::From(dst)->TakeInFront(Buffer::From(src)));
}

int evbuffer_remove(struct evbuffer* buf, void* data, size_t datlen) {
  return Buffer::From(buf)->Remove(data, datlen);
}

int evbuffer_remove_buffer(struct evbuffer* src, struct evbuffer* dst,
                           size_t datlen) {
  return static_cast<int>(Buffer::From(src)->MoveTo(Buffer::From(dst), datlen));
}

int evbuffer_drain(struct evbuffer* buf, size_t len) {
  return Result(Buffer::From(buf)->Drain(len));
}

ev_ssize_t evbuffer_copyout(struct evbuffer* buf, void* data_out,
                            size_t datlen) {
  return Buffer::From(buf)->CopyOut(nullptr, data_out, datlen);
}

ev_ssize_t evbuffer_copyout_from(struct evbuffer* buf,
                                 const struct evbuffer_ptr* pos, void* data_out,
                                 size_t datlen) {
  return Buffer::From(buf)->CopyOut(pos, data_out, datlen);
}

char* evbuffer_readln(struct evbuffer* buffer, size_t* n_read_out,
                      enum evbuffer_eol_style eol_style) {
  return Buffer::From(buffer)->ReadLine(n_read_out, eol_style);
}

unsigned char* evbuffer_pullup(struct evbuffer* buf, ev_ssize_t size) {
  return Buffer::From(buf)->PullUp(size);
}

int evbuffer_peek(struct evbuffer* buffer, ev_ssize_t len,
                  struct evbuffer_ptr* start_at, struct evbuffer_iovec* vec_out,
                  int n_vec) {
  return Buffer::From(buffer)->Peek(len, start_at, vec_out, n_vec);
}

struct evbuffer_ptr evbuffer_search(struct evbuffer* buffer, const char* what,
                                    size_t len,
                                    const struct evbuffer_ptr* start) {
  return Buffer::From(buffer)->Search(what, len, start, nullptr);
}

struct evbuffer_ptr evbuffer_search_range(struct evbuffer* buffer,
                                          const char* what, size_t len,
                                          const struct evbuffer_ptr* start,
                                          const struct evbuffer_ptr* end) {
  return Buffer::From(buffer)->Search(what, len, start, end);
}

struct evbuffer_ptr evbuffer_search_eol(struct evbuffer* buffer,
                                        struct evbuffer_ptr* start,
                                        size_t* eol_len_out,
                                        enum evbuffer_eol_style eol_style) {
  return Buffer::From(buffer)->SearchEol(start, eol_len_out, eol_style);
}

int evbuffer_ptr_set(struct evbuffer* buffer, struct evbuffer_ptr* ptr,
                     size_t position, enum evbuffer_ptr_how how) {
  return Result(Buffer::From(buffer)->SetPosition(ptr, position, how));
}

int evbuffer_read(struct evbuffer* buffer, evutil_socket_t fd, int howmuch) {
  return Buffer::From(buffer)->Read(fd, howmuch);
}

int evbuffer_write(struct evbuffer* buffer, evutil_socket_t fd) {
  return Buffer::From(buffer)->Write(fd, -1);
}

int evbuffer_write_atmost(struct evbuffer* buffer, evutil_socket_t fd,
                          ev_ssize_t howmuch) {
  return Buffer::From(buffer)->Write(fd, howmuch);
}

struct evbuffer_cb_entry* evbuffer_add_cb(struct evbuffer* buffer,
                                          evbuffer_cb_func cb, void* cbarg) {
  return Buffer::From(buffer)->AddCallback(cb, cbarg);
}

int evbuffer_remove_cb_entry(struct evbuffer* buffer,
                             struct evbuffer_cb_entry* ent) {
  return Result(Buffer::From(buffer)->RemoveCallback(ent));
}

int evbuffer_remove_cb(struct evbuffer* buffer, evbuffer_cb_func cb,
                       void* cbarg) {
  return Result(Buffer::From(buffer)->RemoveCallback(cb, cbarg));
}

int evbuffer_cb_set_flags(struct evbuffer* buffer, struct evbuffer_cb_entry* cb,
                          ev_uint32_t flags) {
  Buffer::From(buffer)->SetCallbackFlags(cb, flags, 0);
  return 0;
}

int evbuffer_cb_clear_flags(struct evbuffer* buffer,
                            struct evbuffer_cb_entry* cb, ev_uint32_t flags) {
  Buffer::From(buffer)->SetCallbackFlags(cb, 0, flags);
  return 0;
}

int evbuffer_defer_callbacks(struct evbuffer* buffer, struct event_base* base) {
  return Result(Buffer::From(buffer)->DeferCallbacks(EventBase::From(base)));
}

// --- <event2/buffer_compat.h> -----------------------------------------------

char* evbuffer_readline(struct evbuffer* buffer) {
  return Buffer::From(buffer)->ReadLine(nullptr, EVBUFFER_EOL_ANY);
}

int evbuffer_setcb(struct evbuffer* buffer, evbuffer_cb cb, void* cbarg) {
  Buffer* b = Buffer::From(buffer);
  b->RemoveAllCallbacks();
  return cb == nullptr || b->AddOldCallback(cb, cbarg) != nullptr ? 0 : -1;
}

unsigned char* evbuffer_find(struct evbuffer* buffer, const unsigned char* what,
                             size_t len) {
  return Buffer::From(buffer)->Find(reinterpret_cast<const char*>(what), len);
}

}  // extern "C"
