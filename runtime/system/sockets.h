// Socket calls that event-driven code needs around the loop (semantics 15.9).
//
// Unless a comment says otherwise: any thread; 0, or -1 with errno set. An
// option that the system does not have is no error.
#ifndef PERCORE_RUNTIME_SYSTEM_SOCKETS_H_
#define PERCORE_RUNTIME_SYSTEM_SOCKETS_H_

namespace percore {

// socketpair(2).
int SocketPair(int domain, int type, int protocol, int fds[2]);

// O_NONBLOCK and FD_CLOEXEC. Log a warning when they fail.
int SetNonblocking(int fd);
int SetCloseOnExec(int fd);

// Options of listeners, see their names in socket(7), ipv6(7), tcp(7).
int SetReuseAddress(int fd);
int SetReusePort(int fd);
int SetV6Only(int fd, bool only);
int SetDeferAccept(int fd);

// SO_KEEPALIVE; when on, 3 probes that are a third of `idle_seconds` apart
// (1 s at least) after `idle_seconds` of silence. Does nothing at 0 or less.
int SetKeepAlive(int fd, bool on, int idle_seconds);

// Calls the observer, then close(2), whose result it returns.
//
// A loop may hold interest in `fd` that it has not yet taken back from the
// kernel. When the number is used again by the next socket(2), that interest
// would be the new socket's. The observer lets it act first.
int CloseSocket(int fd);

// Called with each fd that CloseSocket is about to close, on the closing
// thread, before the number is free. It may not close sockets itself, must not
// block, and must take numbers it knows nothing of, negative ones too. This
// layer knows no loop; whoever does registers here.
using CloseObserver = void (*)(int fd);

// Installs the observer of the process, null for none; returns the one before.
// A call of the old one may still be running in another thread on return, so
// an observer is a function that lives as long as the process.
CloseObserver SetCloseObserver(CloseObserver observer);

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYSTEM_SOCKETS_H_
