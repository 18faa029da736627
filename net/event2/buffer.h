/*
 * Byte queues: data goes in at the end and comes out at the front.
 *
 * An evbuffer is a list of chunks of memory. Moving data from one buffer to
 * another moves chunks, not bytes; data can be the program's own memory
 * (references) or part of a file. Nothing is contiguous unless asked for:
 * evbuffer_pullup() makes it so, evbuffer_peek() shows the pieces.
 *
 * Conventions. An int function returns 0, or -1 on an error and then nothing
 * has changed; a constructor returns NULL. Sizes are bytes. Pointers are not
 * NULL unless a comment allows it. A total above EV_SSIZE_MAX is an error.
 *
 * What any call that changes the buffer invalidates: pointers from pullup,
 * peek and reserve_space, and every evbuffer_ptr. Each call that changes the
 * length runs the buffer's callbacks, once, before it returns.
 *
 * Threads. A buffer belongs to one thread at a time ("Owner thread.", which
 * every function here is), or to several once evbuffer_enable_locking() gave
 * it a lock: each call then is atomic, and evbuffer_lock() joins calls. Calls
 * on two buffers take both locks, in an order that cannot deadlock.
 */
#ifndef PERCORE_NET_EVENT2_BUFFER_H_
#define PERCORE_NET_EVENT2_BUFFER_H_

#include <event2/visibility.h>

#include <stdarg.h>
#include <sys/types.h>
#ifdef EVENT__HAVE_SYS_UIO_H
#include <sys/uio.h>
#endif

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct evbuffer;

/* A position in a buffer. pos: bytes from the front, or -1 for "none". The
   rest is the library's. */
struct evbuffer_ptr {
  ev_ssize_t pos;
  struct {
    void *chain;
    size_t pos_in_chain;
  } internal_;
};

/* A piece of memory: iov_base, iov_len. It is the system's struct iovec where
   there is one. */
#ifdef EVENT__HAVE_SYS_UIO_H
#define evbuffer_iovec iovec
#define EVBUFFER_IOVEC_IS_NATIVE_
#else
struct evbuffer_iovec {
  void *iov_base;
  size_t iov_len;
};
#endif

/* ---- Making, freeing, locking. */

/* An empty buffer without a lock. */
EVENT2_EXPORT_SYMBOL
struct evbuffer *evbuffer_new(void);

/* Gives up the buffer: releases its data, running the cleanups of references,
   and forgets its callbacks. If deferred callbacks are due, they still run and
   the memory goes after that. */
EVENT2_EXPORT_SYMBOL
void evbuffer_free(struct evbuffer *buf);

/* Makes the buffer safe for several threads. lock: from the functions of
   event2/thread.h, recursive, stays the caller's; NULL: the buffer makes its
   own. -1: it has one already, no locks are installed, or out of memory. */
EVENT2_EXPORT_SYMBOL
int evbuffer_enable_locking(struct evbuffer *buf, void *lock);

/* Holds the buffer's lock over several calls. Recursive; nothing without a
   lock. Any thread. */
EVENT2_EXPORT_SYMBOL
void evbuffer_lock(struct evbuffer *buf);
EVENT2_EXPORT_SYMBOL
void evbuffer_unlock(struct evbuffer *buf);

/* The buffer only ever drains to a file descriptor by evbuffer_write(): files
   added to it are sent by sendfile() where possible, without being read. */
#define EVBUFFER_FLAG_DRAINS_TO_FD 1

/* Add and take away flags of the buffer. Always 0. */
EVENT2_EXPORT_SYMBOL
int evbuffer_set_flags(struct evbuffer *buf, ev_uint64_t flags);
EVENT2_EXPORT_SYMBOL
int evbuffer_clear_flags(struct evbuffer *buf, ev_uint64_t flags);

/* The most one evbuffer_read() takes; at first 4096. -1: above INT_MAX. Since
   2.2. */
