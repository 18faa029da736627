// Acceptor: a listening socket for C++ and for coroutines.
//
//   auto acceptor = Acceptor::Bind(CurrentBase(), address, size);
//   for (;;) {
//     absl::StatusOr<Accepted> connection = co_await (*acceptor)->Accept();
//     if (!connection.ok()) co_return connection.status();
//     scope.Spawn(Serve(*std::move(connection)));
//   }
//
// or, with a callable: (*acceptor)->OnAccept([&](Accepted c) { ... });
//
// While nobody awaits, connections wait in the kernel's queue: who takes them
// more slowly than they come pushes back there. A lack of descriptors is
// waited out with growing pauses (listener.h) and is no status.
//
// Belongs to the thread of its base's loop, every method.
#ifndef PERCORE_NET_LISTENER_ACCEPT_H_
#define PERCORE_NET_LISTENER_ACCEPT_H_

#include <sys/socket.h>

#include <coroutine>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "percore/net/listener/accepted.h"
#include "percore/net/listener/listener.h"
#include "percore/runtime/core/task.h"

namespace percore {

struct AcceptorOptions {
  // LEV_OPT_ bits; LEV_OPT_CLOSE_ON_FREE and LEV_OPT_DISABLED go without
  // saying.
  unsigned flags = LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC;
  int backlog = 1024;
};

class Acceptor {
 public:
  using Callback = absl::AnyInvocable<void(Accepted)>;

  // Makes a socket, binds it and listens. The status is that of the system
  // call which failed.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Bind(
      EventBase* base, const sockaddr* address, socklen_t size,
      const AcceptorOptions& options = {});
  // On a bound, non-blocking socket, which it takes over when it succeeds.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Adopt(
      EventBase* base, int fd, const AcceptorOptions& options = {});

  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  // As Close.
  ~Acceptor() { Close(); }

  // The next connection; destroying the task gives up the wait. One waiter at
  // a time: FailedPrecondition for a second one, and with OnAccept. Cancelled
  // when it is closed meanwhile; other statuses say that the socket cannot
  // accept at all.
  Task<absl::StatusOr<Accepted>> Accept();

  // Each connection from now on; an empty one ends that. It may destroy the
  // acceptor. FailedPrecondition while somebody awaits one, or when closed.
  absl::Status OnAccept(Callback callback);

  // Closes the socket. Who awaits a connection goes on with Cancelled, before
  // this returns.
  void Close();

  // Null when closed.
  Listener* listener() const { return listener_; }
  // The listening socket, -1 when closed.
  int fd() const { return listener_ == nullptr ? -1 : listener_->fd(); }

 private:
  class Wait;

  Acceptor() = default;
  static absl::StatusOr<std::unique_ptr<Acceptor>> Made(
      std::unique_ptr<Acceptor> acceptor, Listener* listener);
  static void OnConnection(evconnlistener* listener, evutil_socket_t fd,
                           sockaddr* peer, int size, void* arg);
  static void OnFailure(evconnlistener* listener, void* arg);
  void Answer(absl::StatusOr<Accepted> answer);

  Listener* listener_ = nullptr;
  Wait* wait_ = nullptr;
  std::shared_ptr<Callback> callback_;
  bool warned_ = false;
};

}  // namespace percore

#endif  // PERCORE_NET_LISTENER_ACCEPT_H_
