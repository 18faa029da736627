#include "percore/runtime/backend/sim/peer.h"

#include <cerrno>

#include "percore/runtime/backend/sim/world.h"

namespace percore::sim {
namespace {

constexpr std::size_t kMostAtOnce = 65536;

}  // namespace

Peer::Peer(World* world, int port)
    : world_(world), socket_(world->network().ConnectPeer(this, port)) {}

Peer::~Peer() {
  Close();
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void Peer::Send(std::string_view bytes) {
  outgoing_.append(bytes);
  world_->network().Mark(this);
}

void Peer::Take(std::size_t n) {
  taken_ += n;
  if (taken_ == incoming_.size()) {
    incoming_.clear();
    taken_ = 0;
  } else if (taken_ > kMostAtOnce) {
    incoming_.erase(0, taken_);
    taken_ = 0;
  }
}

void Peer::SetReading(bool on) {
  if (std::exchange(reading_, on) == on) return;
  world_->network().Mark(this);
}

void Peer::Finish() {
  if (std::exchange(finish_, true)) return;
  world_->network().Mark(this);
}

void Peer::Close(bool abort) {
  if (closed_) return;
  closed_ = true;
  ended_ = true;
  socket_->peer = nullptr;
  world_->network().Forget(this);
  world_->network().Close(socket_, abort);
}

void Peer::Step() {
  if (closed_ || end_told_) return;
  if (socket_->state == Socket::State::kConnected) connected_ = true;
  Write();
  Read();
  end_told_ = ended_;
  if (!callback_) return;
  bool destroyed = false;
  destroyed_ = &destroyed;
  // It may set another one, or end this peer.
  const std::function<void()> callback = callback_;
  callback();
  if (!destroyed) destroyed_ = nullptr;
}

void Peer::Write() {
  Network& network = world_->network();
  while (connected_ && !ended_ && unsent() != 0) {
    const iovec rest{outgoing_.data() + sent_, unsent()};
    const ssize_t n = network.Send(socket_, &rest, 1);
    if (n == -EAGAIN) {
      // It comes again when there is room; perhaps there is.
      if (socket_->Writable(network.faults().buffer)) network.Mark(this);
      return;
    }
    if (n < 0) {
      ended_ = true;
      error_ = static_cast<int>(-n);
      return;
    }
    sent_ += static_cast<std::size_t>(n);
  }
  if (unsent() != 0) return;
  outgoing_.clear();
  sent_ = 0;
  if (finish_ && !finished_ && connected_ && !ended_) {
    finished_ = true;
    network.Shutdown(socket_, SHUT_WR);
  }
}

void Peer::Read() {
  if (!reading_ || ended_ || !socket_->Readable()) return;
  Network& network = world_->network();
  const std::size_t most = 1 + world_->random().Below(kMostAtOnce);
  const std::size_t before = incoming_.size();
  incoming_.resize(before + most);
  const iovec room{incoming_.data() + before, most};
  const ssize_t n = network.Receive(socket_, &room, 1, 0);
  incoming_.resize(before + (n > 0 ? static_cast<std::size_t>(n) : 0));
  if (n == 0 || (n < 0 && n != -EAGAIN)) {
    ended_ = true;
    error_ = static_cast<int>(-n);
  } else if (socket_->Readable()) {
    network.Mark(this);
  }
}

}  // namespace percore::sim