EVENT2_EXPORT_SYMBOL
int evbuffer_set_max_read(struct evbuffer *buf, size_t max);
EVENT2_EXPORT_SYMBOL
size_t evbuffer_get_max_read(struct evbuffer *buf);

/* Forbids changes of one end until it is unfrozen. at_front: nothing can be
   taken out, copied out or prepended; otherwise nothing can be appended. Such
   calls fail, but may succeed if there is nothing to do. Always 0. */
EVENT2_EXPORT_SYMBOL
int evbuffer_freeze(struct evbuffer *buf, int at_front);
EVENT2_EXPORT_SYMBOL
int evbuffer_unfreeze(struct evbuffer *buf, int at_front);

/* ---- Length and space. */

/* The bytes in the buffer. */
EVENT2_EXPORT_SYMBOL
size_t evbuffer_get_length(const struct evbuffer *buf);

/* How many bytes at the front are in one piece: data to read, whatever the
   name says. */
EVENT2_EXPORT_SYMBOL
size_t evbuffer_get_contiguous_space(const struct evbuffer *buf);

/* Makes room for datlen more bytes at the end, so that adding them allocates
   nothing. The data does not change, but may move. */
EVENT2_EXPORT_SYMBOL
int evbuffer_expand(struct evbuffer *buf, size_t datlen);

/* Points vec at room at the end, for the caller to write to: at least size
   bytes in up to n_vec pieces; returns how many it used. With n_vec 1 the room
   is one piece. Nothing is added until evbuffer_commit_space(); no call may
   append in between. -1: the end is frozen, n_vec below 1, size negative, or
   out of memory. */
EVENT2_EXPORT_SYMBOL
int evbuffer_reserve_space(struct evbuffer *buf, ev_ssize_t size,
                           struct evbuffer_iovec *vec, int n_vec);

/* Adds what was written to the reserved pieces, in order. iov_len may be made
   smaller, and pieces at the end left off; n_vecs 0 adds nothing. -1: these
   are not the pieces last reserved, or the end is frozen. */
EVENT2_EXPORT_SYMBOL
int evbuffer_commit_space(struct evbuffer *buf, struct evbuffer_iovec *vec,
                          int n_vecs);

/* ---- Appending. All fail when the end is frozen. */

/* Appends a copy. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add(struct evbuffer *buf, const void *data, size_t datlen);

/* Appends copies of n_vec pieces; the number of bytes added, less than all
   of them on an error. */
EVENT2_EXPORT_SYMBOL
size_t evbuffer_add_iovec(struct evbuffer *buffer, struct evbuffer_iovec *vec,
                          int n_vec);

/* Appends formatted text, without a NUL. The number of bytes added, or -1. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_printf(struct evbuffer *buf, const char *fmt, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;
EVENT2_EXPORT_SYMBOL
int evbuffer_add_vprintf(struct evbuffer *buf, const char *fmt, va_list ap)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 0)))
#endif
    ;

/* Moves all of inbuf to the end of outbuf, without copying. 0 and nothing
   happens if inbuf is empty or the same. -1: end of outbuf or front of inbuf
   is frozen. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_buffer(struct evbuffer *outbuf, struct evbuffer *inbuf);

/* Appends the data of inbuf to outbuf without copying, and inbuf keeps it. The
   memory lives until both have let go of it; inbuf may be drained or freed
   first. -1: the same buffer, the end of outbuf is frozen, or inbuf holds
   files or data that is itself such a reference. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_buffer_reference(struct evbuffer *outbuf,
                                  struct evbuffer *inbuf);

/* Tells that the library needs data (datalen bytes) no more. */
typedef void (*evbuffer_ref_cleanup_cb)(const void *data, size_t datalen,
                                        void *extra);

