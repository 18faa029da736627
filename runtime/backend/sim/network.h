// The simulated network: sockets by descriptor, and what travels between them.
//
// Stream sockets of AF_INET and AF_INET6, and socket pairs, are simulated;
// every address is this host, so a port alone says where. What a program sends
// is cut into segments, each with its time of arrival; those of a connection
// arrive in order, those of different ones as the World chooses. Several
// listeners of one port (SO_REUSEPORT) share its connections by chance.
//
// A simulated socket's descriptor is a real one (an unconnected AF_UNIX
// socket), so that the number is nobody else's and its flags work; reads and
// writes never reach it.
//
// Results are a system call's, negative for an errno value. The World's
// thread.
#ifndef PERCORE_RUNTIME_BACKEND_SIM_NETWORK_H_
#define PERCORE_RUNTIME_BACKEND_SIM_NETWORK_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "percore/runtime/backend/sim/faults.h"
#include "percore/runtime/backend/sim/socket.h"

namespace percore::sim {

class World;

class Network {
 public:
  Network(World* world, const Faults& faults)
      : world_(world), faults_(faults) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const Faults& faults() const { return faults_; }
  // From here on; not for what is on its way.
  void SetFaults(const Faults& faults) { faults_ = faults; }

  // --- Descriptors. -------------------------------------------------------

  // Null: not simulated.
  Socket* Find(int fd);
  // `flags`: SOCK_NONBLOCK, SOCK_CLOEXEC. A descriptor.
  int Open(int family, int flags);
  int OpenPair(int flags, int fds[2]);
  // A new number of a simulated socket, made by dup() and its kin.
  void Duplicated(int from, int to);
  // Before the number is closed or taken by dup2(); nothing if not simulated.
  void Closing(int fd);
  static bool IsBlocking(int fd);
  // Numbers that lead to simulated sockets: 0 when a program has closed all.
  std::size_t descriptors() const { return by_fd_.size(); }

  // --- Calls. They never block: EAGAIN. -----------------------------------

  int Bind(Socket* socket, int port);
  int Listen(Socket* socket, int backlog);
  int Connect(Socket* socket, int port);
  // A descriptor.
  int Accept(Socket* listener, int flags);
  ssize_t Receive(Socket* socket, const iovec* to, std::size_t count,
                  int flags);
  ssize_t Send(Socket* socket, const iovec* from, std::size_t count);
  // SO_ERROR: told once.
  int TakeError(Socket* socket) { return std::exchange(socket->error, 0); }
  int Shutdown(Socket* socket, int how);

  // --- For tests' ends. ---------------------------------------------------

  // An end that connects to a listener of `port`; it may be refused.
  Socket* ConnectPeer(Peer* peer, int port);
  // Ends it, as close() does: by a reset if something is unread, or `abort`.
  void Close(Socket* socket, bool abort);

  // --- For the World. -----------------------------------------------------

  // When the next segment arrives; INT64_MAX: none is on its way.
  std::int64_t NextArrival() const;
  // Lets a segment arrive that has come by now, chosen by chance.
  void Deliver();
  // A peer has something to do.
  bool PeersMarked() const { return !marked_.empty(); }
  void RunPeer();
  void Forget(Peer* peer);
  void Mark(Peer* peer);

 private:
  Socket* Make(int family);
  int Adopt(Socket* socket, int flags);
  void Link(Socket* one, Socket* two);
  void SendSegment(Socket* to, Segment segment);
  void SendControl(Socket* to, Segment::Kind kind);
  void Arrive(Socket* socket, Segment segment);
  void Request(Socket* socket);
  void Break(Socket* socket, int error);
  void CloseListener(Socket* socket);
  void Changed(Socket* socket, bool read, bool write);
  Socket* ChooseListener(int port);
  void StartConnect(Socket* from, int port);

  World* world_;
  Faults faults_;
  int next_port_ = 20000;
  std::vector<std::unique_ptr<Socket>> sockets_;  // by id
  std::unordered_map<int, Socket*> by_fd_;
  std::multimap<int, Socket*> listeners_;  // by port
  std::vector<Socket*> in_transit_;
  std::vector<Peer*> marked_;
};

}  // namespace percore::sim

#endif  // PERCORE_RUNTIME_BACKEND_SIM_NETWORK_H_
