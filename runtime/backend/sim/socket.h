// One end of a simulated connection, or a listener: its state, as TCP's rules
// have it. What happens to it is decided by the Network, which keeps all of
// them as long as it lives.
#ifndef PERCORE_RUNTIME_BACKEND_SIM_SOCKET_H_
#define PERCORE_RUNTIME_BACKEND_SIM_SOCKET_H_

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "percore/runtime/backend/backend.h"

namespace percore::sim {

class Peer;

// What travels to a socket.
struct Segment {
  enum class Kind : std::uint8_t {
    kData,
    kEnd,       // the other end sends no more
    kReset,     // the other end is gone
    kRequest,   // a connection asks to be taken: on the accepting end
    kAccepted,  // on the end that connects
    kRefused,
  };
  Kind kind = Kind::kData;
  std::int64_t arrives_ns = 0;
  std::string bytes;
};

struct Socket {
  enum class State : std::uint8_t {
    kNew,
    kListening,
    kConnecting,
    kConnected,
    kBroken,  // reset, or never connected: see error
  };

  explicit Socket(int number) : id(number) {}

  // The bytes that this end has not taken yet, wherever they are.
  std::size_t Backlog() const { return received.size() - taken + travelling; }
  std::size_t Unread() const { return received.size() - taken; }

  // The kernel's answers to poll(2).
  bool Readable() const {
    switch (state) {
      case State::kListening:
        return !queue.empty();
      case State::kConnected:
        return Unread() != 0 || ended || read_shut;
      case State::kBroken:
        return true;
      default:
        return false;
    }
  }
  bool Writable(std::size_t buffer) const {
    switch (state) {
      case State::kConnected:
        return write_shut || other == nullptr || other->Backlog() < buffer;
      case State::kBroken:
        return true;
      default:
        return false;
    }
  }
  bool HungUp() const { return ended || state == State::kBroken; }

  Interest Ready(std::size_t buffer) const {
    return static_cast<Interest>((Readable() ? kInterestRead : 0) |
                                 (Writable(buffer) ? kInterestWrite : 0) |
                                 (HungUp() ? kInterestClosed : 0));
  }

  const int id;  // in the order of making
  State state = State::kNew;
  Socket* other = nullptr;  // null: never had one
  // On their way here, in order.
  std::deque<Segment> incoming;
  std::size_t travelling = 0;  // bytes of those
  std::int64_t last_arrival_ns = 0;
  bool in_transit = false;  // in the network's list
  // Arrived; what is before `taken` has been read.
  std::string received;
  std::size_t taken = 0;

  int error = 0;       // told once: SO_ERROR, or by the next call
  bool ended = false;  // the other end's last byte has arrived
  bool read_shut = false;
  bool write_shut = false;
  bool closed = false;
  bool linger_zero = false;
  // Counts of what an edge-triggered watcher is told.
  std::uint64_t read_edges = 1;
  std::uint64_t write_edges = 1;

  int descriptors = 0;  // numbers that lead here
  int family = AF_INET;
  int port = 0;
  int other_port = 0;
  bool reuse_port = false;

  // A listener's: accepted connections that nobody has taken.
  std::deque<Socket*> queue;
  std::size_t queue_limit = 0;
  Peer* peer = nullptr;  // a test's end, without a descriptor
};

}  // namespace percore::sim

#endif  // PERCORE_RUNTIME_BACKEND_SIM_SOCKET_H_