/* Appends memory of the program's without copying: it must stay as it is until
   cleanupfn (may be NULL) is called, when its last byte has been drained or
   the buffer freed. datlen 0 is allowed and has its cleanup too. On -1
   cleanupfn is not called. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_reference(struct evbuffer *outbuf, const void *data,
                           size_t datlen, evbuffer_ref_cleanup_cb cleanupfn,
                           void *cleanupfn_arg);

/* The same for the datlen bytes that begin at data + offset. cleanupfn gets
   data, and offset + datlen. Since 2.2. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_reference_with_offset(struct evbuffer *outbuf,
                                       const void *data, size_t offset,
                                       size_t datlen,
                                       evbuffer_ref_cleanup_cb cleanupfn,
                                       void *cleanupfn_arg);

/* ---- Files. */

/* A part of a file that buffers can share; counts its references. */
struct evbuffer_file_segment;

#define EVBUF_FS_CLOSE_ON_FREE 0x01    /* close fd with the segment */
#define EVBUF_FS_DISABLE_MMAP 0x02     /* never map, read instead */
#define EVBUF_FS_DISABLE_SENDFILE 0x04 /* never send by sendfile() */
/* Used by one thread at a time: needs no lock of its own. */
#define EVBUF_FS_DISABLE_LOCKING 0x08

/* Called when a segment is gone, its fd closed. flags: those of its making. */
typedef void (*evbuffer_file_segment_cleanup_cb)(
    struct evbuffer_file_segment const *seg, int flags, void *arg);

/* Appends length bytes of the file from offset; length -1: from offset to the
   file's end. fd becomes the buffer's, which closes it when the data has been
   drained. The file may not shrink meanwhile. -1: fd is still the caller's if
   no segment can be made of it (evbuffer_file_segment_new()), otherwise it has
   been closed. */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_file(struct evbuffer *outbuf, int fd, ev_off_t offset,
                      ev_off_t length);

/* A segment of the file: length bytes from offset, -1: from offset to the
   file's end (libevent 2.1: the whole file's size, whatever the offset).
   flags: EVBUF_FS_ bits. NULL: the range is not within EV_SSIZE_MAX, fd is not
   open, or out of memory; fd is then left open. The caller holds one reference
   and drops it with evbuffer_file_segment_free(). */
EVENT2_EXPORT_SYMBOL
struct evbuffer_file_segment *evbuffer_file_segment_new(int fd, ev_off_t offset,
                                                        ev_off_t length,
                                                        unsigned flags);

/* Drops one reference. With the last the memory goes, fd is closed if
   EVBUF_FS_CLOSE_ON_FREE, and the cleanup is called. Any thread, unless
   EVBUF_FS_DISABLE_LOCKING. */
EVENT2_EXPORT_SYMBOL
void evbuffer_file_segment_free(struct evbuffer_file_segment *seg);

/* The one cleanup of the segment; replaces the one before. Call it before
   anyone else holds a reference. */
EVENT2_EXPORT_SYMBOL
void evbuffer_file_segment_add_cleanup_cb(struct evbuffer_file_segment *seg,
                                          evbuffer_file_segment_cleanup_cb cb,
                                          void *arg);

/* Appends length bytes from offset within the segment; length -1: the rest of
   it. The data holds a reference to the segment. Read or mapped at once unless
   the buffer drains to an fd. -1: out of the segment, the end is frozen, or
   the file cannot be read; the caller's reference stays the caller's
   (libevent 2.1 drops it, unless the file could not be read). */
EVENT2_EXPORT_SYMBOL
int evbuffer_add_file_segment(struct evbuffer *buf,
                              struct evbuffer_file_segment *seg,
                              ev_off_t offset, ev_off_t length);

/* ---- Prepending. Fails when the front is frozen. */

/* Puts a copy before the data. */
EVENT2_EXPORT_SYMBOL
int evbuffer_prepend(struct evbuffer *buf, const void *data, size_t size);

/* Moves all of src before the data of dst, without copying. 0 and nothing
   happens if src is empty or the same. */
EVENT2_EXPORT_SYMBOL
int evbuffer_prepend_buffer(struct evbuffer *dst, struct evbuffer *src);

/* ---- Taking out and looking. */

/* Copies up to datlen bytes to data and drains them: the number of bytes, or
   -1 when the front is frozen and there is data. */
