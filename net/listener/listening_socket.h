// Sockets that listeners make for themselves.
#ifndef PERCORE_NET_LISTENER_LISTENING_SOCKET_H_
#define PERCORE_NET_LISTENER_LISTENING_SOCKET_H_

#include <sys/socket.h>

namespace percore {

// A non-blocking stream socket, bound to `address`, not yet listening, with
// the options that `flags` (LEV_OPT_ bits) ask for, SO_KEEPALIVE, and
// TCP_NODELAY if it is a TCP one. -1 with errno set. Any thread.
int MakeBoundSocket(unsigned flags, const sockaddr* address, socklen_t size);

// TCP_NODELAY; sockets accepted from a listening one inherit it. 0, or -1 with
// errno set. Any thread.
int SetTcpNodelay(int fd, bool on);

}  // namespace percore

#endif  // PERCORE_NET_LISTENER_LISTENING_SOCKET_H_
