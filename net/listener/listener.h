// Listener: a callback for each connection that a listening socket accepts.
//
// What lives in this room:
//   listener.h            the core, which `struct evconnlistener` is
//   accept.h              coroutines that wait for a connection
//   sharded_listener.h    a listening socket on each core of a runtime
//   steering.h            which of those the kernel gives a connection to
// The C door calls the core alone; HTTP and the streams above know only what
// it hands out, a connected socket and the peer's address.
//
//            Enable              descriptors ran out
//   idle --------------> watching --------------> pausing (a timer)
//     ^  <--------------    ^                        |
//     |     Disable         +------------------------+ accepted one, or none
//     +--------------------------- Disable ----------+ was there
//
// A turn accepts at most kBatch connections, so that a flood of them leaves
// time for the other sockets of the loop; the rest come with the next turn.
//
// An error that is not one connection's own (no descriptors, no memory; or the
// socket is no listening one) goes to the error callback, or to the log once,
// and then the listener pauses: 10 ms, doubled with each failure up to 1 s. A
// connection that was accepted ends that. The connections wait in the
// kernel's queue meanwhile.
//
// Threads. A listener belongs to the thread of its base's loop ("Owner."). One
// with LEV_OPT_THREADSAFE on a shared base may be used from any thread; its
// lock is not held during callbacks, and no call waits for a callback.
#ifndef PERCORE_NET_LISTENER_LISTENER_H_
#define PERCORE_NET_LISTENER_LISTENER_H_

#include <event2/event_struct.h>
#include <event2/listener.h>
#include <sys/socket.h>

#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/sync/recursive_lock.h"

namespace percore {

class Listener {
 public:
  // Gets the connected socket, which is its own to close, and the peer's
  // address, valid during the call.
  using Callback = evconnlistener_cb;
  using ErrorCallback = evconnlistener_errorcb;

  // Connections taken in one turn.
  static constexpr int kBatch = 64;
  // How long it pauses after the first failure and at most, milliseconds.
  static constexpr int kFirstPauseMs = 10;
  static constexpr int kLongestPauseMs = 1000;
  // What a negative backlog means.
  static constexpr int kDefaultBacklog = 128;

  // On a bound socket. `backlog` is listen's; 0: it listens already. `flags`:
  // LEV_OPT_ bits, of which those about binding say nothing here. `callback`
  // may be null until SetCallback; nothing is accepted until then. A socket
  // that is not non-blocking is served one connection a turn. Null with errno
  // set, and the socket still the caller's.
  static Listener* New(EventBase* base, Callback callback, void* arg,
                       unsigned flags, int backlog, int fd);

  // Makes the socket, with the options that `flags` name, SO_KEEPALIVE and,
  // for TCP, TCP_NODELAY, which accepted sockets inherit. Backlog 0 is
  // refused (EINVAL). Null with errno set.
  static Listener* NewBind(EventBase* base, Callback callback, void* arg,
                           unsigned flags, int backlog, const sockaddr* address,
                           socklen_t size);

  static Listener* From(evconnlistener* listener) {
    return reinterpret_cast<Listener*>(listener);
  }
  evconnlistener* c() { return reinterpret_cast<evconnlistener*>(this); }

  // No callback begins after it. The listener goes now, or when the callback
  // under way has returned, its socket with it if LEV_OPT_CLOSE_ON_FREE. Owner.
  void Free();

  // Begin and stop accepting. 0, or -1 with errno. Owner.
  int Enable();
  int Disable();

  // A listener that is enabled and had none begins to accept. While there is
  // none again, connections are closed. Owner.
  void SetCallback(Callback callback, void* arg);
  // Called with the argument of the other callback, errno being accept's.
  // Null: the first of a series of failures is logged. Owner.
  void SetErrorCallback(ErrorCallback callback);

  // TCP_NODELAY of the connections to come. 0, or -1 with errno. Any thread.
  int SetNodelay(bool on);

  EventBase* base() const { return base_; }
  int fd() const { return fd_; }

 private:
  friend Listener* MemNew<Listener>() noexcept;
  friend void MemDelete<Listener>(Listener*) noexcept;
  class Visit;

  Listener() = default;
  ~Listener() = default;

  static void OnReadable(evutil_socket_t fd, short what, void* arg);
  static void OnPauseEnd(evutil_socket_t fd, short what, void* arg);

  // These require the lock, those that may drop it meanwhile say so.
  int Watch();
  void Unwatch();
  void AcceptBatch();                                           // drops it
  bool AcceptOne();                                             // drops it
  void GiveToCallback(int fd, sockaddr* peer, socklen_t size);  // drops it
  void Failed(int error);                                       // drops it
  void Pause();
  bool IsLocal() const;

  // One reference fewer; unlocks, and destroys at the last.
  void ReleaseAndUnlock();
  void Destroy();

  EventBase* base_ = nullptr;
  int fd_ = -1;
  int accept_flags_ = 0;
  int batch_ = kBatch;
  bool close_on_free_ = false;

  // Guarded by the lock.
  RecursiveLock lock_;
  Callback callback_ = nullptr;
  ErrorCallback error_callback_ = nullptr;
  void* arg_ = nullptr;
  int references_ = 1;  // the owner's, and that of a callback under way
  int pause_ms_ = 0;    // of the last failure; 0: there was none
  bool enabled_ = false;
  bool watching_ = false;
  bool pausing_ = false;
  bool freed_ = false;

  event readable_;
  event pause_end_;
};

}  // namespace percore

#endif  // PERCORE_NET_LISTENER_LISTENER_H_