EVENT2_EXPORT_SYMBOL
int evbuffer_remove(struct evbuffer *buf, void *data, size_t datlen);

/* Moves up to datlen bytes from src to the end of dst, copying no more than
   part of one chunk: the number of bytes; -1 when the end of dst or the front
   of src is frozen. */
EVENT2_EXPORT_SYMBOL
int evbuffer_remove_buffer(struct evbuffer *src, struct evbuffer *dst,
                           size_t datlen);

/* Drops up to len bytes. -1 when the front is frozen and there is data. */
EVENT2_EXPORT_SYMBOL
int evbuffer_drain(struct evbuffer *buf, size_t len);

/* Copies up to datlen bytes and leaves them in: the number of bytes, or -1
   when the front is frozen and there is data. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t evbuffer_copyout(struct evbuffer *buf, void *data_out,
                            size_t datlen);

/* The same from a position; NULL: the front. */
EVENT2_EXPORT_SYMBOL
ev_ssize_t evbuffer_copyout_from(struct evbuffer *buf,
                                 const struct evbuffer_ptr *pos, void *data_out,
                                 size_t datlen);

/* What ends a line. */
enum evbuffer_eol_style {
  EVBUFFER_EOL_ANY,         /* any run of CR and LF; empty lines vanish */
  EVBUFFER_EOL_CRLF,        /* LF, and a CR just before it */
  EVBUFFER_EOL_CRLF_STRICT, /* CR LF */
  EVBUFFER_EOL_LF,          /* LF */
  EVBUFFER_EOL_NUL          /* a zero byte */
};

/* Takes out a line and its end: the line without its end and with a NUL, from
   the library's allocator, for the caller to free(). NULL, and nothing taken,
   if there is no whole line, the front is frozen or out of memory.
   *n_read_out (NULL allowed): the line's length, 0 if none. */
EVENT2_EXPORT_SYMBOL
char *evbuffer_readln(struct evbuffer *buffer, size_t *n_read_out,
                      enum evbuffer_eol_style eol_style);

/* Makes the first size bytes one piece, -1: all, and returns it. NULL: size is
   0 or more than there is, the buffer is empty, or the data cannot be moved.
   Data of a file that waits for sendfile() is read for it (which libevent 2.1
   cannot, nor search it or copy it out). */
EVENT2_EXPORT_SYMBOL
unsigned char *evbuffer_pullup(struct evbuffer *buf, ev_ssize_t size);

/* Points vec_out at the pieces of data from start_at (NULL: the front) that
   hold len bytes, and returns how many pieces that is, even if more than
   n_vec; only n_vec are filled in. The last may reach beyond len. len -1: as
   many pieces as n_vec, and with n_vec 0 the number of all there are. 0 if
   there is no data. */
EVENT2_EXPORT_SYMBOL
int evbuffer_peek(struct evbuffer *buffer, ev_ssize_t len,
                  struct evbuffer_ptr *start_at, struct evbuffer_iovec *vec_out,
                  int n_vec);

/* ---- Positions and searching. */

enum evbuffer_ptr_how {
  EVBUFFER_PTR_SET, /* from the front */
  EVBUFFER_PTR_ADD  /* forward from where ptr is */
};

/* Sets ptr. The end of the data is a position too. -1: beyond it; ptr->pos is
   then -1. */
EVENT2_EXPORT_SYMBOL
int evbuffer_ptr_set(struct evbuffer *buffer, struct evbuffer_ptr *ptr,
                     size_t position, enum evbuffer_ptr_how how);

/* Where the len bytes of what first begin at or after start (NULL: the front);
   pos -1: nowhere. len 0 is found at start. */
EVENT2_EXPORT_SYMBOL
struct evbuffer_ptr evbuffer_search(struct evbuffer *buffer, const char *what,
                                    size_t len,
                                    const struct evbuffer_ptr *start);

