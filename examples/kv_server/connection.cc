#include "percore/examples/kv_server/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "percore/examples/kv_server/shard.h"

namespace percore::kv {

Connection::Connection(Shard& shard, int fd, uint64_t id)
    : shard_(shard), fd_(fd), id_(id), session_(shard, id) {
  EventBase& base = shard_.base();
  EventBase::Assign(&readable_, &base, fd_, EV_READ | EV_PERSIST,
                    &Connection::OnReadable, this);
  EventBase::Assign(&writable_, &base, fd_, EV_WRITE | EV_PERSIST,
                    &Connection::OnWritable, this);
  base.InitCallback(&resume_, base.priorities() / 2, &Connection::OnResume,
                    this);
  ++shard_.counters().curr_connections;
  ++shard_.counters().total_connections;
}

Connection::~Connection() {
  EventBase& base = shard_.base();
  base.Del(&readable_, DelWait::kNever);
  base.Del(&writable_, DelWait::kNever);
  base.CancelCallback(&resume_);
  base.FlushFd(fd_);
  close(fd_);
  --shard_.counters().curr_connections;
}

bool Connection::Start() {
  WatchReading();
  return reading_;
}

void Connection::OnBatch(std::unique_ptr<Batch> batch) {
  session_.OnBatch(std::move(batch));
  Work();
}

void Connection::OnOrder(std::unique_ptr<Order> order) {
  session_.OnOrder(std::move(order));
  Work();
}

void Connection::Drain() {
  // Closing a socket with unread bytes would reset it, and with that lose the
  // answers that are still on their way to the client.
  while (!ended_ && session_.WantsInput()) {
    const size_t before = shard_.counters().bytes_read;
    if (!Receive(shard_.scratch().size())) return Close();
    if (shard_.counters().bytes_read == before) break;
  }
  draining_ = true;
  Work();
}

void Connection::OnReadable(evutil_socket_t, short, void* self) {
  Connection& connection = *static_cast<Connection*>(self);
  if (!connection.Receive(connection.shard_.scratch().size())) {
    return connection.Close();
  }
  connection.Work();
}

void Connection::OnWritable(evutil_socket_t, short, void* self) {
  Connection& connection = *static_cast<Connection*>(self);
  if (!connection.Write()) return connection.Close();
  connection.Work();
}

void Connection::OnResume(event_callback*, void* self) {
  Connection& connection = *static_cast<Connection*>(self);
  connection.resuming_ = false;
  connection.Work();
}

bool Connection::Receive(size_t most) {
  const ssize_t got = recv(fd_, shard_.scratch().data(), most, 0);
  if (got > 0) {
    const size_t bytes = static_cast<size_t>(got);
    shard_.counters().bytes_read += bytes;
    session_.Receive({shard_.scratch().data(), bytes});
    return true;
  }
  if (got == 0) {
    // What it has sent is answered all the same.
    ended_ = true;
    return true;
  }
  return errno == EAGAIN || errno == EINTR;
}

void Connection::Work() {
  const bool more = session_.Advance();
  if (session_.travelling() == 0 || session_.output().size() >= kEarlyWrite) {
    if (!Write()) return Close();
  }
  if (IsDone()) return Close();
  if (more && !resuming_ && session_.output().size() < Session::kOutputHigh) {
    resuming_ = true;
    shard_.base().ScheduleCallback(&resume_);
  }
  WatchReading();
}

// False: the connection failed.
bool Connection::Write() {
  ByteQueue& output = session_.output();
  while (!output.empty()) {
    const std::string_view bytes = output.data();
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return false;
      if (!writing_) {
        writing_ = shard_.base().Add(&writable_, nullptr) == 0;
        if (!writing_) return false;
      }
      return true;
    }
    shard_.counters().bytes_written += static_cast<size_t>(sent);
    output.Consume(static_cast<size_t>(sent));
  }
  if (writing_) {
    shard_.base().Del(&writable_, DelWait::kNever);
    writing_ = false;
  }
  return true;
}

bool Connection::IsDone() {
  if (!session_.output().empty()) return false;
  if (session_.finished()) return true;
  return (ended_ || draining_) && session_.AtRest();
}

// A client that does not read its answers is not read from.
void Connection::WatchReading() {
  const bool wanted = !ended_ && !draining_ && session_.WantsInput();
  if (wanted == reading_) return;
  if (wanted) {
    reading_ = shard_.base().Add(&readable_, nullptr) == 0;
  } else {
    shard_.base().Del(&readable_, DelWait::kNever);
    reading_ = false;
  }
}

void Connection::Close() { shard_.Remove(id_); }

}  // namespace percore::kv
