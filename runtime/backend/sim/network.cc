#include "percore/runtime/backend/sim/network.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "percore/runtime/backend/sim/peer.h"
#include "percore/runtime/backend/sim/world.h"

namespace percore::sim {
namespace {

// How long a connection that finds a full queue waits to ask again, as TCP.
constexpr std::int64_t kRetryNs = 1'000'000'000;

constexpr std::size_t kLongestQueue = 4096;

}  // namespace

// --- Descriptors --------------------------------------------------------

Socket* Network::Find(int fd) {
  const auto it = by_fd_.find(fd);
  return it == by_fd_.end() ? nullptr : it->second;
}

Socket* Network::Make(int family) {
  const int id = static_cast<int>(sockets_.size());
  sockets_.push_back(std::make_unique<Socket>(id));
  sockets_.back()->family = family;
  return sockets_.back().get();
}

int Network::Adopt(Socket* socket, int flags) {
  const long fd = syscall(SYS_socket, AF_UNIX, SOCK_STREAM | flags, 0);
  if (fd < 0) return -errno;
  by_fd_[static_cast<int>(fd)] = socket;
  socket->descriptors = 1;
  return static_cast<int>(fd);
}

int Network::Open(int family, int flags) { return Adopt(Make(family), flags); }

int Network::OpenPair(int flags, int fds[2]) {
  Socket* ends[2] = {Make(AF_UNIX), Make(AF_UNIX)};
  Link(ends[0], ends[1]);
  for (int i = 0; i < 2; ++i) {
    ends[i]->state = Socket::State::kConnected;
    fds[i] = Adopt(ends[i], flags);
    if (fds[i] >= 0) continue;
    const int error = fds[i];
    if (i == 1) {
      Closing(fds[0]);
      syscall(SYS_close, fds[0]);
    }
    return error;
  }
  return 0;
}

void Network::Duplicated(int from, int to) {
  Socket* socket = Find(from);
  if (socket == nullptr) return;
  by_fd_[to] = socket;
  ++socket->descriptors;
}

void Network::Closing(int fd) {
  world_->DescriptorClosing(fd);
  const auto it = by_fd_.find(fd);
  if (it == by_fd_.end()) return;
  Socket* socket = it->second;
  by_fd_.erase(it);
  if (--socket->descriptors == 0) Close(socket, false);
}

bool Network::IsBlocking(int fd) {
  return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

// --- Connections --------------------------------------------------------

int Network::Bind(Socket* socket, int port) {
  if (port == 0) {
    port = next_port_++;
  } else {
    const auto [from, to] = listeners_.equal_range(port);
    for (auto it = from; it != to; ++it) {
      if (!it->second->reuse_port || !socket->reuse_port) return -EADDRINUSE;
    }
  }
  socket->port = port;
  return 0;
}

int Network::Listen(Socket* socket, int backlog) {
  if (socket->state == Socket::State::kListening) return 0;
  if (socket->state != Socket::State::kNew) return -EINVAL;
  if (socket->port == 0) Bind(socket, 0);
  socket->state = Socket::State::kListening;
  socket->queue_limit = std::clamp<std::size_t>(
      backlog < 0 ? 0 : static_cast<std::size_t>(backlog), 1, kLongestQueue);
  listeners_.emplace(socket->port, socket);
  return 0;
}

Socket* Network::ChooseListener(int port) {
  const auto [from, to] = listeners_.equal_range(port);
  const auto n = static_cast<std::uint64_t>(std::distance(from, to));
  if (n == 0) return nullptr;
  return std::next(from, static_cast<std::ptrdiff_t>(world_->random().Below(n)))
      ->second;
}

void Network::Link(Socket* one, Socket* two) {
  one->other = two;
  two->other = one;
}

void Network::StartConnect(Socket* from, int port) {
  if (from->port == 0) from->port = next_port_++;
  from->other_port = port;
  from->state = Socket::State::kConnecting;
  Socket* accepting = Make(from->family);
  accepting->port = port;
  accepting->other_port = from->port;
  Link(from, accepting);
  SendControl(accepting, Segment::Kind::kRequest);
}

int Network::Connect(Socket* socket, int port) {
  switch (socket->state) {
    case Socket::State::kNew:
      StartConnect(socket, port);
      return -EINPROGRESS;
    case Socket::State::kConnecting:
      return -EALREADY;
    case Socket::State::kConnected:
      return -EISCONN;
    case Socket::State::kBroken:
      return socket->error != 0 ? -TakeError(socket) : -ECONNABORTED;
    default:
      return -EINVAL;
  }
}

Socket* Network::ConnectPeer(Peer* peer, int port) {
  Socket* socket = Make(AF_INET);
  socket->peer = peer;
  StartConnect(socket, port);
  return socket;
}

int Network::Accept(Socket* listener, int flags) {
  if (listener->state != Socket::State::kListening) return -EINVAL;
  if (listener->queue.empty()) return -EAGAIN;
  Random& random = world_->random();
  int refused = 0;
  if (random.OneIn(faults_.spurious_again)) refused = -EAGAIN;
  if (random.OneIn(faults_.accept_emfile)) refused = -EMFILE;
  if (refused != 0) {
    ++listener->read_edges;
    return refused;
  }
  Socket* socket = listener->queue.front();
  if (random.OneIn(faults_.accept_aborted)) {
    listener->queue.pop_front();
    Close(socket, true);
    return -ECONNABORTED;
  }
  const int fd = Adopt(socket, flags);
  if (fd < 0) return fd;
  listener->queue.pop_front();
  world_->Note("accept", listener->id, socket->id);
  return fd;
}

// --- Bytes --------------------------------------------------------------

ssize_t Network::Receive(Socket* socket, const iovec* to, std::size_t count,
                         int flags) {
  if (socket->state == Socket::State::kConnecting) return -EAGAIN;
  if (socket->state != Socket::State::kConnected &&
      socket->state != Socket::State::kBroken) {
    return -ENOTCONN;
  }
  std::size_t room = 0;
  for (std::size_t i = 0; i < count; ++i) room += to[i].iov_len;
  if (room == 0 || socket->read_shut) return 0;
  std::size_t n = std::min(room, socket->Unread());
  if (n == 0) {
    if (socket->state == Socket::State::kBroken) return -TakeError(socket);
    return socket->ended ? 0 : -EAGAIN;
  }
  Random& random = world_->random();
  if (random.OneIn(faults_.spurious_again)) {
    ++socket->read_edges;
    return -EAGAIN;
  }
  if (random.OneIn(faults_.short_read)) n = 1 + random.Below(n);
  std::size_t at = socket->taken;
  std::size_t left = n;
  for (std::size_t i = 0; i < count && left != 0; ++i) {
    const std::size_t piece = std::min(left, to[i].iov_len);
    socket->received.copy(static_cast<char*>(to[i].iov_base), piece, at);
    at += piece;
    left -= piece;
  }
  if (flags & MSG_PEEK) return static_cast<ssize_t>(n);
  socket->taken = at;
  if (socket->Unread() == 0) {
    socket->received.clear();
    socket->taken = 0;
  }
  world_->Note("receive", socket->id, static_cast<std::int64_t>(n));
  if (socket->other != nullptr) Changed(socket->other, false, true);
  return static_cast<ssize_t>(n);
}

ssize_t Network::Send(Socket* socket, const iovec* from, std::size_t count) {
  switch (socket->state) {
    case Socket::State::kConnected:
      break;
    case Socket::State::kConnecting:
      return -EAGAIN;
    case Socket::State::kBroken:
      return socket->error != 0 ? -TakeError(socket) : -EPIPE;
    default:
      return -ENOTCONN;
  }
  if (socket->write_shut) return -EPIPE;
  Socket* to = socket->other;
  if (to->closed && to->family == AF_UNIX) return -EPIPE;
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += from[i].iov_len;
  if (size == 0) return 0;
  if (to->Backlog() >= faults_.buffer) return -EAGAIN;
  Random& random = world_->random();
  if (random.OneIn(faults_.spurious_again)) {
    ++socket->write_edges;
    return -EAGAIN;
  }
  size = std::min(size, faults_.buffer - to->Backlog());
  if (random.OneIn(faults_.partial_write)) {
    size = 1 + random.Below(size);
    ++socket->write_edges;  // there is room for more
  }
  std::string bytes;
  bytes.reserve(size);
  for (std::size_t i = 0; i < count && bytes.size() < size; ++i) {
    bytes.append(static_cast<const char*>(from[i].iov_base),
                 std::min(size - bytes.size(), from[i].iov_len));
  }
  world_->Note("send", socket->id, static_cast<std::int64_t>(size));
  for (std::size_t at = 0; at < size;) {
    std::size_t piece = std::min(size - at, faults_.segment);
    if (random.OneIn(2)) piece = 1 + random.Below(piece);
    SendSegment(to, {.bytes = bytes.substr(at, piece)});
    at += piece;
  }
  return static_cast<ssize_t>(size);
}

int Network::Shutdown(Socket* socket, int how) {
  if (socket->state != Socket::State::kConnected) return -ENOTCONN;
  if (how != SHUT_WR && !socket->read_shut) {
    socket->read_shut = true;
    Changed(socket, true, false);
  }
  if (how != SHUT_RD && !socket->write_shut) {
    socket->write_shut = true;
    Changed(socket, false, true);
    SendControl(socket->other, Segment::Kind::kEnd);
  }
  return 0;
}

void Network::Close(Socket* socket, bool abort) {
  if (socket->closed) return;
  socket->closed = true;
  world_->Note("close", socket->id, socket->Unread() != 0);
  switch (socket->state) {
    case Socket::State::kListening:
      CloseListener(socket);
      break;
    case Socket::State::kConnecting:
      SendControl(socket->other, Segment::Kind::kReset);
      break;
    case Socket::State::kConnected:
      // As TCP has it: what was not read is not lost in silence.
      if (abort || socket->linger_zero || socket->Unread() != 0) {
        SendControl(socket->other, Segment::Kind::kReset);
      } else if (!socket->write_shut) {
        SendControl(socket->other, Segment::Kind::kEnd);
      }
      break;
    default:
      break;
  }
  socket->write_shut = true;
  socket->received.clear();
  socket->taken = 0;
  if (socket->other != nullptr) Changed(socket->other, false, true);
}

void Network::CloseListener(Socket* socket) {
  const auto [from, to] = listeners_.equal_range(socket->port);
  listeners_.erase(
      std::find_if(from, to, [&](auto& it) { return it.second == socket; }));
  for (Socket* waiting : socket->queue) Close(waiting, true);
  socket->queue.clear();
}

// --- What travels -------------------------------------------------------

void Network::SendControl(Socket* to, Segment::Kind kind) {
  SendSegment(to, {.kind = kind});
}

void Network::SendSegment(Socket* to, Segment segment) {
  // Between the ends of a pair nothing travels.
  if (to->family == AF_UNIX) return Arrive(to, std::move(segment));
  std::int64_t arrives = world_->MonotonicNs();
  Random& random = world_->random();
  if (faults_.delay_ns != 0 && random.OneIn(2)) {
    arrives += static_cast<std::int64_t>(
        random.Below(static_cast<std::uint64_t>(faults_.delay_ns)));
  }
  segment.arrives_ns = to->last_arrival_ns =
      std::max(arrives, to->last_arrival_ns);
  to->travelling += segment.bytes.size();
  to->incoming.push_back(std::move(segment));
  if (to->in_transit) return;
  to->in_transit = true;
  in_transit_.push_back(to);
}

std::int64_t Network::NextArrival() const {
  std::int64_t next = INT64_MAX;
  for (const Socket* socket : in_transit_) {
    next = std::min(next, socket->incoming.front().arrives_ns);
  }
  return next;
}

void Network::Deliver() {
  const std::int64_t now = world_->MonotonicNs();
  const auto due = [now](const Socket* socket) {
    return socket->incoming.front().arrives_ns <= now;
  };
  const auto n = static_cast<std::uint64_t>(
      std::count_if(in_transit_.begin(), in_transit_.end(), due));
  std::uint64_t chosen = world_->random().Below(n);
  auto it = std::find_if(in_transit_.begin(), in_transit_.end(), due);
  for (; chosen != 0; --chosen)
    it = std::find_if(it + 1, in_transit_.end(), due);
  Socket* socket = *it;
  Segment segment = std::move(socket->incoming.front());
  socket->incoming.pop_front();
  socket->travelling -= segment.bytes.size();
  if (socket->incoming.empty()) {
    socket->in_transit = false;
    in_transit_.erase(it);
  }
  world_->Note("arrive", socket->id,
               static_cast<std::int64_t>(segment.bytes.size()));
  Arrive(socket, std::move(segment));
}

void Network::Arrive(Socket* socket, Segment segment) {
  switch (segment.kind) {
    case Segment::Kind::kRequest:
      return Request(socket);
    case Segment::Kind::kAccepted:
      if (socket->state != Socket::State::kConnecting || socket->closed) return;
      socket->state = Socket::State::kConnected;
      return Changed(socket, false, true);
    case Segment::Kind::kRefused:
      if (socket->state == Socket::State::kConnecting) {
        Break(socket, ECONNREFUSED);
      }
      return;
    case Segment::Kind::kReset:
      return Break(socket, ECONNRESET);
    case Segment::Kind::kEnd:
      if (socket->state == Socket::State::kBroken) return;
      socket->ended = true;
      return Changed(socket, true, false);
    case Segment::Kind::kData:
      break;
  }
  if (socket->state == Socket::State::kBroken) return;
  if (socket->closed) {
    if (!socket->other->closed) {
      SendControl(socket->other, Segment::Kind::kReset);
    }
    return;
  }
  if (socket->family != AF_UNIX && world_->random().OneIn(faults_.reset)) {
    world_->Note("reset", socket->id, 0);
    Break(socket, ECONNRESET);
    Break(socket->other, ECONNRESET);
    return;
  }
  if (socket->read_shut) return;
  socket->received.append(segment.bytes);
  Changed(socket, true, false);
}

void Network::Request(Socket* socket) {
  Socket* listener = ChooseListener(socket->port);
  if (listener == nullptr) {
    socket->closed = true;
    return SendControl(socket->other, Segment::Kind::kRefused);
  }
  if (listener->queue.size() >= listener->queue_limit) {
    socket->last_arrival_ns = world_->MonotonicNs() + kRetryNs;
    // In front of what the other end has sent since.
    Segment again;
    again.kind = Segment::Kind::kRequest;
    again.arrives_ns = socket->last_arrival_ns;
    socket->incoming.push_front(std::move(again));
    for (Segment& later : socket->incoming) {
      later.arrives_ns = std::max(later.arrives_ns, socket->last_arrival_ns);
    }
    if (!socket->in_transit) {
      socket->in_transit = true;
      in_transit_.push_back(socket);
    }
    return;
  }
  socket->state = Socket::State::kConnected;
  listener->queue.push_back(socket);
  Changed(listener, true, false);
  SendControl(socket->other, Segment::Kind::kAccepted);
}

void Network::Break(Socket* socket, int error) {
  if (socket->state == Socket::State::kBroken) return;
  socket->state = Socket::State::kBroken;
  socket->error = error;
  socket->incoming.clear();
  socket->travelling = 0;
  if (socket->in_transit) {
    socket->in_transit = false;
    std::erase(in_transit_, socket);
  }
  // Systems differ in whether what had arrived can still be read.
  if (world_->random().OneIn(2)) {
    socket->received.clear();
    socket->taken = 0;
  }
  Changed(socket, true, true);
  if (socket->other != nullptr) Changed(socket->other, false, true);
}

void Network::Changed(Socket* socket, bool read, bool write) {
  socket->read_edges += read;
  socket->write_edges += write;
  if (socket->peer != nullptr) Mark(socket->peer);
}

// --- Peers --------------------------------------------------------------

void Network::Mark(Peer* peer) {
  if (peer->marked_) return;
  peer->marked_ = true;
  marked_.push_back(peer);
}

void Network::Forget(Peer* peer) { std::erase(marked_, peer); }

void Network::RunPeer() {
  const std::size_t chosen = world_->random().Below(marked_.size());
  Peer* peer = marked_[chosen];
  marked_.erase(marked_.begin() + static_cast<std::ptrdiff_t>(chosen));
  peer->marked_ = false;
  world_->Note("peer", peer->id(), 0);
  peer->Step();
}

}  // namespace percore::sim
