// Streams over a descriptor, by readiness.
//
// Reading: the read event stays registered while reading is enabled; each time
// it is ready one read of up to 64 KiB (or the limit set) is made. Writing: at
// the end of the turn in which output appeared; only what the system did not
// take waits for the write event.
#ifndef PERCORE_NET_STREAM_SOCKET_STREAM_H_
#define PERCORE_NET_STREAM_SOCKET_STREAM_H_

#include "percore/net/stream/stream.h"

namespace percore {

// `base` null: the current one. Null: options, or no memory.
Stream* NewSocketStream(EventBase* base, evutil_socket_t fd, int options);

// --- For every kind that is on a socket -------------------------------------

// Waits for the connect under way on the stream's fd.
int AwaitConnect(Stream* s);
// What the writable socket says of it. kFailed: told to the program already.
enum class ConnectEnd { kPending, kFailed, kConnected };
ConnectEnd EndConnect(Stream* s, evutil_socket_t fd);
// The connect failed at once; it will be told from the loop.
void RefuseLater(Stream* s);
// Gives the stream another fd; the old one is not closed.
int ReplaceSocket(Stream* s, evutil_socket_t fd);
// TCP_NODELAY on the sockets that the stream makes to connect.
void SetNodelay(Stream* s, bool on);
// The times in timeout_read and timeout_write have changed.
int AdjustSocketTimeouts(Stream* s);
// The fd's options for a socket that we connect.
void PrepareOwnSocket(const Stream* s, evutil_socket_t fd, int family);

}  // namespace percore

#endif  // PERCORE_NET_STREAM_SOCKET_STREAM_H_
