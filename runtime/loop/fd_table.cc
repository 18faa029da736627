#include "percore/runtime/loop/fd_table.h"

#include <event2/event.h>
#include <fcntl.h>

#include <cerrno>
#include <climits>

#include "percore/runtime/observe/log.h"

namespace percore {
namespace {

// Above this the table is not grown for a number that is no open descriptor.
constexpr int kPlausibleFd = 1 << 20;
constexpr std::uint16_t kMostEvents = 0xffff;

}  // namespace

void FdTable::Count(Entry* entry, short events, int by) {
  const auto add = [by](std::uint16_t* n) {
    *n = static_cast<std::uint16_t>(*n + by);
  };
  if (events & EV_READ) add(&entry->readers);
  if (events & EV_WRITE) add(&entry->writers);
  if (events & EV_CLOSED) add(&entry->closers);
  if (events & EV_ET) add(&entry->edges);
}

bool FdTable::Grow(int fd) {
  const std::size_t index = static_cast<std::size_t>(fd);
  if (index < entries_.size()) return true;
  if (fd >= kPlausibleFd && fcntl(fd, F_GETFD) < 0) return false;
  std::size_t n = entries_.size() < 32 ? 32 : entries_.size();
  while (n <= index) n *= 2;
  // Room in the list first: marking an entry dirty must not fail.
  return dirty_.Reserve(n) && entries_.Resize(n);
}

int FdTable::Insert(Backend* backend, event* ev, bool check_edges) {
  const int fd = ev->ev_fd;
  if (!Grow(fd)) return fd >= kPlausibleFd ? EBADF : ENOMEM;
  Entry& entry = entries_[static_cast<std::size_t>(fd)];
  const short events = ev->ev_events;
  if (((events & EV_READ) && entry.readers == kMostEvents) ||
      ((events & EV_WRITE) && entry.writers == kMostEvents) ||
      ((events & EV_CLOSED) && entry.closers == kMostEvents)) {
    LogWarnx("Too many events reading or writing on fd %d", fd);
    return EMFILE;
  }
  if (check_edges && entry.head != nullptr &&
      (entry.head->ev_events & EV_ET) != (events & EV_ET)) {
    LogWarnx(
        "Tried to mix edge-triggered and non-edge-triggered events on fd %d",
        fd);
    return EINVAL;
  }
  // Alone on a number whose removal is pending. An edge must be looked at
  // again in any case: what is readable now is news to a new watcher.
  const bool alone = entry.head == nullptr;
  const bool trusted = !(events & EV_ET) && ev->ev_.ev_io.ev_io_next.le_prev ==
                                                Stamp(entry.generation);
  Count(&entry, events, +1);
  const Interest wanted = Wanted(entry);
  if (entry.kernel == kInterestNone || (alone && !trusted)) {
    const Interest before = entry.kernel;
    const int error = Tell(backend, fd, ++entry.generation, before, wanted);
    if (error != 0) {
      Count(&entry, events, -1);
      entry.kernel = kInterestNone;
      return error;
    }
    entry.kernel = wanted;
  } else if (wanted != entry.kernel) {
    MarkDirty(fd);
  }
  ev->ev_.ev_io.ev_io_next.le_next = entry.head;
  // The previous event, not the address of its link: entries move.
  ev->ev_.ev_io.ev_io_next.le_prev = nullptr;
  if (entry.head != nullptr) {
    entry.head->ev_.ev_io.ev_io_next.le_prev = reinterpret_cast<event**>(ev);
  }
  entry.head = ev;
  return 0;
}

void FdTable::Remove(event* ev) {
  const int fd = ev->ev_fd;
  Entry& entry = entries_[static_cast<std::size_t>(fd)];
  auto& link = ev->ev_.ev_io.ev_io_next;
  auto* previous = reinterpret_cast<event*>(link.le_prev);
  if (link.le_next != nullptr) {
    link.le_next->ev_.ev_io.ev_io_next.le_prev = link.le_prev;
  }
  if (previous != nullptr) {
    previous->ev_.ev_io.ev_io_next.le_next = link.le_next;
  } else {
    entry.head = link.le_next;
  }
  link.le_next = nullptr;
  link.le_prev = Stamp(entry.generation);
  Count(&entry, ev->ev_events, -1);
  if (Wanted(entry) != entry.kernel) MarkDirty(fd);
}

void FdTable::MarkDirty(int fd) {
  Entry& entry = entries_[static_cast<std::size_t>(fd)];
  if (entry.dirty) return;
  entry.dirty = true;
  dirty_.PushReserved(fd);
}

void FdTable::Send(Backend* backend, int fd) {
  Entry& entry = entries_[static_cast<std::size_t>(fd)];
  const Interest wanted = Wanted(entry);
  if (wanted == entry.kernel) return;
  if (wanted == kInterestNone) {
    // Closed already, most of the time: that is how programs end a socket.
    Tell(backend, fd, entry.generation, entry.kernel, wanted);
    entry.kernel = kInterestNone;
    return;
  }
  const int error = Tell(backend, fd, ++entry.generation, entry.kernel, wanted);
  entry.kernel = error == 0 ? wanted : kInterestNone;
  if (error != 0) {
    errno = error;
    LogWarn("cannot change what is watched on fd %d (closed under its event?)",
            fd);
  }
}

void FdTable::Flush(Backend* backend) {
  for (int fd : dirty_) {
    entries_[static_cast<std::size_t>(fd)].dirty = false;
    Send(backend, fd);
  }
  dirty_.Clear();
}

void FdTable::FlushFd(Backend* backend, int fd) {
  if (static_cast<std::size_t>(fd) >= entries_.size()) return;
  // It stays listed; the flush to come finds nothing to do.
  if (entries_[static_cast<std::size_t>(fd)].dirty) Send(backend, fd);
  backend->Commit();
}

bool FdTable::DeleteStale(Backend* backend, int fd) {
  if (static_cast<std::size_t>(fd) < entries_.size() &&
      entries_[static_cast<std::size_t>(fd)].kernel != kInterestNone) {
    // The number has a live registration, which is what a removal would hit.
    return false;
  }
  // No Tell(): what else was reported with it is none the later for it.
  return backend->Update(fd, 0, kInterestRead, kInterestNone) == 0;
}

int FdTable::Rebuild(Backend* backend) {
  int first_error = 0;
  for (int fd : dirty_) entries_[static_cast<std::size_t>(fd)].dirty = false;
  dirty_.Clear();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    entry.kernel = kInterestNone;
    const Interest wanted = Wanted(entry);
    if (wanted == kInterestNone) continue;
    const int fd = static_cast<int>(i);
    const int error =
        Tell(backend, fd, ++entry.generation, kInterestNone, wanted);
    if (error == 0) {
      entry.kernel = wanted;
    } else if (first_error == 0) {
      first_error = error;
    }
  }
  return first_error;
}

}  // namespace percore