/* The same; all of what lies before end (NULL: the end of the data). */
EVENT2_EXPORT_SYMBOL
struct evbuffer_ptr evbuffer_search_range(struct evbuffer *buffer,
                                          const char *what, size_t len,
                                          const struct evbuffer_ptr *start,
                                          const struct evbuffer_ptr *end);

/* Where the first end of a line is at or after start (NULL: the front); pos
   -1: there is none. *eol_len_out (NULL allowed): its length, 0 if none. */
EVENT2_EXPORT_SYMBOL
struct evbuffer_ptr evbuffer_search_eol(struct evbuffer *buffer,
                                        struct evbuffer_ptr *start,
                                        size_t *eol_len_out,
                                        enum evbuffer_eol_style eol_style);

/* ---- File descriptors. errno tells what went wrong. */

/* Reads once from fd to the end of the buffer: at most howmuch bytes (negative:
   as much as is there), and never more than evbuffer_get_max_read(). The number
   of bytes, 0 at the end of the stream, -1: an error, or the end is frozen. */
EVENT2_EXPORT_SYMBOL
int evbuffer_read(struct evbuffer *buffer, evutil_socket_t fd, int howmuch);

/* Writes once to fd from the front of the buffer, and drains what was written:
   the number of bytes. -1: an error, the front is frozen, or there is
   nothing to write. */
EVENT2_EXPORT_SYMBOL
int evbuffer_write(struct evbuffer *buffer, evutil_socket_t fd);

/* The same, at most howmuch bytes (negative: all), data of files too, where
   libevent 2.1 does not count. */
EVENT2_EXPORT_SYMBOL
int evbuffer_write_atmost(struct evbuffer *buffer, evutil_socket_t fd,
                          ev_ssize_t howmuch);

/* ---- Callbacks on changes. */

/* What changed since the callbacks ran last: the length is now orig_size +
   n_added - n_deleted. */
struct evbuffer_cb_info {
  size_t orig_size;
  size_t n_added;
  size_t n_deleted;
};

/* Called after a change, with the buffer's lock held. May change the buffer,
   which calls again, and remove callbacks, its own too. */
typedef void (*evbuffer_cb_func)(struct evbuffer *buffer,
                                 const struct evbuffer_cb_info *info,
                                 void *arg);

struct evbuffer_cb_entry;

/* The callback is called at all. Set from the beginning. */
#define EVBUFFER_CB_ENABLED 1

/* Adds a callback, which runs before the older ones. The entry is the
   buffer's and lives until it is removed or the buffer freed. */
EVENT2_EXPORT_SYMBOL
struct evbuffer_cb_entry *evbuffer_add_cb(struct evbuffer *buffer,
                                          evbuffer_cb_func cb, void *cbarg);

/* Removes that callback. Always 0. */
EVENT2_EXPORT_SYMBOL
int evbuffer_remove_cb_entry(struct evbuffer *buffer,
                             struct evbuffer_cb_entry *ent);

/* Removes the newest callback with this function and argument. -1: none. */
EVENT2_EXPORT_SYMBOL
int evbuffer_remove_cb(struct evbuffer *buffer, evbuffer_cb_func cb,
                       void *cbarg);

/* Add and take away EVBUFFER_CB_ENABLED. Always 0. */
EVENT2_EXPORT_SYMBOL
int evbuffer_cb_set_flags(struct evbuffer *buffer, struct evbuffer_cb_entry *cb,
                          ev_uint32_t flags);
EVENT2_EXPORT_SYMBOL
int evbuffer_cb_clear_flags(struct evbuffer *buffer,
                            struct evbuffer_cb_entry *cb, ev_uint32_t flags);

/* From here on callbacks run in base's loop, once for all changes up to then;
   cannot be undone. Always 0. */
EVENT2_EXPORT_SYMBOL
int evbuffer_defer_callbacks(struct evbuffer *buffer, struct event_base *base);

#ifdef __cplusplus
}
#endif

#endif /* PERCORE_NET_EVENT2_BUFFER_H_ */
