// A test's end of a connection to the simulated program: a client that needs
// no descriptor, no loop and no thread.
//
//   sim::Peer client(&world, port);
//   client.OnEvent([&] { ... client.received() ... });
//   client.Send("get a\r\n");
//   world.RunUntil(...);
//
// Its bytes go through the same network as everybody's; it reads, writes and
// calls back in steps of its own that the World chooses among all others.
// The World's thread; it ends before the World.
#ifndef PERCORE_RUNTIME_BACKEND_SIM_PEER_H_
#define PERCORE_RUNTIME_BACKEND_SIM_PEER_H_

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "percore/runtime/backend/sim/socket.h"

namespace percore::sim {

class World;

class Peer {
 public:
  // Connects to a listener of `port`, by chance if there are several.
  Peer(World* world, int port);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  // Closes.
  ~Peer();

  // Called after anything has changed: connected, bytes are there, more was
  // sent, it has ended (the last call). Not from within Send; it may destroy
  // the peer.
  void OnEvent(std::function<void()> callback) {
    callback_ = std::move(callback);
  }

  // Sends behind what is still to be sent; never refuses.
  void Send(std::string_view bytes);
  std::size_t unsent() const { return outgoing_.size() - sent_; }

  // What has come and was not taken.
  std::string_view received() const {
    return std::string_view(incoming_).substr(taken_);
  }
  void Take(std::size_t n);

  // Off: takes nothing from the network, so that the other end cannot send.
  void SetReading(bool on);

  bool connected() const { return connected_; }
  // Refused, reset, or closed by the other end and read to there.
  bool ended() const { return ended_; }
  // ECONNREFUSED, ECONNRESET, EPIPE, or 0.
  int error() const { return error_; }

  // No more will be sent; what there is still goes. Half a close.
  void Finish();
  // Ends now, by a reset if `abort`, or something was not read.
  void Close(bool abort = false);

  // The number of the connection, for traces.
  int id() const { return socket_->id; }

 private:
  friend class Network;
  void Step();
  void Read();
  void Write();

  World* world_;
  Socket* socket_;
  std::function<void()> callback_;
  std::string outgoing_;
  std::size_t sent_ = 0;
  std::string incoming_;
  std::size_t taken_ = 0;
  bool* destroyed_ = nullptr;  // set during a step
  bool marked_ = false;        // has a step to come
  bool reading_ = true;
  bool finish_ = false;
  bool finished_ = false;
  bool connected_ = false;
  bool ended_ = false;
  bool end_told_ = false;
  bool closed_ = false;
  int error_ = 0;
};

}  // namespace percore::sim

#endif  // PERCORE_RUNTIME_BACKEND_SIM_PEER_H_
